package webhooks_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jogg-go/jogg/e2e/logbuffer"
	"github.com/jogg-go/jogg/webhooks"
)

// numbered returns the body of a delivery of the event with this ID. All other strings are markers.
func numbered(id string) string {
	return fmt.Sprintf(`{"event":"generated_avatar_video_success","event_id":%q,"timestamp":1732806631,`+
		`"data":{"video_id":%q,"status":%[2]q,"video_url":"https://cdn.example.com/%[2]s.mp4","more":%[2]q}}`, id, marker)
}

// post returns a request with a signed delivery of body.
func post(body string) *http.Request {
	request := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(body), secret))
	return request
}

// site is a handler under test.
type site struct {
	t *testing.T
	http.Handler
	log *logbuffer.Buffer
}

// newSite returns a handler with a verifier for secret. After the test, its log, debug level included, must not contain payload, the secret
// or a signature.
func newSite(t *testing.T, r webhooks.Receiver, opts ...webhooks.HandlerOption) *site {
	t.Helper()
	log := new(logbuffer.Buffer)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.Cleanup(func() {
		for _, hidden := range []string{marker, secret, webhooks.Sign([]byte(numbered("1")), secret)} {
			if strings.Contains(log.String(), hidden) {
				t.Errorf("%s is in the log:\n%s", hidden, log)
			}
		}
	})
	return &site{t, webhooks.NewHandler(newVerifier(t), r, append([]webhooks.HandlerOption{webhooks.WithLogger(logger)}, opts...)...), log}
}

// deliver sends a request to the handler, checks that the response contains only its status, and returns it.
func (s *site) deliver(request *http.Request) *http.Response {
	s.t.Helper()
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, request)
	return s.checked(recorder.Result())
}

func (s *site) checked(response *http.Response) *http.Response {
	s.t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != http.StatusText(response.StatusCode)+"\n" {
		s.t.Errorf("response %d has the body %q, %v", response.StatusCode, body, err)
	}
	if got := response.Header.Get("Allow"); (got == http.MethodPost) != (response.StatusCode == http.StatusMethodNotAllowed) {
		s.t.Errorf("response %d has Allow: %q", response.StatusCode, got)
	}
	for name := range response.Header {
		if !slices.Contains([]string{"Allow", "Retry-After", "Content-Type", "X-Content-Type-Options", "Content-Length", "Connection", "Date"}, name) {
			s.t.Errorf("response %d has the header %s", response.StatusCode, name)
		}
	}
	return response
}

// expect sends a request to the handler and checks the status code of the response.
func (s *site) expect(status int, request *http.Request) {
	s.t.Helper()
	if response := s.deliver(request); response.StatusCode != status {
		s.t.Errorf("status code is %d, want %d; the log is\n%s", response.StatusCode, status, s.log)
	}
}

// counter is a receiver that counts its calls and then calls next, unless that is nil.
type counter struct {
	calls atomic.Int64
	next  func(ctx context.Context, ev webhooks.Event) error
}

func (c *counter) Receive(ctx context.Context, ev webhooks.Event) error {
	c.calls.Add(1)
	if c.next == nil {
		return nil
	}
	return c.next(ctx, ev)
}

func (c *counter) expect(t *testing.T, calls int64) {
	t.Helper()
	if got := c.calls.Load(); got != calls {
		t.Errorf("receiver was called %d times, want %d", got, calls)
	}
}

func TestHandlerPassesOnEveryDocumentedEvent(t *testing.T) {
	for _, d := range documented() {
		var got webhooks.Event
		s := newSite(t, webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
			got = ev
			return nil
		}))
		request := post(d.body)
		request.Header.Set(webhooks.EventHeader, string(d.want.Type))
		s.expect(http.StatusOK, request)
		if !same(got, d.event()) {
			t.Errorf("received %+v with %+v, want %+v", got, got.Data, d.want)
		}
	}
}

