package jogg

import (
	"context"
	"fmt"
	"time"
)

// Clock tells the time and wakes up calls that wait. Programs have no need to replace it; tests use a fake clock that they advance by hand,
// such as the one of github.com/jonboulle/clockwork. Its methods are called from several goroutines concurrently.
type Clock interface {
	// Now returns the current time. It is compared with the deadlines of contexts.
	Now() time.Time
	// After returns a channel that receives once, after d has passed.
	After(d time.Duration) <-chan time.Time
}

// systemClock is the real clock.
type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// pause waits for d. It fails at once if the wait would outlast the deadline of ctx.
func pause(ctx context.Context, clock Clock, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && !clock.Now().Add(d).Before(deadline) {
		return fmt.Errorf("waiting %s would outlast the deadline: %w", d.Round(time.Millisecond), context.DeadlineExceeded)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-clock.After(d):
		return nil
	}
}
