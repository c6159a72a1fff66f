package webhooks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/jogg-go/jogg/webhooks"
)

// queue is a receiver that passes events to workers, as long as they keep up.
type queue chan webhooks.Event

func (q queue) Receive(_ context.Context, ev webhooks.Event) error {
	select {
	case q <- ev:
		return nil
	default:
		return &webhooks.UnavailableError{RetryAfter: 5 * time.Second, Err: errors.New("queue is full")}
	}
}

// A receiver that cannot accept events for now says when to retry.
func ExampleUnavailableError() {
	verifier, err := webhooks.NewVerifier("whsec_test")
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := webhooks.NewHandler(verifier, make(queue, 1), webhooks.WithLogger(slog.New(slog.DiscardHandler)))

	for _, task := range []string{"task_1", "task_2"} {
		body := `{"event":"generated_script_failed","timestamp":1732806631,"data":{"task_id":"` + task + `","error":"no such page"}}`
		request := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(body))
		request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(body), "whsec_test"))
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		fmt.Printf("%d, Retry-After: %q\n", recorder.Code, recorder.Header().Get("Retry-After"))
	}
	// Output:
	// 200, Retry-After: ""
	// 503, Retry-After: "5"
}