func TestHandlerRejects(t *testing.T) {
	changed := func(change func(*http.Request)) func() *http.Request {
		return func() *http.Request {
			request := post(numbered("1"))
			change(request)
			return request
		}
	}
	signature := func(values ...string) func() *http.Request {
		return changed(func(r *http.Request) { r.Header[webhooks.SignatureHeader] = values })
	}
	right := webhooks.Sign([]byte(numbered("1")), secret)
	for _, c := range []struct {
		name    string
		request func() *http.Request
		status  int
		logged  string
	}{
		{"no signature", signature(), http.StatusUnauthorized, "signature missing"},
		{"an empty signature", signature(""), http.StatusUnauthorized, "signature missing"},
		{"a short signature", signature(right[1:]), http.StatusUnauthorized, "signature invalid"},
		{"another signature", signature(webhooks.Sign([]byte("other"), secret)), http.StatusUnauthorized, "signature invalid"},
		{
			"a signature with another secret", signature(webhooks.Sign([]byte(numbered("1")), "whsec_o")), http.StatusUnauthorized,
			"signature invalid",
		},
		{"two signatures", signature(right, right), http.StatusUnauthorized, "signature invalid"},
		{"no JSON, and no signature", func() *http.Request {
			request := post(marker)
			request.Header.Del(webhooks.SignatureHeader)
			return request
		}, http.StatusUnauthorized, "signature missing"},
		{"no JSON, wrongly signed", func() *http.Request {
			request := post(marker)
			request.Header.Set(webhooks.SignatureHeader, right)
			return request
		}, http.StatusUnauthorized, "signature invalid"},
		{
			"a length above the limit", changed(func(r *http.Request) { r.ContentLength = webhooks.DefaultMaxBodySize + 1 }),
			http.StatusRequestEntityTooLarge, "too large",
		},
		{"a body above the limit of unknown length", func() *http.Request {
			request := post(`{"event":"x","data":"` + strings.Repeat("a", webhooks.DefaultMaxBodySize) + `"}`)
			request.ContentLength = -1
			return request
		}, http.StatusRequestEntityTooLarge, "too large"},
		{
			"a body that breaks off", changed(func(r *http.Request) { r.Body = io.NopCloser(&broken{r.Body, io.ErrUnexpectedEOF}) }),
			http.StatusBadRequest, "unexpected EOF",
		},
		{
			"a body that takes too long", changed(func(r *http.Request) { r.Body = io.NopCloser(&broken{r.Body, context.DeadlineExceeded}) }),
			http.StatusRequestTimeout, "deadline exceeded",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r counter
			s := newSite(t, &r)
			s.expect(c.status, c.request())
			r.expect(t, 0)
			log := s.log.String()
			if !strings.Contains(log, "level=WARN") || !strings.Contains(log, fmt.Sprint("status=", c.status)) || !strings.Contains(log, c.logged) {
				t.Errorf("%q is not in the log:\n%s", c.logged, log)
			}
		})
	}
}

// undecodableBodies are bodies that JoggAI is not known to send, but that must not be lost if they are signed.
var undecodableBodies = []struct {
	name, body string
	event      webhooks.EventType
	field      string // that the error is about
	reason     string
}{
	{"nothing", "", "", "", "unexpected end of JSON"},
	{"no JSON", marker, "", "", "invalid JSON"},
	{"a name twice", `{"event":"generated_script_failed","data":{"task_id":"` + marker + `","task_id":""}}`, "", "", "duplicate name"},
	{"a name twice in an unknown field", `{"event":"generated_script_failed","data":{"task_id":"t"},"x":{"a":1,"a":2}}`, "", "", "duplicate name"},
	{"a lone surrogate", `{"event":"generated_script_failed","data":{"task_id":"t","error":"\ud83d"}}`, "", "", "invalid JSON"},
	{"a byte order mark", "\ufeff" + `{"event":"generated_script_failed","data":{"task_id":"t"}}`, "", "", "invalid JSON"},
	{"UTF-8 that is cut", `{"event":"generated_script_failed","data":{"task_id":"t","error":"` + "\xc3" + `"}}`, "", "", "invalid UTF-8"},
	{"a list", `[1,2]`, "", "", "is an array, not an object"},
	{"no event", `{"data":{"task_id":"` + marker + `"}}`, "", "/event", "missing"},
	{"an empty event", `{"event":"","data":{"task_id":"` + marker + `"}}`, "", "/event", "empty"},
	{"no data", `{"event":"generated_script_failed"}`, "generated_script_failed", "/data", "missing"},
	{"data that is a string", `{"event":"generated_script_failed","data":"` + marker + `"}`, "generated_script_failed", "/data", "is a string"},
	{
		"an id of another form", `{"event":"create_avatar_success","data":{"avatar_id":"` + marker + `"}}`, "create_avatar_success",
		"/data/avatar_id", "not a number",
	},
	{"other names", `{"event":"generated_video_success","data":{"videoId":"` + marker + `"}}`, "generated_video_success", "/data/video_id", "missing"},
}

