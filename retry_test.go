package jogg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// One operation for each of the four methods.
var methods = map[string]func(context.Context, *jogg.Client) error{
	http.MethodGet: func(ctx context.Context, c *jogg.Client) error { _, err := c.GetCurrentUser(ctx); return err },
	http.MethodPut: func(ctx context.Context, c *jogg.Client) error {
		return c.UpdateProduct(ctx, gen.UpdateProductRequest{ProductID: "p"})
	},
	http.MethodDelete: func(ctx context.Context, c *jogg.Client) error {
		_, err := c.DeleteWebhookEndpoint(ctx, "wh_1")
		return err
	},
	http.MethodPost: func(ctx context.Context, c *jogg.Client) error {
		_, err := c.CreateAvatarVideo(ctx, gen.CreateAvatarVideoRequest{Avatar: gen.VideoAvatar{AvatarID: 81}})
		return err
	},
}

func TestWhatIsRetried(t *testing.T) {
	const always, safely, reads, never = "always", "unless it creates", "if it only reads", "never"
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	cases := map[string]struct {
		failure func() (*http.Response, error)
		want    string
	}{
		"HTTP 429":                            {respond(429, ""), always},
		"HTTP 429 with an envelope":           {respond(429, `{"code":429,"msg":"m"}`), always},
		"HTTP 429 with another code":          {respond(429, `{"code":40000,"msg":"m"}`), always},
		"code 429":                            {respond(200, `{"code":429,"msg":"m","data":null}`), always},
		"a dial error":                        {failed(dial), always},
		"an unknown host":                     {failed(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}), always},
		"code 50000":                          {respond(200, `{"code":50000,"msg":"m"}`), safely},
		"code 50000 at HTTP 400":              {respond(400, `{"code":50000,"msg":"m"}`), safely},
		"HTTP 502":                            {respond(502, "<html>"), safely},
		"HTTP 503":                            {respond(503, ""), safely},
		"HTTP 503 that names a wait":          {respond(503, "", "Retry-After", "1"), safely},
		"HTTP 504":                            {respond(504, `{"code":1}`), safely},
		"a connection broken while reading":   {failed(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), safely},
		"a connection broken while writing":   {failed(&net.OpError{Op: "write", Err: syscall.EPIPE}), safely},
		"a dial error of something behind it": {failed(&net.OpError{Op: "read", Err: dial}), safely},
		"a connection closed":                 {failed(io.EOF), safely},
		"a response that breaks off":          {brokenOff, safely},
		"HTTP 500":                            {respond(500, ""), reads},
		"HTTP 500 with a code of its own":     {respond(500, `{"code":10104}`), never},
		"HTTP 503 with a code of its own":     {respond(503, `{"code":10104}`), never},
		"HTTP 408":                            {respond(408, ""), reads},
		"HTTP 520":                            {respond(520, "<html>"), reads},
		"HTTP 522":                            {respond(522, "error code: 522"), reads},
		"HTTP 524":                            {respond(524, "<html>"), reads},
		"HTTP 519":                            {respond(519, ""), never},
		"HTTP 525":                            {respond(525, ""), never},
		"HTTP 501":                            {respond(501, ""), never},
		"HTTP 400":                            {respond(400, `{"code":40000,"msg":"m"}`), never},
		"HTTP 401":                            {respond(401, ""), never},
		"HTTP 404":                            {respond(404, ""), never},
		"code 10104":                          {respond(200, `{"code":10104}`), never},
		"code 10105":                          {respond(200, `{"code":10105}`), never},
		"code 18020":                          {respond(200, `{"code":18020}`), never},
		"code 18025":                          {respond(200, `{"code":18025}`), never},
		"code 40000":                          {respond(200, `{"code":40000}`), never},
		"an unknown code":                     {respond(200, `{"code":502}`), never},
		"an empty answer":                     {respond(200, ""), never},
		"HTML":                                {respond(200, "<html>"), never},
		"no JSON":                             {respond(200, `{"code":0,`), never},
	}
	for name, test := range cases {
		for method, call := range methods {
			t.Run(name+" to a "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					transport := &script{responses: []func() (*http.Response, error){test.failure, test.failure, respond(200, `{"code":0,"data":{"video_id":"v"}}`)}}
					err := call(t.Context(), newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{})))
					wanted := test.want == always || test.want == safely && method != http.MethodPost || test.want == reads && method == http.MethodGet
					if wanted && (err != nil || len(transport.sent) != 3) {
						t.Errorf("error %v after %d attempts, want success with the third", err, len(transport.sent))
					}
					if !wanted && (err == nil || len(transport.sent) != 1) {
						t.Errorf("error %v after %d attempts, want an error after one", err, len(transport.sent))
					}
				})
			})
		}
	}
}

