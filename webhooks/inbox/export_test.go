package inbox

import (
	"context"
	"slices"
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

// Dir returns the directory.
func (b *Inbox) Dir() string { return b.local.dir.path }

// Fail makes the store fail as an error of the disk does.
func (b *Inbox) Fail(err error) {
	b.local.failed.Store(&err)
	b.local.requestCheck()
}

// Tidy does at once what is otherwise done each minute.
func (b *Inbox) Maintain(ctx context.Context) { b.maintain(ctx) }

// WithoutServer takes the release of the linked server for one that is not known, and has spoil change what it writes to see whether it can
// be read, until restore is called.
func WithUnknownServer(release string, spoil func(dir string)) (restore func()) {
	known, spoiled := knownServers, corruptSampleStore
	knownServers = slices.DeleteFunc(slices.Clone(known), func(r string) bool { return r == release })
	corruptSampleStore = spoil
	return func() { knownServers, corruptSampleStore = known, spoiled }
}
