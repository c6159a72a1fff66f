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
func (f *inFlight) claim(d *delivery) (holder *delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if holder := f.byKey[d.inFlightKey()]; holder != nil {
		if holder.sequence == d.sequence {
			holder.reply.Store(d.reply.Load())
		}
		return holder
	}
	if f.byKey == nil {
		f.byKey = make(map[string]*delivery)
	}
	f.byKey[d.inFlightKey()] = d
	return nil
}

// release releases an event, if d is its holder.
func (f *inFlight) release(d *delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKey[d.inFlightKey()] == d {
		delete(f.byKey, d.inFlightKey())
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

func (s *skippedDeliveries) add(sequence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bySequence == nil || len(s.bySequence) > maxSkipped {
		s.bySequence = make(map[uint64]int)
	}
	s.bySequence[sequence]++
}

func (s *skippedDeliveries) count(sequence uint64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bySequence[sequence]
}

func (s *skippedDeliveries) forget(sequence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bySequence, sequence)
}