func TestEverySignedBodyIsReceived(t *testing.T) {
	for _, c := range undecodableBodies {
		t.Run(c.name, func(t *testing.T) {
			var got webhooks.Event
			s := newSite(t, webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
				got = ev
				return nil
			}))
			s.expect(http.StatusOK, post(c.body))
			undecodable, ok := got.Data.(*webhooks.Undecodable)
			if !ok || string(got.Raw) != c.body || got.Type != c.event {
				t.Fatalf("received %+v", got)
			}
			checkPayloadError(t, c.body, undecodable.Err, c.event, c.field, "")
			if !strings.Contains(undecodable.Err.Err.Error(), c.reason) {
				t.Errorf("the reason is %q, want %q", undecodable.Err.Err, c.reason)
			}
			if log := s.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, c.reason) || !strings.Contains(log, got.Key()) {
				t.Errorf("the log is\n%s", log)
			}
		})
	}
}

func TestRouterWithoutAFunctionForUndecodableFails(t *testing.T) {
	for _, c := range undecodableBodies {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, webhooks.NewRouter())
			s.expect(http.StatusInternalServerError, post(c.body))
			log := s.log.String()
			if !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "event="+cmp.Or(string(c.event), `""`)) ||
				!strings.Contains(log, c.field) || !strings.Contains(log, c.reason) || !strings.Contains(log, "key=sha256:") {
				t.Errorf("the log is\n%s", log)
			}

			var calls int
			router := webhooks.NewRouter()
			webhooks.On(router, func(context.Context, webhooks.Event, *webhooks.Undecodable) error { calls++; return nil })
			newSite(t, router).expect(http.StatusOK, post(c.body))
			if calls != 1 {
				t.Errorf("the function for it was called %d times", calls)
			}
		})
	}
}

func TestEventHeaderIsNotUsed(t *testing.T) {
	for header, logged := range map[string]bool{marker: true, "": true, "generated_avatar_video_success": false} {
		var r counter
		s := newSite(t, &r)
		request := post(numbered("1"))
		request.Header.Set(webhooks.EventHeader, header)
		s.expect(http.StatusOK, request)
		r.expect(t, 1)
		if log := s.log.String(); strings.Contains(log, "level=WARN") != logged {
			t.Errorf("with the header %q the log is\n%s", header, log)
		}
	}
}

func TestFieldWithAnUnexpectedValueIsLogged(t *testing.T) {
	var got webhooks.Event
	s := newSite(t, webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
		got = ev
		return nil
	}))
	s.expect(http.StatusOK, post(`{"event":"generated_video_success","event_id":"1","data":{"video_id":"v","duration":"`+marker+`","status":{}}}`))
	if len(got.Problems) != 2 || got.Data.(*webhooks.VideoSucceeded).VideoID != "v" {
		t.Errorf("received %+v", got)
	}
	log := s.log.String()
	for _, want := range []string{"level=WARN", "field /data/duration: not a number", "field /data/status: is an object, not a string", "key=generated_video_success:1"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in the log:\n%s", want, log)
		}
	}
}

func TestRedeliveryWithADifferentBodyIsDeduplicated(t *testing.T) {
	var r counter
	s := newSite(t, &r)
	s.expect(http.StatusOK, post(numbered("1")))
	s.expect(http.StatusOK, post(numbered("1")))
	if strings.Contains(s.log.String(), "level=WARN") {
		t.Errorf("the log is\n%s", s.log)
	}
	s.expect(http.StatusOK, post(numbered("1")+" "))
	r.expect(t, 1)
	if log := s.log.String(); !strings.Contains(log, "different body") || !strings.Contains(log, "level=WARN") {
		t.Errorf("the log is\n%s", log)
	}
}

// Anybody can send unsigned deliveries, in any number.
func TestRejectionsDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, new(counter))
		forged := func() *http.Request {
			request := post(numbered("1"))
			request.Header.Set(webhooks.SignatureHeader, "0")
			return request
		}
		for range 1000 {
			s.expect(http.StatusUnauthorized, forged())
		}
		if lines := strings.Count(s.log.String(), "\n"); lines == 0 || lines > 20 {
			t.Errorf("1000 rejections logged %d lines", lines)
		}
		<-time.After(time.Minute)
		s.expect(http.StatusUnauthorized, forged())
		if !strings.Contains(s.log.String(), "omitted=990") || strings.Contains(s.log.String(), "level=ERROR") {
			t.Errorf("the log is\n%s", s.log)
		}
		// Signed deliveries are logged regardless of the limit.
		for range 1000 {
			s.expect(http.StatusUnauthorized, forged())
		}
		s.expect(http.StatusOK, post(`{"event":"generated_script_failed"}`))
		if !strings.Contains(s.log.String(), "cannot be decoded") {
			t.Errorf("the log is\n%s", s.log)
		}
	})
}

