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

// Moved tells what MoveTo has moved.
type Moved struct {
	// Waiting is how many events that were not handled yet, Dead how many dead letters.
	Waiting, Dead int
	// Remembered is how many events were handled lately whose redeliveries are recognized in the new place too. They also stay.
	Remembered int
	// Failures is how many notes about failed attempts were copied.
	Failures int
}

// MoveTo moves all events and dead letters into another inbox, such as from a directory to a cluster. Each is deleted here once it is
// stored there, so none is lost however it ends, and after an error or a crash MoveTo can be called again: what is in both by then is
// recognized, within the other's window for duplicates. What was handled lately is remembered there first. Attempts are counted anew, and
// events that wait for another attempt are due at once.
//
// No Run may be under way here, which would handle events that are moved at that moment twice. The other one may be at work.
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

// moveStream moves or copies the messages of a stream, and counts them in n.
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

// moving returns a message as it is stored in another inbox. What only makes sense in this one is left behind.
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
