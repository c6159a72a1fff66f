package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

const exampleSecret = "whsec_abc123xyz"

// openExample opens an inbox in a new directory, without logs. The returned function closes the inbox and deletes the directory.
func openExample(opts inbox.Options) (*inbox.Inbox, func()) {
	dir, err := os.MkdirTemp("", "jogg-inbox")
	if err != nil {
		panic(err)
	}
	opts.Dir, opts.Logger = filepath.Join(dir, "inbox"), slog.New(slog.DiscardHandler)
	box, err := inbox.Open(context.Background(), opts)
	if err != nil {
		panic(err)
	}
	return box, func() {
		_ = box.Close()
		_ = os.RemoveAll(dir)
	}
}

// example returns an event with that ID.
func example(id string) webhooks.Event {
	ev, err := webhooks.Parse(fmt.Appendf(nil, `{"event":"generated_avatar_video_success","event_id":%q,"timestamp":1732806631,`+
		`"data":{"video_id":"video_%s","status":"completed"}}`, id, id))
	if err != nil {
		panic(err)
	}
	return ev
}

// An inbox is a webhooks.Receiver. It takes the router's place in the handler, and passes the events to the router afterwards.
func Example() {
	box, closeBox := openExample(inbox.Options{})
	defer closeBox()
	verifier, err := webhooks.NewVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := webhooks.NewHandler(verifier, box)

	body := string(example("1").Raw)
	request := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(body))
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(body), exampleSecret))
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	fmt.Println("status", response.Code)

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, ev webhooks.Event, video *webhooks.VideoSucceeded) error {
		fmt.Println("handled", ev.Key(), video.VideoID)
		cancel()
		return nil
	})
	if err := box.Run(ctx, router); err != nil {
		fmt.Println(err)
	}
	// Output:
	// status 200
	// handled generated_avatar_video_success:1 video_1
}

// Redeliveries are deduplicated, also after the event was handled.
func ExampleInbox_Receive() {
	box, closeBox := openExample(inbox.Options{})
	defer closeBox()
	ctx := context.Background()
	for range 3 {
		if err := box.Receive(ctx, example("1")); err != nil {
			fmt.Println(err)
		}
	}
	stats, err := box.Stats(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("waiting", stats.Waiting, "duplicates", stats.Duplicates)
	// Output: waiting 1 duplicates 2
}

// An event becomes a dead letter after its last attempt, and is redriven once the cause is fixed.
func ExampleInbox_Redrive() {
	box, closeBox := openExample(inbox.Options{MaxAttempts: 2, Backoff: []time.Duration{time.Millisecond}})
	defer closeBox()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := box.Receive(ctx, example("1")); err != nil {
		fmt.Println(err)
		return
	}

	var fixed atomic.Bool
	tried := make(chan int, 10)
	ran := make(chan error)
	go func() {
		ran <- box.Run(ctx, webhooks.ReceiverFunc(func(ctx context.Context, _ webhooks.Event) error {
			defer func() { tried <- inbox.Attempt(ctx) }()
			if fixed.Load() {
				return nil
			}
			return errors.New("the database is away")
		}))
	}()
	fmt.Println("attempt", <-tried)
	fmt.Println("attempt", <-tried)

	letter := waitForDeadLetter(ctx, box)
	fmt.Println(letter.Key, "failed:", letter.Reason)
	fixed.Store(true)
	if err := box.Redrive(ctx, letter.Key); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("attempt", <-tried)
	cancel()
	fmt.Println(<-ran)
	// Output:
	// attempt 1
	// attempt 2
	// generated_avatar_video_success:1 failed: the database is away
	// attempt 1
	// <nil>
}

// waitForDeadLetter polls until there is a dead letter and returns it.
func waitForDeadLetter(ctx context.Context, box *inbox.Inbox) inbox.DeadLetter {
	for {
		for letter, err := range box.DeadLetters(ctx) {
			if err != nil {
				panic(err)
			}
			return letter
		}
		select {
		case <-ctx.Done():
			panic(ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// A handler discards an event that no retry can handle.
func ExampleDiscard() {
	box, closeBox := openExample(inbox.Options{})
	defer closeBox()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := box.Receive(ctx, example("1")); err != nil {
		fmt.Println(err)
		return
	}
	ran := make(chan error)
	go func() {
		ran <- box.Run(ctx, webhooks.ReceiverFunc(func(context.Context, webhooks.Event) error {
			return inbox.Discard(errors.New("the customer is gone"))
		}))
	}()
	letter := waitForDeadLetter(ctx, box)
	fmt.Println(letter.Attempts, letter.Reason)
	cancel()
	fmt.Println(<-ran)
	// Output:
	// 1 inbox: discard: the customer is gone
	// <nil>
}