// A receiver that never returns must not block redeliveries of its event.
func TestReceiverThatHangsIsCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := &counter{}
		r.next = func(context.Context, webhooks.Event) error {
			if r.calls.Load() == 1 {
				<-release // regardless of the context
			}
			return nil
		}
		s := newSite(t, r, webhooks.WithDeadline(4*time.Second))
		s.expect(http.StatusServiceUnavailable, post(numbered("1")))
		if errors := strings.Count(s.log.String(), "level=ERROR"); errors != 1 {
			t.Errorf("one passed deadline made %d errors in\n%s", errors, s.log)
		}
		<-time.After(5 * time.Second)
		s.expect(http.StatusServiceUnavailable, post(numbered("1")))
		r.expect(t, 1)
		<-time.After(5 * time.Second)
		s.expect(http.StatusOK, post(numbered("1")))
		r.expect(t, 2)
		close(release)
		synctest.Wait()
		s.expect(http.StatusOK, post(numbered("1")))
		r.expect(t, 2)
		if errors := strings.Count(s.log.String(), "level=ERROR"); errors != 1 {
			t.Errorf("one passed deadline made %d errors in\n%s", errors, s.log)
		}
	})
}

func TestReceiversThatHangAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var r counter
		r.next = func(context.Context, webhooks.Event) error { <-release; return nil }
		s := newSite(t, &r)
		var senders sync.WaitGroup
		for i := range 256 {
			senders.Go(func() { s.expect(http.StatusServiceUnavailable, post(numbered(strconv.Itoa(i)))) })
		}
		senders.Wait()
		response := s.deliver(post(numbered("one more")))
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Errorf("status code is %d with Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
		}
		r.expect(t, 256)
		close(release)
		synctest.Wait()
		s.expect(http.StatusOK, post(numbered("one more")))
		r.expect(t, 257)
	})
}

// broken is a body whose first read returns part of the data together with an error.
type broken struct {
	io.Reader
	err error
}

func (b *broken) Read(p []byte) (int, error) {
	n, _ := b.Reader.Read(p[:min(len(p), 50)])
	return n, b.err
}

// unreadable is a body that fails the test if it is read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

func TestHandlerAcceptsOnlyPOST(t *testing.T) {
	var r counter
	s := newSite(t, &r)
	for _, method := range []string{
		http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, "PROPFIND", "post",
	} {
		request := post(numbered("1"))
		request.Method = method
		request.Body = io.NopCloser(unreadable{t})
		s.expect(http.StatusMethodNotAllowed, request)
	}
	r.expect(t, 0)
}

func TestHandlerDoesNotReadABodyThatItRejects(t *testing.T) {
	var r counter
	s := newSite(t, &r)
	for status, change := range map[int]func(*http.Request){
		http.StatusUnauthorized:          func(r *http.Request) { r.Header.Del(webhooks.SignatureHeader) },
		http.StatusRequestEntityTooLarge: func(r *http.Request) { r.ContentLength = webhooks.DefaultMaxBodySize + 1 },
	} {
		request := post(numbered("1"))
		request.Body = io.NopCloser(unreadable{t})
		change(request)
		s.expect(status, request)
	}
	r.expect(t, 0)
}

func TestHandlerAcceptsBodiesUpToTheLimit(t *testing.T) {
	for _, limit := range []int{100, 512, 64 << 10, 64<<10 + 1, webhooks.DefaultMaxBodySize} {
		var opts []webhooks.HandlerOption
		if limit != webhooks.DefaultMaxBodySize {
			opts = []webhooks.HandlerOption{webhooks.WithMaxBodySize(int64(limit))}
		}
		var r counter
		s := newSite(t, &r, opts...)
		const around = `{"event":"x","data":""}`
		exactly := strings.Replace(around, `""`, `"`+strings.Repeat("a", limit-len(around))+`"`, 1)
		for _, known := range []bool{true, false} {
			exact, tooLong := post(exactly), post(exactly+" ")
			if !known {
				exact.ContentLength, tooLong.ContentLength = -1, -1
			}
			s.expect(http.StatusOK, exact)
			s.expect(http.StatusRequestEntityTooLarge, tooLong)
		}
		r.expect(t, 1) // the second was a redelivery
	}
}

