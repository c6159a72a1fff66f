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
	// receiveTimeout limits Receive if its context does not. JoggAI waits no longer.
	receiveTimeout = 5 * time.Second
	// requestTimeout limits the wait for the response to one request. The server that has the request may be gone.
	requestTimeout = 2 * time.Second
	// retryWait is the wait between two requests.
	retryWait = 100 * time.Millisecond
)

// Receive stores an event. It returns nil once the event is on disk, or on the disks of a majority of the replicas. It also returns nil for
// a duplicate, which is already stored or within the deduplication window. It uses only the event's ID, Type and Raw, and does not retain
// them.
//
// If the inbox is full, closed or unreachable, Receive returns a *webhooks.UnavailableError that wraps ErrFull, ErrClosed or the cause. The
// handler of webhooks.NewHandler then asks JoggAI to redeliver later. While the store of a directory has failed, it returns such an error
// with a *StoreError immediately. Receive gives up when ctx ends, and after 5 seconds at the latest. The event may nevertheless be stored;
// its redelivery is then deduplicated.
func (b *Inbox) Receive(ctx context.Context, ev webhooks.Event) (err error) {
	key := ev.Key()
	ctx, seen := b.recorder.startReceive(ctx, key, ev)
	defer func() { seen.end(ctx, err) }()
	if len(ev.Raw) == 0 {
		return errors.New("inbox: receive: event has no Raw")
	}
	if err := b.enter(); err != nil {
		return b.unavailable(err)
	}
	defer b.leave()
	if err := b.admit(len(ev.Raw)); err != nil {
		return b.unavailable(err)
	}
	up, id := b.health.current.Load(), messageID(key)
	msg := eventMessage(b.opts.eventsSubject(), id, id, ev)
	seen.inject(ctx, msg)
	ack, err := b.publish(ctx, retryLimits{timeout: receiveTimeout, uptime: up}, msg)
	switch {
	case err != nil && up.Err() != nil: // the store failed during the call
		return b.unavailable(fmt.Errorf("inbox: receive: %w", context.Cause(up)))
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum):
		return fmt.Errorf("inbox: receive: event of %d bytes: %w", len(ev.Raw), err) // a retry would fail too
	case err != nil && isFull(err):
		return b.unavailable(fmt.Errorf("%w: %w", ErrFull, err))
	case errors.Is(err, nats.ErrConnectionClosed):
		return b.unavailable(fmt.Errorf("%w: %w", ErrClosed, err))
	case err != nil:
		b.requestCheck()
		return b.unavailable(fmt.Errorf("inbox: receive: %w", err))
	case ack.Duplicate:
		b.duplicates.Add(1)
		seen.duplicate = true
		b.log.DebugContext(ctx, "event received again", "key", key, "event", string(ev.Type))
	default:
		if b.local != nil {
			b.local.space.use(len(ev.Raw))
		}
		b.log.DebugContext(ctx, "event received", "key", key, "event", string(ev.Type))
	}
	return nil
}

// requestCheck requests a check of a local store that does not respond.
func (b *Inbox) requestCheck() {
	if b.local != nil {
		b.local.requestCheck()
	}
}

func (b *Inbox) unavailable(err error) error {
	return &webhooks.UnavailableError{RetryAfter: b.opts.RetryAfter, Err: err}
}

// publish stores a message, with retries. The message must be idempotent: it has a message ID, or replaces the previous one of its subject.
func (b *Inbox) publish(ctx context.Context, limits retryLimits, msg *nats.Msg) (*jetstream.PubAck, error) {
	return retryTransient(ctx, limits, func(ctx context.Context) (*jetstream.PubAck, error) { return b.js.PublishMsg(ctx, msg) })
}

// retryLimits are the limits of retryTransient besides its context. They are cheaper than a derived context.
type retryLimits struct {
	timeout time.Duration
	uptime  *uptime // nil if the context ends with it
}

// down returns a channel that is closed when the store fails, or nil if the context ends then.
func (l retryLimits) down() <-chan struct{} {
	if l.uptime == nil {
		return nil
	}
	return l.uptime.Done()
}

var (
	storeLimits = retryLimits{timeout: storeTimeout}
	noLimits    = retryLimits{timeout: math.MaxInt64}
)

// retryTransient retries f after transient errors, for example while JetStream elects a leader or does not respond. It stops when ctx ends
// or a limit is reached.
func retryTransient[T any](ctx context.Context, limits retryLimits, f func(ctx context.Context) (T, error)) (T, error) {
	for begin := time.Now(); ; {
		result, err := tryOnce(ctx, min(requestTimeout, limits.timeout-time.Since(begin)), limits.uptime, f)
		if err == nil || !transient(err) {
			return result, err
		}
		select {
		case <-limits.down():
			return result, err
		case <-ctx.Done():
		case <-time.After(min(retryWait, limits.timeout-time.Since(begin))):
			if time.Since(begin) < limits.timeout {
				continue
			}
		}
		if cause := cmp.Or(context.Cause(ctx), context.DeadlineExceeded); !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return result, err
	}
}

func tryOnce[T any](ctx context.Context, limit time.Duration, up *uptime, f func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if up != nil {
		defer context.AfterFunc(up, cancel)()
	}
	return f(ctx)
}
