package webhooks

import "context"

// Receiver takes events. *Router and *inbox.Inbox are receivers. It must be safe for concurrent use.
type Receiver interface {
	// Receive returns nil once it has taken care of the event, which is then not delivered again. Whatever else it returns makes
	// JoggAI send the event again. It returns when ctx ends.
	Receive(ctx context.Context, ev Event) error
}

// ReceiverFunc makes a function a Receiver.
type ReceiverFunc func(ctx context.Context, ev Event) error

// Receive calls f.
func (f ReceiverFunc) Receive(ctx context.Context, ev Event) error {
	return f(ctx, ev)
}
