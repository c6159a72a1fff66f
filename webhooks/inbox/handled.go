package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// wasHandled reports whether a message with that id is remembered as done with.
func (b *Inbox) wasHandled(ctx context.Context, id string) (bool, error) {
	_, err := retryTransient(ctx, storeLimits, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return b.handled.GetLastMsgForSubject(ctx, b.opts.handledSubject(subjectToken(id)))
	})
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("inbox: look up what was handled: %w", err)
	}
	return true, nil
}

// remember remembers messages as done with, for as long as the window for duplicates.
func (b *Inbox) markHandled(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if _, err := b.publish(ctx, storeLimits, nats.NewMsg(b.opts.handledSubject(subjectToken(id)))); err != nil {
			return fmt.Errorf("inbox: remember what was handled: %w", err)
		}
	}
	return nil
}

// sweep deletes events that have been acknowledged and are there nevertheless. A server writes down first that a message has been
// acknowledged and then that it is gone. If it is killed in between, the message is never delivered again and never goes away:
// servers in a cluster look for such messages, a single one does not. What is deleted is done with whoever has it, so workers may be at
// work meanwhile.
func (b *Inbox) sweep(ctx context.Context) error {
	consumer, err := b.consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("inbox: sweep: %w", err)
	}
	events, err := b.events.Info(ctx)
	if err != nil {
		return fmt.Errorf("inbox: sweep: %w", err)
	}
	if events.State.Msgs == consumer.NumPending+uint64(consumer.NumAckPending) {
		return nil
	}
	for sequence := events.State.FirstSeq; sequence <= consumer.Delivered.Stream; sequence++ {
		msg, err := b.events.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(b.opts.eventsSubject()))
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && msg.Sequence > consumer.Delivered.Stream {
			return nil
		}
		if err != nil {
			return fmt.Errorf("inbox: sweep: %w", err)
		}
		sequence = msg.Sequence
		done := sequence <= consumer.AckFloor.Stream
		if !done {
			// What is not remembered any more will be below the floor some time.
			if done, err = b.wasHandled(ctx, msg.Header.Get(jetstream.MsgIDHeader)); err != nil {
				return err
			}
		}
		if !done {
			continue
		}
		if err := b.events.DeleteMsg(ctx, sequence); err != nil {
			return fmt.Errorf("inbox: sweep: %w", err)
		}
	}
	return nil
}
