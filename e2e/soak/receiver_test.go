package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
)

// receiver fails as often as each event asks for, in one of several ways, and then accepts it.
type receiver struct {
	attempts int // an event is given up after this many
	pending  sync.Map

	calls, taken, given atomic.Int64
	undecodable         atomic.Int64 // calls with an undecodable event
	unexpected          atomic.Int64 // other calls, with an event that was not sent or was accepted before
}

func newReceiver(attempts int) *receiver { return &receiver{attempts: attempts} }

// expect announces an event, which may be accepted once.
func (r *receiver) expect(mark string) { r.pending.Store(mark, new(atomic.Int64)) }

var errReceiver = errors.New("told to fail")

// Receive reads from the event's ID how often it must fail.
func (r *receiver) Receive(_ context.Context, ev webhooks.Event) error {
	if undecodable, ok := ev.Data.(*webhooks.Undecodable); ok {
		r.undecodable.Add(1)
		return undecodable.Err
	}
	r.calls.Add(1)
	mark := markOf(ev)
	seen, ok := r.pending.Load(mark)
	if !ok {
		r.unexpected.Add(1)
		return nil
	}
	var failures int64
	if _, err := fmt.Sscan(mark[strings.LastIndexByte(mark, '_')+1:], &failures); err != nil {
		return err
	}
	n := seen.(*atomic.Int64).Add(1)
	if n > failures {
		r.pending.Delete(mark)
		r.taken.Add(1)
		return nil
	}
	if n == int64(r.attempts) {
		r.pending.Delete(mark)
		r.given.Add(1)
	}
	switch n % 3 {
	case 0:
		panic("told to panic")
	case 1:
		return errReceiver
	default:
		return &webhooks.UnavailableError{Err: errReceiver}
	}
}

// check checks that no event was received after it was accepted, or without having been sent, and that none is left.
func (r *receiver) check(t *testing.T) {
	t.Helper()
	if n := r.unexpected.Load(); n > 0 {
		t.Errorf("the receiver was called %d times with an event that it had accepted already, or that was not sent", n)
	}
	r.pending.Range(func(mark, _ any) bool {
		t.Errorf("event %v was sent but neither accepted nor given up", mark)
		return false
	})
}

// markOf returns the ID that the sender assigned to the event.
func markOf(ev webhooks.Event) string {
	switch data := ev.Data.(type) {
	case *webhooks.VideoSucceeded:
		return data.VideoID
	case *webhooks.VideoFailed:
		return data.VideoID
	case *webhooks.ScriptSucceeded:
		return data.TaskID
	case *webhooks.ImageFailed:
		return data.PhotoID
	default:
		return ""
	}
}
