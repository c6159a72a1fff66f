package jogg_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jonboulle/clockwork"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// Whatever arrives, a call returns either content or an APIError that names the operation, on one line of valid UTF-8. The operations are
// those whose content can deviate from its shape in the most ways.
func FuzzResponse(f *testing.F) {
	f.Add(200, []byte(okUser), "application/json", "")
	f.Add(200, []byte(`{"code":0,"data":{"status":"fail","error":"no face","created_at":"17"}}`), "application/json", "")
	f.Add(502, []byte("<html><title>Bad Gateway</title></html>"), "text/html", "")
	f.Add(429, []byte(`{"code":429,"msg":"slow down","data":{"retryAfter":"3"}}`), "application/json", "30")
	f.Add(200, []byte("\uFEFF"+`{"code":0,"data":{"video_id":{"id":1},"voices":[{"voice_id":"a"},7,{"name":{}}],"has_more":"1"}}`), "application/json", "")
	f.Add(200, []byte(`{"success":"false","error":{"code":"E_FULL","errors":[{"detail":["a",1]}]},"data":{}}`), "application/json", "")
	f.Add(204, []byte(""), "", "")
	f.Fuzz(func(t *testing.T, status int, body []byte, contentType, retryAfter string) {
		if status < 200 || status > 599 {
			return // net/http handles lower statuses itself, and servers cannot send higher ones
		}
		transport := &script{responses: []func() (*http.Response, error){respond(status, string(body), "Content-Type", contentType, "Retry-After", retryAfter)}}
		client := newClient(t, transport)
		var response jogg.Response
		user, err := client.GetCurrentUser(t.Context(), jogg.WithResponse(&response))
		if response.HTTPStatus != status || !bytes.Equal(response.Body, body) {
			t.Errorf("the response is %v with the body %q", response, response.Body)
		}
		for _, field := range response.Unknown() {
			if !jsontext.Pointer(field).IsValid() || field == "" {
				t.Errorf("%q is not a pointer to a field", field)
			}
		}
		checkOutcome(t, "GetCurrentUser", user == nil, status, err)
		video, err := client.GetLipSyncVideo(t.Context(), "task")
		checkOutcome(t, "GetLipSyncVideo", video == nil, status, err)
		scripts, err := client.GetAIScripts(t.Context(), "task")
		checkOutcome(t, "GetAIScripts", scripts == nil, status, err)
		voices, err := client.ListVoices(t.Context(), gen.ListVoicesParams{})
		checkOutcome(t, "ListVoices", voices == nil, status, err)
		if err != nil && errors.Is(err, jogg.ErrOutcomeUnknown) {
			t.Errorf("the outcome of a request that only reads is unknown: %v", err)
		}
		err = client.UpdateProduct(t.Context(), gen.UpdateProductRequest{})
		checkOutcome(t, "UpdateProduct", err != nil, status, err)
		task, err := client.CreateAvatarVideo(t.Context(), gen.CreateAvatarVideoRequest{})
		checkOutcome(t, "CreateAvatarVideo", task == nil, status, err)
		if err == nil && task.VideoID == "" {
			t.Error("a task without an id is a success")
		}
		refused, ok := errors.AsType[*jogg.APIError](err)
		if ok && !bytes.Equal(refused.Body, body) {
			t.Errorf("the body of the error is %q, want the response", refused.Body)
		}
		if status >= 500 && refused != nil && refused.Code == 0 && !errors.Is(err, jogg.ErrOutcomeUnknown) {
			t.Errorf("the outcome of a request is known although the service failed: %v", err)
		}
	})
}

// Whatever the value of one field, the fields around it and the items before and after it are decoded.
func FuzzOddField(f *testing.F) {
	for _, value := range []string{`null`, `"12.5s"`, `{"a":[{}]}`, `[[]]`, `true`, `-0`, `1e999`, `"\ud83d"`, `{"a":1,"a":2}`, `"2026-03-30T12:00:00Z"`} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) {
			return
		}
		for _, field := range []string{"duration", "created_at", "error", "video_url"} {
			body := fmt.Sprintf(`{"code":0,"data":{"video_id":"v","%s":%s,"status":"success"},"rid":"r"}`, field, value)
			video, err := newClient(t, responses(body)).GetAvatarVideo(t.Context(), "v")
			if err != nil || video.VideoID != "v" || video.Status != "success" {
				t.Errorf("%s gave %+v, error %v", body, video, err)
			}
		}
		for _, odd := range []string{`%s`, `{"id":2,"name":%s}`, `{"id":2,"aspect_ratio":%s}`} {
			body := `{"code":0,"data":{"avatars":[{"id":1},` + fmt.Sprintf(odd, value) + `,{"id":3}],"has_more":false}}`
			list, err := newClient(t, responses(body)).ListPublicAvatars(t.Context(), gen.ListPublicAvatarsParams{})
			if err != nil || len(list.Avatars) != 3 || list.Avatars[0].ID != 1 || list.Avatars[2].ID != 3 {
				t.Errorf("%s gave %+v, error %v", body, list, err)
			}
		}
	})
}

func checkOutcome(t *testing.T, operation string, nothing bool, status int, err error) {
	t.Helper()
	if err == nil {
		if nothing || status > 299 {
			t.Errorf("%s: no content and no error, or success with status %d", operation, status)
		}
		return
	}
	refused, ok := errors.AsType[*jogg.APIError](err)
	if !ok {
		if status/100 == 3 {
			return // a redirect that was not followed is not an APIError
		}
		t.Fatalf("%s: %T: %v is not an APIError", operation, err, err)
	}
	if !nothing || refused.Operation != operation || refused.HTTPStatus != status || refused.RetryAfter < 0 {
		t.Errorf("%s: content %v and the error %+v", operation, !nothing, refused)
	}
	if text := err.Error(); !utf8.ValidString(text) || len(refused.Message) > 300 || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("%s: %q is not a sane line", operation, text)
	}
}

