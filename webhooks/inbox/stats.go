package inbox

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Stats is the current state of an inbox. With a cluster, every process sees the same state, except that InProgress, Duplicates and Problem
// are those of this Inbox, and Waiting does not include the events that this Inbox is handling.
type Stats struct {
	// Waiting is the number of stored events that this Inbox is not handling: new events, events that wait for a retry, and events that
	// other processes are handling.
	Waiting uint64
	// InProgress is the number of events that this Inbox is handling.
	InProgress int
	// Redelivered is the number of stored events with more than one attempt.
	Redelivered int
	// Duplicates is the number of redeliveries that this Inbox has deduplicated since it was opened.
	Duplicates uint64
	// Dead is the number of dead letters.
	Dead uint64
	// Problem is the text of the error of Healthy about the store, the disk or a limit of the inbox, "" if there is none. If the store has
	// failed, the fields other than InProgress, Duplicates, Restarts and FreeBytes are zero, because it could not be queried.
	Problem string
	// Restarts is how often the store of the directory has failed and was restarted since the inbox was opened.
	Restarts uint64
	// FreeBytes is the free space on the disk of the directory. It is -1 with a cluster, and if the system does not report the free space.
	FreeBytes int64
	// OldestWaiting is when the oldest stored event was received or redriven, zero if there is none.
	OldestWaiting time.Time
	// Paused is when the pause of the inbox ends, see Pause. It is zero if the inbox is not paused.
	Paused time.Time
}

// Stats returns the current state of the inbox. While the store of a directory has failed, it returns the fields that this process knows
// together with a *StoreError.
func (b *Inbox) Stats(ctx context.Context) (s Stats, err error) {
	s = b.processStats()
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return s, err
	}
	defer end(&err)
	consumer, err := b.consumer.Info(ctx)
	if err != nil {
		return s, fmt.Errorf("inbox: stats: %w", err)
	}
	dead, err := b.dead.Info(ctx)
	if err != nil {
		return s, fmt.Errorf("inbox: stats: %w", err)
	}
	running := b.running.Load()
	events, err := b.events.Info(ctx)
	if err != nil {
		return s, fmt.Errorf("inbox: stats: %w", err)
	}
	s.Waiting = events.State.Msgs - min(events.State.Msgs, uint64(running))
	s.InProgress = int(running)
	s.Redelivered = consumer.NumRedelivered
	s.Dead = dead.State.Msgs
	if err := b.opts.reached(events.State); err != nil && s.Problem == "" {
		s.Problem = err.Error()
	}
	s.Paused = pausedUntil(consumer)
	if events.State.Msgs > 0 {
		s.OldestWaiting = events.State.FirstTime
	}
	return s, nil
}

// processStats returns the fields that this process knows without a request to the store.
func (b *Inbox) processStats() Stats {
	s := Stats{
		InProgress: int(b.running.Load()),
		Duplicates: b.duplicates.Load(),
		Restarts:   b.health.restarts.Load(),
		FreeBytes:  -1,
	}
	if b.local != nil && b.local.space.free.Load() < math.MaxInt64 {
		s.FreeBytes = max(b.local.space.left(), 0)
	}
	if err := b.admit(0); err != nil {
		s.Problem = err.Error()
	}
	return s
}
