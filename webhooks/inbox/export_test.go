package inbox

import (
	"time"

	"github.com/nats-io/nats.go"
)

// Conn returns the connection to the server, for tests that look at the streams or put something into them.
func (b *Inbox) Conn() *nats.Conn { return b.conn }

// History is what an inbox counts, with a clock of the test's own.
type History struct{ history }

func NewHistory(now func() time.Time) *History { return &History{history{now: now}} }

func (h *History) Received()            { h.add(func(c *Counts) { c.Received++ }) }
func (h *History) Took(d time.Duration) { h.took(d) }
func (h *History) Minutes() []Minute    { return h.minutes() }
func (h *History) Counts() Counts       { return h.counts() }
