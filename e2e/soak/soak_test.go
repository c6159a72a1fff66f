// Package soak sends a long mix of valid, repeated, failing and forged deliveries. It tests that memory stays flat, that no goroutine leaks
// and that the counts add up.
package soak

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

var (
	length  = flag.Duration("for", 3*time.Second, "how long each soak sends")
	senders = flag.Int("senders", 8, "number of concurrent senders")
)

func TestHandlerEnduresMixedDeliveries(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	target := newReceiver(10)
	serve(t, target, func(address string) {
		l := load{
			address: address, receiver: target,
			// The receiver fails as often as the event asks for. JoggAI retries three times.
			failures: []int{0, 0, 0, 0, 0, 0, 0, 1, 2, 3},
			direct:   true,
		}
		l.run(t, 4<<20)
		target.check(t)
		if sent := l.undecodable.Load(); target.undecodable.Load() != sent {
			t.Errorf("of %d undecodable events, %d reached the receiver", sent, target.undecodable.Load())
		}
		if calls, want := target.calls.Load(), l.accepted.Load()+l.failed.Load(); calls != want {
			t.Errorf("the receiver was called %d times for %d accepted and %d failed deliveries", calls, l.accepted.Load(), l.failed.Load())
		}
		if taken, want := target.taken.Load(), l.accepted.Load(); taken != want {
			t.Errorf("the receiver accepted %d events, but %d were acknowledged", taken, want)
		}
	}, webhooks.WithDeduplicationWindow(1000), webhooks.WithDeadline(time.Minute))
}

func TestInboxEnduresMixedDeliveries(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const attempts = 4
	box, err := inbox.Open(t.Context(), inbox.Options{
		Dir: t.TempDir(), DuplicateWindow: 5 * time.Second, MaxEvents: 2000, MaxAttempts: attempts,
		Backoff: []time.Duration{10 * time.Millisecond}, RetryAfter: time.Second, Logger: discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	target := newReceiver(attempts)
	var running sync.WaitGroup
	running.Go(func() {
		if err := box.Run(ctx, target); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	defer func() {
		stop()
		running.Wait()
		if err := box.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	serve(t, box, func(address string) {
		l := load{
			address: address, receiver: target,
			failures: []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, attempts},
		}
		// The slack is for the deduplication window and for the blocks of the store.
		l.run(t, 24<<20)
		stats := drained(t, box)
		target.check(t)
		if taken, dead := target.taken.Load(), target.given.Load(); taken+dead != l.accepted.Load() || dead+l.undecodable.Load() != int64(stats.Dead) {
			t.Errorf("of %d events %d were handled and %d given up, and %d are undecodable; there are %d dead letters",
				l.accepted.Load(), taken, dead, l.undecodable.Load(), stats.Dead)
		}
		t.Logf("inbox: %d duplicates, %d dead letters", stats.Duplicates, stats.Dead)
	}, webhooks.WithDeduplicationWindow(0))
}

// drained waits until the inbox has processed all events.
func drained(t *testing.T, box *inbox.Inbox) inbox.Stats {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		stats, err := box.Stats(ctx)
		if err != nil {
			t.Fatalf("the inbox is not drained: %v, %+v", err, stats)
		}
		if stats.Waiting == 0 && stats.InProgress == 0 {
			return stats
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

const secret = "whsec_abc123xyz"

var discard = slog.New(slog.DiscardHandler)

// serve runs a server with the receiver, configured as the documentation recommends, while body runs.
func serve(t *testing.T, r webhooks.Receiver, body func(address string), opts ...webhooks.HandlerOption) {
	t.Helper()
	verifier, err := webhooks.NewVerifier("whsec_the_next_one", secret)
	if err != nil {
		t.Fatal(err)
	}
	server := webhooks.NewServer("", webhooks.NewHandler(verifier, r, append(opts, webhooks.WithLogger(discard))...))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	body(fmt.Sprintf("http://%s/jogg", listener.Addr()))
	if err := server.Shutdown(t.Context()); err != nil {
		t.Errorf("shut down: %v", err)
	}
	serving.Wait()
}
