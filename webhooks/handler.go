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
	"time"
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

// WithLogger makes the handler log to logger instead of slog.Default(): what it refuses as a warning, what the receiver could not
// take as an error, everything else for debugging. It logs no payload, signature or secret, but it does log the text of the errors
// that the receiver returns.
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
//	valid, r returned nil                                        200
//	a redelivery of one that was accepted                        200, r is not called again
//	a redelivery while the first is still being received         that one's answer, r is called once
//	not POST                                                     405 with Allow, the body is not read
//	over the size limit                                          413
//	signature missing or wrong                                   401, the body is not parsed
//	body that does not arrive within the deadline                408
//	not JSON, not an event, header and body disagree             400
//	r returned an error, or panicked                             500
//	r passed the deadline                                        503
//	r returned an *UnavailableError                              503 with Retry-After
//
// After anything but 200, JoggAI sends the event again. No answer says more than its status text; the reason goes to the log.
//
// The context that r gets has the values of the request's context and ends at the deadline, but not when the connection breaks. If
// the deadline passes, the answer is sent although r still runs; what r returns later still counts for redeliveries.
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
	h.acceptance = newAcceptance(h.rememberedKeys)
	return h
}

type handler struct {
	verifier       *Verifier
	receiver       Receiver
	log            *slog.Logger
	maxBodySize    int64
	deadline       time.Duration
	rememberedKeys int
	acceptance     *acceptance
}

// answer is what the sender of a delivery is told.
type answer struct {
	status     int
	retryAfter time.Duration // sent with a 503 if it is positive
}

func (a answer) accepted() bool { return a.status == http.StatusOK }

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	deadline := time.Now().Add(h.deadline)
	ctx, cancel := context.WithDeadline(context.WithoutCancel(r.Context()), deadline)
	// A body that the handler leaves unread, or the rest of one, the server still reads before it answers: not without end either. When
	// the body has been read, the server itself takes the deadline back.
	_ = http.NewResponseController(w).SetReadDeadline(deadline) // a ResponseWriter that has none relies on the server's limits
	a := h.answer(ctx, cancel, w, r)

	if a.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(a.retryAfter.Seconds())), 10))
	}
	http.Error(w, http.StatusText(a.status), a.status)
}

// answer finds the answer to a delivery. It ends ctx with cancel unless the receiver needs it for longer than the answer takes.
func (h *handler) answer(ctx context.Context, cancel context.CancelFunc, w http.ResponseWriter, r *http.Request) answer {
	ev, status, err := h.unwrap(w, r)
	if err != nil {
		cancel()
		h.log.WarnContext(ctx, "webhook delivery refused", "status", status, "remote", r.RemoteAddr, "error", err)
		return answer{status: status}
	}
	return h.receive(ctx, cancel, ev)
}

var errMethod = errors.New("webhooks: method is not POST")

// unwrap reads, verifies and decodes a delivery. It does what costs least first, because anybody can send anything.
func (h *handler) unwrap(w http.ResponseWriter, r *http.Request) (ev Event, status int, err error) {
	if r.Method != http.MethodPost {
		return Event{}, http.StatusMethodNotAllowed, errMethod
	}
	if r.ContentLength > h.maxBodySize {
		return Event{}, http.StatusRequestEntityTooLarge, &http.MaxBytesError{Limit: h.maxBodySize}
	}
	if len(r.Header[SignatureHeader]) == 0 {
		return Event{}, http.StatusUnauthorized, ErrMissingSignature
	}
	body, err := h.read(w, r)
	if err != nil {
		return Event{}, readStatus(err), fmt.Errorf("webhooks: read body: %w", err)
	}
	ev, err = h.verifier.Unwrap(body, r.Header)
	switch {
	case errors.Is(err, ErrMissingSignature), errors.Is(err, ErrInvalidSignature):
		return Event{}, http.StatusUnauthorized, err
	case err != nil:
		return Event{}, http.StatusBadRequest, err
	}
	return ev, http.StatusOK, nil
}

// read reads the body. Memory for it is taken as it arrives, not as it is announced.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	const announcedAtMost = 64 << 10
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), announcedAtMost)) + bytes.MinRead)
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, h.maxBodySize))
	return buf.Bytes(), err
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

// receive hands an event to the receiver, unless another delivery of it has been or is being received.
func (h *handler) receive(ctx context.Context, cancel context.CancelFunc, ev Event) answer {
	key := ev.Key()
	reception, first := h.acceptance.begin(key)
	if reception == nil {
		cancel()
		if h.log.Enabled(ctx, slog.LevelDebug) {
			h.logAbout(ev, key).DebugContext(ctx, "webhook redelivery of an accepted event")
		}
		return answer{status: http.StatusOK}
	}
	if first {
		go func() {
			result := answer{status: http.StatusInternalServerError} // what stays if the receiver ends its goroutine
			defer func() {
				h.acceptance.finish(reception, result)
				cancel()
			}()
			result = h.call(ctx, ev, key)
		}()
	} else {
		defer cancel()
		h.logAbout(ev, key).DebugContext(ctx, "webhook redelivery of an event that is being received")
	}
	select {
	case <-reception.done:
		return reception.answer
	case <-ctx.Done():
	}
	select {
	case <-reception.done: // both were ready
		return reception.answer
	default:
		h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver passed the deadline", "deadline", h.deadline)
		return answer{status: http.StatusServiceUnavailable}
	}
}

// logAbout returns a logger whose lines name the event. It costs too much to have one ready for every delivery.
func (h *handler) logAbout(ev Event, key string) *slog.Logger {
	return h.log.With("event", string(ev.Type), "key", key)
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
		if h.log.Enabled(ctx, slog.LevelDebug) {
			h.logAbout(ev, key).DebugContext(ctx, "webhook event accepted", "duration", time.Since(start))
		}
		return answer{status: http.StatusOK}
	case ok:
		h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver unavailable", "error", err)
		return answer{status: http.StatusServiceUnavailable, retryAfter: max(unavailable.RetryAfter, time.Second)}
	case ctx.Err() != nil:
		h.logAbout(ev, key).ErrorContext(ctx, "webhook receiver passed the deadline", "error", err)
		return answer{status: http.StatusServiceUnavailable}
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
