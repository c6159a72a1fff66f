package jogg

import (
	"errors"
	"net/http"
	"time"

	"golang.org/x/time/rate"
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
// outlast its context's deadline. All goroutines that use the client share the turns, and repeated requests take theirs too.
// Without this option nothing is paced.
//
// The limit is the API key's: clients in several processes divide it among themselves.
func WithPacing(perMinute int) Option {
	return func(c *Client) error {
		if perMinute < 1 {
			return errors.New("jogg: WithPacing: less than one request in a minute")
		}
		// One request at a time, because a burst on top of the steady rate would exceed the limit in its first minute.
		c.pace = rate.NewLimiter(rate.Every((time.Minute+transitSlack)/time.Duration(perMinute)), 1)
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
		now := c.clock.Now()
		turn := c.pace.ReserveN(now, 1)
		if err := pause(x.request.Context(), c.clock, turn.DelayFrom(now)); err != nil {
			turn.CancelAt(c.clock.Now())
			return c.unanswered(x, fateRefused, err)
		}
		return next(x)
	}
}
