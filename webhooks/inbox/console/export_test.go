package console

import "github.com/jogg-go/jogg/webhooks/inbox"

// WithHistory shows these minutes in place of the inbox's.
func WithHistory(minutes []inbox.Minute) Option {
	return func(c *console) { c.history = func() []inbox.Minute { return minutes } }
}
