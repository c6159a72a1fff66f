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

// receiver fails as often as each event asks for, in one of several ways, and then takes it.
type receiver struct {
	attempts int // after so many an event is given up
	pending  sync.Map

	calls, taken, given atomic.Int64
	undecodable         atomic.Int64 // calls with an event that cannot be decoded
	unexpected          atomic.Int64 // other calls with an event that nobody sent, or that was taken before
}

func newReceiver(attempts int) *receiver { return &receiver{attempts: attempts} }

// expect announces an event, so that it may be taken once.
func (r *receiver) expect(mark string) { r.pending.Store(mark, new(atomic.Int64)) }

var errReceiver = errors.New("told to fail")

// Receive reads from the event's first field of text how often it has to fail.
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

// check makes sure that nothing was handed over twice or made up.
func (r *receiver) check(t *testing.T) {
	t.Helper()
	if n := r.unexpected.Load(); n > 0 {
		t.Errorf("the receiver was called %d times with an event that it had taken already, or that nobody had sent", n)
	}
	r.pending.Range(func(mark, _ any) bool {
		t.Errorf("event %v was sent and never taken or given up", mark)
		return false
	})
}

// markOf returns the id that a sender has given to an event.
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
