package jogg_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/paths"
	"github.com/jogg-go/jogg/gen"
)

const testKey = "test-key-0123456789"

// script is a transport that returns responses in turn, without a network, and repeats the last one. It records the requests.
type script struct {
	responses []func() (*http.Response, error)

	mu     sync.Mutex
	sent   []*http.Request
	bodies []string
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := s.responses[min(len(s.sent), len(s.responses)-1)]
	s.sent, s.bodies = append(s.sent, req), append(s.bodies, string(body))
	resp, err := answer()
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// responses returns a script of responses with status 200.
func responses(bodies ...string) *script {
	s := new(script)
	for _, body := range bodies {
		s.responses = append(s.responses, respond(http.StatusOK, body))
	}
	return s
}

// respond makes a response. headers are names and values in turn.
func respond(status int, body string, headers ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		header := make(http.Header)
		for i := 0; i < len(headers); i += 2 {
			header.Set(headers[i], headers[i+1])
		}
		return &http.Response{
			StatusCode: status, Header: header, ContentLength: int64(len(body)),
			Body:  io.NopCloser(strings.NewReader(body)),
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}, nil
	}
}

// failed makes an error in place of a response.
func failed(err error) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, err }
}

// newClient returns a client that sends through transport and does not retry unless opts say otherwise.
func newClient(t testing.TB, transport http.RoundTripper, opts ...jogg.Option) *jogg.Client {
	t.Helper()
	base := []jogg.Option{
		jogg.WithHTTPClient(&http.Client{Transport: transport}),
		jogg.WithRetry(jogg.RetryPolicy{Attempts: 1}),
	}
	client, err := jogg.New(testKey, append(base, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// newServer returns a server on loopback, and a client of it with connections of its own.
func newServer(t testing.TB, handler http.HandlerFunc, opts ...jogg.Option) (*jogg.Client, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t, server.Client().Transport, append([]jogg.Option{jogg.WithBaseURL(server.URL)}, opts...)...), server
}

const okUser = `{"code":0,"msg":"Success","data":{"email":"user@example.com","username":"johndoe"}}`

// anyTask is a response to every operation that creates something, whichever id its caller needs.
const anyTask = `{"code":0,"data":{"task_id":"t","video_id":"v","motion_id":"m","photo_id":"p","batch_id":"b","video_translate_id":"vt",
	"product_id":"p","endpoint_id":"e","previews":[{}],"sign_url":"https://files.test/s","asset_url":"https://files.test/a"}}`

func TestACallSendsWhatTheServiceExpects(t *testing.T) {
	transport := responses(`{"code":0,"data":{"video_id":"video_1"}}`)
	client := newClient(t, transport)
	task, err := client.CreateAvatarVideo(t.Context(), gen.CreateAvatarVideoRequest{Caption: jogg.Ptr(false)})
	if err != nil || task.VideoID != "video_1" {
		t.Fatalf("task %+v, error %v", task, err)
	}
	req := transport.sent[0]
	if req.Method != http.MethodPost || req.URL.String() != jogg.DefaultBaseURL+paths.Of("createAvatarVideo") {
		t.Errorf("sent %s %s", req.Method, req.URL)
	}
	want := map[string]string{
		"X-Api-Key": testKey, "Content-Type": "application/json", "Accept": "application/json",
		"User-Agent": "jogg-go/" + jogg.Version + " (+https://github.com/jogg-go/jogg)",
	}
	for name, value := range want {
		if got := req.Header.Get(name); got != value {
			t.Errorf("header %s is %q, want %q", name, got, value)
		}
	}
	if !strings.Contains(transport.bodies[0], `"caption":false`) {
		t.Errorf("the pointer to false was not sent: %s", transport.bodies[0])
	}
}

func TestARequestThatCannotBeBuiltIsNotSent(t *testing.T) {
	transport := responses(okUser)
	_, err := newClient(t, transport).GetAvatarVideo(t.Context(), "")
	if err == nil || !strings.HasPrefix(err.Error(), "jogg: GetAvatarVideo: ") || len(transport.sent) != 0 {
		t.Errorf("error %v after %d requests, want one that names the operation, and no request", err, len(transport.sent))
	}
}

func TestAnEndedContextSendsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	transport := responses(okUser)
	_, err := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{})).GetCurrentUser(ctx)
	if !errors.Is(err, context.Canceled) || len(transport.sent) != 0 {
		t.Errorf("error %v after %d requests, want context.Canceled after none", err, len(transport.sent))
	}
}

