package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/e2e/inboxtest"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

func TestMain(m *testing.M) {
	SetDefaultEventuallyTimeout(30 * time.Second) // long enough for slow machines
	SetDefaultEventuallyPollingInterval(5 * time.Millisecond)
	m.Run()
}

// open opens an inbox in a temporary directory, with a short backoff.
func open(t *testing.T, opts inbox.Options) *inbox.Inbox {
	t.Helper()
	opts.Backoff = []time.Duration{10 * time.Millisecond}
	return inboxtest.Open(t, opts)
}

// failing returns a running inbox whose handler fails while broken is true.
func failing(t *testing.T, opts inbox.Options) (box *inbox.Inbox, broken *atomic.Bool) {
	t.Helper()
	box, broken = open(t, opts), new(atomic.Bool)
	broken.Store(true)
	inboxtest.Run(t, box, func(context.Context, webhooks.Event) error {
		if broken.Load() {
			return errors.New("the disk is full")
		}
		return nil
	})
	return box, broken
}

func event(t *testing.T, id string) webhooks.Event {
	t.Helper()
	ev, err := webhooks.Parse(fmt.Appendf(nil, `{"event":"generated_script_success","event_id":%q,"data":{"status":"success"}}`, id))
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func receive(t *testing.T, box *inbox.Inbox, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := box.Receive(t.Context(), event(t, id)); err != nil {
			t.Fatal(err)
		}
	}
}

func stats(t *testing.T, box *inbox.Inbox) inbox.Stats {
	t.Helper()
	s, err := box.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// idle reports whether no event is waiting or in progress.
func idle(t *testing.T, box *inbox.Inbox) bool {
	t.Helper()
	s := stats(t, box)
	return s.Waiting == 0 && s.InProgress == 0
}
