package inbox

import (
	"sync"
)

// inFlight has the events that workers of this process hold, by key. It prevents an event from being handled twice at the same time.
// JetStream redelivers an event after AckWait without an acknowledgement. That also happens if the process or its machine was suspended, or
// if the clock was set, and then the first worker is still handling the event. The same event can also be in the stream twice: redriven,
// and redelivered by JoggAI after the deduplication window.
type inFlight struct {
	mu    sync.Mutex
	byKey map[string]*delivery
}

// claim makes d the holder of its event and returns nil. If the event already has a holder, claim returns the holder. If the holder has the
// same message, it acknowledges d from now on, the latest delivery of that message.
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

// release releases an event, if d is its holder.
func (h *inFlight) release(d *delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byKey[d.inFlightKey()] == d {
		delete(h.byKey, d.inFlightKey())
	}
}

// skippedDeliveries counts deliveries that started no attempt, by sequence: the event was already in flight, or the look-up whether it was
// handled failed. JetStream's delivery count includes them.
type skippedDeliveries struct {
	mu         sync.Mutex
	bySequence map[uint64]int
}

// maxSkipped limits the memory for entries that are never removed, because another process completed the event.
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
