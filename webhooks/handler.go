package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// The defaults of NewHandler's options.
const (
	DefaultMaxBodySize         = 1 << 20                 // bytes; see WithMaxBodySize
	DefaultDeadline            = 4500 * time.Millisecond // half a second less than JoggAI waits for a response; see WithDeadline
	DefaultDeduplicationWindow = 16384                   // keys in the deduplication window; see WithDeduplicationWindow
)

// HandlerOption configures the handler of [NewHandler].
type HandlerOption func(*handler)

// WithMaxBodySize limits bodies to n bytes instead of [DefaultMaxBodySize]. The response to a larger body is 413. n must be positive.
func WithMaxBodySize(n int64) HandlerOption {
	return func(h *handler) { h.maxBodySize = n }
}

// WithDeadline limits the time from the start of a delivery to its response to d instead of [DefaultDeadline]. JoggAI waits 5 seconds, so
// it always gets a response if d is less. d must be positive.
func WithDeadline(d time.Duration) HandlerOption {
	return func(h *handler) { h.deadline = d }
}

// WithLogger makes the handler log to logger instead of slog.Default(). Lines about a signed event have its type and key. An event that the
// receiver did not accept is logged at error level, and an unexpected value in a signed event at warn level. A rejected delivery, such as
// one without a valid signature, is logged at warn level too, but at most about one per second, with the number of those omitted.
// Everything else is logged at debug level. The handler never logs payloads, signatures or secrets, but it does log the errors that the
// receiver returns.
func WithLogger(logger *slog.Logger) HandlerOption {
	return func(h *handler) { h.log = logger }
}

// WithDeduplicationWindow sets the size of the deduplication window to n keys instead of [DefaultDeduplicationWindow]. The handler keeps the
// keys of the last n accepted events, and acknowledges their redeliveries without calling the receiver. Each key takes about 100 bytes. 0
// disables the window, for receivers that deduplicate themselves, such as the inbox. n must not be negative.
func WithDeduplicationWindow(n int) HandlerOption {
	return func(h *handler) { h.windowSize = n }
}

// NewHandler returns a handler for the URL of a webhook endpoint. It verifies each delivery with v, decodes it, and passes the event to r.
//
//	request                                                      response
//	r returned nil                                               200
//	redelivery of an accepted event                              200, r is not called again
//	redelivery while r processes the event                       the same response as the first delivery, r is called once
//	method is not POST                                           405 with Allow, the body is not read
//	body over the size limit                                     413
//	signature missing or invalid                                 401, the body is not parsed
//	body does not arrive before the deadline                     408
//	body is cut short                                            400
//	r returned an error, or panicked                             500
//	r exceeded the deadline                                      503
//	r returned an *UnavailableError                              503 with Retry-After
//
// JoggAI redelivers an event unless the status is 2xx. The body of a response contains only the status text; the reason is logged.
//
// Every signed body reaches r, because JoggAI redelivers only a few times and then never again. A body that [Parse] rejects, for example
// because it is not JSON, is passed on as an event without a type and with [*Undecodable] data. A [Router] without a function for
// *Undecodable returns an error for it; an inbox stores it.
//
// The context of r has the values of the request's context. It ends at the deadline, but not when the client disconnects. At the deadline
// the response is sent even if r is still running; the result of r then still counts for redeliveries. If r has not returned after four
// times the deadline, the next redelivery calls it again. While 256 calls of r are past their deadline, further events are rejected with
// 503.
//
// Until the body has arrived, the deadline is also the read deadline of the connection, in place of the one from the ReadTimeout of the
// http.Server. If middleware wraps the ResponseWriter without an Unwrap method, the handler cannot set the read deadline, and only
// ReadTimeout limits slow clients.
//
// Deliveries with the same [Event.Key] belong to the same event. The deduplication window is in memory: it is lost on restart and not
// shared between processes. Where that matters, use an inbox as the receiver.
//
// NewHandler panics if v or r is nil, or if an option is invalid.
func NewHandler(v *Verifier, r Receiver, opts ...HandlerOption) http.Handler {
	h := &handler{
		verifier:    v,
		receiver:    r,
		log:         slog.Default(),
		maxBodySize: DefaultMaxBodySize,
		deadline:    DefaultDeadline,
		windowSize:  DefaultDeduplicationWindow,
	}
	for _, opt := range opts {
		opt(h)
	}
	switch {
	case v == nil:
		panic("webhooks: NewHandler without a Verifier")
	case r == nil:
		panic("webhooks: NewHandler without a Receiver")
	case h.log == nil:
		panic("webhooks: WithLogger(nil)")
	case h.maxBodySize <= 0:
		panic(fmt.Sprintf("webhooks: WithMaxBodySize(%d)", h.maxBodySize))
	case h.deadline <= 0:
		panic(fmt.Sprintf("webhooks: WithDeadline(%v)", h.deadline))
	case h.windowSize < 0:
		panic(fmt.Sprintf("webhooks: WithDeduplicationWindow(%d)", h.windowSize))
	}
	h.dedup = newDeduplication(h.windowSize, 4*h.deadline)
	h.rejections.Limiter = rate.NewLimiter(rate.Every(time.Second), 10)
	return h
}

