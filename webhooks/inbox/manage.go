package inbox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Entries iterates over all events that a query selects. It requests the pages of List on demand, so the body of the loop may redrive,
// retry, discard or delete events. An error ends the iteration.
func (b *Inbox) Entries(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for {
			page, err := b.List(ctx, q)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range page.Entries {
				if !yield(e, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.After = page.Next
		}
	}
}

// almostDue is how long before its retry an event already counts as due, so that RetryNow does not race with its delivery.
const almostDue = time.Second

// RetryNow retries waiting events as soon as a worker is free, instead of after their backoff. The attempt counts as usual. Events that are
// already due are not changed. It stops at the first error: ErrNoEvent if no event with that key waits, or ErrRunning if the event is being
// handled.
func (b *Inbox) RetryNow(ctx context.Context, keys ...string) (err error) {
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return err
	}
	defer end(&err)
	for _, key := range keys {
		if err := b.retryNow(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (b *Inbox) retryNow(ctx context.Context, key string) error {
	e, msg, err := b.findWaiting(ctx, key)
	if err != nil || time.Until(e.Next) < almostDue {
		return err
	}
	last, err := b.failures.GetLastMsgForSubject(ctx, b.opts.failuresSubject(subjectToken(eventID(msg.Header))))
	if err != nil {
		return fmt.Errorf("inbox: retry %q: %w", key, err)
	}
	// A second NAK for the same delivery replaces the delay of the first one.
	if _, err := b.conn.RequestWithContext(ctx, last.Header.Get(replyHeader), nakWithDelay(0)); err != nil {
		return fmt.Errorf("inbox: retry %q: %w", key, err)
	}
	note := nats.NewMsg(last.Subject)
	note.Header = last.Header
	note.Header.Set(nextHeader, formatTime(time.Now()))
	if err := b.conn.PublishMsg(note); err != nil {
		return fmt.Errorf("inbox: retry %q: %w", key, err)
	}
	b.log.InfoContext(ctx, "event is retried now", "key", key, "event", string(e.Type))
	return nil
}

// findWaiting finds an event that is waiting. It returns ErrNoEvent or ErrRunning otherwise.
func (b *Inbox) findWaiting(ctx context.Context, key string) (Entry, *jetstream.RawStreamMsg, error) {
	msg, err := b.findEvent(ctx, key)
	if err != nil {
		return Entry{}, nil, err
	}
	if msg == nil {
		return Entry{}, nil, fmt.Errorf("%w: %q", ErrNoEvent, key)
	}
	e, err := b.queuedEntry(ctx, msg)
	if err != nil {
		return Entry{}, nil, err
	}
	// A local inbox knows all running events. With a cluster, a worker in another process may hold an event that was taken.
	if e.State == StateRunning || e.Taken && b.local == nil {
		return Entry{}, nil, fmt.Errorf("%w: %q", ErrRunning, key)
	}
	return e, msg, nil
}

// discardedReason is the reason of a dead letter that Inbox.Discard made.
const discardedReason = "discarded by hand"

// Discard moves waiting events to the dead letters, regardless of the remaining attempts. DeleteDeadLetter then deletes them permanently.
// It stops at the first error: ErrNoEvent if no event with that key waits, or ErrRunning if the event is being handled. An event that is
// delivered to a worker during the call is handled nevertheless.
func (b *Inbox) Discard(ctx context.Context, keys ...string) (err error) {
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return err
	}
	defer end(&err)
	for _, key := range keys {
		if err := b.discard(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// discard stores the dead letter before it deletes the event. If it is interrupted, the event is stored twice instead of lost, and discard
// can be repeated.
func (b *Inbox) discard(ctx context.Context, key string) error {
	e, msg, err := b.findWaiting(ctx, key)
	if err != nil {
		return err
	}
	text := discardedReason
	if e.Error != "" {
		text += "; last error: " + e.Error
	}
	letter := b.opts.deadMessage(msg.Header, msg.Data, e.Type, e.Attempts, text, e.Received)
	if _, err := b.publish(ctx, noLimits, letter); err != nil {
		return fmt.Errorf("inbox: discard %q: %w", key, err)
	}
	if err := b.markHandled(ctx, msg.Header.Get(jetstream.MsgIDHeader), eventID(msg.Header)); err != nil {
		return err
	}
	if err := b.deleteEvent(ctx, msg.Sequence); err != nil {
		return fmt.Errorf("inbox: discard %q: %w", key, err)
	}
	b.recorder.countDeadLetter(ctx, e.Type)
	b.log.InfoContext(ctx, "event discarded by hand", "key", key, "event", string(e.Type))
	return nil
}

// deleteEvent deletes an event from the queue. It returns nil if the event is already gone.
func (b *Inbox) deleteEvent(ctx context.Context, sequence uint64) error {
	err := b.events.DeleteMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		if _, gone := b.events.GetMsg(ctx, sequence); errors.Is(gone, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	return err
}

// Pause stops the delivery of events to workers, in all processes, until that time. With the zero time the pause lasts until Resume is
// called. Running handlers continue, and events are still received. The pause survives restarts.
func (b *Inbox) Pause(ctx context.Context, until time.Time) error {
	if until.IsZero() {
		until = time.Now().Add(indefinitePause)
	}
	if _, err := b.pause(ctx, until); err != nil {
		return err
	}
	b.log.InfoContext(ctx, "inbox paused", "until", until)
	return nil
}

// indefinitePause is the length of a pause until Resume is called.
const indefinitePause = 100 * 365 * 24 * time.Hour

// resumeLead is how far in the future Resume ends a pause, so that the server learns the time before it is reached.
const resumeLead = 20 * time.Millisecond

// Resume ends a pause. It does nothing if there is none.
//
// When a pause is deleted, the server does not serve pull requests that are already waiting; when a pause expires, it does. So Resume lets
// the pause expire soon.
func (b *Inbox) Resume(ctx context.Context) error {
	for lead := resumeLead; ; lead *= 2 {
		until := time.Now().Add(lead)
		paused, err := b.pause(ctx, until)
		if err != nil {
			return err
		}
		select {
		case <-time.After(time.Until(until)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if paused || lead > time.Second { // if the clocks of the cluster differ more, the workers' next pull requests are served
			b.log.InfoContext(ctx, "inbox resumed")
			return nil
		}
	}
}

// pause pauses the workers and reports whether the server considers them paused.
func (b *Inbox) pause(ctx context.Context, until time.Time) (_ bool, err error) {
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return false, err
	}
	defer end(&err)
	response, err := b.js.PauseConsumer(ctx, b.opts.Stream, consumerName, until)
	if err != nil {
		return false, fmt.Errorf("inbox: pause: %w", err)
	}
	return response.Paused, nil
}

// pausedUntil returns when the pause of the consumer ends, zero if there is none.
func pausedUntil(info *jetstream.ConsumerInfo) time.Time {
	if !info.Paused || info.Config.PauseUntil == nil {
		return time.Time{}
	}
	return *info.Config.PauseUntil
}
