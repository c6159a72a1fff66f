package inbox

import (
	"context"
	"fmt"
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
	// OldestWaiting is when the oldest event that is kept was received or redriven, zero if there is none.
	OldestWaiting time.Time
	// Paused is until when no event is handed to a worker, see Pause. It is zero if workers are not paused.
	Paused time.Time
	// Free is how many bytes are left for events, by the limits of the stream, the disk and the JetStream account, or -1 if there is
	// none of these limits.
	Free int64
}

// Stats asks for the state of the inbox at this moment.
func (b *Inbox) Stats(ctx context.Context) (Stats, error) {
	if err := b.enter(); err != nil {
		return Stats{}, err
	}
	defer b.leave()
	worker, err := b.worker.Info(ctx)
	if err != nil {
		return Stats{}, fmt.Errorf("inbox: stats: %w", err)
	}
	dead, err := b.dead.Info(ctx)
	if err != nil {
		return Stats{}, fmt.Errorf("inbox: stats: %w", err)
	}
	running := b.running.Load()
	events, err := b.events.Info(ctx)
	if err != nil {
		return Stats{}, fmt.Errorf("inbox: stats: %w", err)
	}
	s := Stats{
		Waiting:     events.State.Msgs - min(events.State.Msgs, uint64(running)),
		InProgress:  int(running),
		Redelivered: worker.NumRedelivered,
		Duplicates:  b.duplicates.Load(),
		Dead:        dead.State.Msgs,
		Paused:      pausedUntil(worker),
	}
	if s.Free, err = b.free(ctx, events); err != nil {
		return Stats{}, fmt.Errorf("inbox: stats: %w", err)
	}
	if events.State.Msgs > 0 {
		s.OldestWaiting = events.State.FirstTime
	}
	return s, nil
}
