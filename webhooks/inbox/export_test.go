package inbox

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// Conn returns the connection to the server, for tests that read or publish messages.
func (b *Inbox) Conn() *nats.Conn { return b.conn }

// History is the history of an inbox with a fake clock.
type History struct{ history }

func NewHistory(now func() time.Time) *History { return &History{history{now: now}} }

func (h *History) Received()            { h.add(func(c *Counts) { c.Received++ }) }
func (h *History) Took(d time.Duration) { h.took(d) }
func (h *History) Minutes() []Minute    { return h.minutes() }
func (h *History) Counts() Counts       { return h.counts() }

// Dir returns the directory.
func (b *Inbox) Dir() string { return b.local.dir.path }

// Fail makes the store fail as a disk error does.
func (b *Inbox) Fail(err error) {
	b.local.failed.Store(&err)
	b.local.requestCheck()
}

// Maintain runs the periodic maintenance now.
func (b *Inbox) Maintain(ctx context.Context) { b.maintain(ctx) }

// WithUnknownServer removes a release from the known servers, and lets spoil change the sample store that the linked server writes, until
// restore is called.
func WithUnknownServer(release string, spoil func(dir string)) (restore func()) {
	known, spoiled := knownServers, corruptSampleStore
	knownServers = slices.DeleteFunc(slices.Clone(known), func(r string) bool { return r == release })
	corruptSampleStore = spoil
	return func() { knownServers, corruptSampleStore = known, spoiled }
}
