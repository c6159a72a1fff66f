package webhooks

import "context"

// Receiver processes events. *Router and *inbox.Inbox are Receivers. A Receiver must be safe for concurrent use.
type Receiver interface {
	// Receive processes an event. Returning nil acknowledges it: JoggAI does not deliver it again. After an error JoggAI redelivers the
	// event. Receive must return when ctx ends.
	Receive(ctx context.Context, ev Event) error
}

// ReceiverFunc adapts a function to a Receiver.
type ReceiverFunc func(ctx context.Context, ev Event) error

// Receive calls f.
func (f ReceiverFunc) Receive(ctx context.Context, ev Event) error {
	return f(ctx, ev)
}
