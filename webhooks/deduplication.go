package webhooks

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"time"
)

// deduplication decides which delivery of an event is received: the first one, and another one only if the one before was not accepted. It
// keeps the keys of the newest accepted events, as hashes, so that its memory is bounded whatever the keys are. Only verified deliveries get
// here, so a forged one can neither enter a key nor push one out.
type deduplication struct {
	limit    int           // how many accepted keys are kept
	patience time.Duration // how old a reception may become before a redelivery is received anew

	mu       sync.Mutex
	pending  map[keyHash]*reception
	accepted map[keyHash]bodyHash
	oldest   []keyHash // a ring of the accepted keys in the order of their acceptance; next is the oldest once it is full
	next     int
	overdue  int // receptions that are not finished though their deadline has passed
}

// mostOverdue is how many receptions may be overdue before no further one begins.
const mostOverdue = 256

// keyHash is half of a SHA-256, enough to tell any number of keys apart.
type keyHash [sha256.Size / 2]byte

// bodyHash tells whether a redelivery has the same body. It need not resist anybody: all bodies are signed.
type bodyHash uint64

var bodySeed = maphash.MakeSeed()

// reception is the receiving of one event, which several deliveries of it can wait for.
type reception struct {
	key     keyHash
	body    bodyHash
	began   time.Time
	overdue bool // guarded by deduplication.mu
	done    chan struct{}
	answer  answer // valid once done is closed
}

// turn says what is to be done about a delivery.
type turn int

const (
	turnFirst    turn = iota // receive it, and finish the reception
	turnFollow               // wait for the reception
	turnAccepted             // nothing: the event was accepted before
	turnBusy                 // nothing: too many receptions are overdue
)

func newDeduplication(limit int, patience time.Duration) *deduplication {
	return &deduplication{
		limit:    limit,
		patience: patience,
		pending:  make(map[keyHash]*reception),
		accepted: make(map[keyHash]bodyHash),
	}
}

// begin says whose turn a delivery is. It reports whether another delivery with the same key had another body.
func (d *deduplication) begin(ev Event, key string) (r *reception, t turn, differs bool) {
	sum := sha256.Sum256([]byte(key))
	hash, body := keyHash(sum[:len(keyHash{})]), bodyHash(maphash.Bytes(bodySeed, ev.Raw))
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.accepted[hash]; ok {
		return nil, turnAccepted, known != body
	}
	if r, ok := d.pending[hash]; ok && now.Sub(r.began) < d.patience {
		return r, turnFollow, r.body != body
	}
	if d.overdue >= mostOverdue {
		return nil, turnBusy, false
	}
	r = &reception{key: hash, body: body, began: now, done: make(chan struct{})}
	d.pending[hash] = r
	return r, turnFirst, false
}

// finish ends the reception of an event with an answer, which all deliveries that wait for it get too.
func (d *deduplication) finish(r *reception, result answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.overdue {
		d.overdue--
	}
	if d.pending[r.key] == r { // and not one that took its place
		delete(d.pending, r.key)
	}
	if _, again := d.accepted[r.key]; result.accepted() && !again {
		d.remember(r)
	}
	r.answer = result
	close(r.done)
}

// setOverdue counts a reception whose deadline has passed, unless it is finished. It reports whether it did.
func (d *deduplication) setOverdue(r *reception) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-r.done:
		return false
	default:
	}
	r.overdue = true
	d.overdue++
	return true
}

func (d *deduplication) remember(r *reception) {
	switch {
	case d.limit == 0:
		return
	case len(d.oldest) < d.limit:
		d.oldest = append(d.oldest, r.key)
	default:
		delete(d.accepted, d.oldest[d.next])
		d.oldest[d.next] = r.key
		d.next = (d.next + 1) % d.limit
	}
	d.accepted[r.key] = r.body
}