func TestResponseDependsOnTheReceiver(t *testing.T) {
	var nothing *webhooks.UnavailableError
	for _, c := range []struct {
		name    string
		receive func(context.Context, webhooks.Event) error
		status  int
		retry   string
		logged  string
	}{
		{"nil", func(context.Context, webhooks.Event) error { return nil }, http.StatusOK, "", "webhook event accepted"},
		{
			"an error", func(context.Context, webhooks.Event) error { return errors.New("database is away") },
			http.StatusInternalServerError, "", "database is away",
		},
		{
			"the deadline of another context", func(context.Context, webhooks.Event) error { return context.DeadlineExceeded },
			http.StatusInternalServerError, "", "webhook receiver failed",
		},
		{
			"a panic", func(context.Context, webhooks.Event) error { panic(marker) }, http.StatusInternalServerError, "",
			`panic="a string"`,
		},
		{
			"a panic with an error", func(context.Context, webhooks.Event) error { panic(errors.New(marker)) },
			http.StatusInternalServerError, "", `panic="a *errors.errorString"`,
		},
		{
			"a panic with the event", func(_ context.Context, ev webhooks.Event) error { panic(ev) },
			http.StatusInternalServerError, "", `panic="a webhooks.Event"`,
		},
		{
			"a panic of the runtime", func(_ context.Context, ev webhooks.Event) error {
				_ = ev.Data.(*webhooks.ImageFailed)
				return nil
			},
			http.StatusInternalServerError, "", "interface conversion",
		},
		{
			"a panic with http.ErrAbortHandler", func(context.Context, webhooks.Event) error { panic(http.ErrAbortHandler) },
			http.StatusInternalServerError, "", "webhook receiver panicked",
		},
		{
			"runtime.Goexit", func(context.Context, webhooks.Event) error {
				runtime.Goexit()
				return nil
			},
			http.StatusInternalServerError, "", "webhook receiver exited its goroutine",
		},
		{
			"unavailable", func(context.Context, webhooks.Event) error {
				return &webhooks.UnavailableError{RetryAfter: 3 * time.Second, Err: errors.New("disk full")}
			},
			http.StatusServiceUnavailable, "3", "disk full",
		},
		{
			"unavailable, wrapped, for a fraction of a second longer", func(context.Context, webhooks.Event) error {
				return fmt.Errorf("inbox: %w", &webhooks.UnavailableError{RetryAfter: 3*time.Second + 1, Err: errors.New("disk full")})
			},
			http.StatusServiceUnavailable, "4", "disk full",
		},
		{
			"unavailable without a time", func(context.Context, webhooks.Event) error { return &webhooks.UnavailableError{} },
			http.StatusServiceUnavailable, "1", "webhook receiver unavailable",
		},
		{
			"unavailable for a negative time",
			func(context.Context, webhooks.Event) error { return &webhooks.UnavailableError{RetryAfter: -time.Hour} },
			http.StatusServiceUnavailable, "1", "webhook receiver unavailable",
		},
		{
			"a nil *UnavailableError", func(context.Context, webhooks.Event) error { return nothing },
			http.StatusInternalServerError, "", "webhook receiver panicked",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &counter{next: c.receive}
			s := newSite(t, r)
			for range 2 { // an event that was not accepted is not deduplicated
				response := s.deliver(post(numbered("1")))
				if response.StatusCode != c.status || response.Header.Get("Retry-After") != c.retry {
					t.Errorf("status code is %d with Retry-After %q, want %d with %q", response.StatusCode, response.Header.Get("Retry-After"), c.status, c.retry)
				}
			}
			if c.status == http.StatusOK {
				r.expect(t, 1)
			} else {
				r.expect(t, 2)
			}
			log := s.log.String()
			if !strings.Contains(log, c.logged) || !strings.Contains(log, "event=generated_avatar_video_success key=generated_avatar_video_success:1") {
				t.Errorf("%q about the event is not in the log:\n%s", c.logged, log)
			}
			if (c.status == http.StatusOK) == strings.Contains(log, "level=ERROR") {
				t.Errorf("the level is wrong in\n%s", log)
			}
		})
	}
}