type handler struct {
	verifier    *Verifier
	receiver    Receiver
	log         *slog.Logger
	maxBodySize int64
	deadline    time.Duration
	windowSize  int
	dedup       *deduplication
	rejections  rejections
}

// rejections limits the logging of unsigned deliveries, which anybody can send.
type rejections struct {
	*rate.Limiter

	omitted atomic.Int64 // since the last rejection that was logged
}

// response is the response to a delivery.
type response struct {
	status     int
	retryAfter time.Duration // sent as Retry-After if positive
	late       bool          // whether the receiver exceeded the deadline
}

func (r response) accepted() bool { return r.status == http.StatusOK }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deadline := time.Now().Add(h.deadline)
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.Context()), deadline)
	// The deadline also limits the server, which reads what the handler left of the body before it sends the response.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(deadline) // where it is not supported, the server's limits apply
	body, status, err := h.body(w, r)
	if err != nil {
		cancel()
		h.logRejection(ctx, r, status, err)
		h.respond(w, response{status: status})
		return
	}
	// Clear the deadline. The server does that itself when it reads the end of the body, but not if middleware read the body before. Then the
	// deadline would end the connection, and the contexts of later requests on it, while the receiver is still running.
	_ = control.SetReadDeadline(time.Time{})
	ev := h.decode(body)
	h.logAnomalies(ctx, r, ev)
	h.respond(w, h.receive(ctx, cancel, ev))
}

func (h *handler) respond(w http.ResponseWriter, r response) {
	if r.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(r.retryAfter.Seconds())), 10))
	}
	http.Error(w, http.StatusText(r.status), r.status)
}

var errMethod = errors.New("webhooks: method is not POST")

// body reads and verifies the body of a delivery. The cheapest checks come first, because the client is not trusted yet.
func (h *handler) body(w http.ResponseWriter, r *http.Request) (body []byte, status int, err error) {
	if r.Method != http.MethodPost {
		return nil, http.StatusMethodNotAllowed, errMethod
	}
	if r.ContentLength > h.maxBodySize {
		return nil, http.StatusRequestEntityTooLarge, tooLarge(&http.MaxBytesError{Limit: h.maxBodySize})
	}
	if len(r.Header[SignatureHeader]) == 0 {
		return nil, http.StatusUnauthorized, ErrMissingSignature
	}
	body, err = h.read(w, r)
	if err != nil {
		return nil, readStatus(err), err
	}
	if err := h.verifier.verify(body, r.Header); err != nil {
		return nil, http.StatusUnauthorized, err
	}
	return body, http.StatusOK, nil
}

func tooLarge(err error) error { return fmt.Errorf("webhooks: body too large to be verified: %w", err) }

// decode decodes a signed body. If Parse rejects the body, the event has Undecodable data.
func (h *handler) decode(body []byte) Event {
	ev, err := Parse(body)
	if err != nil {
		reason, _ := errors.AsType[*PayloadError](err)
		return Event{Raw: body, Data: &Undecodable{Err: reason}}
	}
	return ev
}

// logRejection logs, within the rate limit, that a delivery was rejected before it was decoded.
func (h *handler) logRejection(ctx context.Context, r *http.Request, status int, err error) {
	if !h.rejections.Allow() {
		h.rejections.omitted.Add(1)
		return
	}
	h.log.WarnContext(ctx, "webhook delivery rejected",
		"status", status, "remote", r.RemoteAddr, "error", err, "omitted", h.rejections.omitted.Swap(0))
}

// logAnomalies logs where a signed delivery differs from JoggAI's documentation.
func (h *handler) logAnomalies(ctx context.Context, r *http.Request, ev Event) {
	undecodable, _ := ev.Data.(*Undecodable)
	if undecodable != nil {
		h.logAbout(ev, ev.Key()).WarnContext(ctx, "webhook event cannot be decoded", "error", undecodable.Err)
	}
	for _, problem := range ev.Problems {
		if undecodable == nil || problem.Field != undecodable.Err.Field {
			h.logAbout(ev, ev.Key()).WarnContext(ctx, "webhook event field has an unexpected value", "error", problem)
		}
	}
	for _, name := range r.Header[EventHeader] {
		if name != string(ev.Type) && ev.Type != "" {
			h.logAbout(ev, ev.Key()).WarnContext(ctx, "webhook event type differs from the unsigned X-Webhook-Event header")
		}
	}
}

