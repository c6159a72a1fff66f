package webhooks_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
)

// In addition to the seeds added here, each target has named seeds in testdata/fuzz.

// FuzzParse checks Parse against two other JSON decoders, see agree.
func FuzzParse(f *testing.F) {
	for _, d := range documented() {
		f.Add([]byte(d.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		ev, accepted := agree(t, body)
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		if !accepted {
			return
		}
		again := mustParse(t, string(body))
		if again.Key() != ev.Key() || ev.Key() == "" {
			t.Fatalf("the keys are %q and %q", ev.Key(), again.Key())
		}
	})
}

// FuzzUnwrap checks that Unwrap accepts signed bodies only, and decodes them as Parse does. If signed is set, signature is replaced with a
// valid one, which a fuzzer would never find.
func FuzzUnwrap(f *testing.F) {
	for _, d := range documented() {
		f.Add([]byte(d.body), "", string(d.want.Type), true)
		f.Add([]byte(d.body), webhooks.Sign([]byte(d.body), "whsec_new"), "", false)
	}
	verifier := newVerifier(f, "whsec_old", "whsec_new")
	f.Fuzz(func(t *testing.T, body []byte, signature, event string, signed bool) {
		if signed {
			signature = webhooks.Sign(body, []string{"whsec_old", "whsec_new"}[len(body)%2])
		}
		signed = signature == webhooks.Sign(body, "whsec_old") || signature == webhooks.Sign(body, "whsec_new")
		header := http.Header{webhooks.SignatureHeader: {signature}, webhooks.EventHeader: {event}}
		ev, err := verifier.Unwrap(body, header)
		want, parseErr := webhooks.Parse(body)
		switch {
		case !signed && signature == "" && !errors.Is(err, webhooks.ErrMissingSignature):
			t.Fatalf("without a signature: %v", err)
		case !signed && signature != "" && !errors.Is(err, webhooks.ErrInvalidSignature):
			t.Fatalf("signed %q: %v", signature, err)
		case !signed:
		case parseErr != nil:
			if err == nil || err.Error() != parseErr.Error() {
				t.Fatalf("Unwrap: %v, but Parse: %v", err, parseErr)
			}
		case err != nil || !same(ev, want):
			t.Fatalf("Unwrap: %+v, %v, but Parse: %+v", ev, err, want)
		}
	})
}

const fuzzLimit = 4096

// FuzzHandler sends everything that net/http accepts as a request. The response must be one of the documented ones, with only the status
// text as its body. It must be 200 if and only if the receiver was called, with the event that Unwrap returns, or with an Undecodable event
// if Unwrap rejects a signed body. If signed is set, the request is signed.
func FuzzHandler(f *testing.F) {
	for _, d := range documented() {
		f.Add([]byte("POST / HTTP/1.0\r\nX-Webhook-Event: "+string(d.want.Type)+"\r\n\r\n"+d.body), true)
		f.Add(fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%s\r\n\r\n%s", len(d.body), signedBy(d.body), d.body), false)
	}
	verifier := newVerifier(f)
	var received []webhooks.Event
	handler := webhooks.NewHandler(verifier, webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
		received = append(received, ev)
		return nil
	}), webhooks.WithMaxBodySize(fuzzLimit), webhooks.WithLogger(slog.New(slog.DiscardHandler)), webhooks.WithDeduplicationWindow(0))

	f.Fuzz(func(t *testing.T, raw []byte, signed bool) {
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		body, bodyErr := io.ReadAll(request.Body)
		request.Body = io.NopCloser(&rest{bytes.NewReader(body), bodyErr})
		if signed {
			request.Header.Set(webhooks.SignatureHeader, webhooks.Sign(body, secret))
		}
		want, wantErr := verifier.Unwrap(body, request.Header)

		received = nil
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		if response.Body.String() != http.StatusText(response.Code)+"\n" {
			t.Fatalf("response %d has the body %q", response.Code, response.Body)
		}
		status := expectedStatus(request, len(body) > fuzzLimit, bodyErr, wantErr)
		if response.Code != status {
			t.Fatalf("status code is %d, want %d", response.Code, status)
		}
		if status != http.StatusOK && len(received) > 0 {
			t.Fatalf("the receiver was called, but the status code is %d", status)
		}
		if payloadErr, ok := errors.AsType[*webhooks.PayloadError](wantErr); ok {
			want = webhooks.Event{Raw: body, Data: &webhooks.Undecodable{Err: payloadErr}}
		}
		if status == http.StatusOK && (len(received) != 1 || !same(received[0], want)) {
			t.Fatalf("received %+v, want %+v", received, want)
		}
	})
}

// rest is a body that was read before, followed by the error of that read.
type rest struct {
	*bytes.Reader
	err error
}

func (r *rest) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && r.err != nil {
		err = r.err
	}
	return n, err
}

// expectedStatus is the table of responses, in the order in which the handler checks.
func expectedStatus(request *http.Request, tooLong bool, bodyErr, unwrapErr error) int {
	_, signed := request.Header[webhooks.SignatureHeader]
	switch {
	case request.Method != http.MethodPost:
		return http.StatusMethodNotAllowed
	case request.ContentLength > fuzzLimit:
		return http.StatusRequestEntityTooLarge
	case !signed:
		return http.StatusUnauthorized
	case tooLong:
		return http.StatusRequestEntityTooLarge
	case bodyErr != nil:
		return http.StatusBadRequest
	case errors.Is(unwrapErr, webhooks.ErrMissingSignature), errors.Is(unwrapErr, webhooks.ErrInvalidSignature):
		return http.StatusUnauthorized
	default:
		return http.StatusOK
	}
}