// A wait that the service asks for is never negative, whole seconds are read exactly, and a date is relative to the client's clock.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 3, 30, 12, 0, 0, 0, time.UTC)
	for _, header := range []string{"30", " 0 ", "1.5", "-1", "1e400", "NaN", "Infinity", "0x10", now.Add(time.Hour).Format(http.TimeFormat), "Mon, 30 Feb 2026 12:00:00 GMT"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		transport := &script{responses: []func() (*http.Response, error){respond(429, "", "Retry-After", header)}}
		_, err := newClient(t, transport, jogg.WithClock(clockwork.NewFakeClockAt(now))).GetCurrentUser(t.Context())
		refused, ok := errors.AsType[*jogg.APIError](err)
		if !ok {
			t.Fatalf("%T: %v is not an APIError", err, err)
		}
		if refused.RetryAfter < 0 {
			t.Errorf("Retry-After: %q is a wait of %v", header, refused.RetryAfter)
		}
		value := strings.TrimSpace(header)
		if seconds, err := strconv.ParseUint(value, 10, 32); err == nil && seconds < 1e9 && refused.RetryAfter != time.Duration(seconds)*time.Second {
			t.Errorf("Retry-After: %q is a wait of %v", header, refused.RetryAfter)
		}
		if date, err := http.ParseTime(value); err == nil && refused.RetryAfter != max(0, date.Sub(now)) {
			t.Errorf("Retry-After: %q is a wait of %v, want %v", header, refused.RetryAfter, date.Sub(now))
		}
		if f, err := strconv.ParseFloat(value, 64); err == nil && math.IsNaN(f) && refused.RetryAfter != 0 {
			t.Errorf("Retry-After: %q is a wait of %v", header, refused.RetryAfter)
		}
	})
}

// A value that the service could send is decoded unchanged, whatever its strings hold.
func FuzzContent(f *testing.F) {
	f.Add("video_1", "success", 30.5, int64(1732806631), "no face")
	f.Add("<&>\u2028", "", math.Copysign(0, -1), int64(math.MinInt64), "\x00\"\\")
	f.Fuzz(func(t *testing.T, id, status string, duration float64, createdAt int64, reason string) {
		if math.IsNaN(duration) || math.IsInf(duration, 0) {
			return
		}
		want := gen.AvatarVideo{
			VideoID: strings.ToValidUTF8(id, "?"), Status: gen.TaskStatus(strings.ToValidUTF8(status, "?")), Duration: duration, CreatedAt: createdAt,
			Error: gen.TaskFailure{Message: strings.ToValidUTF8(reason, "?")},
		}
		got, err := newClient(t, responses(enveloped(t, want))).GetAvatarVideo(t.Context(), "v")
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("got %+v and the error %v, want %+v", got, err, want)
		}
	})
}

// enveloped returns the response body with the content.
func enveloped(t testing.TB, content any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"code": 0, "msg": "Success", "data": content})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A field that an option sets is in the body at its pointer, and everything else in the body is unchanged.
func FuzzField(f *testing.F) {
	f.Add(`{"a":{"b":[1,{"c":2}]}}`, "/a/b/1/c", `"x"`)
	f.Add(`{"a":[]}`, "/a/-", `{"n":1e400}`)
	f.Add(`{"a":null,"a":1,"":{"~/":true}}`, "//~0~1", `null`)
	f.Add(`[[0]]`, "/0/0", `[]`)
	f.Add(`"text"`, "/a", `0`)
	f.Fuzz(func(t *testing.T, body, pointer, value string) {
		transport := responses(`{"code":0}`)
		err := newClient(t, transport).Call(t.Context(), http.MethodPost, "/v2/new", json.RawMessage(body), nil,
			jogg.WithField(pointer, json.RawMessage(value)))
		if err != nil {
			if len(transport.sent) != 0 || !strings.HasPrefix(err.Error(), "jogg: POST /v2/new: ") {
				t.Errorf("error %v after %d requests", err, len(transport.sent))
			}
			return
		}
		var before, after, want any
		for text, into := range map[string]*any{body: &before, transport.bodies[0]: &after, value: &want} {
			if json.Unmarshal([]byte(text), into) != nil {
				return // a number or a body that encoding/json rejects
			}
		}
		names := strings.Split(pointer, "/")[1:]
		for i, name := range names {
			names[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		}
		if got := standing(after, names); !reflect.DeepEqual(got, want) {
			t.Errorf("%s with %s at %s became %s", body, value, pointer, transport.bodies[0])
		}
		members, _ := before.(map[string]any)
		for name, member := range members {
			if name != names[0] && !reflect.DeepEqual(standing(after, []string{name}), member) {
				t.Errorf("%s with %s at %s lost %q in %s", body, value, pointer, name, transport.bodies[0])
			}
		}
	})
}

// standing returns the value at the path names in a decoded JSON value; - is the last item of a list.
func standing(value any, names []string) any {
	for _, name := range names {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			if name == "-" {
				name = strconv.Itoa(len(v) - 1)
			}
			index, err := strconv.Atoi(name)
			if err != nil || index < 0 || index >= len(v) {
				return nil
			}
			value = v[index]
		default:
			return nil
		}
	}
	return value
}
