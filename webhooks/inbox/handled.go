package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// wasHandled reports whether an event with that message ID was handled within the deduplication window.
func (b *Inbox) wasHandled(ctx context.Context, id string) (bool, error) {
	_, err := retryTransient(ctx, storeLimits, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return b.handled.GetLastMsgForSubject(ctx, b.opts.handledSubject(subjectToken(id)))
	})
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("inbox: look up whether the event was handled: %w", err)
	}
	return true, nil
}

// markHandled adds message IDs to the deduplication window.
func (b *Inbox) markHandled(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if _, err := b.publish(ctx, storeLimits, nats.NewMsg(b.opts.handledSubject(subjectToken(id)))); err != nil {
			return fmt.Errorf("inbox: record an event as handled: %w", err)
		}
	}
	return nil
}

// sweep deletes events that were acknowledged but are still in the stream. A server first writes the acknowledgement and then the deletion
// of the message. If it is killed in between, the message is neither redelivered nor deleted. Servers of a cluster look for such messages;
// a single server does not. sweep deletes only events that are done, so it can run while workers are active.
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
			// An event whose entry has left the deduplication window is swept once the acknowledgement floor has passed it.
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
