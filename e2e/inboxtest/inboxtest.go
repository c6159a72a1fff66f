// Package inboxtest opens and runs inboxes for tests.
package inboxtest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// Open opens an inbox that is closed at the end of the test. Without a place in the options, it is in a temporary directory; without a
// logger, it logs nothing.
func Open(t testing.TB, opts inbox.Options) *inbox.Inbox {
	t.Helper()
	if opts.Dir == "" && opts.URL == "" && opts.Conn == nil {
		opts.Dir = t.TempDir()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	box, err := inbox.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return box
}

// Run runs the inbox until the test ends or stop is called. stop waits for Run to return.
func Run(t testing.TB, box *inbox.Inbox, handle webhooks.ReceiverFunc) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		if err := box.Run(ctx, handle); err != nil && !errors.Is(err, inbox.ErrClosed) {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}
