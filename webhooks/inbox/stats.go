package inbox

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Stats tells what an inbox holds. With a cluster it is the same whichever Inbox is asked, but for InProgress and Duplicates.
type Stats struct {
	// Waiting is how many events are kept and not being handled by this Inbox: new ones, those that wait for their next attempt, and
	// those that workers elsewhere handle.
	Waiting uint64
	// InProgress is how many events this Inbox handles at this moment.
	InProgress int
	// Redelivered is how many of the events that are kept have been attempted more than once.
	Redelivered int
	// Duplicates is how many redeliveries this Inbox has recognized since it was opened.
	Duplicates uint64
	// Dead is how many dead letters there are.
	Dead uint64
	// Problem is what Healthy says about the store and the disk, "" if it is nothing. Then everything but InProgress, Duplicates,
	// Restarts and FreeBytes is as far as the store could be asked.
	Problem string
	// Restarts is how often the store in the directory has failed and works again since the inbox was opened.
	Restarts uint64
	// FreeBytes is how much is free on the disk of the directory, -1 with a cluster and where the system does not say.
	FreeBytes int64
	// OldestWaiting is when the oldest event that is kept was received or redriven, zero if there is none.
	OldestWaiting time.Time
	// Paused is until when no event is handed to a worker, see Pause. It is zero if workers are not paused.
	Paused time.Time
}

// Stats asks for the state of the inbox at this moment. While the store in a directory has failed, it returns what this process knows by
// itself together with a *StoreError.
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
	s.Paused = pausedUntil(consumer)
	if events.State.Msgs > 0 {
		s.OldestWaiting = events.State.FirstTime
	}
	return s, nil
}

// ownStats returns what the store need not be asked for.
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
