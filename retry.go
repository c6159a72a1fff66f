package jogg

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// RetryPolicy says how often a request is sent, and how long the waits in between are. A field that is 0 stands for its default.
type RetryPolicy struct {
	// Attempts is how many times a request is sent at most, the first time included. The default is 4; 1 turns repetition off.
	Attempts int
	// Base is the longest wait before the second attempt. It doubles before each further one. The default is 1 second.
	//
	// The wait itself is drawn evenly from between 0 and this length ("full jitter"), so that programs which failed together do
	// not come back together.
	Base time.Duration
	// Cap is the length beyond which the longest wait does not grow. The default is 30 seconds.
	Cap time.Duration
	// ServerCap is the longest wait that is granted to the service when it names one, which counts instead of the computed wait.
	// Coming back earlier would be in vain, so a call for which the service names a longer one fails at once. The default is 2
	// minutes.
	ServerCap time.Duration
	// RepeatWithKey has a request repeated that may have been accepted, if it carries an idempotency key: after a broken connection, code
	// 50000 or status 502, 503 or 504. It is off by default, because the documentation has such keys but does not say what the service does
	// with one that comes again: a key that it passes over would be paid for twice.
	RepeatWithKey bool
}

// WithRetry replaces the policy by which requests are repeated. RetryPolicy{Attempts: 1} turns repetition off. A negative field
// is an error.
func WithRetry(policy RetryPolicy) Option {
	return func(c *Client) error {
		if policy.isNegative() {
			return errors.New("jogg: WithRetry: a field of the policy is negative")
		}
		c.retry = policy.withDefaults()
		return nil
	}
}

func (p RetryPolicy) isNegative() bool {
	return p.Attempts < 0 || p.Base < 0 || p.Cap < 0 || p.ServerCap < 0
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.Attempts == 0 {
		p.Attempts = 4
	}
	if p.Base == 0 {
		p.Base = time.Second
	}
	if p.Cap == 0 {
		p.Cap = 30 * time.Second
	}
	if p.ServerCap == 0 {
		p.ServerCap = 2 * time.Minute
	}
	return p
}

// delays returns the computed waits, one after the other. An interval that the library varies by its whole length around half of
// what is wanted lies between 0 and what is wanted.
func (p RetryPolicy) delays() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     min(p.Base, p.Cap) / 2,
		MaxInterval:         p.Cap / 2,
		Multiplier:          2,
		RandomizationFactor: 1,
	}
}

// retried repeats what is worth repeating, after a wait. An error tells how many attempts there were, and whether the outcome of one of them
// is unknown.
func (c *Client) retried(next step) step {
	return func(x *exchange) error {
		delays := x.retry.delays()
		var last error
		unknown := false
		for x.attempt = 1; ; x.attempt++ {
			err := next(x)
			unknown = unknown || errors.Is(err, ErrOutcomeUnknown)
			err = summed(err, x.attempt, unknown)
			if err == nil {
				return nil
			}
			if last != nil && x.request.Context().Err() != nil {
				return fmt.Errorf("%w; the attempt before: %w", err, last)
			}
			if x.attempt >= x.retry.Attempts || !x.repeatable(err) {
				return err
			}
			if err := c.waitAfter(x, err, delays.NextBackOff()); err != nil {
				return err
			}
			last = err
		}
	}
}

// summed notes in the error of the latest attempt what is known of all of them.
func summed(err error, attempts int, outcomeUnknown bool) error {
	var refused *APIError
	var unanswered *callError
	switch {
	case errors.As(err, &refused):
		refused.Attempts, refused.outcomeUnknown = attempts, outcomeUnknown
	case errors.As(err, &unanswered):
		unanswered.attempts, unanswered.outcomeUnknown = attempts, outcomeUnknown
	}
	return err
}

// mayRunTwice tells whether it does no harm if the service takes the request and then takes it again. A billed one would be paid for twice,
// and a POST creates something each time.
func (x *exchange) mayRunTwice() bool {
	if takesKey(x.ctx.operation) {
		return x.retry.RepeatWithKey
	}
	return x.request.Method != http.MethodPost && x.request.Method != http.MethodPatch && !isBilled(x.ctx.operation)
}

// repeatable tells whether the request may be sent again after it failed with err.
func (x *exchange) repeatable(err error) bool {
	mayRunTwice := x.mayRunTwice()
	if unanswered, ok := errors.AsType[*callError](err); ok {
		return unanswered.fate == fateUnsent || unanswered.fate == fateUnknown && mayRunTwice
	}
	var refused *APIError
	if !errors.As(err, &refused) {
		return false
	}
	if refused.Code == 429 || refused.HTTPStatus == http.StatusTooManyRequests {
		return true // the limit is looked at before the order is
	}
	if !mayRunTwice {
		return false // the task may exist, and may have been paid for
	}
	switch kind := kindOf(refused.Code); { // the code counts, whatever the status
	case refused.Code == 50000:
		return true
	case kind != nil && !errors.Is(kind, ErrSystem):
		return false
	}
	switch status := refused.HTTPStatus; {
	case status >= http.StatusBadGateway && status <= http.StatusGatewayTimeout:
		return true
	case status == http.StatusInternalServerError, status == http.StatusRequestTimeout, status >= 520 && status <= 524:
		return x.request.Method == http.MethodGet // what a proxy in front says when the service failed in a way that it does not know
	}
	var broken *brokenAnswerError
	return errors.As(err, &broken)
}

// waitAfter waits between an attempt that failed with err and the next. It returns an error if there shall be no next attempt;
// err can be found in it.
func (c *Client) waitAfter(x *exchange, err error, computed time.Duration) error {
	wait := computed
	var refused *APIError
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		wait = refused.RetryAfter
		if wait > x.retry.ServerCap {
			return fmt.Errorf("%w; not repeated, because the client waits %s at most", err, x.retry.ServerCap)
		}
	}
	c.logWait(x, wait)
	if cut := pause(x.request.Context(), c.clock, wait); cut != nil {
		return fmt.Errorf("%w; not repeated: %w", err, cut)
	}
	return nil
}

// retryAfter returns the wait that an answer asks for, 0 if none. It stands in the header, in seconds or as a date, or in the
// body, in seconds, beside the code or within the data. The first that can be read counts.
func retryAfter(header http.Header, body refusalBody, now time.Time) time.Duration {
	if wait, ok := headerWait(header.Get("Retry-After"), now); ok {
		return wait
	}
	if wait, ok := seconds(text(body.RetryAfter)); ok {
		return wait
	}
	var data struct {
		RetryAfter jsontext.Value `json:"retryAfter"`
	}
	if body.Data.Kind() != jsontext.KindBeginObject || json.Unmarshal(body.Data, &data, asSent) != nil {
		return 0
	}
	wait, _ := seconds(text(data.RetryAfter))
	return wait
}

// headerWait reads a Retry-After header. A date that has passed is no wait.
func headerWait(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if wait, ok := seconds(value); ok {
		return wait, true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return max(0, date.Sub(now)), true
}

// longestWait keeps what a server names within a time.Duration. It is some thirty years.
const longestWait = 1e9

// seconds reads a number of seconds, written in decimal digits.
func seconds(value string) (time.Duration, bool) {
	if value == "" || value[0] < '0' || value[0] > '9' || strings.ContainsAny(value, "xX") {
		return 0, false // also infinity, and what else strconv takes for a number
	}
	s, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(min(s, longestWait) * float64(time.Second)), true
}
