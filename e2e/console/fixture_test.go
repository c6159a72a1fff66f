package console_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/inboxtest"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
	"github.com/jogg-go/jogg/webhooks/inbox/console"
)

// secretText is in every payload.
const secretText = "https://cdn.example.com/private-link"

// event returns an event with one of three types, or with a long type if its ID has more than 60 characters.
func event(t testing.TB, id string) webhooks.Event {
	t.Helper()
	types := webhooks.EventTypes()
	kind := types[(len(id)+int(id[len(id)-1]))%3]
	if len(id) > 60 {
		kind = webhooks.GeneratedTranslateVideoSuccess
	}
	ev, err := webhooks.Parse(fmt.Appendf(nil, `{"event":%q,"event_id":%q,"timestamp":1732806631,"data":{"video_id":"v1","video_url":%q}}`,
		kind, id, secretText))
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// keyOf returns the key of the event with that ID.
func keyOf(t testing.TB, id string) string {
	t.Helper()
	return event(t, id).Key()
}

// open opens an inbox in a temporary directory.
func open(t testing.TB) *inbox.Inbox {
	t.Helper()
	return inboxtest.Open(t, inbox.Options{Backoff: []time.Duration{time.Hour}, Concurrency: 4})
}

func receive(t testing.TB, box *inbox.Inbox, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := box.Receive(t.Context(), event(t, id)); err != nil {
			t.Fatal(err)
		}
	}
}

// reasons are the error texts of dead letters and failed attempts.
var reasons = []string{
	"no such customer: 4711", "database is away: dial tcp 10.0.0.7:5432: connect: connection refused",
	"<script>alert(1)</script> is no name",
}

// run handles events until the test ends. Events whose IDs begin with "dead" are discarded, those with "fail" fail, and those with "run"
// run until the test ends. It returns once no event is due.
func run(t testing.TB, box *inbox.Inbox) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		err := box.Run(ctx, webhooks.ReceiverFunc(func(handling context.Context, ev webhooks.Event) error {
			data, undecodable := ev.Data.(*webhooks.Undecodable)
			if undecodable {
				return data.Err
			}
			reason := errors.New(reasons[int(ev.ID[len(ev.ID)-1])%len(reasons)])
			switch {
			case strings.HasPrefix(ev.ID, "dead"):
				return inbox.Discard(reason)
			case strings.HasPrefix(ev.ID, "fail"):
				return reason
			case strings.HasPrefix(ev.ID, "run"):
				<-ctx.Done()
			}
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	settled(t, box)
}

// settled waits until no waiting event is due.
func settled(t testing.TB, box *inbox.Inbox) {
	t.Helper()
	eventually(t, func() bool {
		for e, err := range box.Entries(t.Context(), inbox.Query{State: inbox.StateWaiting}) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Next.IsZero() {
				return false
			}
		}
		return true
	})
}

func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatal("the condition was not met in 30 s")
		case <-tick.C:
		}
	}
}

// serve serves a console at /admin/jogg/.
func serve(t testing.TB, box *inbox.Inbox, opts ...console.Option) (url string) {
	t.Helper()
	mux := http.NewServeMux()
	quiet := console.WithLogger(slog.New(slog.DiscardHandler))
	mux.Handle("/admin/jogg/", console.New(box, append([]console.Option{quiet}, opts...)...))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/admin/jogg/"
}

// response is a response with its body read.
type response struct {
	status int
	header http.Header
	body   string
}

func do(t testing.TB, r *http.Request) response {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{res.StatusCode, res.Header, string(body)}
}

func get(t testing.TB, url string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, r)
}
