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

// maxAnswer bounds the body of an answer, in bytes. The longest answers seen are lists of avatars that come whole, of a few
// megabytes.
const maxAnswer = 32 << 20

// begin starts the call of an operation. model is a nil pointer to the type of its request body, nil if it has none.
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

// finish sends the request of an operation and returns the content of the answer's envelope. err is the error of building the request, so
// that an operation is three lines.
func finish[T any](x *exchange, req *http.Request, err error) (*T, error) {
	var e envelope[T]
	x.envelope = &e
	if err := x.run(req, err, reflect.TypeFor[T]()); err != nil {
		return nil, err
	}
	normalize(e.Data)
	return e.Data, nil
}

// exchange is a call on its way through the steps: what goes out, and what came back from the latest attempt.
type exchange struct {
	client   *Client
	ctx      callContext
	model    any // a nil pointer to the type of the request body
	options  *callOptions
	invalid  error // what is wrong with the options
	retry    RetryPolicy
	request  *http.Request
	envelope opener
	attempt  int // counted from 1

	status   int
	header   http.Header
	body     []byte
	problems []FieldProblem
}

// run sends the request of the call and opens the answer. content is the type of what the call returns.
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

// complete gives the request what the options have for it, and finds what the service would refuse in a closed body. A file that an option
// names is not looked at: a program may know better than the contract where files can be.
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

// context returns the context for the requests of the call. It is nil if the caller's is, for net/http to refuse.
func (x *exchange) context() context.Context {
	if x.ctx.Context == nil {
		return nil
	}
	return &x.ctx
}

// changes tells whether the request is one that changes something.
func (x *exchange) changes() bool { return x.request.Method != http.MethodGet }

// step is one link of the chain that a call passes. It leaves what came back in the exchange.
type step func(*exchange) error

// assemble builds the chain, from the network outwards. A call enters at the end of this function and comes back the same way.
func (c *Client) assemble() step {
	chain := c.send             // innermost: one request, one answer, as HTTP carries them
	chain = c.opened(chain)     // next, because only the envelope tells whether an attempt succeeded, and all outside asks that
	chain = c.logged(chain)     // outside of the envelope, to know its code; inside of the retries, to record each attempt
	chain = c.paced(chain)      // outside of the log, whose durations are not to hold the wait; inside of the retries, which count too
	chain = c.retried(chain)    // outside of all that belongs to one attempt
	chain = c.identified(chain) // outermost, because the headers stay the same from attempt to attempt
	return chain
}

// identified tells the service who is calling.
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
		return c.unanswered(x, fateRefused, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		failed := c.unanswered(x, fate(req, resp, connection, err), err)
		failed.outcomeUnknown = x.changes() && mayBeTaken(resp, connection, err)
		return failed
	}
	defer resp.Body.Close()
	x.status, x.header = resp.StatusCode, resp.Header
	x.body, err = c.readAnswer(req.Context(), resp)
	switch {
	case err == nil:
		return nil
	case req.Context().Err() != nil:
		failed := c.unanswered(x, fateRefused, err)
		failed.outcomeUnknown = x.changes()
		return failed
	case errors.Is(err, errAnswerTooLong):
		return c.refusal(x, err)
	default:
		return c.refusal(x, &brokenAnswerError{err})
	}
}

// attemptRequest returns the request for the next attempt. Each attempt has a copy and headers of its own: net/http may still be reading the
// last one, and a cookie jar or a transport may have added headers to it.
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

// connectionTrace watches whether a request was given a connection. Until then no byte of it has left.
type connectionTrace struct {
	wanted, given atomic.Bool // atomic, because net/http also calls the hooks from goroutines that dial
}

func (t *connectionTrace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { t.wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { t.given.Store(true) },
	}
}

// requestFate is what is known about a request that got no answer.
type requestFate int

const (
	fateUnknown requestFate = iota // the service may have taken it
	fateUnsent                     // no connection was opened, so it never left
	fateRefused                    // it was given up on this side, and would be again
)

// fate tells what became of a request that failed with err. connection is nil where it was not watched.
func fate(req *http.Request, resp *http.Response, connection *connectionTrace, err error) requestFate {
	var certificate *tls.CertificateVerificationError
	switch {
	case req.Context().Err() != nil:
		return fateRefused
	case resp != nil: // net/http's sign for a redirect that was not followed
		return fateRefused
	case errors.As(err, &certificate):
		return fateRefused
	case wasSent(connection, err):
		return fateUnknown
	default:
		return fateUnsent
	}
}

// mayBeTaken tells whether the service may have done what a request asked for that failed with err.
func mayBeTaken(resp *http.Response, connection *connectionTrace, err error) bool {
	var certificate *tls.CertificateVerificationError
	switch {
	case resp != nil: // a redirect that was not followed; one that would repeat the request elsewhere says that it was not taken here
		return resp.StatusCode < http.StatusTemporaryRedirect
	case errors.As(err, &certificate):
		return false
	default:
		return wasSent(connection, err)
	}
}

// wasSent tells whether anything of a request that failed with err may have left. connection is nil where it was not watched.
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

// isDialError tells for an injected transport that reports no connections whether it failed before it had one. Looking up the
// host's name is a part of dialling.
func isDialError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// errAnswerTooLong is the cause of an APIError about an answer of more than maxAnswer bytes.
var errAnswerTooLong = fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)

// brokenAnswerError is the cause of an APIError about an answer whose end never came.
type brokenAnswerError struct{ err error }

func (e *brokenAnswerError) Error() string { return "the answer is cut short: " + e.err.Error() }
func (e *brokenAnswerError) Unwrap() error { return e.err }

// longestAnswer bounds how long the body of an answer may take, where neither the context nor the HTTP client has a bound of its own. It is
// real time, because the clock of the client can be a test's while the connection is not.
const longestAnswer = 2 * time.Minute

// errAnswerTooSlow tells that the body of an answer took longer than longestAnswer.
var errAnswerTooSlow = fmt.Errorf("the answer did not end within %v", longestAnswer)

// readAnswer reads the body of an answer to its end, so that the connection can be used again. Beside an error stands what was read until
// then.
func (c *Client) readAnswer(ctx context.Context, resp *http.Response) ([]byte, error) {
	if _, bounded := ctx.Deadline(); bounded || c.http.Timeout > 0 {
		return readBody(resp)
	}
	var slow atomic.Bool
	timer := time.AfterFunc(longestAnswer, func() {
		slow.Store(true)
		resp.Body.Close() // which ends the read
	})
	defer timer.Stop()
	body, err := readBody(resp)
	if err != nil && slow.Load() {
		err = errAnswerTooSlow
	}
	return body, err
}

func readBody(resp *http.Response) ([]byte, error) {
	var body bytes.Buffer
	if resp.ContentLength > 0 && resp.ContentLength <= maxAnswer {
		body.Grow(int(resp.ContentLength) + bytes.MinRead) // the room that ReadFrom wants to find the end without growing
	}
	n, err := body.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && n > maxAnswer {
		return nil, errAnswerTooLong
	}
	return body.Bytes(), err
}