// brokenOff is a response whose connection breaks before its end.
func brokenOff() (*http.Response, error) {
	resp, err := respond(200, okUser)()
	resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(okUser[:10]), readerFunc(func() error { return io.ErrUnexpectedEOF })))
	return resp, err
}

func TestEachAttemptSendsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &script{responses: []func() (*http.Response, error){respond(429, ""), respond(429, ""), respond(200, `{"code":0,"data":{"video_id":"v"}}`)}}
		if err := methods[http.MethodPost](t.Context(), newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{}))); err != nil {
			t.Fatal(err)
		}
		for i, body := range transport.bodies {
			if body != transport.bodies[0] || !strings.Contains(body, `"avatar_id":81`) || transport.sent[i].Header.Get("X-Api-Key") != testKey {
				t.Errorf("attempt %d sent %s with the headers %v", i+1, body, transport.sent[i].Header)
			}
		}
	})
}

func TestTheLimitOnAttempts(t *testing.T) {
	for limit, want := range map[int]int{0: 4, 1: 1, 2: 2, 7: 7} {
		synctest.Test(t, func(t *testing.T) {
			transport := &script{responses: []func() (*http.Response, error){respond(503, "")}}
			_, err := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{Attempts: limit})).GetCurrentUser(t.Context())
			refused, ok := errors.AsType[*jogg.APIError](err)
			if !ok || refused.Attempts != want || len(transport.sent) != want {
				t.Errorf("a limit of %d led to %d attempts and %v, want %d", limit, len(transport.sent), err, want)
			}
			if told := strings.Contains(fmt.Sprint(err), fmt.Sprintf(", %d attempts)", want)); told != (want > 1) {
				t.Errorf("after %d attempts the error reads %q", want, err)
			}
		})
	}
}

func TestTheLimitOnAttemptsWithoutAResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &script{responses: []func() (*http.Response, error){failed(io.EOF)}}
		_, err := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{Attempts: 3})).GetCurrentUser(t.Context())
		if !errors.Is(err, io.EOF) || err.Error() != "jogg: GetCurrentUser: EOF (3 attempts)" || len(transport.sent) != 3 {
			t.Errorf("error %q after %d attempts, want the cause and 3 attempts", err, len(transport.sent))
		}
	})
}

func TestTheDefaultClientRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &script{responses: []func() (*http.Response, error){respond(503, ""), respond(200, okUser)}}
		client, err := jogg.New(testKey, jogg.WithHTTPClient(&http.Client{Transport: transport}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.GetCurrentUser(t.Context()); err != nil || len(transport.sent) != 2 {
			t.Errorf("error %v after %d attempts, want success with the second", err, len(transport.sent))
		}
	})
}

func TestAPolicyCannotBeNegative(t *testing.T) {
	for _, policy := range []jogg.RetryPolicy{{Attempts: -1}, {Base: -1}, {Cap: -1}, {ServerCap: -1}} {
		if client, err := jogg.New(testKey, jogg.WithRetry(policy)); err == nil || client != nil {
			t.Errorf("%+v was accepted", policy)
		}
	}
}

// waits returns how long a client waited before each retry. It must run in a synctest bubble.
func waits(t *testing.T, policy jogg.RetryPolicy) []time.Duration {
	var found []time.Duration
	last := time.Now()
	failure := func() (*http.Response, error) {
		found, last = append(found, time.Since(last)), time.Now()
		return respond(503, "")()
	}
	newClient(t, &script{responses: []func() (*http.Response, error){failure}}, jogg.WithRetry(policy)).GetCurrentUser(t.Context())
	return found[1:]
}

func TestWaitsGrowWithFullJitter(t *testing.T) {
	policies := map[string]struct {
		policy  jogg.RetryPolicy
		longest []time.Duration
	}{
		"defaults": {jogg.RetryPolicy{Attempts: 8}, seconds(1, 2, 4, 8, 16, 30, 30)},
		"own":      {jogg.RetryPolicy{Attempts: 5, Base: 5 * time.Second, Cap: 15 * time.Second}, seconds(5, 10, 15, 15)},
		"low cap":  {jogg.RetryPolicy{Attempts: 4, Base: 10 * time.Second, Cap: 2 * time.Second}, seconds(2, 2, 2)},
	}
	for name, test := range policies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rounds = 1000
				quarters := make([][4]int, len(test.longest))
				for range rounds {
					for i, wait := range waits(t, test.policy) {
						if wait < 0 || wait > test.longest[i] {
							t.Fatalf("wait %d took %v, want at most %v", i+1, wait, test.longest[i])
						}
						quarters[i][min(3, 4*wait/(test.longest[i]+1))]++
					}
				}
				for i, counts := range quarters {
					for _, count := range counts {
						if count < rounds/10 { // a uniform draw gives a quarter; less than a tenth practically never happens
							t.Errorf("wait %d fell %v times into the quarters of %v, which is not even", i+1, counts, test.longest[i])
							break
						}
					}
				}
			})
		})
	}
}

