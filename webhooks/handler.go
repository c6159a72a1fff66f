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
	DefaultMaxBodySize    = 1 << 20                 // bytes
	DefaultDeadline       = 4500 * time.Millisecond // half a second less than JoggAI waits for an answer
	DefaultRememberedKeys = 16384
)

// HandlerOption changes how a handler works.
type HandlerOption func(*handler)

// WithMaxBodySize makes the handler answer 413 to a body of more than n bytes instead of [DefaultMaxBodySize]. n must be positive.
func WithMaxBodySize(n int64) HandlerOption {
	return func(h *handler) { h.maxBodySize = n }
}

// WithDeadline limits the time from the beginning of a delivery to its answer to d instead of [DefaultDeadline], so that JoggAI,
// which waits for five seconds, always gets an answer. d must be positive.
func WithDeadline(d time.Duration) HandlerOption {
	return func(h *handler) { h.deadline = d }
}

// WithLogger makes the handler log to logger instead of slog.Default(). A signed event that the receiver could not take is an error, which
// names the event's type and key. What does not fit in a signed event, and what is not signed, is a warning; of the latter, no more than about
// one a second is logged, together with how many were left out. Everything else is for debugging. The handler logs no payload, signature or
// secret, but it does log the text of the errors that the receiver returns.
func WithLogger(logger *slog.Logger) HandlerOption {
	return func(h *handler) { h.log = logger }
}

// WithRememberedKeys makes the handler remember the keys of the last n events that it accepted instead of
// [DefaultRememberedKeys], in order to answer their redeliveries itself. Each takes about 100 bytes. With 0 it remembers none, for
// receivers that recognize redeliveries on their own, as the inbox does. n must not be negative.
func WithRememberedKeys(n int) HandlerOption {
	return func(h *handler) { h.rememberedKeys = n }
}

// NewHandler returns a handler for the URL that deliveries are sent to. It verifies and decodes them with v and hands them to r.
//
//	request                                                      answer
//	signed, r returned nil                                       200
//	a redelivery of one that was accepted                        200, r is not called again
//	a redelivery while the first is still being received         that one's answer, r is called once
//	not POST                                                     405 with Allow, the body is not read
//	over the size limit                                          413
//	signature missing or wrong                                   401, the body is not parsed
//	body that does not arrive within the deadline                408
//	body that breaks off                                         400
//	r returned an error, or panicked                             500
//	r passed the deadline                                        503
//	r returned an *UnavailableError                              503 with Retry-After
//
// After anything but a 2xx status, JoggAI sends the event again. No answer says more than its status text; the reason goes to the log.
//
// Whatever is signed reaches r, because JoggAI sends it a few times and then never again. What [Parse] refuses, such as a body that is no JSON,
// comes as an event without a type whose Data is an [*Undecodable]. A [Router] without a function for that returns an error, an inbox keeps it.
//
// The context that r gets has the values of the request's context and ends at the deadline, but not when the connection breaks. If
// the deadline passes, the answer is sent although r still runs; what r returns later still counts for redeliveries. If r has not returned
// after four times the deadline, the next redelivery is handed to it anew. While more than 256 calls of r have passed their deadline, no further
// event is received: the answer is 503.
//
// Until the body has arrived, the deadline is also the connection's read deadline, instead of the one that the ReadTimeout of the
// http.Server set. A ResponseWriter that does not let the handler do this, because some middleware wraps it without an Unwrap method,
// leaves slow senders to ReadTimeout alone.
//
// Two deliveries are of the same event if their [Event.Key] is equal. Accepted keys are remembered in memory: a restart forgets
// them, and several processes do not share them. Where that matters, use an inbox as the receiver.
//
// NewHandler panics if v or r is nil or an option has a value that makes no sense.
func NewHandler(v *Verifier, r Receiver, opts ...HandlerOption) http.Handler {
	h := &handler{
		verifier:       v,
		receiver:       r,
		log:            slog.Default(),
		maxBodySize:    DefaultMaxBodySize,
		deadline:       DefaultDeadline,
		rememberedKeys: DefaultRememberedKeys,
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
	case h.rememberedKeys < 0:
		panic(fmt.Sprintf("webhooks: WithRememberedKeys(%d)", h.rememberedKeys))
	}
	h.seen = newDeduplication(h.rememberedKeys, 4*h.deadline)
	h.refusals.Limiter = rate.NewLimiter(rate.Every(time.Second), 10)
	return h
}

