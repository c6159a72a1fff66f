package inbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Moved is the result of MoveTo.
type Moved struct {
	// Waiting is the number of events that were moved, Dead the number of dead letters.
	Waiting, Dead int
	// Remembered is the number of entries of the deduplication window that were copied.
	Remembered int
	// Failures is the number of records of failed attempts that were copied.
	Failures int
}

// MoveTo moves all events and dead letters to another inbox, for example from a directory to a cluster. It first copies the deduplication
// window. Each message is deleted only after the other inbox has stored it, so an error or a crash loses none. MoveTo can then be called
// again: messages that are already in both are deduplicated, within the other inbox's DuplicateWindow. Attempts are counted from zero, and
// events that wait for a retry are due immediately.
//
// No Run may be active in this inbox, because events would be handled twice while they are moved. MoveTo returns ErrRunning if a handler of
// this Inbox is running. The other inbox may be in use.
func (b *Inbox) MoveTo(ctx context.Context, to *Inbox) (moved Moved, err error) {
	for _, box := range []*Inbox{b, to} {
		if err := box.enter(); err != nil {
			return moved, err
		}
		defer box.leave()
	}
	if b.running.Load() > 0 {
		return moved, fmt.Errorf("inbox: move: %w", ErrRunning)
	}
	if to.opts.Stream == b.opts.Stream && to.events.CachedInfo().Created.Equal(b.events.CachedInfo().Created) {
		return moved, errors.New("inbox: move: both are the same inbox")
	}
	for _, part := range []struct {
		from    jetstream.Stream
		subject func(o *Options, token string) string
		keep    bool
		n       *int
	}{
		{b.handled, (*Options).handledSubject, true, &moved.Remembered},
		{b.failures, (*Options).failuresSubject, true, &moved.Failures},
		{b.dead, (*Options).deadSubject, false, &moved.Dead},
		{b.events, func(o *Options, _ string) string { return o.eventsSubject() }, false, &moved.Waiting},
	} {
		if part.from == nil || part.n == &moved.Failures && to.failures == nil {
			continue
		}
		if err := b.moveStream(ctx, to, part.from, part.subject, part.keep, part.n); err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// moveStream moves the messages of a stream, or copies them if keep is set, and counts them in n.
func (b *Inbox) moveStream(ctx context.Context, to *Inbox, from jetstream.Stream, subject func(*Options, string) string, keep bool, n *int) error {
	info, err := from.Info(ctx)
	if err != nil {
		return fmt.Errorf("inbox: move: %w", err)
	}
	err = scanForward(ctx, from, subject(&b.opts, "*"), info.State, 0, func(msg *jetstream.RawStreamMsg) (bool, error) {
		token := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
		if _, err := to.publish(ctx, noLimits, movedMessage(msg, subject(&to.opts, token))); err != nil {
			if isFull(err) {
				err = fmt.Errorf("%w: %w", ErrFull, err)
			}
			return false, fmt.Errorf("store %q: %w", keyOf(msg.Header), err)
		}
		*n++
		if keep {
			return true, nil
		}
		return true, from.DeleteMsg(ctx, msg.Sequence)
	})
	if err != nil {
		return fmt.Errorf("inbox: move: %w", err)
	}
	return nil
}

// movedMessage returns a message for another inbox, without the headers that are valid only in this one.
func movedMessage(msg *jetstream.RawStreamMsg, subject string) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Data = msg.Data
	maps.Copy(m.Header, msg.Header)
	for _, name := range []string{replyHeader, sequenceHeader} {
		m.Header.Del(name)
	}
	for name := range m.Header {
		if strings.HasPrefix(name, "Nats-") && name != jetstream.MsgIDHeader {
			m.Header.Del(name)
		}
	}
	if m.Header.Get(typeHeader) != "" && m.Header.Get(receivedHeader) == "" {
		m.Header.Set(receivedHeader, formatTime(msg.Time))
	}
	return m
}
