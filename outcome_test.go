package jogg_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jogg-go/jogg"
)

func TestAnUnknownOutcomeIsReported(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	const elsewhere = "https://elsewhere.example/"
	cases := map[string]struct {
		failure func() (*http.Response, error)
		unknown bool
	}{
		"a connection closed":                    {failed(io.EOF), true},
		"a connection broken while reading":      {failed(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), true},
		"a timeout":                              {failed(context.DeadlineExceeded), true},
		"no connection":                          {failed(dial), false},
		"no such host":                           {failed(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}), false},
		"a certificate that is not trusted":      {failed(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), false},
		"HTTP 500":                               {respond(500, ""), true},
		"HTTP 502 in HTML":                       {respond(502, "<html>"), true},
		"HTTP 503 that names a wait":             {respond(503, "", "Retry-After", "1"), true},
		"HTTP 500 with a code nobody knows":      {respond(500, `{"code":99}`), true},
		"HTTP 500 with an error code":            {respond(500, `{"code":18020}`), false},
		"HTTP 408":                               {respond(408, ""), true},
		"HTTP 400":                               {respond(400, ""), false},
		"HTTP 404":                               {respond(404, "<html>"), false},
		"HTTP 429":                               {respond(429, ""), false},
		"HTTP 429 with code 50000":               {respond(429, `{"code":50000}`), false},
		"code 50000":                             {respond(200, `{"code":50000,"msg":"m"}`), true},
		"code 429":                               {respond(200, `{"code":429}`), false},
		"code 18020":                             {respond(200, `{"code":18020}`), false},
		"code 40000":                             {respond(200, `{"code":40000}`), false},
		"a code nobody knows":                    {respond(200, `{"code":77777}`), false},
		"a code in words":                        {respond(200, `{"code":"E_FULL","msg":"m"}`), false},
		"a success that is false":                {respond(200, `{"success":false}`), false},
		"an error without a code":                {respond(200, `{"error":"m","data":{}}`), false},
		"an empty success":                       {respond(200, ""), true},
		"a success in HTML":                      {respond(200, "<html>"), true},
		"a success without a code":               {respond(200, `{}`), true},
		"a success cut short":                    {respond(200, `{"code":0,"data":{"video_id":"v`), true},
		"a success whose connection broke":       {brokenOff, true},
		"a redirect that would change it, 302":   {respond(302, "", "Location", "/login"), true},
		"a redirect that would change it, 303":   {respond(303, "", "Location", "/done"), true},
		"a redirect elsewhere that repeats it":   {respond(307, "", "Location", elsewhere), false},
		"a redirect elsewhere, for good":         {respond(308, "", "Location", elsewhere), false},
		"a redirect elsewhere that takes a form": {respond(303, "", "Location", elsewhere), true},
		"a redirect to nowhere":                  {respond(303, ""), true},
	}
	for name, test := range cases {
		for method, call := range methods {
			t.Run(name+" to a "+method, func(t *testing.T) {
				err := call(t.Context(), newClient(t, &script{responses: []func() (*http.Response, error){test.failure}}))
				if err == nil && method == http.MethodGet {
					return // a redirect that a GET follows
				}
				if want := test.unknown && method != http.MethodGet; err == nil || errors.Is(err, jogg.ErrOutcomeUnknown) != want {
					t.Errorf("error %v, outcome unknown %v, want %v", err, !want, want)
				}
				if strings.Contains(err.Error(), "outcome unknown") != errors.Is(err, jogg.ErrOutcomeUnknown) {
					t.Errorf("the text %q does not say what errors.Is says", err)
				}
			})
		}
	}
}

func TestTheOutcomeOfWhatWasSentIsUnknownAndOfWhatWasNotIsKnown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cases := map[string]struct {
		ctx     context.Context
		handler http.HandlerFunc
		opts    []jogg.Option
		unknown bool
	}{
		"a connection lost": {t.Context(), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, true},
		"a context that ends while the service is silent": {ctx, func(_ http.ResponseWriter, req *http.Request) {
			io.Copy(io.Discard, req.Body) // else the server does not notice that the client has gone
			cancel()
			<-req.Context().Done()
		}, nil, true},
		"a context that ended before":  {ended(t), func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }, nil, false},
		"a service that is not there":  {t.Context(), nil, []jogg.Option{jogg.WithBaseURL(closedPort(t))}, false},
		"a pacing turn that never was": {deadline(t, time.Minute), func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, anyTask) }, []jogg.Option{jogg.WithPacing(1)}, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			client, _ := newServer(t, test.handler, test.opts...)
			err := create(test.ctx, client)
			if name == "a pacing turn that never was" {
				err = create(test.ctx, client) // the first call took the turn
			}
			if err == nil || errors.Is(err, jogg.ErrOutcomeUnknown) != test.unknown {
				t.Errorf("error %v, want the outcome to be unknown: %v", err, test.unknown)
			}
		})
	}
}

func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func deadline(t *testing.T, in time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), in)
	t.Cleanup(cancel)
	return ctx
}

func TestAnOutcomeStaysUnknownAfterMoreAttempts(t *testing.T) {
	cases := map[string]struct {
		responses []func() (*http.Response, error)
		unknown   bool
	}{
		"perhaps processed, then rejected":      {[]func() (*http.Response, error){respond(503, ""), respond(200, `{"code":10104}`)}, true},
		"perhaps processed, then not connected": {[]func() (*http.Response, error){failed(io.EOF), failed(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})}, true},
		"too many, then rejected":               {[]func() (*http.Response, error){respond(429, ""), respond(200, `{"code":10104}`)}, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, &script{responses: test.responses}, jogg.WithRetry(jogg.RetryPolicy{}))
				err := methods[http.MethodDelete](t.Context(), client)
				if err == nil || errors.Is(err, jogg.ErrOutcomeUnknown) != test.unknown {
					t.Errorf("error %v, want the outcome to be unknown: %v", err, test.unknown)
				}
			})
		})
	}
}

func TestATruncatedResponseIsKeptAsReceived(t *testing.T) {
	err := create(t.Context(), newClient(t, &script{responses: []func() (*http.Response, error){brokenOff}}))
	refused, ok := errors.AsType[*jogg.APIError](err)
	if !ok || string(refused.Body) != okUser[:10] {
		t.Errorf("error %v with the body %q, want %q", err, refused.Body, okUser[:10])
	}
}