type handler struct {
	verifier       *Verifier
	receiver       Receiver
	log            *slog.Logger
	maxBodySize    int64
	deadline       time.Duration
	rememberedKeys int
	seen           *deduplication
	refusals       refusals
}

// refusals bounds what is logged about deliveries that are not signed, since anybody can send them.
type refusals struct {
	*rate.Limiter

	omitted atomic.Int64 // since the last one that was logged
}

// answer is what the sender of a delivery is told.
type answer struct {
	status     int
	retryAfter time.Duration // sent with a 503 if it is positive
	late       bool          // whether the receiver has passed the deadline
}

func (a answer) accepted() bool { return a.status == http.StatusOK }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deadline := time.Now().Add(h.deadline)
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.Context()), deadline)
	// A body that the handler leaves unread, or the rest of one, the server still reads before it answers: not without end either.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(deadline) // a ResponseWriter that has none relies on the server's limits
	body, status, err := h.body(w, r)
	if err != nil {
		cancel()
		h.logRefusal(ctx, r, status, err)
		h.respond(w, answer{status: status})
		return
	}
	// The server takes the deadline back itself when it has seen the end of the body. If some middleware has read the body before, it has not, and
	// the deadline would end the connection, and with it the contexts of later requests on it, while the receiver still runs.
	_ = control.SetReadDeadline(time.Time{})
	ev := h.decode(body)
	h.logOddities(ctx, r, ev)
	h.respond(w, h.receive(ctx, cancel, ev))
}

func (h *handler) respond(w http.ResponseWriter, a answer) {
	if a.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(a.retryAfter.Seconds())), 10))
	}
	http.Error(w, http.StatusText(a.status), a.status)
}

var errMethod = errors.New("webhooks: method is not POST")

// body reads and verifies a delivery. It does what costs least first, because anybody can send anything.
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

// decode makes an event of whatever is signed.
func (h *handler) decode(body []byte) Event {
	ev, err := Parse(body)
	if err != nil {
		reason, _ := errors.AsType[*PayloadError](err)
		return Event{Raw: body, Data: &Undecodable{Err: reason}}
	}
	return ev
}

// logRefusal logs that a delivery was refused before it was decoded, unless there was a lot of that just now.
func (h *handler) logRefusal(ctx context.Context, r *http.Request, status int, err error) {
	if !h.refusals.Allow() {
		h.refusals.omitted.Add(1)
		return
	}
	h.log.WarnContext(ctx, "webhook delivery refused",
		"status", status, "remote", r.RemoteAddr, "error", err, "omitted", h.refusals.omitted.Swap(0))
}

// logOddities logs what JoggAI does otherwise than it documents, and what this package can do without.
func (h *handler) logOddities(ctx context.Context, r *http.Request, ev Event) {
	undecodable, _ := ev.Data.(*Undecodable)
	if undecodable != nil {
		h.logAbout(ev, ev.Key()).WarnContext(ctx, "webhook event cannot be decoded", "error", undecodable.Err)
	}
	for _, problem := range ev.Problems {
		if undecodable == nil || problem.Field != undecodable.Err.Field {
			h.logAbout(ev, ev.Key()).WarnContext(ctx, "webhook event has a field that does not fit", "error", problem)
		}
	}
	for _, name := range r.Header[EventHeader] {
		if name != string(ev.Type) && ev.Type != "" {
			h.logAbout(ev, ev.Key()).WarnContext(ctx, "webhook event is another one than its header says, which is not signed")
		}
	}
}

