package webhooks

import (
	"bufio"
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var fuzzSeeds = []string{
	`{"event":"generated_avatar_video_success","event_id":"evt_1","timestamp":1732806631,"data":{"video_id":"v","status":"completed","video_url":"u","cover_url":null,"duration":30.5}}`,
	`{"event":"generated_video_failed","timestamp":"1732806631","data":{"project_id":12,"error":{"code":"E1","message":"m\u00e9"}}}`,
	`{"data":{"avatar_id":"12","err_msg":"x"},"event":"create_avatar_failed"}`,
	`{"event":"generated_script_success","timestamp":1e9,"data":{"task_id":"t","scripts":[{"script_style":"s","script_paragraphs":["a","b"]},{"script_paragraphs":"c"}]}}`,
	`{"event":"generated_image_success","data":{"photo_urls":["a"],"photo_id":7,"x":[{"y":{}}]}}`,
	`{"event":"generated_motion_failed","timestamp":1732806631,"data":{"motion_id":"m","error":"too dark"}}`,
	`{"event":"something_new","event_id":5,"data":[1,2,{"a":"\ud83d\ude00"}],"more":true}`,
	`{"event":"generated_script_failed","data":{"task_id":"t"},"data":{}}`,
	`{"event":"generated_script_failed","data":{"task_id":"\ud800"}}`,
	` [ ] `, `{`, `{"event":1}`, "\xff", `{"event":"generated_motion_success","data":{"motion_id":1e400}}`,
}

// FuzzParse holds Parse against two other readers of JSON. What it accepts they accept; what they refuse, or strictness refuses, it
// refuses; and the event says what the generic reading of the body says.
func FuzzParse(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		original := bytes.Clone(body)
		ev, err := Parse(body)
		if !bytes.Equal(body, original) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if _, ok := errors.AsType[*PayloadError](err); !ok {
				t.Fatalf("%T is no PayloadError", err)
			}
			return
		}
		if !jsontext.Value(body).IsValid() {
			t.Fatal("accepted what encoding/json/v2 finds invalid")
		}
		if !stdjson.Valid(body) {
			t.Fatal("accepted what encoding/json finds invalid")
		}
		if ev.Data == nil || !bytes.Equal(ev.Raw, body) {
			t.Fatal("the event lacks data or body")
		}
		checkFields(t, ev)
		again, err := Parse(bytes.Clone(ev.Raw))
		if err != nil || !reflect.DeepEqual(again, ev) {
			t.Fatalf("parsed again it is another: %v", err)
		}
		if again.Key() != ev.Key() {
			t.Fatal("parsed again it has another key")
		}
	})
}

// checkFields compares the fields that have one form only with what a generic reading of the body finds.
func checkFields(t *testing.T, ev Event) {
	var fields map[string]any
	if err := json.Unmarshal(ev.Raw, &fields); err != nil {
		return // a number that no Go type holds, in a field that is kept as text or not at all
	}
	if string(ev.Type) != fields["event"] {
		t.Fatalf("type %q, but the body says %q", ev.Type, fields["event"])
	}
	if id, ok := fields["event_id"].(string); ok && ev.ID != id {
		t.Fatalf("id %q, but the body says %q", ev.ID, id)
	}
	video, ok := ev.Data.(*VideoSucceeded)
	if !ok {
		return
	}
	data := fields["data"].(map[string]any)
	for _, field := range []struct{ name, got string }{
		{"video_url", video.VideoURL}, {"cover_url", video.CoverURL}, {"status", string(video.Status)},
	} {
		if want, ok := data[field.name].(string); ok && field.got != want {
			t.Fatalf("%s is %q, but the body says %q", field.name, field.got, want)
		}
	}
	if want, ok := data["duration"].(float64); ok && video.Duration != want {
		t.Fatalf("duration is %v, but the body says %v", video.Duration, want)
	}
}

// FuzzUnwrap makes sure that only what was signed gets through, and that what gets through is what Parse makes of it.
func FuzzUnwrap(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add([]byte(seed), Sign([]byte(seed), "secret"), "generated_motion_failed")
		f.Add([]byte(seed), "", "")
		f.Add([]byte(seed), strings.Repeat("0", 64), "")
	}
	verifier, err := NewVerifier("another", "secret")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature, event string) {
		header := http.Header{SignatureHeader: {signature}}
		if event != "" {
			header.Set(EventHeader, event)
		}
		ev, err := verifier.Unwrap(body, header)
		signed := signature == Sign(body, "secret") || signature == Sign(body, "another")
		if refused := errors.Is(err, ErrInvalidSignature) || errors.Is(err, ErrMissingSignature); refused == signed {
			t.Fatalf("signed: %v, but the error is %v", signed, err)
		}
		if !signed {
			return
		}
		want, parseErr := Parse(body)
		switch {
		case err == nil && (parseErr != nil || !reflect.DeepEqual(ev, want)):
			t.Fatal("Unwrap gives another event than Parse")
		case err == nil && event != "" && event != string(ev.Type):
			t.Fatal("the header names another event")
		case err != nil && parseErr == nil && event == string(want.Type):
			t.Fatalf("refused: %v", err)
		}
	})
}

// FuzzHandler sends whatever net/http takes for a request. The answer is one of the documented ones and says nothing more.
func FuzzHandler(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nX-Webhook-Signature: " + Sign([]byte(seed), "secret") + "\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"5\r\n12345\r\n0\r\n\r\n"))
		f.Add([]byte("POST / HTTP/1.0\r\nX-Webhook-Signature: " + Sign([]byte(seed), "secret") + "\r\n\r\n" + seed))
	}
	f.Add([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	verifier, err := NewVerifier("secret")
	if err != nil {
		f.Fatal(err)
	}
	received := 0
	handler := NewHandler(verifier, ReceiverFunc(func(context.Context, Event) error { received++; return nil }),
		WithMaxBodySize(4096), WithLogger(slog.New(slog.DiscardHandler)), WithRememberedKeys(0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		before := received
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		switch answer.Code {
		case http.StatusOK:
			if received != before+1 {
				t.Fatal("accepted without the receiver")
			}
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
			if received != before {
				t.Fatalf("received, but answered %d", answer.Code)
			}
		default:
			t.Fatalf("answered %d", answer.Code)
		}
		if strings.TrimSpace(answer.Body.String()) != http.StatusText(answer.Code) {
			t.Fatalf("the answer says %q", answer.Body)
		}
	})
}
