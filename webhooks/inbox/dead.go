package inbox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jogg-go/jogg/webhooks"
)

// DeadLetter is an event that is not tried any more. It is kept until it is redriven or deleted.
type DeadLetter struct {
	// Key is the event's key.
	Key string
	// Event is the event, decoded anew. One that cannot be decoded has *webhooks.Undecodable data and the whole body in Raw.
	Event webhooks.Event
	// Reason is the text of the last attempt's error, cut after 4096 bytes. It can quote the payload if the handler's error does.
	Reason string
	// Attempts is how many attempts there were.
	Attempts int
	// First is when the event was received, Last when the last attempt ended.
	First, Last time.Time

	sequence uint64
}

// longestReason is how many bytes of a reason are kept.
const longestReason = 4096

// bury makes a dead letter of an event. It takes the place of an earlier one with the same key.
func (w *worker) bury(d *delivery, attempts int, err error) {
	d.log.ErrorContext(w.handling, "event is a dead letter now", "attempts", attempts, "error", err)
	text := reason(err)
	if len(text) > longestReason {
		text = text[:longestReason]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	msg := nats.NewMsg(w.opts.deadSubject(subjectToken(messageID(d.key))))
	msg.Data = d.Data
	msg.Header.Set(keyHeader, messageID(d.key))
	msg.Header.Set(typeHeader, url.PathEscape(string(d.event.Type)))
	msg.Header.Set(attemptsHeader, strconv.Itoa(attempts))
	msg.Header.Set(reasonHeader, url.PathEscape(text))
	msg.Header.Set(receivedHeader, formatTime(d.received))
	msg.Header.Set(diedHeader, formatTime(time.Now()))

	ctx, cancel := w.settling()
	defer cancel()
	if _, err := w.publish(ctx, msg); err != nil {
		w.report(d, errors.Join(err, w.handBack(d.Msg, w.opts.backoff(d.attempt))))
		return
	}
	if err := w.remember(ctx, d.id); err != nil {
		w.report(d, err)
	}
	w.acknowledge(d)
}

// DeadLetters returns the dead letters, the oldest first. Those that come and go meanwhile may be among them or not. An error ends the
// sequence.
func (b *Inbox) DeadLetters(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		if err := b.enter(); err != nil {
			yield(DeadLetter{}, err)
			return
		}
		defer b.leave()
		for sequence := uint64(1); ; {
			msg, err := b.dead.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(b.opts.deadSubject("*")))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
			if err != nil {
				yield(DeadLetter{}, fmt.Errorf("inbox: list dead letters: %w", err))
				return
			}
			if !yield(deadLetter(msg), nil) {
				return
			}
			sequence = msg.Sequence + 1
		}
	}
}

func deadLetter(msg *jetstream.RawStreamMsg) DeadLetter {
	d := DeadLetter{
		Reason:   unescaped(msg.Header, reasonHeader),
		First:    parseTime(msg.Header, receivedHeader, msg.Time),
		Last:     parseTime(msg.Header, diedHeader, msg.Time),
		sequence: msg.Sequence,
	}
	d.Event, d.Key = eventOf(msg.Header, msg.Data)
	d.Attempts, _ = strconv.Atoi(msg.Header.Get(attemptsHeader))
	return d
}

// Redrive puts the dead letters with these keys back among the events that wait, to be tried as often as new ones. It stops at the
// first that fails; the error is ErrNoDeadLetter if there is none with that key, and ErrFull if the inbox is full. If Redrive is cut
// short it can be called again: what it has put back already is recognized for as long as the window for duplicates.
func (b *Inbox) Redrive(ctx context.Context, keys ...string) error {
	if err := b.enter(); err != nil {
		return err
	}
	defer b.leave()
	for _, key := range keys {
		d, err := b.findDead(ctx, key)
		if err != nil {
			return err
		}
		if err := b.redrive(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// RedriveAll does what Redrive does for all dead letters that there are at its beginning, and returns how many it has put back.
func (b *Inbox) RedriveAll(ctx context.Context) (n int, err error) {
	begin := time.Now()
	for d, err := range b.DeadLetters(ctx) {
		if err != nil {
			return n, err
		}
		if d.Last.After(begin) {
			continue // has failed again meanwhile
		}
		if err := b.redrive(ctx, d); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// redrive has an id of its own for each dead letter: the event's key is still remembered as done with.
func (b *Inbox) redrive(ctx context.Context, d DeadLetter) error {
	id := fmt.Sprintf("%s#redrive-%d", messageID(d.Key), d.sequence)
	msg := eventMessage(b.opts.eventsSubject(), id, d.Event)
	msg.Header.Set(keyHeader, messageID(d.Key))
	msg.Header.Set(receivedHeader, formatTime(d.First))
	if _, err := b.publish(ctx, msg); err != nil {
		if full(err) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return fmt.Errorf("inbox: redrive %q: %w", d.Key, err)
	}
	b.log.DebugContext(ctx, "dead letter redriven", "key", d.Key, "event", string(d.Event.Type))
	return b.deleteDead(ctx, d)
}

// DeleteDeadLetter deletes the dead letter with that key for good. The error is ErrNoDeadLetter if there is none.
func (b *Inbox) DeleteDeadLetter(ctx context.Context, key string) error {
	if err := b.enter(); err != nil {
		return err
	}
	defer b.leave()
	d, err := b.findDead(ctx, key)
	if err != nil {
		return err
	}
	return b.deleteDead(ctx, d)
}

func (b *Inbox) findDead(ctx context.Context, key string) (DeadLetter, error) {
	msg, err := b.dead.GetLastMsgForSubject(ctx, b.opts.deadSubject(subjectToken(messageID(key))))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DeadLetter{}, fmt.Errorf("%w: %q", ErrNoDeadLetter, key)
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("inbox: find dead letter %q: %w", key, err)
	}
	return deadLetter(msg), nil
}

// deleteDead deletes a dead letter, if it has not been replaced or deleted since it was read.
func (b *Inbox) deleteDead(ctx context.Context, d DeadLetter) error {
	err := b.dead.DeleteMsg(ctx, d.sequence)
	if errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		if _, gone := b.dead.GetMsg(ctx, d.sequence); errors.Is(gone, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("inbox: delete dead letter %q: %w", d.Key, err)
	}
	return nil
}
