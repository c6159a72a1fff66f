package webhooks_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
)

func TestKeyConsistsOfTypeAndID(t *testing.T) {
	first := mustParse(t, `{"event":"generated_video_success","event_id":"evt_1","data":{"video_id":"v"}}`)
	again := mustParse(t, `{"event":"generated_video_success","event_id":"evt_1","data":{"video_id":"v"}, "attempt": 2}`)
	other := mustParse(t, `{"event":"generated_video_success","event_id":"evt_2","data":{"video_id":"v"}}`)
	if first.Key() != "generated_video_success:evt_1" || again.Key() != first.Key() || other.Key() == first.Key() {
		t.Errorf("keys are %q, %q, %q", first.Key(), again.Key(), other.Key())
	}
}

func TestKeyIsTheHashOfTheBodyWithoutAnID(t *testing.T) {
	const body = `{"event":"generated_script_failed","timestamp":1732806631,"data":{"task_id":"task_1"}}`
	want := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(body)))
	for _, ev := range []webhooks.Event{mustParse(t, body), mustParse(t, body)} {
		if ev.Key() != want {
			t.Errorf("key is %q, want %q", ev.Key(), want)
		}
	}
	if other := mustParse(t, strings.Replace(body, "task_1", "task_2", 1)); other.Key() == want {
		t.Error("another event has the same key")
	}
}

// A task that fails and then succeeds has two events, even if they have the same ID.
func TestKeysOfDifferentTypesDiffer(t *testing.T) {
	failed := mustParse(t, `{"event":"generated_video_failed","event_id":"evt_1","data":{"video_id":"v"}}`)
	succeeded := mustParse(t, `{"event":"generated_video_success","event_id":"evt_1","data":{"video_id":"v"}}`)
	if failed.Key() == succeeded.Key() {
		t.Errorf("both keys are %q", failed.Key())
	}
}

func TestKeyIsTheHashOfTheBodyIfTheIDIsAPlaceholder(t *testing.T) {
	for _, id := range []string{
		`""`, `" "`, `0`, `"0"`, `"null"`, `"NULL"`, `"undefined"`, `"None"`, `"nil"`, `"00000000-0000-0000-0000-000000000000"`, `"-"`, `{}`,
	} {
		ev := mustParse(t, `{"event":"generated_video_success","event_id":`+id+`,"data":{"video_id":"v"}}`)
		if want := fmt.Sprintf("sha256:%x", sha256.Sum256(ev.Raw)); ev.Key() != want {
			t.Errorf("the id %s has the key %q", id, ev.Key())
		}
	}
}

func TestUnknownListsValuesOutsideTheContract(t *testing.T) {
	for body, want := range map[string][]string{
		document(webhooks.GeneratedVideoSuccess).body: nil,
		`{"api":1,"event":"generated_script_success","data":{"task_id":"t","x/y":{"a":1},"scripts":[{"script_style":"s"},{"tone":"dry"}]},"z~":null}`: {
			"/api", "/data/x~1y", "/data/scripts/1/tone", "/z~0",
		},
		`{"data":{"motion_id":"m","new":[1,{"a":2}],"error":{"hint":"light"}},"event":"generated_motion_failed"}`: {"/data/new", "/data/error/hint"},
		`{"event":"video_archived","data":{"a":1},"trace":2}`:                                                     {"/data", "/trace"},
		`{"event":"video_archived"}`:                           nil,
		`{"event":"generated_motion_failed","data":{"new":1}}`: {"/data/new"},
		`[1]`: nil,
		`{`:   nil,
	} {
		if got := (webhooks.Event{Raw: []byte(body)}).Unknown(); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", body, got, want)
		}
	}
}

func TestEventIsLoggedWithoutItsPayload(t *testing.T) {
	ev := mustParse(t, `{"event":"generated_video_success","event_id":"evt_1","data":{"video_id":"`+marker+`"},"x":"`+marker+`"}`)
	for _, logged := range []any{ev, &ev} {
		var buf bytes.Buffer
		slog.New(slog.NewTextHandler(&buf, nil)).Info("received", "event", logged)
		slog.New(slog.NewJSONHandler(&buf, nil)).Info("received", "event", logged)
		for _, want := range []string{
			"event.type=generated_video_success event.key=generated_video_success:evt_1", `"event":{"type":"generated_video_success","key":"generated_video_success:evt_1"}`,
		} {
			if !strings.Contains(buf.String(), want) {
				t.Errorf("%q is not in\n%s", want, &buf)
			}
		}
		if strings.Contains(buf.String(), marker) {
			t.Errorf("the payload is in\n%s", &buf)
		}
	}
}

func TestErrorsUnwrap(t *testing.T) {
	cause := errors.New("disk full")
	for _, err := range []error{
		&webhooks.PayloadError{Type: webhooks.GeneratedImageFailed, Field: "/data/error", Err: cause},
		&webhooks.UnavailableError{Err: cause},
	} {
		if !errors.Is(fmt.Errorf("wrapped: %w", err), cause) {
			t.Errorf("%v does not wrap its cause", err)
		}
		if !strings.Contains(err.Error(), "disk full") || !strings.HasPrefix(err.Error(), "webhooks: ") {
			t.Errorf("error is %q", err)
		}
	}
	for want, err := range map[string]error{
		`webhooks: event "x": field /data/y: disk full`: &webhooks.PayloadError{Type: "x", Field: "/data/y", Err: cause},
		`webhooks: event "` + strings.Repeat("ä", 64) + `": disk full`: &webhooks.PayloadError{
			Type: webhooks.EventType(strings.Repeat("ä", 100)), Err: cause,
		},
		`webhooks: event "x": disk full`:           &webhooks.PayloadError{Type: "x", Err: cause},
		`webhooks: event: field /event: disk full`: &webhooks.PayloadError{Field: "/event", Err: cause},
		`webhooks: event: disk full`:               &webhooks.PayloadError{Err: cause},
	} {
		if err.Error() != want {
			t.Errorf("error is %q, want %q", err, want)
		}
	}
}
