package jogg_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/paths"
	"github.com/jogg-go/jogg/gen"
)

func TestEachAttemptAndEachWaitIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var records bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&records, &slog.HandlerOptions{Level: slog.LevelDebug}))
		slow := func() (*http.Response, error) {
			<-time.After(250 * time.Millisecond) // in the bubble's time
			return respond(200, `{"code":0,"rid":"r3","data":{}}`)()
		}
		transport := &script{responses: []func() (*http.Response, error){
			respond(200, `{"code":429,"msg":"slow down","rid":"r1","retryAfter":7}`), respond(502, "<html>", "Retry-After", "1"), failed(io.EOF), slow,
		}}
		client := newClient(t, transport, jogg.WithLogger(logger), jogg.WithRetry(jogg.RetryPolicy{Base: time.Nanosecond}))
		if _, err := client.ListVoices(t.Context(), gen.ListVoicesParams{Language: "english"}); err != nil {
			t.Fatal(err)
		}
		common := map[string]any{"level": "DEBUG", "operation": "ListVoices", "method": "GET", "path": paths.Of("listVoices")}
		const attempt, wait = "jogg: attempt", "jogg: waiting before another attempt"
		want := []map[string]any{
			{"msg": attempt, "attempt": 1.0, "status": 200.0, "code": 429.0, "request_id": "r1", "error": "rate limit exceeded", "duration": 0.0},
			{"msg": wait, "attempt": 1.0, "wait": 7e9},
			{"msg": attempt, "attempt": 2.0, "status": 502.0, "code": 0.0, "request_id": "", "error": "system error", "duration": 0.0},
			{"msg": wait, "attempt": 2.0, "wait": 1e9},
			{"msg": attempt, "attempt": 3.0, "error": "EOF", "duration": 0.0},
			{"msg": wait, "attempt": 3.0},
			{"msg": attempt, "attempt": 4.0, "status": 200.0, "code": 0.0, "request_id": "r3", "duration": 250e6},
		}
		decoder := json.NewDecoder(&records)
		for i, expected := range want {
			maps.Copy(expected, common)
			var got map[string]any
			if err := decoder.Decode(&got); err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
			delete(got, "time")
			if i == 5 {
				delete(got, "wait") // random
			}
			if !reflect.DeepEqual(got, expected) {
				t.Errorf("record %d is\n%v, want\n%v", i, got, expected)
			}
		}
		if decoder.More() {
			t.Errorf("more was logged: %s", &records)
		}
	})
}

func TestNothingIsLoggedAboveDebugLevel(t *testing.T) {
	var records bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&records, nil))
	client := newClient(t, responses(`{"code":50000}`), jogg.WithLogger(logger))
	if _, err := client.GetCurrentUser(t.Context()); err == nil || records.Len() != 0 {
		t.Errorf("error %v, logged %q", err, &records)
	}
}

func TestAReasonWithoutAKindIsLogged(t *testing.T) {
	var records bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&records, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client := newClient(t, responses(``, `{"code":777,"msg":"m"}`), jogg.WithLogger(logger))
	for _, want := range []string{`error="the response is empty"`, `code=777`} {
		records.Reset()
		_, err := client.GetCurrentUser(t.Context())
		if err == nil || !bytes.Contains(records.Bytes(), []byte(want)) {
			t.Errorf("error %v, logged %q, want %s", err, fmt.Sprint(&records), want)
		}
	}
}