func TestHandlerAcknowledgesRedeliveriesOfAcceptedEvents(t *testing.T) {
	var r counter
	s := newSite(t, &r)
	const withoutID = `{"event":"generated_script_failed","data":{"task_id":"` + marker + `"}}`
	for range 3 {
		s.expect(http.StatusOK, post(numbered("1")))
		s.expect(http.StatusOK, post(withoutID))
	}
	r.expect(t, 2)
	s.expect(http.StatusOK, post(numbered("2")))
	s.expect(http.StatusOK, post(withoutID+" ")) // not the same bytes, so not the same event
	r.expect(t, 4)
}

// The fake clock of the bubble only advances when all goroutines are blocked, so all deliveries wait before the receiver continues.
func TestConcurrentRedeliveriesGetTheSameResponse(t *testing.T) {
	for _, c := range []struct {
		name    string
		receive func() error
		status  int
		retry   string
	}{
		{"accepted", func() error { return nil }, http.StatusOK, ""},
		{"failed", func() error { return errors.New("database is away") }, http.StatusInternalServerError, ""},
		{"panicked", func() error { panic(marker) }, http.StatusInternalServerError, ""},
		{"exited", func() error { runtime.Goexit(); return nil }, http.StatusInternalServerError, ""},
		{
			"unavailable", func() error { return &webhooks.UnavailableError{RetryAfter: 7 * time.Second, Err: errors.New("full")} },
			http.StatusServiceUnavailable, "7",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				r := &counter{next: func(context.Context, webhooks.Event) error {
					<-release
					return c.receive()
				}}
				s := newSite(t, r)
				const deliveries = 10
				responses := make(chan *http.Response, deliveries)
				for range deliveries {
					go func() { responses <- s.deliver(post(numbered("1"))) }()
				}
				synctest.Wait()
				if len(responses) > 0 {
					t.Errorf("%d deliveries got a response before the receiver returned", len(responses))
				}
				close(release)
				for range deliveries {
					if response := <-responses; response.StatusCode != c.status || response.Header.Get("Retry-After") != c.retry {
						t.Errorf("status code is %d with Retry-After %q, want %d with %q", response.StatusCode, response.Header.Get("Retry-After"), c.status, c.retry)
					}
				}
				r.expect(t, 1)
			})
		})
	}
}

func TestDifferentEventsAreReceivedConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := &counter{next: func(context.Context, webhooks.Event) error {
			<-release
			return nil
		}}
		s := newSite(t, r)
		var deliveries sync.WaitGroup
		for i := range 5 {
			deliveries.Go(func() { s.expect(http.StatusOK, post(numbered(strconv.Itoa(i)))) })
		}
		synctest.Wait()
		r.expect(t, 5)
		close(release)
		deliveries.Wait()
	})
}

func TestHandlerRespondsAtTheDeadline(t *testing.T) {
	for _, c := range []struct {
		name     string
		opts     []webhooks.HandlerOption
		deadline time.Duration
	}{
		{"default", nil, 4500 * time.Millisecond},
		{"set", []webhooks.HandlerOption{webhooks.WithDeadline(time.Minute)}, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &counter{next: func(ctx context.Context, _ webhooks.Event) error {
					<-ctx.Done()
					return ctx.Err()
				}}
				s := newSite(t, r, c.opts...)
				start := time.Now()
				response := s.deliver(post(numbered("1")))
				if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "" || time.Since(start) != c.deadline {
					t.Errorf("status code is %d after %v", response.StatusCode, time.Since(start))
				}
				synctest.Wait()
				if !strings.Contains(s.log.String(), "webhook receiver exceeded the deadline") {
					t.Errorf("the log is\n%s", s.log)
				}
			})
		})
	}
}

func TestHandlerDoesNotWaitForAReceiverThatIgnoresTheDeadline(t *testing.T) {
	for name, result := range map[string]error{"and accepts": nil, "and fails": errors.New("database is away")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &counter{next: func(context.Context, webhooks.Event) error {
					<-time.After(12 * time.Second) // ignores the context
					return result
				}}
				s := newSite(t, r)
				start := time.Now()
				s.expect(http.StatusServiceUnavailable, post(numbered("1")))
				s.expect(http.StatusServiceUnavailable, post(numbered("1"))) // waits for the same call, with its own deadline
				if took := time.Since(start); took != 9*time.Second {
					t.Errorf("two responses took %v", took)
				}
				want := http.StatusOK
				if result != nil {
					want = http.StatusServiceUnavailable
				}
				s.expect(want, post(numbered("1"))) // still waits for the same call, which now returns
				if took := time.Since(start); took != 12*time.Second {
					t.Errorf("three responses took %v", took)
				}
				r.expect(t, 1)

				if result == nil { // accepted after the deadline, but accepted
					s.expect(http.StatusOK, post(numbered("1")))
					r.expect(t, 1)
				} else { // not accepted, so the receiver is called again
					r.next = nil
					s.expect(http.StatusOK, post(numbered("1")))
					r.expect(t, 2)
				}
			})
		})
	}
}

