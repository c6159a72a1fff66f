package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jogg-go/jogg/webhooks"
)

const (
	// receiveTime limits Receive if its context does not. JoggAI waits no longer.
	receiveTime = 5 * time.Second
	// tryTime is when an answer is no longer waited for, because the server that should have sent it may be gone.
	tryTime = 2 * time.Second
	// retryWait lies between two tries.
	retryWait = 100 * time.Millisecond
)

// Receive keeps an event. It returns nil once the event is on disk, or on the disks of a majority of the replicas, and for an event
// that is there already or has been handled lately. It needs the event's ID, Type and Raw only, and keeps no hold on them.
//
// If the inbox is full, closed or unreachable it returns a *webhooks.UnavailableError, with ErrFull, ErrClosed or the reason in it, so
// that a handler made by webhooks.NewHandler asks JoggAI to send the event again later. While the store in a directory has failed the
// reason is a *StoreError, at once. Receive gives up when ctx ends, and after 5 seconds at the latest. The event may have been kept
// nevertheless; then its redelivery is recognized.
func (b *Inbox) Receive(ctx context.Context, ev webhooks.Event) (err error) {
	key := ev.Key()
	ctx, seen := b.watch.receiving(ctx, key, ev)
	defer func() { seen.end(ctx, err) }()
	if len(ev.Raw) == 0 {
		return errors.New("inbox: receive: event has no Raw")
	}
	if err := b.enter(); err != nil {
		return b.unavailable(err)
	}
	defer b.leave()
	if err := b.refusal(len(ev.Raw)); err != nil {
		return b.unavailable(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	era := b.health.current.Load()
	defer context.AfterFunc(era, cancel)()

	msg := eventMessage(b.opts.eventsSubject(), messageID(key), ev)
	traces.Inject(ctx, headerCarrier(msg.Header))
	ack, err := b.publish(ctx, receiveTime, msg)
	switch {
	case err != nil && era.Err() != nil: // the store has failed meanwhile
		return b.unavailable(fmt.Errorf("inbox: receive: %w", context.Cause(era)))
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum):
		return fmt.Errorf("inbox: receive: event of %d bytes: %w", len(ev.Raw), err) // would not fit later either
	case err != nil && full(err):
		return b.unavailable(fmt.Errorf("%w: %w", ErrFull, err))
	case errors.Is(err, nats.ErrConnectionClosed):
		return b.unavailable(fmt.Errorf("%w: %w", ErrClosed, err))
	case err != nil:
		b.suspect()
		return b.unavailable(fmt.Errorf("inbox: receive: %w", err))
	case ack.Duplicate:
		b.duplicates.Add(1)
		seen.duplicate = true
		b.log.DebugContext(ctx, "event received again", "key", key, "event", string(ev.Type))
	default:
		if b.local != nil {
			b.local.space.take(len(ev.Raw))
		}
		b.log.DebugContext(ctx, "event received", "key", key, "event", string(ev.Type))
	}
	return nil
}

// suspect has the store looked at, because it does not answer.
func (b *Inbox) suspect() {
	if b.local != nil {
		b.local.suspect()
	}
}

func (b *Inbox) unavailable(err error) error {
	return &webhooks.UnavailableError{RetryAfter: b.opts.RetryAfter, Err: err}
}

// publish has a message stored, one that has an id or takes the place of the one before it, so that a second try does no harm. limit is as
// for insist.
func (b *Inbox) publish(ctx context.Context, limit time.Duration, msg *nats.Msg) (*jetstream.PubAck, error) {
	return insist(ctx, limit, func(ctx context.Context) (*jetstream.PubAck, error) { return b.js.PublishMsg(ctx, msg) })
}

// noLimit lets insist go on until its context ends.
const noLimit time.Duration = math.MaxInt64

// insist calls f again while JetStream elects a leader or does not answer, until ctx ends or the time is over.
func insist[T any](ctx context.Context, limit time.Duration, f func(ctx context.Context) (T, error)) (T, error) {
	for begin := time.Now(); ; {
		try, cancel := context.WithTimeout(ctx, min(tryTime, limit-time.Since(begin)))
		result, err := f(try)
		cancel()
		if err == nil || !passing(err) {
			return result, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(retryWait, limit-time.Since(begin))):
			if time.Since(begin) < limit {
				continue
			}
		}
		if cause := cmp.Or(context.Cause(ctx), context.DeadlineExceeded); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return result, err
	}
}
