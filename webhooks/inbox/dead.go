package inbox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jogg-go/jogg/webhooks"
)

// DeadLetter is an event that is no longer retried. It is kept until it is redriven or deleted.
type DeadLetter struct {
	// Key is the event's key.
	Key string
	// Event is the event, decoded from the stored body. If it cannot be decoded, Data is *webhooks.Undecodable and Raw has the whole body.
	Event webhooks.Event
	// Reason is the text of the last attempt's error, truncated to 4096 bytes. It contains payload if the handler's error does.
	Reason string
	// Attempts is the number of attempts.
	Attempts int
	// First is when the event was first received, Last when the last attempt ended.
	First, Last time.Time

	sequence uint64
	trace    nats.Header // trace context of the span of receiving, nil if there is none
}

// maxReason is the maximum length of a stored reason in bytes.
const maxReason = 4096

// storeDeadLetter stores an event as a dead letter and then acknowledges it. The dead letter replaces an earlier one with the same key.
func (w *worker) storeDeadLetter(d *delivery, attempts int, err error) {
	w.recordFailure(d, err, time.Time{})
	msg := w.opts.deadMessage(d.Header, d.Data, d.event.Type, attempts, reason(err), d.received)

	var stored *jetstream.PubAck
	failed := w.persist(func(ctx context.Context) (err error) {
		stored, err = w.publish(ctx, storeLimits, msg)
		return err
	})
	if failed != nil {
		d.log.WarnContext(w.handling, "event cannot be stored as a dead letter", "attempts", attempts, "error", err)
		w.report(d, errors.Join(failed, w.nak(d, w.opts.backoff(d.attempt))))
		return
	}
	w.recorder.countDeadLetter(w.handling, d.event.Type)
	d.log.ErrorContext(w.handling, "event became a dead letter", "attempts", attempts, "error", err)
	w.report(d, w.persist(func(ctx context.Context) error {
		return errors.Join(w.markHandled(ctx, d.ids()...), w.acknowledge(ctx, d))
	}))
	w.skipped.forget(d.sequence)
	w.notifyDeadLetter(d, deadLetter(&jetstream.RawStreamMsg{Header: msg.Header, Data: msg.Data, Sequence: stored.Sequence}))
	w.report(d, w.persist(w.expireDead))
}

// notifyDeadLetter calls OnDeadLetter and recovers from its panics.
func (w *worker) notifyDeadLetter(d *delivery, letter DeadLetter) {
	if w.opts.OnDeadLetter == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			p := &panicError{value: v, stack: debug.Stack()}
			d.log.ErrorContext(w.handling, "OnDeadLetter panicked", "error", p, "stack", string(p.stack))
		}
	}()
	w.opts.OnDeadLetter(w.handling, letter)
}

// expireDead deletes dead letters above the limit or past their age, and logs each deletion. The limits of a JetStream stream would delete
// them without a log record.
func (b *Inbox) expireDead(ctx context.Context) error {
	b.expiring.Lock()
	defer b.expiring.Unlock()
	for {
		info, err := b.dead.Info(ctx)
		if err != nil {
			return fmt.Errorf("inbox: expire dead letters: %w", err)
		}
		tooMany := b.opts.MaxDeadLetters > 0 && info.State.Msgs > uint64(b.opts.MaxDeadLetters)
		if info.State.Msgs == 0 || !tooMany && b.opts.DeadLetterAge == 0 {
			return nil
		}
		letter, ok, err := b.nextDead(ctx, 1)
		if err != nil || !ok {
			return err
		}
		age := time.Since(letter.Last)
		if !tooMany && age < b.opts.DeadLetterAge {
			return nil
		}
		if err := b.deleteDead(ctx, letter); err != nil {
			return err
		}
		b.log.ErrorContext(ctx, "dead letter deleted because of MaxDeadLetters or DeadLetterAge",
			"key", letter.Key, "event", string(letter.Event.Type), "attempts", letter.Attempts, "age", age.Round(time.Second))
	}
}

// deadMessage returns the message of a dead letter. header is the header of the event's message.
func (o *Options) deadMessage(
	header nats.Header, data []byte, t webhooks.EventType, attempts int, reason string, received time.Time,
) *nats.Msg {
	id := eventID(header)
	msg := nats.NewMsg(o.deadSubject(subjectToken(id)))
	msg.Data = data
	msg.Header.Set(keyHeader, id)
	msg.Header.Set(typeHeader, url.PathEscape(string(t)))
	msg.Header.Set(attemptsHeader, strconv.Itoa(attempts))
	msg.Header.Set(reasonHeader, url.PathEscape(truncateReason(reason)))
	msg.Header.Set(receivedHeader, formatTime(received))
	msg.Header.Set(diedHeader, formatTime(time.Now()))
	carryTrace(msg.Header, header)
	return msg
}

