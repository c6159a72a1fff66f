package inbox

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
)

func TestTransientErrorsAreRetried(t *testing.T) {
	const failing = 30 * time.Millisecond // within the first wait
	for _, c := range []struct {
		name   string
		limits retryLimits
		calls  int // of f that fail; the next one succeeds
		after  func(h *health, cancel context.CancelFunc)
		want   error
		took   time.Duration
	}{
		{"until f succeeds", storeLimits, 3, nil, nil, 3 * retryWait},
		{"until the time is over", retryLimits{timeout: 250 * time.Millisecond}, 100, nil, context.DeadlineExceeded, 250 * time.Millisecond},
		{"until the context ends", noLimits, 100, func(_ *health, cancel context.CancelFunc) { cancel() }, context.Canceled, failing},
		{"until the store fails", retryLimits{timeout: time.Hour}, 100, func(h *health, _ context.CancelFunc) { h.markDown(errors.New("disk")) }, nats.ErrNoResponders, failing},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h health
				h.markUp()
				if c.limits.timeout == time.Hour {
					c.limits.uptime = h.current.Load()
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.after != nil {
					time.AfterFunc(failing, func() { c.after(&h, cancel) })
				}
				begin, calls := time.Now(), 0
				_, err := retryTransient(ctx, c.limits, func(context.Context) (struct{}, error) {
					if calls++; calls <= c.calls {
						return struct{}{}, nats.ErrNoResponders
					}
					return struct{}{}, nil
				})
				if took := time.Since(begin); !errors.Is(err, c.want) || took != c.took {
					t.Errorf("error %v after %v and %d calls, want %v after %v", err, took, calls, c.want, c.took)
				}
			})
		})
	}
}

func TestACallUnderWayEndsWhenTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h health
		h.markUp()
		time.AfterFunc(time.Millisecond, func() { h.markDown(errors.New("disk")) })
		begin := time.Now()
		_, err := retryTransient(t.Context(), retryLimits{timeout: time.Hour, uptime: h.current.Load()}, func(ctx context.Context) (struct{}, error) {
			<-ctx.Done()
			return struct{}{}, ctx.Err()
		})
		if took := time.Since(begin); !errors.Is(err, context.Canceled) || took != time.Millisecond {
			t.Errorf("error %v after %v", err, took)
		}
	})
}
