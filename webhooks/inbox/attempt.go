package inbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"
)

// Discard returns an error for a handler that will never be able to handle the event. The event becomes a dead letter immediately,
// regardless of the remaining attempts. err is the reason.
func Discard(err error) error { return &DiscardError{Err: err} }

// RetryAt returns an error for a handler that wants to be retried at t, instead of after the backoff. The attempt counts as usual: if it
// was the last one, the event becomes a dead letter. t is rounded up to a whole second. err is the reason.
func RetryAt(t time.Time, err error) error { return &RetryError{At: t, Err: err} }

// RetryAfter is RetryAt for the time d from now.
func RetryAfter(d time.Duration, err error) error { return RetryAt(time.Now().Add(d), err) }

// DiscardError is the error that Discard returns. Any handler error that wraps one has the same effect.
type DiscardError struct {
	// Err is the reason.
	Err error
}

func (e *DiscardError) Error() string { return fmt.Sprintf("inbox: discard: %v", e.Err) }

// Unwrap returns Err.
func (e *DiscardError) Unwrap() error { return e.Err }

// RetryError is the error that RetryAt and RetryAfter return. Any handler error that wraps one has the same effect.
type RetryError struct {
	// At is the earliest time of the next attempt.
	At time.Time
	// Err is the reason.
	Err error
}

func (e *RetryError) Error() string {
	return fmt.Sprintf("inbox: retry at %s: %v", e.At.Format(time.RFC3339), e.Err)
}

// Unwrap returns Err.
func (e *RetryError) Unwrap() error { return e.Err }

type attemptKey struct{}

// Attempt returns the number of the current attempt, from 1, given the context of the handler. Attempts that were interrupted by a crash
// count. It returns 0 for other contexts.
func Attempt(ctx context.Context) int {
	n, _ := ctx.Value(attemptKey{}).(int)
	return n
}

func withAttempt(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, attemptKey{}, n)
}

// backoff returns the wait after a failed attempt, counted from 1. It includes jitter, so that events that failed together are not retried
// together.
func (o *Options) backoff(attempt int) time.Duration {
	wait := o.Backoff[min(attempt, len(o.Backoff))-1]
	return wait + rand.N(wait/5+1)
}

// wait returns the wait after an attempt that failed with err.
func (o *Options) wait(attempt int, err error) time.Duration {
	retry, ok := errors.AsType[*RetryError](err)
	if !ok {
		return o.backoff(attempt)
	}
	// After a server restart, JetStream rounds the time of a redelivery down to a second. A whole second is not rounded.
	at := retry.At.Add(time.Second - 1).Truncate(time.Second)
	return max(time.Until(at), time.Millisecond)
}

// panicError is the panic of a handler as an error.
type panicError struct {
	value any
	stack []byte
}

// Error returns the text of a runtime error, and only the type of any other value. The text is logged, and the value can contain payload.
func (e *panicError) Error() string {
	if err, ok := e.value.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic: a %T", e.value)
}

// reason returns the text of a handler's error for a dead letter. It includes the value of a panic: a dead letter has the payload anyway.
func reason(err error) string {
	if p, ok := errors.AsType[*panicError](err); ok {
		return fmt.Sprintf("panic: %v", p.value)
	}
	return err.Error()
}