func seconds(values ...float64) []time.Duration {
	var durations []time.Duration
	for _, value := range values {
		durations = append(durations, time.Duration(value*float64(time.Second)))
	}
	return durations
}

func TestTheServersWaitComesFirst(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // the start time of a bubble
	cases := map[string]struct {
		failure func() (*http.Response, error)
		want    time.Duration
	}{
		"seconds":              {respond(429, "", "Retry-After", "42"), 42 * time.Second},
		"spaces around":        {respond(429, "", "Retry-After", " 42 "), 42 * time.Second},
		"a date":               {respond(429, "", "Retry-After", now.Add(time.Minute).Format(http.TimeFormat)), time.Minute},
		"an old kind of date":  {respond(429, "", "Retry-After", now.Add(time.Minute).Format(time.ANSIC)), time.Minute},
		"in the body":          {respond(200, `{"code":429,"retryAfter":43}`), 43 * time.Second},
		"in quotes":            {respond(200, `{"code":429,"retryAfter":"43"}`), 43 * time.Second},
		"a fraction":           {respond(200, `{"code":429,"retryAfter":0.25}`), 250 * time.Millisecond},
		"under data":           {respond(200, `{"code":429,"data":{"retryAfter":44}}`), 44 * time.Second},
		"under data, quoted":   {respond(200, `{"code":429,"data":{"retryAfter":"44"}}`), 44 * time.Second},
		"header and body":      {respond(429, `{"code":429,"retryAfter":43,"data":{"retryAfter":44}}`, "Retry-After", "42"), 42 * time.Second},
		"body and data":        {respond(429, `{"code":429,"retryAfter":43,"data":{"retryAfter":44}}`), 43 * time.Second},
		"nonsense in a header": {respond(429, `{"code":429,"retryAfter":43}`, "Retry-After", "soon"), 43 * time.Second},
		"null in the body":     {respond(429, `{"code":429,"retryAfter":null,"data":{"retryAfter":44}}`), 44 * time.Second},
		"longer than the cap":  {respond(429, "", "Retry-After", "119"), 119 * time.Second},
		"as long as may be":    {respond(429, "", "Retry-After", "120"), 120 * time.Second},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				transport := &script{responses: []func() (*http.Response, error){test.failure, respond(200, okUser)}}
				if _, err := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{})).GetCurrentUser(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(begin); got != test.want {
					t.Errorf("waited %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestNoWaitOfTheServersLeavesTheComputedOne(t *testing.T) {
	for _, header := range []string{"", "0", "-5", "soon", "NaN", "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 31 Dec 1999 00:00:00 GMT"} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			transport := &script{responses: []func() (*http.Response, error){respond(429, `{"code":429,"retryAfter":"?"}`, "Retry-After", header), respond(200, okUser)}}
			policy := jogg.RetryPolicy{Base: time.Hour, Cap: time.Hour}
			if _, err := newClient(t, transport, jogg.WithRetry(policy)).GetCurrentUser(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(begin); got == 0 || got > time.Hour { // a draw of exactly 0 happens once in 3·10¹² times
				t.Errorf("Retry-After: %q led to a wait of %v, want one of up to an hour", header, got)
			}
		})
	}
}

func TestAWaitThatIsTooLongIsNotBegun(t *testing.T) {
	cases := map[string]struct {
		deadline         time.Duration // 0 for none
		policy           jogg.RetryPolicy
		header           string
		deadlineExceeded bool
	}{
		"the server's, beyond the deadline":      {deadline: 30 * time.Second, header: "31", deadlineExceeded: true},
		"the server's, up to the deadline":       {deadline: 30 * time.Second, header: "30", deadlineExceeded: true},
		"the server's, beyond the cap on it":     {header: "121"},
		"the server's, beyond another cap on it": {header: "11", policy: jogg.RetryPolicy{ServerCap: 10 * time.Second}},
		"the server's, beyond all bounds":        {header: "99999999999999999999"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				begin := time.Now()
				transport := &script{responses: []func() (*http.Response, error){respond(429, `{"code":429,"msg":"slow down"}`, "Retry-After", test.header)}}
				_, err := newClient(t, transport, jogg.WithRetry(test.policy)).GetCurrentUser(ctx)
				if time.Since(begin) != 0 || len(transport.sent) != 1 {
					t.Errorf("%d attempts in %v, want one at once", len(transport.sent), time.Since(begin))
				}
				refused, ok := errors.AsType[*jogg.APIError](err)
				if !ok || refused.RetryAfter == 0 || !errors.Is(err, jogg.ErrRateLimited) {
					t.Errorf("error %v, want the APIError to be found in it", err)
				}
				if errors.Is(err, context.DeadlineExceeded) != test.deadlineExceeded || !strings.Contains(err.Error(), "; not retried") {
					t.Errorf("error %v does not say why there was no second attempt", err)
				}
			})
		})
	}
}

func TestAComputedWaitBeyondTheDeadlineIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		transport := &script{responses: []func() (*http.Response, error){failed(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})}}
		_, err := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{Base: time.Hour, Cap: time.Hour})).GetCurrentUser(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "would outlast the deadline") {
			t.Errorf("error %v, want both causes", err)
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		begin := time.Now()
		transport := &script{responses: []func() (*http.Response, error){respond(429, "", "Retry-After", "60")}}
		_, err := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{})).GetCurrentUser(ctx)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, jogg.ErrRateLimited) || time.Since(begin) != 3*time.Second || len(transport.sent) != 1 {
			t.Errorf("error %v after %v and %d attempts, want both causes after 3s and one", err, time.Since(begin), len(transport.sent))
		}
	})
}

func TestAContextThatEndsWithinALaterAttemptReportsTheEarlierError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		transport := &script{responses: []func() (*http.Response, error){
			respond(503, ""),
			func() (*http.Response, error) { cancel(); return nil, ctx.Err() },
		}}
		_, err := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{})).GetCurrentUser(ctx)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, jogg.ErrSystem) || len(transport.sent) != 2 {
			t.Errorf("error %v after %d attempts, want both causes after 2", err, len(transport.sent))
		}
	})
}

func TestWaitsPassOnTheInjectedClock(t *testing.T) {
	clock := clockwork.NewFakeClock()
	transport := &script{responses: []func() (*http.Response, error){
		respond(429, "", "Retry-After", clock.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), respond(200, okUser),
	}}
	client := newClient(t, transport, jogg.WithClock(clock), jogg.WithRetry(jogg.RetryPolicy{ServerCap: 2 * time.Hour}))
	done := make(chan error)
	go func() { _, err := client.GetCurrentUser(t.Context()); done <- err }()
	if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	if err := <-done; err != nil || len(transport.sent) != 2 {
		t.Errorf("error %v after %d attempts, want success with the second", err, len(transport.sent))
	}
}

// The errors of a real network are classified the same way. The waits are too short to matter.
var hastily = jogg.WithRetry(jogg.RetryPolicy{Attempts: 3, Base: time.Microsecond})

func TestARefusedConnectionIsRetried(t *testing.T) {
	for method, call := range methods {
		var dials atomic.Int32
		transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}}
		err := call(t.Context(), newClient(t, transport, jogg.WithBaseURL(closedPort(t)), hastily))
		if failed, ok := errors.AsType[*net.OpError](err); !ok || failed.Op != "dial" || dials.Load() != 3 {
			t.Errorf("%s: error %v after %d attempts, want 3", method, err, dials.Load())
		}
	}
}

func TestAConnectionThatFailsInTheTLSHandshakeIsRetried(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var accepted atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			conn.Close()
		}
	}()
	for method, call := range methods {
		accepted.Store(0)
		err := call(t.Context(), newClient(t, &http.Transport{}, jogg.WithBaseURL("https://"+listener.Addr().String()), hastily))
		if err == nil || accepted.Load() != 3 {
			t.Errorf("%s: error %v after %d attempts, want 3", method, err, accepted.Load())
		}
	}
}

func TestAnUntrustedCertificateIsNotRetried(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	var connections atomic.Int32
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Config.ErrorLog = quiet
	server.StartTLS()
	defer server.Close()
	for method, call := range methods {
		connections.Store(0)
		err := call(t.Context(), newClient(t, &http.Transport{}, jogg.WithBaseURL(server.URL), hastily))
		if err == nil || connections.Load() != 1 {
			t.Errorf("%s: error %v after %d attempts, want 1", method, err, connections.Load())
		}
	}
}

func TestARequestThatMayHaveArrivedIsNotPostedAgain(t *testing.T) {
	var arrived atomic.Int32
	client, _ := newServer(t, func(http.ResponseWriter, *http.Request) {
		arrived.Add(1)
		panic(http.ErrAbortHandler)
	}, hastily)
	for method, call := range methods {
		arrived.Store(0)
		err := call(t.Context(), client)
		want := int32(3)
		if method == http.MethodPost {
			want = 1
		}
		if err == nil || arrived.Load() != want {
			t.Errorf("%s: error %v after %d attempts, want %d", method, err, arrived.Load(), want)
		}
	}
}
