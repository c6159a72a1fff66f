package jogg

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"sync/atomic"
	"time"
)

// maxResponse bounds the body of a response, in bytes. The largest responses seen are unpaged lists of avatars, of a few megabytes.
const maxResponse = 32 << 20

// begin starts a call of an operation. model is a nil pointer to the type of the request body, or nil if the operation has none.
func (c *Client) begin(ctx context.Context, operation string, model any, opts []CallOption) *exchange {
	x := &exchange{client: c, ctx: callContext{ctx, operation}, model: model, retry: c.retry}
	if len(opts) == 0 {
		return x
	}
	x.options = new(callOptions)
	for _, opt := range opts {
		if err := opt(x.options); err != nil && x.invalid == nil {
			x.invalid = err
		}
	}
	if x.options.retry != nil {
		x.retry = *x.options.retry
	}
	return x
}

// finish sends the request of an operation and returns the content of the response. err is the error from building the request; taking it
// here keeps a generated operation at three lines.
func finish[T any](x *exchange, req *http.Request, err error) (*T, error) {
	var e envelope[T]
	x.envelope = &e
	if err := x.run(req, err, reflect.TypeFor[T]()); err != nil {
		return nil, err
	}
	normalize(e.Data)
	return e.Data, nil
}

// exchange is one call on its way through the chain: what it sends, and what the latest attempt returned.
type exchange struct {
	client   *Client
	ctx      callContext
	model    any // a nil pointer to the type of the request body
	options  *callOptions
	invalid  error // the error of the first invalid option
	retry    RetryPolicy
	request  *http.Request
	envelope opener
	attempt  int // counted from 1

	status   int
	header   http.Header
	body     []byte
	problems []FieldProblem
}

// run sends the request of a call and decodes the response. content is the type of the value that the call returns.
func (x *exchange) run(req *http.Request, err error, content reflect.Type) error {
	if x.request = req; x.invalid != nil {
		err = x.invalid
	} else if err == nil {
		err = x.complete()
	}
	if err != nil {
		err = fmt.Errorf("jogg: %s: %w", x.ctx.operation, err)
	} else {
		err = x.client.do(x)
	}
	x.report(content, err)
	return err
}

// complete applies the options of the call to the request, and rejects a closed body that the service would reject. Files are checked
// before the options apply, so a file that an option names is not checked: a program may know better than the contract where files can be.
func (x *exchange) complete() error {
	closed, ok := closedBodyOf(x.ctx.operation)
	if ok {
		if err := closed.checkFiles(x); err != nil {
			return err
		}
	}
	if x.options != nil {
		if err := x.options.applyTo(x); err != nil {
			return err
		}
	}
	if ok {
		return closed.checkRequired(x)
	}
	return nil
}

// context returns the context for the requests of the call. It is nil if the caller's context is nil, so that net/http rejects it.
func (x *exchange) context() context.Context {
	if x.ctx.Context == nil {
		return nil
	}
	return &x.ctx
}

// changes reports whether the request may change something on the service.
func (x *exchange) changes() bool { return x.request.Method != http.MethodGet }

// step is one link of the chain that a call passes through. It stores its results in the exchange.
type step func(*exchange) error

// assemble builds the chain inside out: the last wrapper runs first.
func (c *Client) assemble() step {
	chain := c.send             // innermost: sends one request and reads its raw response
	chain = c.opened(chain)     // next, because only the envelope tells whether an attempt succeeded, and every outer step needs to know
	chain = c.logged(chain)     // outside of the envelope, to log its code; inside of the retries, to log each attempt
	chain = c.paced(chain)      // outside of the log, to keep the wait out of its durations; inside of the retries, because they count too
	chain = c.retried(chain)    // outside of everything that belongs to one attempt
	chain = c.identified(chain) // outermost, because the headers are the same for every attempt
	return chain
}

// identified sets the headers of the request, including the API key.
func (c *Client) identified(next step) step {
	return func(x *exchange) error {
		x.request.Header.Set("Accept", "application/json")
		x.request.Header.Set("User-Agent", c.agent)
		if x.options != nil {
			maps.Copy(x.request.Header, x.options.header)
		}
		x.request.Header.Set("X-Api-Key", c.key())
		return next(x)
	}
}