// read reads the body. Memory for it is taken as it arrives, not as it is announced.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	const announcedAtMost = 64 << 10
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), announcedAtMost)) + bytes.MinRead)
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

// receive hands an event to the receiver, unless another delivery of it has been or is being received. It ends ctx with cancel unless the receiver
// needs it for longer than the answer takes.
func (h *handler) receive(ctx context.Context, cancel context.CancelFunc, ev Event) answer {
	key := ev.Key()
	reception, turn, differs := h.seen.begin(ev, key)
	if differs {
		h.logAbout(ev, key).WarnContext(ctx, "webhook redelivery has another body than the delivery before")
	}
	switch turn {
	case turnAccepted:
		cancel()
		h.logDebug(ctx, ev, key, "webhook redelivery of an accepted event")
		return answer{status: http.StatusOK}
	case turnBusy:
		cancel()
		h.logAbout(ev, key).ErrorContext(ctx, "webhook event not received: too many calls of the receiver have passed their deadline")
		return answer{status: http.StatusServiceUnavailable, retryAfter: h.deadline}
	case turnFollow:
		defer cancel()
		h.logDebug(ctx, ev, key, "webhook redelivery of an event that is being received")
	case turnFirst:
		go func() {
			result := answer{status: http.StatusInternalServerError} // what stays if the receiver ends its goroutine
			defer func() {
				h.seen.finish(reception, result)
				cancel()
			}()
			result = h.call(ctx, ev, key)
		}()
	}
	result := h.await(ctx, reception, turn)
	if result.late && turn == turnFirst {
		h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver passed the deadline", "deadline", h.deadline)
	}
	return result
}

// await returns the answer of a reception, or another one when the deadline of this delivery passes before.
func (h *handler) await(ctx context.Context, r *reception, t turn) answer {
	select {
	case <-r.done:
		return r.answer
	case <-ctx.Done():
	}
	if t == turnFirst && h.seen.setOverdue(r) {
		return answer{status: http.StatusServiceUnavailable, late: true}
	}
	select {
	case <-r.done: // both were ready
		return r.answer
	default:
		return answer{status: http.StatusServiceUnavailable, late: true}
	}
}

// logAbout returns a logger whose lines name the event. It costs too much to have one ready for every delivery.
func (h *handler) logAbout(ev Event, key string) *slog.Logger {
	return h.log.With("event", string(ev.Type), "key", key)
}

func (h *handler) logDebug(ctx context.Context, ev Event, key, message string, args ...any) {
	if h.log.Enabled(ctx, slog.LevelDebug) {
		h.logAbout(ev, key).DebugContext(ctx, message, args...) //nolint:sloglint // each call has a literal
	}
}

// call calls the receiver and makes an answer of what comes of it.
func (h *handler) call(ctx context.Context, ev Event, key string) (result answer) {
	start := time.Now()
	returned := false
	defer func() {
		if v := recover(); v != nil {
			h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver panicked", "panic", panicText(v), "stack", string(debug.Stack()))
			result = answer{status: http.StatusInternalServerError}
		} else if !returned {
			h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver ended its goroutine")
		}
	}()
	err := h.receiver.Receive(ctx, ev)
	returned = true
	switch unavailable, ok := errors.AsType[*UnavailableError](err); {
	case err == nil:
		h.logDebug(ctx, ev, key, "webhook event accepted", "duration", time.Since(start))
		return answer{status: http.StatusOK}
	case ok:
		h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver unavailable", "error", err)
		return answer{status: http.StatusServiceUnavailable, retryAfter: max(unavailable.RetryAfter, time.Second)}
	case ctx.Err() != nil: // which is logged where the answer is waited for
		h.logDebug(ctx, ev, key, "webhook receiver gave up after its deadline", "error", err, "duration", time.Since(start))
		return answer{status: http.StatusServiceUnavailable, late: true}
	default:
		h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver failed", "error", err)
		return answer{status: http.StatusInternalServerError}
	}
}

// panicText returns the text of a panic of the runtime and otherwise only the type of the value, because the value can hold payload.
func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T", v)
}
