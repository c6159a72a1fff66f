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
	era, id := b.health.current.Load(), messageID(key)
	msg := eventMessage(b.opts.eventsSubject(), id, id, ev)
	seen.inject(ctx, msg)
	ack, err := b.publish(ctx, bounds{time: receiveTime, era: era}, msg)
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

// publish has a message stored, one that has an id or takes the place of the one before it, so that a second try does no harm.
func (b *Inbox) publish(ctx context.Context, within bounds, msg *nats.Msg) (*jetstream.PubAck, error) {
	return insist(ctx, within, func(ctx context.Context) (*jetstream.PubAck, error) { return b.js.PublishMsg(ctx, msg) })
}

// bounds is what ends insist, besides its context. It is cheaper than a context of its own for each.
type bounds struct {
	time time.Duration
	era  *era // nil if the context ends with it
}

var (
	settling  = bounds{time: settleTime}
	unbounded = bounds{time: math.MaxInt64}
)

// insist calls f again while JetStream elects a leader or does not answer, until ctx ends or its bounds are reached.
func insist[T any](ctx context.Context, within bounds, f func(ctx context.Context) (T, error)) (T, error) {
	for begin := time.Now(); ; {
		result, err := try(ctx, min(tryTime, within.time-time.Since(begin)), within.era, f)
		if err == nil || !passing(err) || within.era != nil && within.era.Err() != nil {
			return result, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(retryWait, within.time-time.Since(begin))):
			if time.Since(begin) < within.time {
				continue
			}
		}
		if cause := cmp.Or(context.Cause(ctx), context.DeadlineExceeded); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return result, err
	}
}

func try[T any](ctx context.Context, limit time.Duration, era *era, f func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if era != nil {
		defer context.AfterFunc(era, cancel)()
	}
	return f(ctx)
}