func TestACallEndsWithItsContextWhileTheServiceIsSilent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client, _ := newServer(t, func(_ http.ResponseWriter, req *http.Request) {
		cancel()
		<-req.Context().Done()
	}, jogg.WithRetry(jogg.RetryPolicy{}))
	_, err := client.GetCurrentUser(ctx)
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "jogg: GetCurrentUser: ") {
		t.Errorf("error %v, want context.Canceled and the operation's name", err)
	}
}

func TestACallEndsWithItsContextWithinAResponse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	transport := &script{responses: []func() (*http.Response, error){func() (*http.Response, error) {
		resp, err := respond(http.StatusOK, okUser)()
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(okUser[:10]), readerFunc(func() error { cancel(); return ctx.Err() })))
		return resp, err
	}}}
	_, err := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{})).GetCurrentUser(ctx)
	_, isAPIError := errors.AsType[*jogg.APIError](err)
	if !errors.Is(err, context.Canceled) || isAPIError || len(transport.sent) != 1 {
		t.Errorf("error %v after %d attempts, want context.Canceled and no APIError: nothing is wrong with the response", err, len(transport.sent))
	}
}

// readerFunc is a reader that fails with the error it returns.
type readerFunc func() error

func (f readerFunc) Read([]byte) (int, error) { return 0, f() }

func TestAConnectionIsUsedAgain(t *testing.T) {
	var mu sync.Mutex
	from := make(map[string]int)
	client, _ := newServer(t, func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		from[req.RemoteAddr]++
		mu.Unlock()
		io.WriteString(w, okUser)
	})
	for range 5 {
		if _, err := client.GetCurrentUser(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(from) != 1 {
		t.Errorf("5 calls, one after the other, used %d connections, want 1", len(from))
	}
}

func TestAResponseHasABound(t *testing.T) {
	const bound = 32 << 20
	pad := bytes.Repeat([]byte(" "), bound+1-len(okUser))
	for excess, wantError := range map[int]bool{0: false, 1: true} {
		body := okUser + string(pad[:bound-len(okUser)+excess])
		for _, announced := range []bool{true, false} {
			transport := &script{responses: []func() (*http.Response, error){func() (*http.Response, error) {
				resp, err := respond(http.StatusOK, body)()
				if !announced {
					resp.ContentLength = -1
				}
				return resp, err
			}}}
			_, err := newClient(t, transport).GetCurrentUser(t.Context())
			_, isAPIError := errors.AsType[*jogg.APIError](err)
			if isAPIError != wantError || (err != nil) != wantError {
				t.Errorf("%d bytes beyond the bound, length announced %v: error %v", excess, announced, err)
			}
		}
	}
}

// adding is a transport that adds a header to the request, which transports must not do and some do.
type adding struct{ http.RoundTripper }

func (a adding) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Add("X-Trace", "1")
	return a.RoundTripper.RoundTrip(req)
}

