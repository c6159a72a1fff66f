package jogg

import (
	"context"
	"fmt"
	"time"
)

// Clock tells the time and wakes up a call that waits. Programs leave it alone; tests put one in that they move by hand, such as
// the fake clock of github.com/jonboulle/clockwork. Its methods are called from several goroutines at once.
type Clock interface {
	// Now returns the present time. It is compared with the deadlines of contexts.
	Now() time.Time
	// After returns a channel that receives once, when d has passed.
	After(d time.Duration) <-chan time.Time
}

// systemClock is the clock of the machine.
type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// pause waits for d. A wait that would outlast the deadline of ctx is not begun.
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