// send makes one attempt.
func (c *Client) send(x *exchange) error {
	x.status, x.header, x.body = 0, nil, nil
	req, connection, err := x.attemptRequest()
	if err != nil {
		return c.unanswered(x, fateEnded, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		failed := c.unanswered(x, fate(req, resp, connection, err), err)
		failed.outcomeUnknown = x.changes() && mayBeProcessed(resp, connection, err)
		return failed
	}
	defer resp.Body.Close()
	x.status, x.header = resp.StatusCode, resp.Header
	x.body, err = c.readResponse(req.Context(), resp)
	switch {
	case err == nil:
		return nil
	case req.Context().Err() != nil:
		failed := c.unanswered(x, fateEnded, err)
		failed.outcomeUnknown = x.changes()
		return failed
	case errors.Is(err, errResponseTooLong):
		return c.apiError(x, err)
	default:
		return c.apiError(x, &brokenResponseError{err})
	}
}

// attemptRequest returns the request for the next attempt. Each attempt has its own copy with its own headers: net/http may still be
// reading the previous request, and a cookie jar or a transport may have added headers to it.
func (x *exchange) attemptRequest() (*http.Request, *connectionTrace, error) {
	ctx := x.request.Context()
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var connection *connectionTrace
	if x.changes() {
		connection = new(connectionTrace)
		ctx = httptrace.WithClientTrace(ctx, connection.hooks())
	}
	req := x.request.WithContext(ctx)
	req.Header = x.request.Header.Clone()
	if req.GetBody == nil {
		return req, connection, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, nil, err
	}
	req.Body = body
	return req, connection, nil
}

// connectionTrace records whether a request was given a connection. Before that, no byte of it has been sent.
type connectionTrace struct {
	wanted, given atomic.Bool // atomic, because net/http also calls the hooks from goroutines that dial
}

func (t *connectionTrace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { t.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.given.Store(true) },
	}
}

// requestFate classifies a request that got no response.
type requestFate int

const (
	fateUnknown requestFate = iota // the service may have processed it
	fateUnsent                     // no connection was opened, so it was never sent
	fateEnded                      // it ended on the client's side, and a retry would end the same way
)

// fate classifies a request that failed with err. connection is nil if the connection was not traced.
func fate(req *http.Request, resp *http.Response, connection *connectionTrace, err error) requestFate {
	switch {
	case req.Context().Err() != nil:
		return fateEnded
	case resp != nil: // net/http returns a response and an error for a redirect that was not followed
		return fateEnded
	case isCertificateError(err):
		return fateEnded
	case wasSent(connection, err):
		return fateUnknown
	default:
		return fateUnsent
	}
}

// mayBeProcessed reports whether the service may have processed a request that failed with err.
func mayBeProcessed(resp *http.Response, connection *connectionTrace, err error) bool {
	switch {
	case resp != nil: // a redirect that was not followed; 307 and 308 mean that the request was not processed here
		return resp.StatusCode < http.StatusTemporaryRedirect
	case isCertificateError(err):
		return false
	default:
		return wasSent(connection, err)
	}
}

// isCertificateError reports whether the server's TLS certificate was not accepted.
func isCertificateError(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// wasSent reports whether any part of a request that failed with err may have been sent. connection is nil if it was not traced.
func wasSent(connection *connectionTrace, err error) bool {
	switch {
	case connection != nil && connection.given.Load():
		return true
	case connection != nil && connection.wanted.Load():
		return false
	default:
		return !isDialError(err)
	}
}

// isDialError reports whether a request failed before it had a connection. It is for injected transports that report no connections.
// Resolving the host name is part of dialing.
func isDialError(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// errResponseTooLong is the cause of an APIError for a response of more than maxResponse bytes.
var errResponseTooLong = fmt.Errorf("the response is longer than %d MiB", maxResponse>>20)

// brokenResponseError is the cause of an APIError for a response that was cut short.
type brokenResponseError struct{ err error }

func (e *brokenResponseError) Error() string { return "the response is cut short: " + e.err.Error() }
func (e *brokenResponseError) Unwrap() error { return e.err }

// bodyTimeout bounds how long the body of a response may take if neither the context nor the HTTP client has a bound of its own. It is real
// time, because the client's clock can be fake while the connection is not.
const bodyTimeout = 2 * time.Minute

// errResponseTooSlow means that the body of a response took longer than bodyTimeout.
var errResponseTooSlow = fmt.Errorf("the response did not end within %v", bodyTimeout)

// readResponse reads the body of a response to its end, so that the connection can be reused. With an error it returns what it has read so
// far.
func (c *Client) readResponse(ctx context.Context, resp *http.Response) ([]byte, error) {
	if _, bounded := ctx.Deadline(); bounded || c.http.Timeout > 0 {
		return readBody(resp)
	}
	var slow atomic.Bool
	timer := time.AfterFunc(bodyTimeout, func() {
		slow.Store(true)
		resp.Body.Close() // ends the read
	})
	defer timer.Stop()
	body, err := readBody(resp)
	if err != nil && slow.Load() {
		err = errResponseTooSlow
	}
	return body, err
}

func readBody(resp *http.Response) ([]byte, error) {
	var body bytes.Buffer
	if resp.ContentLength > 0 && resp.ContentLength <= maxResponse {
		body.Grow(int(resp.ContentLength) + bytes.MinRead) // room for ReadFrom to find the end without growing the buffer
	}
	n, err := body.ReadFrom(io.LimitReader(resp.Body, maxResponse+1))
	if err == nil && n > maxResponse {
		return nil, errResponseTooLong
	}
	return body.Bytes(), err
}
