package webhooks

import (
	"crypto/sha256"
	"sync"
)

// acceptance decides which delivery of an event is received: the first one, and another one only if the one before was not accepted.
// It remembers the keys of the newest accepted events, as hashes, so that its memory is bounded whatever the keys are. Only verified
// deliveries get here, so a forged one can neither enter a key nor push one out.
type acceptance struct {
	mu       sync.Mutex
	pending  map[keyHash]*reception
	accepted map[keyHash]struct{}
	oldest   []keyHash // a ring of the accepted keys in the order of their acceptance; next is the oldest once it is full
	next     int
	limit    int
}

type keyHash [sha256.Size]byte

// reception is the receiving of one event, which several deliveries of it can wait for.
type reception struct {
	hash   keyHash
	done   chan struct{}
	answer answer // valid once done is closed
}

func newAcceptance(limit int) *acceptance {
	return &acceptance{
		pending:  make(map[keyHash]*reception),
		accepted: make(map[keyHash]struct{}),
		limit:    limit,
	}
}

// begin returns nil if the event was accepted before. Otherwise it returns the reception of the event, and whether the caller is the
// one that has to carry it out and to end it with finish.
func (a *acceptance) begin(key string) (r *reception, first bool) {
	hash := keyHash(sha256.Sum256([]byte(key)))
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.accepted[hash]; ok {
		return nil, false
	}
	if r, ok := a.pending[hash]; ok {
		return r, false
	}
	r = &reception{hash: hash, done: make(chan struct{})}
	a.pending[hash] = r
	return r, true
}

// finish ends the reception of an event with an answer, which all deliveries that wait for it get too.
func (a *acceptance) finish(r *reception, result answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.pending, r.hash)
	if result.accepted() {
		a.remember(r.hash)
	}
	r.answer = result
	close(r.done)
}

func (a *acceptance) remember(hash keyHash) {
	switch {
	case a.limit == 0:
		return
	case len(a.oldest) < a.limit:
		a.oldest = append(a.oldest, hash)
	default:
		delete(a.accepted, a.oldest[a.next])
		a.oldest[a.next] = hash
		a.next = (a.next + 1) % a.limit
	}
	a.accepted[hash] = struct{}{}
}
