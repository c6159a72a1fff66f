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

// Entries returns all events that a query asks for, however many there are. Each page of List is asked for when it is needed, so an event
// may be redriven, retried, discarded or deleted while the sequence goes on. An error ends it.
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

// almostDue is how long before its time an event is considered due, so that nobody brings forward what a worker is about to be handed.
const almostDue = time.Second

// RetryNow has events that wait for another attempt tried as soon as a worker is free. The attempt counts as if its time had come. Nothing
// is changed for events that are due already. It stops at the first that fails; the error is ErrNoEvent if no event with that key
// waits, and ErrRunning if it is being handled.
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
	// JetStream takes a second answer to the same delivery for the first one's correction.
	nak := fmt.Appendf(nil, `%s {"delay": %d}`, ackNak, time.Millisecond)
	if _, err := b.conn.RequestWithContext(ctx, last.Header.Get(replyHeader), nak); err != nil {
		return fmt.Errorf("inbox: retry %q: %w", key, err)
	}
	note := nats.NewMsg(last.Subject)
	note.Header = last.Header
	note.Header.Set(nextHeader, formatTime(time.Now()))
	if err := b.conn.PublishMsg(note); err != nil {
		return fmt.Errorf("inbox: retry %q: %w", key, err)
	}
	b.log.InfoContext(ctx, "event is tried before its time", "key", key, "event", string(e.Type))
	return nil
}

// findWaiting finds an event that no handler has.
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
	// Within a process it is known what runs; in a cluster, a worker elsewhere can have what was taken.
	if e.State == StateRunning || e.Taken && b.local == nil {
		return Entry{}, nil, fmt.Errorf("%w: %q", ErrRunning, key)
	}
	return e, msg, nil
}

// errDiscarded is the reason of a dead letter that a person has made.
const discardedReason = "discarded by hand"

// Discard makes dead letters of events that wait, however many attempts are left. DeleteDeadLetter then deletes them for good. It stops
// at the first that fails; the error is ErrNoEvent if no event with that key waits, and ErrRunning if it is being handled. An event that
// a worker is handed at that moment is handled nevertheless.
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

// discard stores the dead letter first, so that the event is twice there and not lost if it is cut short. It can be called again then.
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

// deleteEvent takes an event out of the queue, if it is still there.
func (b *Inbox) deleteEvent(ctx context.Context, sequence uint64) error {
	err := b.events.DeleteMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		if _, gone := b.events.GetMsg(ctx, sequence); errors.Is(gone, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	return err
}

// Pause hands no further event to any worker of this inbox until that time, in any process; the zero time stands for as long as Resume is
// not called. What runs goes on, and events are still received. The pause outlasts restarts.
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

// endless is a pause for as long as nobody ends it.
const indefinitePause = 100 * 365 * 24 * time.Hour

// resumeLead is how far ahead a pause is ended, so that the server gets to know before.
const resumeLead = 20 * time.Millisecond

// Resume ends a pause. It does nothing if there is none.
//
// A server whose pause is deleted does not look whether workers wait, one whose pause runs out does. So the pause is made to run out soon.
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
		if paused || lead > time.Second { // or the clocks of the cluster differ, and workers ask again in a while
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

// pausedUntil returns when the pause of the workers ends, zero if there is none.
func pausedUntil(info *jetstream.ConsumerInfo) time.Time {
	if !info.Paused || info.Config.PauseUntil == nil {
		return time.Time{}
	}
	return *info.Config.PauseUntil
}