// read reads the body. The buffer grows with what arrives: the client's Content-Length is trusted for a limited preallocation only.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	const maxPreallocated = 64 << 10
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), maxPreallocated)) + bytes.MinRead)
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, h.maxBodySize))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge(err)
	}
	if err != nil {
		return nil, fmt.Errorf("webhooks: read body: %w", err)
	}
	return buf.Bytes(), nil
}

func readStatus(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}

// receive passes an event to the receiver, unless the event was accepted before or another delivery of it is in progress. It calls cancel,
// or leaves that to the goroutine of the receiver, which can outlast the response.
func (h *handler) receive(ctx context.Context, cancel context.CancelFunc, ev Event) response {
	key := ev.Key()
	c, what, differs := h.dedup.begin(ev, key)
	if differs {
		h.logAbout(ev, key).WarnContext(ctx, "webhook redelivery has a different body than the earlier delivery")
	}
	switch what {
	case decisionAcknowledge:
		cancel()
		h.logDebug(ctx, ev, key, "webhook redelivery of an accepted event")
		return response{status: http.StatusOK}
	case decisionReject:
		cancel()
		h.logAbout(ev, key).ErrorContext(ctx, "webhook event rejected: too many receiver calls are past their deadline")
		return response{status: http.StatusServiceUnavailable, retryAfter: h.deadline}
	case decisionWait:
		defer cancel()
		h.logDebug(ctx, ev, key, "webhook redelivery of an event in progress")
	case decisionReceive:
		go func() {
			result := response{status: http.StatusInternalServerError} // kept if the receiver calls runtime.Goexit
			defer func() {
				h.dedup.finish(c, result)
				cancel()
			}()
			result = h.call(ctx, ev, key)
		}()
	}
	result := h.await(ctx, c, what)
	if result.late && what == decisionReceive {
		h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver exceeded the deadline", "deadline", h.deadline)
	}
	return result
}

// await returns the response of a call, or a 503 if the deadline of this delivery passes first.
func (h *handler) await(ctx context.Context, c *call, what decision) response {
	select {
	case <-c.done:
		return c.response
	case <-ctx.Done():
	}
	if what == decisionReceive && h.dedup.setOverdue(c) {
		return response{status: http.StatusServiceUnavailable, late: true}
	}
	select {
	case <-c.done: // both were ready
		return c.response
	default:
		return response{status: http.StatusServiceUnavailable, late: true}
	}
}

// logAbout returns a logger with the type and the key of the event. It is too expensive to create for every delivery.
func (h *handler) logAbout(ev Event, key string) *slog.Logger {
	return h.log.With("event", string(ev.Type), "key", key)
}

func (h *handler) logDebug(ctx context.Context, ev Event, key, message string, args ...any) {
	if h.log.Enabled(ctx, slog.LevelDebug) {
		h.logAbout(ev, key).DebugContext(ctx, message, args...) //nolint:sloglint // each call has a literal
	}
}

// call calls the receiver and returns the response to its result.
func (h *handler) call(ctx context.Context, ev Event, key string) (result response) {
	start := time.Now()
	returned := false
	defer func() {
		if v := recover(); v != nil {
			h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver panicked", "panic", panicText(v), "stack", string(debug.Stack()))
			result = response{status: http.StatusInternalServerError}
		} else if !returned {
			h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver exited its goroutine")
		}
	}()
	err := h.receiver.Receive(ctx, ev)
	returned = true
	switch unavailable, ok := errors.AsType[*UnavailableError](err); {
	case err == nil:
		h.logDebug(ctx, ev, key, "webhook event accepted", "duration", time.Since(start))
		return response{status: http.StatusOK}
	case ok:
		h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver unavailable", "error", err)
		return response{status: http.StatusServiceUnavailable, retryAfter: max(unavailable.RetryAfter, time.Second)}
	case ctx.Err() != nil: // receive logs the deadline
		h.logDebug(ctx, ev, key, "webhook receiver failed after its deadline", "error", err, "duration", time.Since(start))
		return response{status: http.StatusServiceUnavailable, late: true}
	default:
		h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver failed", "error", err)
		return response{status: http.StatusInternalServerError}
	}
}

// panicText returns the text of a runtime error, and only the type of any other value, because the value can contain payload.
func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T", v)
}
