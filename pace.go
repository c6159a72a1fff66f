package jogg

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// PostsPerMinute is the number of POST requests that the service accepts from one API key in a minute, as it documents. Other
// requests are not limited.
const PostsPerMinute = 20

// transitSlack is by how much more than a minute the requests of a minute are spread. The service counts when they arrive, and one
// that was slower on its way than the one a minute after it, such as the first, which opens the connection, would otherwise be
// counted together with it.
const transitSlack = 2 * time.Second

// WithPacing spreads the POST requests of the client evenly, so that in any minute at most perMinute of them arrive;
// [PostsPerMinute] keeps to the service's limit. To allow for unequal times on the way, they are spread over 62 seconds: a request is
// sent every 3.1 seconds if perMinute is 20. A request whose turn has not come waits for it, and fails at once if that would
// outlast its context's deadline. One whose context ends while it waits leaves its turn to those behind it. All goroutines that use the
// client share the turns, and repeated requests take theirs too.
// Without this option nothing is paced.
//
// The limit is the API key's: clients in several processes divide it among themselves.
func WithPacing(perMinute int) Option {
	return func(c *Client) error {
		if perMinute < 1 {
			return errors.New("jogg: WithPacing: less than one request in a minute")
		}
		c.pace = newPacer((time.Minute + transitSlack) / time.Duration(perMinute))
		return nil
	}
}

// paced holds a POST back until its turn has come.
func (c *Client) paced(next step) step {
	if c.pace == nil {
		return next
	}
	return func(x *exchange) error {
		if x.request.Method != http.MethodPost {
			return next(x)
		}
		if err := c.pace.wait(x.request.Context(), c.clock); err != nil {
			return c.unanswered(x, fateRefused, err)
		}
		return next(x)
	}
}

// pacer gives out turns, one after each interval, in the order in which they are asked for. A turn is taken only when its time has come, by
// the first in the line, so one who leaves the line leaves nothing behind. (golang.org/x/time/rate gives out turns ahead of time, and one
// that is cancelled is lost as soon as a later one was given out.)
type pacer struct {
	interval time.Duration
	first    chan struct{} // held by the first in the line; the others stand in the order of the channel

	mu     sync.Mutex
	latest time.Time // when the latest turn was taken, zero before the first
	line   int       // how many wait for a turn
}

func newPacer(interval time.Duration) *pacer {
	return &pacer{interval: interval, first: make(chan struct{}, 1)}
}

// wait takes a turn. It fails at once if the turn would not come before the deadline of ctx even though all before it came on time.
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

// join enters the line and returns how long its end has to wait.
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

// untilNext returns how long it is until a turn can be taken.
func (p *pacer) untilNext(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latest.IsZero() {
		return 0
	}
	return max(0, p.interval-now.Sub(p.latest))
}
