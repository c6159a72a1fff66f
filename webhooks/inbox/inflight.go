package inbox

import (
	"sync"
)

// inHand has the events that workers of this process have, by the event's key. JetStream delivers an event to another worker if it has not
// heard of it for AckWait, which also happens when this process, or its machine, was suspended or its clock was set: then the first worker
// is still at it. And the same event can be in the stream twice: redriven, and sent again by JoggAI after the window for duplicates.
type inFlight struct {
	mu    sync.Mutex
	byKey map[string]*delivery
}

// take makes d the holder of its event. If there is another holder, that is returned instead, and if it holds the same message it answers
// to its latest delivery from now on.
func (h *inFlight) claim(d *delivery) (holder *delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if holder := h.byKey[d.inFlightKey()]; holder != nil {
		if holder.sequence == d.sequence {
			holder.reply.Store(d.reply.Load())
		}
		return holder
	}
	if h.byKey == nil {
		h.byKey = make(map[string]*delivery)
	}
	h.byKey[d.inFlightKey()] = d
	return nil
}

// leave lets go of an event, if d is its holder.
func (h *inFlight) release(d *delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byKey[d.inFlightKey()] == d {
		delete(h.byKey, d.inFlightKey())
	}
}

// unbegun counts the deliveries of events that were not attempts: the event was in hand already, or whether it was handled before could
// not be looked up. JetStream counts them.
type skippedDeliveries struct {
	mu         sync.Mutex
	bySequence map[uint64]int
}

// mostUnbegun limits the memory for events that other processes handled in the end.
const maxSkipped = 1 << 16

func (u *skippedDeliveries) add(sequence uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bySequence == nil || len(u.bySequence) > maxSkipped {
		u.bySequence = make(map[uint64]int)
	}
	u.bySequence[sequence]++
}

func (u *skippedDeliveries) count(sequence uint64) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.bySequence[sequence]
}

func (u *skippedDeliveries) forget(sequence uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.bySequence, sequence)
}
