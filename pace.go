package jogg

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// PostsPerMinute is the number of POST requests per minute that the service accepts for one API key, as documented. Other requests are not
// limited.
const PostsPerMinute = 20

// transitSlack is how much longer than a minute the requests of one minute are spread. The service counts when they arrive. A request that
// is slower on its way than the one a minute after it, such as the first, which opens the connection, would otherwise be counted together
// with it.
const transitSlack = 2 * time.Second

// WithPacing spaces the POST requests of the client evenly, so that at most perMinute of them arrive in any minute. [PostsPerMinute] is the
// service's limit. To allow for varying transit times, the requests are spread over 62 seconds: with a perMinute of 20, one is sent every
// 3.1 seconds. A request waits for its turn, and fails at once if the wait would outlast its context's deadline. A request whose context
// ends while it waits leaves its turn to the next one. All goroutines that use the client share the turns, and retries take turns too.
// Without this option nothing is paced.
//
// The limit is per API key: clients in several processes have to divide it among themselves.
func WithPacing(perMinute int) Option {
	return func(c *Client) error {
		if perMinute < 1 {
			return errors.New("jogg: WithPacing: less than one request in a minute")
		}
		c.pace = newPacer((time.Minute + transitSlack) / time.Duration(perMinute))
		return nil
	}
}

// paced delays a POST until its turn.
func (c *Client) paced(next step) step {
	if c.pace == nil {
		return next
	}
	return func(x *exchange) error {
		if x.request.Method != http.MethodPost {
			return next(x)
		}
		if err := c.pace.wait(x.request.Context(), c.clock); err != nil {
			return c.unanswered(x, fateEnded, err)
		}
		return next(x)
	}
}

// pacer hands out turns, one per interval, in the order in which they are requested. Only the first in line takes a turn, and only when it
// is due, so leaving the line wastes none. (golang.org/x/time/rate reserves turns ahead of time, and a canceled reservation is lost once a
// later one exists.)
type pacer struct {
	interval time.Duration
	first    chan struct{} // held by the first in line; the channel orders the others

	mu     sync.Mutex
	latest time.Time // when the latest turn was taken; zero before the first
	line   int       // the number of requests that wait for a turn
}

func newPacer(interval time.Duration) *pacer {
	return &pacer{interval: interval, first: make(chan struct{}, 1)}
}

// wait takes a turn. It fails at once if the turn would not come before the deadline of ctx even if all turns before it are taken on time.
func (p *pacer) wait(ctx context.Context, clock Clock) error {
	expected := p.join(clock.Now())
	defer p.leave()
	if deadline, ok := ctx.Deadline(); ok && expected > 0 && !clock.Now().Add(expected).Before(deadline) {
		return pause(ctx, clock, expected)
	}
	select {
	case p.first <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.first }()
	if err := pause(ctx, clock, p.untilNext(clock.Now())); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = clock.Now()
	return nil
}

// join enters the line and returns how long the last in line has to wait.
func (p *pacer) join(now time.Time) time.Duration {
	next := p.untilNext(now)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line++
	return next + time.Duration(p.line-1)*p.interval
}

func (p *pacer) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line--
}

// untilNext returns the time until a turn can be taken.
func (p *pacer) untilNext(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latest.IsZero() {
		return 0
	}
	return max(0, p.interval-now.Sub(p.latest))
}
