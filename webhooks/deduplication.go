package webhooks

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"time"
)

// deduplication decides whether a delivery results in a call of the receiver: the first delivery of an event does, and a redelivery only if
// the call before was not accepted. The keys of the newest accepted events form the deduplication window. Keys are stored as hashes, so
// that memory is bounded whatever the keys are. Only verified deliveries get here, so a forged one can neither add a key nor evict one.
type deduplication struct {
	limit      int           // capacity of the window, in keys
	stuckAfter time.Duration // age of a call after which a redelivery starts another one

	mu       sync.Mutex
	pending  map[keyHash]*call
	accepted map[keyHash]bodyHash
	window   []keyHash // ring buffer of the accepted keys, in order of acceptance
	next     int       // index of the oldest key, once the window is full
	overdue  int       // calls that have not returned by their deadline
}

// maxOverdue is how many calls can be overdue before further events are rejected.
const maxOverdue = 256

// keyHash is the first half of a SHA-256, long enough that keys do not collide.
type keyHash [sha256.Size / 2]byte

// bodyHash tells whether a redelivery has the same body. It need not be collision-resistant, because all bodies are signed.
type bodyHash uint64

var bodySeed = maphash.MakeSeed()

// call is one call of the receiver. Concurrent deliveries of its event wait for the response.
type call struct {
	key      keyHash
	body     bodyHash
	began    time.Time
	overdue  bool // guarded by deduplication.mu
	done     chan struct{}
	response response // valid once done is closed
}

// decision says what to do with a delivery.
type decision int

const (
	decisionReceive     decision = iota // call the receiver, then finish the call
	decisionWait                        // wait for the call in progress
	decisionAcknowledge                 // the event was accepted before
	decisionReject                      // too many calls are overdue
)

func newDeduplication(limit int, stuckAfter time.Duration) *deduplication {
	return &deduplication{
		limit:      limit,
		stuckAfter: stuckAfter,
		pending:    make(map[keyHash]*call),
		accepted:   make(map[keyHash]bodyHash),
	}
}

// begin decides what to do with a delivery. It returns the call to make or to wait for, if any. differs reports whether an earlier delivery
// with the same key had a different body.
func (d *deduplication) begin(ev Event, key string) (c *call, what decision, differs bool) {
	sum := sha256.Sum256([]byte(key))
	hash, body := keyHash(sum[:len(keyHash{})]), bodyHash(maphash.Bytes(bodySeed, ev.Raw))
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.accepted[hash]; ok {
		return nil, decisionAcknowledge, known != body
	}
	if c, ok := d.pending[hash]; ok && now.Sub(c.began) < d.stuckAfter {
		return c, decisionWait, c.body != body
	}
	if d.overdue >= maxOverdue {
		return nil, decisionReject, false
	}
	c = &call{key: hash, body: body, began: now, done: make(chan struct{})}
	d.pending[hash] = c
	return c, decisionReceive, false
}

// finish ends a call. All deliveries that wait for it get the response too.
func (d *deduplication) finish(c *call, result response) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.overdue {
		d.overdue--
	}
	if d.pending[c.key] == c { // and not a later call that replaced it
		delete(d.pending, c.key)
	}
	if _, again := d.accepted[c.key]; result.accepted() && !again {
		d.addToWindow(c)
	}
	c.response = result
	close(c.done)
}

// setOverdue counts a call whose deadline has passed and reports true, unless the call is finished.
func (d *deduplication) setOverdue(c *call) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-c.done:
		return false
	default:
	}
	c.overdue = true
	d.overdue++
	return true
}

func (d *deduplication) addToWindow(c *call) {
	switch {
	case d.limit == 0:
		return
	case len(d.window) < d.limit:
		d.window = append(d.window, c.key)
	default:
		delete(d.accepted, d.window[d.next])
		d.window[d.next] = c.key
		d.next = (d.next + 1) % d.limit
	}
	d.accepted[c.key] = c.body
}
