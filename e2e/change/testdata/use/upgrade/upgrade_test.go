// Package upgrade opens an inbox in which the library without the additions stored an event.
package upgrade

import (
	"context"
	"os"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

func TestDeliveryGetsItsIDElsewhere(t *testing.T) {
	box, err := inbox.Open(t.Context(), inbox.Options{Dir: os.Getenv("JOGG_CHANGE_INBOX")})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	router := webhooks.NewRouter()
	handled := make(chan *webhooks.MotionSucceeded, 1)
	webhooks.On(router, func(_ context.Context, _ webhooks.Event, motion *webhooks.MotionSucceeded) error {
		handled <- motion
		return nil
	})
	ran := make(chan error, 1)
	go func() { ran <- box.Run(ctx, router) }()
	if n, err := box.RedriveAll(ctx); n != 1 || err != nil {
		t.Fatalf("redrove %d events, %v", n, err)
	}
	if motion := <-handled; motion.MotionID != "clip_9" || motion.MotionURL != "https://example.com/9.mp4" {
		t.Errorf("handled %+v", motion)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}