// DeadLetters iterates over the dead letters, oldest first. Dead letters that are added or deleted during the iteration may or may not be
// included. An error ends the iteration. The body of the loop may close the inbox; the error is then ErrClosed.
func (b *Inbox) DeadLetters(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		for sequence := uint64(1); ; {
			letter, ok, err := b.enterNextDead(ctx, sequence)
			if err != nil {
				yield(DeadLetter{}, err)
				return
			}
			if !ok || !yield(letter, nil) {
				return
			}
			sequence = letter.sequence + 1
		}
	}
}

// enterNextDead is nextDead as a call of its own, so that the inbox can be closed between two dead letters.
func (b *Inbox) enterNextDead(ctx context.Context, sequence uint64) (_ DeadLetter, ok bool, err error) {
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return DeadLetter{}, false, err
	}
	defer end(&err)
	return b.nextDead(ctx, sequence)
}

// nextDead returns the first dead letter with at least that sequence. ok is false if there is none.
func (b *Inbox) nextDead(ctx context.Context, sequence uint64) (_ DeadLetter, ok bool, err error) {
	msg, err := b.dead.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(b.opts.deadSubject("*")))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DeadLetter{}, false, nil
	}
	if err != nil {
		return DeadLetter{}, false, fmt.Errorf("inbox: list dead letters: %w", err)
	}
	return deadLetter(msg), true, nil
}

func deadLetter(msg *jetstream.RawStreamMsg) DeadLetter {
	d := DeadLetter{
		Reason:   unescaped(msg.Header, reasonHeader),
		First:    parseTime(msg.Header, receivedHeader, msg.Time),
		Last:     parseTime(msg.Header, diedHeader, msg.Time),
		sequence: msg.Sequence,
		trace:    traceOf(msg.Header),
	}
	d.Event, d.Key = eventOf(msg.Header, msg.Data)
	d.Attempts, _ = strconv.Atoi(msg.Header.Get(attemptsHeader))
	return d
}

// Redrive returns the dead letters with these keys to the queue, with as many attempts as new events have. It stops at the first error:
// ErrNoDeadLetter if there is no dead letter with that key, or ErrFull if the inbox is full. An interrupted Redrive can be repeated within
// Options.DuplicateWindow: events that are already in the queue are deduplicated.
func (b *Inbox) Redrive(ctx context.Context, keys ...string) (err error) {
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return err
	}
	defer end(&err)
	if err := b.admit(0); err != nil {
		return err
	}
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

// enterRedrive is redrive as a call of its own.
func (b *Inbox) enterRedrive(ctx context.Context, d DeadLetter) (err error) {
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return err
	}
	defer end(&err)
	if err := b.admit(len(d.Event.Raw)); err != nil {
		return err
	}
	return b.redrive(ctx, d)
}

// RedriveAll redrives all dead letters that exist when it is called, and returns their number. Otherwise it is like Redrive.
func (b *Inbox) RedriveAll(ctx context.Context) (n int, err error) {
	begin := time.Now()
	for d, err := range b.DeadLetters(ctx) {
		if err != nil {
			return n, err
		}
		if d.Last.After(begin) {
			continue // was redriven and failed again since
		}
		if err := b.enterRedrive(ctx, d); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// redrive publishes the event of a dead letter with a new message ID and deletes the dead letter. The ID must be new because the event's
// key may still be in the deduplication window. redrive renews that entry, so that a redelivery by JoggAI is not handled in addition to the
// redriven event.
func (b *Inbox) redrive(ctx context.Context, d DeadLetter) error {
	if err := b.markHandled(ctx, messageID(d.Key)); err != nil {
		return fmt.Errorf("inbox: redrive %q: %w", d.Key, err)
	}
	id := messageID(d.Key)
	msg := eventMessage(b.opts.eventsSubject(), fmt.Sprintf("%s#redrive-%d", id, d.sequence), id, d.Event)
	msg.Header.Set(receivedHeader, formatTime(d.First))
	carryTrace(msg.Header, d.trace)
	if _, err := b.publish(ctx, noLimits, msg); err != nil {
		if isFull(err) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return fmt.Errorf("inbox: redrive %q: %w", d.Key, err)
	}
	b.recorder.countRedrive(ctx, d.Event.Type)
	b.log.DebugContext(ctx, "dead letter redriven", "key", d.Key, "event", string(d.Event.Type))
	return b.deleteDead(ctx, d)
}

// DeleteDeadLetter deletes the dead letter with that key permanently. It returns ErrNoDeadLetter if there is none.
func (b *Inbox) DeleteDeadLetter(ctx context.Context, key string) (err error) {
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return err
	}
	defer end(&err)
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

// deleteDead deletes a dead letter, unless it has been replaced or deleted since it was read.
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
