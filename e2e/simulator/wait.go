package simulator

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"time"

	"github.com/jonboulle/clockwork"
)

// notify wakes the goroutines in await after a change of state. s.mu is held.
func (s *Simulator) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await blocks until the condition holds, the context ends or the simulator is closed. The condition is called with s.mu held.
func (s *Simulator) await(ctx context.Context, condition func() bool) error {
	for {
		s.mu.Lock()
		holds, changed, closed := condition(), s.changed, s.closed
		s.mu.Unlock()
		if holds {
			return nil
		}
		if closed {
			return errors.New("simulator: closed")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Settle blocks until nothing more happens without an advance of the clock: every task that is due has ended, and every delivery has
// finished or waits for its next attempt. A receiver that does not respond blocks Settle until the limit of WithResponseTimeout has passed,
// which on a fake clock needs an advance, or until the context ends.
func (s *Simulator) Settle(ctx context.Context) error {
	if err := s.await(ctx, s.settled); err != nil {
		return fmt.Errorf("simulator: settle: %w", err)
	}
	return nil
}

func (s *Simulator) settled() bool {
	now := s.clock.Now()
	for t := range s.running {
		s.catchUp(t)
	}
	for d := range s.unfinished {
		if d.state != DeliveryWaiting || !d.next.After(now) {
			return false
		}
	}
	return true
}

// NextDue returns when the next task ends or the next attempt of a delivery is due, on the simulator's clock. It returns false if neither
// exists. It ignores deliveries that are being sent, so call Settle before.
func (s *Simulator) NextDue() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next time.Time
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for t := range s.running {
		sooner(t.due)
	}
	for d := range s.unfinished {
		if d.state == DeliveryWaiting {
			sooner(d.next)
		}
	}
	return next, !next.IsZero()
}

// FastForward advances the fake clock from one due time to the next and calls Settle each time, until every delivery has finished and every
// task has ended, except tasks that are held in a state. It fails if the simulator's clock is not a *clockwork.FakeClock.
func (s *Simulator) FastForward(ctx context.Context) error {
	clock, ok := s.clock.(*clockwork.FakeClock)
	if !ok {
		return errors.New("simulator: fast forward: the clock is not a *clockwork.FakeClock")
	}
	for {
		if err := s.Settle(ctx); err != nil {
			return err
		}
		next, ok := s.NextDue()
		if !ok {
			return nil
		}
		clock.Advance(next.Sub(clock.Now()))
	}
}

// WaitTask blocks until a task has ended, and returns it. It does not advance the clock. It returns ErrUnknownTask for an unknown id, and
// an error that wraps the context's cause if the context ends first. It also fails if the simulator is closed first.
func (s *Simulator) WaitTask(ctx context.Context, id string) (TaskRecord, error) {
	var record TaskRecord
	known := true
	err := s.await(ctx, func() bool {
		t := s.tasks[id]
		if known = t != nil; !known {
			return true
		}
		s.catchUp(t)
		record = s.taskRecord(t)
		return !t.ended.IsZero()
	})
	if !known {
		return TaskRecord{}, ErrUnknownTask
	}
	if err != nil {
		return record, fmt.Errorf("simulator: wait for task %s (%s): %w", id, record.Status, err)
	}
	return record, nil
}

// WaitDeliveries blocks until the condition holds for the deliveries so far, oldest first, and returns them. The condition must not call
// methods of the Simulator, which would deadlock. The error wraps the context's cause, or says that the simulator was closed.
func (s *Simulator) WaitDeliveries(ctx context.Context, condition func([]DeliveryRecord) bool) ([]DeliveryRecord, error) {
	var records []DeliveryRecord
	err := s.await(ctx, func() bool {
		records = s.deliveryRecords()
		return condition(records)
	})
	if err != nil {
		return records, fmt.Errorf("simulator: wait for deliveries (%d so far): %w", len(records), err)
	}
	return records, nil
}

// WaitAttempts blocks until n delivery attempts have completed, with or without a response. It returns the retained attempts, oldest first.
// The error wraps the context's cause, or says that the simulator was closed.
func (s *Simulator) WaitAttempts(ctx context.Context, n int) ([]AttemptRecord, error) {
	var records []AttemptRecord
	err := s.await(ctx, func() bool {
		records = slices.Clone(s.attempts)
		return s.sequence >= int64(n)
	})
	if err != nil {
		return records, fmt.Errorf("simulator: wait for %d attempts (%d so far): %w", n, len(records), err)
	}
	return records, nil
}

// FollowAttempts returns an iterator over the delivery attempts. It starts with the oldest retained attempt and waits for new ones until
// the context ends or the Simulator is closed. A slow consumer misses attempts that are no longer retained: see WithLogSize.
func (s *Simulator) FollowAttempts(ctx context.Context) iter.Seq[AttemptRecord] {
	return func(yield func(AttemptRecord) bool) {
		var seen int64
		for {
			var fresh []AttemptRecord
			err := s.await(ctx, func() bool {
				i := sort.Search(len(s.attempts), func(i int) bool { return s.attempts[i].Sequence > seen })
				fresh = slices.Clone(s.attempts[i:])
				return len(fresh) > 0
			})
			if err != nil {
				return
			}
			for _, record := range fresh {
				if !yield(record) {
					return
				}
				seen = record.Sequence
			}
		}
	}
}