func TestHeadersAreNotAddedFromAttemptToAttempt(t *testing.T) {
	for method, call := range methods {
		synctest.Test(t, func(t *testing.T) {
			transport := &script{responses: []func() (*http.Response, error){respond(429, ""), respond(429, ""), respond(200, anyTask)}}
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			jar.SetCookies(&url.URL{Scheme: "https", Host: "api.jogg.ai", Path: "/"}, []*http.Cookie{{Name: "session", Value: "1"}})
			client, err := jogg.New(testKey, jogg.WithHTTPClient(&http.Client{Transport: adding{transport}, Jar: jar}))
			if err != nil {
				t.Fatal(err)
			}
			if err := call(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			for i, req := range transport.sent {
				if req.Header.Get("Cookie") != "session=1" || len(req.Header["X-Trace"]) != 1 || len(req.Header["Cookie"]) != 1 {
					t.Errorf("attempt %d of a %s had the headers %v", i+1, method, req.Header)
				}
			}
		})
	}
}

// endless is a body whose Read blocks until it is closed.
type endless struct {
	closed chan struct{}
	once   sync.Once
}

func (e *endless) Read([]byte) (int, error) {
	<-e.closed
	return 0, errors.New("read on a closed body")
}

func (e *endless) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

func TestAResponseThatNeverEndsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		transport := &script{responses: []func() (*http.Response, error){func() (*http.Response, error) {
			resp, err := respond(http.StatusOK, "")()
			resp.Body = &endless{closed: make(chan struct{})}
			return resp, err
		}}}
		_, err := newClient(t, transport).CreateAvatarVideo(context.Background(), gen.CreateAvatarVideoRequest{})
		_, ok := errors.AsType[*jogg.APIError](err)
		if !ok || !errors.Is(err, jogg.ErrOutcomeUnknown) || time.Since(begin) != 2*time.Minute {
			t.Errorf("error %v after %v, want an APIError after 2m", err, time.Since(begin))
		}
	})
}

func TestAResponseThatAnnouncesTooMuchIsReadAsItComes(t *testing.T) {
	for _, announced := range []int64{1 << 40, math.MaxInt64} {
		transport := &script{responses: []func() (*http.Response, error){func() (*http.Response, error) {
			resp, err := respond(http.StatusOK, okUser)()
			resp.ContentLength = announced
			return resp, err
		}}}
		if _, err := newClient(t, transport).GetCurrentUser(t.Context()); err != nil {
			t.Errorf("%d bytes announced, %d sent: %v", announced, len(okUser), err)
		}
	}
}

func TestAClientServesManyGoroutines(t *testing.T) {
	client, _ := newServer(t, func(w http.ResponseWriter, req *http.Request) {
		id := req.URL.Path[strings.LastIndex(req.URL.Path, "/")+1:]
		io.WriteString(w, `{"code":0,"data":{"video_id":"`+id+`","status":"completed"}}`)
	})
	var group sync.WaitGroup
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		group.Go(func() {
			for range 20 {
				if video, err := client.GetAvatarVideo(t.Context(), id); err != nil || video.VideoID != id {
					t.Errorf("asked for %s, got %+v, error %v", id, video, err)
				}
			}
		})
	}
	group.Wait()
}

func TestABodyThatDoesNotEndIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		limit time.Duration // of the context
		want  string
		took  time.Duration
	}{
		"without a deadline":            {0, "the response did not end within 2m0s", 2 * time.Minute},
		"with a deadline of the caller": {time.Hour, context.DeadlineExceeded.Error(), time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
				if c.limit > 0 {
					ctx, cancel = context.WithTimeout(ctx, c.limit)
				}
				defer cancel()
				body, end := io.Pipe()
				go func() {
					_, _ = io.WriteString(end, `{"code":0,`)
					<-ctx.Done() // net/http then ends the body
					_ = end.CloseWithError(ctx.Err())
				}()
				defer body.Close()
				response := func() (*http.Response, error) {
					return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body}, nil
				}
				begin := time.Now()
				_, err := newClient(t, &script{responses: []func() (*http.Response, error){response}}).GetCurrentUser(ctx)
				if err == nil || !strings.Contains(err.Error(), c.want) || time.Since(begin) != c.took {
					t.Errorf("error %v after %v, want %q after %v", err, time.Since(begin), c.want, c.took)
				}
			})
		})
	}
}