func TestHandlerRejectsEventsWhileTooManyReceiverCallsAreOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 256
		blocked := make(chan struct{})
		r := &counter{next: func(context.Context, webhooks.Event) error {
			<-blocked // ignores the context
			return nil
		}}
		s := newSite(t, r)
		var deliveries sync.WaitGroup
		for i := range most {
			deliveries.Go(func() { s.expect(http.StatusServiceUnavailable, post(numbered(fmt.Sprint("overdue-", i)))) })
		}
		deliveries.Wait()
		r.expect(t, most)

		response := s.deliver(post(numbered("1")))
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Errorf("response %d with Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
		}
		r.expect(t, most)
		if !strings.Contains(s.log.String(), "too many receiver calls are past their deadline") {
			t.Errorf("the reason is not in the log:\n%s", s.log)
		}

		close(blocked)
		synctest.Wait()
		s.expect(http.StatusOK, post(numbered("1")))
		r.expect(t, most+1)
	})
}

func TestReceiverContextHasRequestValuesAndHandlerDeadline(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		r := &counter{next: func(ctx context.Context, _ webhooks.Event) error {
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != webhooks.DefaultDeadline {
				t.Errorf("deadline is in %v", time.Until(deadline))
			}
			if ctx.Value(key{}) != "value" {
				t.Error("the context lacks the values of the request's context")
			}
			if ctx.Err() != nil {
				t.Errorf("the context has ended: %v", ctx.Err())
			}
			return nil
		}}
		s := newSite(t, r)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		cancel() // as when the client has disconnected
		s.expect(http.StatusOK, post(numbered("1")).WithContext(ctx))
		r.expect(t, 1)
	})
}

func TestHandlerCancelsTheReceiverContextAfterwards(t *testing.T) {
	var received context.Context
	s := newSite(t, webhooks.ReceiverFunc(func(ctx context.Context, _ webhooks.Event) error {
		received = ctx //nolint:fatcontext // the test waits for its end
		return nil
	}))
	s.expect(http.StatusOK, post(numbered("1")))
	<-received.Done()
	if !errors.Is(received.Err(), context.Canceled) {
		t.Errorf("the context ended with %v", received.Err())
	}
}

func TestDeduplicationWindowHasTheNewestKeys(t *testing.T) {
	var r counter
	s := newSite(t, &r, webhooks.WithDeduplicationWindow(3))
	for _, id := range []string{"1", "2", "3"} {
		s.expect(http.StatusOK, post(numbered(id)))
	}
	r.expect(t, 3)
	s.expect(http.StatusOK, post(numbered("1"))) // in the window; a redelivery does not move it
	r.expect(t, 3)
	s.expect(http.StatusOK, post(numbered("4"))) // evicts 1
	r.expect(t, 4)
	for _, id := range []string{"2", "3", "4"} {
		s.expect(http.StatusOK, post(numbered(id)))
	}
	r.expect(t, 4)
	s.expect(http.StatusOK, post(numbered("1"))) // received again, and evicts 2
	r.expect(t, 5)
	s.expect(http.StatusOK, post(numbered("3")))
	s.expect(http.StatusOK, post(numbered("4")))
	s.expect(http.StatusOK, post(numbered("1")))
	r.expect(t, 5)
	s.expect(http.StatusOK, post(numbered("2")))
	r.expect(t, 6)
}

func TestDeduplicationWindowCanBeDisabled(t *testing.T) {
	var r counter
	s := newSite(t, &r, webhooks.WithDeduplicationWindow(0))
	for range 3 {
		s.expect(http.StatusOK, post(numbered("1")))
	}
	r.expect(t, 3)
}

