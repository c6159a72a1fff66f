package inbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"
)

// Discard returns an error with which a handler says that it will never be able to handle the event. The event becomes a dead letter
// at once, however many attempts are left. err is the reason.
func Discard(err error) error { return &DiscardError{Err: err} }

// RetryAt returns an error with which a handler says that there is no point in trying before t. It takes the place of the backoff; the
// attempt counts all the same, so the event becomes a dead letter if it was the last one. t is rounded up to a whole second. err is
// the reason.
func RetryAt(t time.Time, err error) error { return &RetryError{At: t, Err: err} }

// RetryAfter is RetryAt with a time that is d from now.
func RetryAfter(d time.Duration, err error) error { return RetryAt(time.Now().Add(d), err) }

// DiscardError is what Discard returns. Whatever a handler returns that wraps one has the same effect.
type DiscardError struct {
	// Err is the reason.
	Err error
}

func (e *DiscardError) Error() string { return fmt.Sprintf("inbox: discard: %v", e.Err) }

// Unwrap returns Err.
func (e *DiscardError) Unwrap() error { return e.Err }

// RetryError is what RetryAt and RetryAfter return. Whatever a handler returns that wraps one has the same effect.
type RetryError struct {
	// At is when to try again, at the earliest.
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

// Attempt returns the number of the attempt that a handler is in, from 1, given the context that it was called with. Attempts that
// ended with the process count. It returns 0 for other contexts.
func Attempt(ctx context.Context) int {
	n, _ := ctx.Value(attemptKey{}).(int)
	return n
}

func withAttempt(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, attemptKey{}, n)
}

// backoff returns how long to wait after an attempt, from 1, that has failed: lengthened at random, so that what failed together is
// not tried again together.
func (o *Options) backoff(attempt int) time.Duration {
	wait := o.Backoff[min(attempt, len(o.Backoff))-1]
	return wait + rand.N(wait/5+1)
}

// wait returns how long to wait after an attempt that has failed with err.
func (o *Options) wait(attempt int, err error) time.Duration {
	retry, ok := errors.AsType[*RetryError](err)
	if !ok {
		return o.backoff(attempt)
	}
	// JetStream keeps times to the second, rounded down, when its server starts again. On whole seconds nothing is lost.
	at := retry.At.Add(time.Second - 1).Truncate(time.Second)
	return max(time.Until(at), time.Millisecond)
}

// panicError is a handler's panic.
type panicError struct {
	value any
	stack []byte
}

// Error returns the text of a panic of the runtime and otherwise only the type of the value: it is logged, and the value can hold
// payload.
func (e *panicError) Error() string {
	if err, ok := e.value.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic: a %T", e.value)
}

// reason returns the text of a handler's error for the dead letter, which holds the payload anyway.
func reason(err error) string {
	if p, ok := errors.AsType[*panicError](err); ok {
		return fmt.Sprintf("panic: %v", p.value)
	}
	return err.Error()
}