func TestConcurrentDeliveriesAreDeduplicatedWithoutAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := &counter{next: func(context.Context, webhooks.Event) error {
			<-release
			return nil
		}}
		s := newSite(t, r, webhooks.WithDeduplicationWindow(0))
		var deliveries sync.WaitGroup
		for range 3 {
			deliveries.Go(func() { s.expect(http.StatusOK, post(numbered("1"))) })
		}
		synctest.Wait()
		close(release)
		deliveries.Wait()
		r.expect(t, 1)
	})
}

func TestForgedDeliveriesDoNotChangeTheWindow(t *testing.T) {
	var r counter
	s := newSite(t, &r, webhooks.WithDeduplicationWindow(2))
	forged := func(id string) *http.Request {
		request := post(numbered(id))
		request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(numbered(id)), "whsec_forger"))
		return request
	}
	// The key of a forged delivery is not added.
	s.expect(http.StatusUnauthorized, forged("1"))
	s.expect(http.StatusOK, post(numbered("1")))
	r.expect(t, 1)
	s.expect(http.StatusOK, post(numbered("2")))
	r.expect(t, 2)
	// Any number of forged keys evicts none.
	for i := range 100 {
		s.expect(http.StatusUnauthorized, forged(fmt.Sprint("forged ", i)))
	}
	// A forged delivery with a key in the window is rejected as well.
	s.expect(http.StatusUnauthorized, forged("1"))
	s.expect(http.StatusOK, post(numbered("1")))
	s.expect(http.StatusOK, post(numbered("2")))
	r.expect(t, 2)
}

func TestFailedDeliveriesEvictNoKey(t *testing.T) {
	r := &counter{next: func(_ context.Context, ev webhooks.Event) error {
		if ev.ID == "1" {
			return nil
		}
		return errors.New("database is away")
	}}
	s := newSite(t, r, webhooks.WithDeduplicationWindow(1))
	s.expect(http.StatusOK, post(numbered("1")))
	s.expect(http.StatusInternalServerError, post(numbered("2")))
	s.expect(http.StatusInternalServerError, post(numbered("3")))
	s.expect(http.StatusInternalServerError, post(`{"event":"generated_script_failed","event_id":"4"}`))
	r.expect(t, 4)
	s.expect(http.StatusOK, post(numbered("1")))
	r.expect(t, 4)
}

func TestHandlersDoNotShareAWindow(t *testing.T) {
	var r counter
	for range 2 {
		newSite(t, &r).expect(http.StatusOK, post(numbered("1")))
	}
	r.expect(t, 2)
}

func TestHandlerIsSafeForConcurrentUse(t *testing.T) {
	const events = 200
	var mu sync.Mutex
	received := make(map[string]int)
	s := newSite(t, webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
		mu.Lock()
		defer mu.Unlock()
		received[ev.ID]++
		return nil
	}))
	var senders sync.WaitGroup
	for sender := range 4 {
		senders.Go(func() {
			for i := range events {
				s.expect(http.StatusOK, post(numbered(strconv.Itoa((i+sender*37)%events))))
			}
		})
	}
	senders.Wait()
	for id, n := range received {
		if n != 1 {
			t.Errorf("event %s was received %d times", id, n)
		}
	}
	if len(received) != events {
		t.Errorf("%d events were received, want %d", len(received), events)
	}
}

func TestNewHandlerPanicsOnMisuse(t *testing.T) {
	v, r := newVerifier(t), webhooks.NewRouter()
	for want, misuse := range map[string]func(){
		"NewHandler without a Verifier": func() { webhooks.NewHandler(nil, r) },
		"NewHandler without a Receiver": func() { webhooks.NewHandler(v, nil) },
		"WithLogger(nil)":               func() { webhooks.NewHandler(v, r, webhooks.WithLogger(nil)) },
		"WithMaxBodySize(0)":            func() { webhooks.NewHandler(v, r, webhooks.WithMaxBodySize(0)) },
		"WithMaxBodySize(-1)":           func() { webhooks.NewHandler(v, r, webhooks.WithMaxBodySize(-1)) },
		"WithDeadline(0s)":              func() { webhooks.NewHandler(v, r, webhooks.WithDeadline(0)) },
		"WithDeadline(-1ns)":            func() { webhooks.NewHandler(v, r, webhooks.WithDeadline(-1)) },
		"WithDeduplicationWindow(-1)":   func() { webhooks.NewHandler(v, r, webhooks.WithDeduplicationWindow(-1)) },
	} {
		checkPanics(t, "webhooks: "+want, misuse)
	}
}
