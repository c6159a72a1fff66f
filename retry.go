package jogg

import (
	"cmp"
	"context"
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

// RetryPolicy says how many times a request is sent, and how long to wait between attempts. A field that is 0 means its default.
type RetryPolicy struct {
	// Attempts is the maximum number of attempts, including the first. The default is 4; 1 turns retries off.
	Attempts int
	// Base is the longest wait before the second attempt. It doubles before each further one. The default is 1 second.
	//
	// The actual wait is drawn uniformly between 0 and this length (full jitter), so that programs which failed together do not retry
	// together.
	Base time.Duration
	// Cap is the length at which the longest wait stops growing. The default is 30 seconds.
	Cap time.Duration
	// ServerCap is the longest wait that the service may ask for. What it asks for replaces the computed wait. Retrying earlier would be
	// pointless, so a call fails at once if the service asks for a longer wait. The default is 2 minutes.
	ServerCap time.Duration
	// RepeatWithKey also retries a request that may have been accepted, if it carries an idempotency key: after a broken connection, code
	// 50000 or status 502, 503 or 504. It is off by default, because the documentation has such keys but does not say what the service does
	// with a repeated one. If the service ignores the key, the request is billed twice.
	RepeatWithKey bool
}

// WithRetry replaces the retry policy. RetryPolicy{Attempts: 1} turns retries off. A negative field is an error.
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

// delays returns the computed waits. The library varies an interval by RandomizationFactor, so half of the longest wait varied by its whole
// length lies between 0 and the longest wait.
func (p RetryPolicy) delays() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     min(p.Base, p.Cap) / 2,
		MaxInterval:         p.Cap / 2,
		Multiplier:          2,
		RandomizationFactor: 1,
	}
}

// retried retries an attempt that failed and may be retried, after a wait. The error has the number of attempts, and says whether the
// outcome of any of them is unknown.
func (c *Client) retried(next step) step {
	return func(x *exchange) error {
		delays := x.retry.delays()
		var last error
		unknown := false
		for x.attempt = 1; ; x.attempt++ {
			err := next(x)
			unknown = unknown || errors.Is(err, ErrOutcomeUnknown)
			err = annotate(err, x.attempt, unknown)
			if err == nil {
				return nil
			}
			if last != nil && x.request.Context().Err() != nil {
				return fmt.Errorf("%w; the attempt before: %w", err, last)
			}
			if x.attempt >= x.retry.Attempts || !x.repeatable(err) {
				return err
			}
			if err := c.waitAfter(x.request.Context(), x.retry, err, delays.NextBackOff(), x.logWait); err != nil {
				return err
			}
			last = err
		}
	}
}

// annotate adds to the error of the latest attempt what is known about all of them.
func annotate(err error, attempts int, outcomeUnknown bool) error {
	if refused, ok := errors.AsType[*APIError](err); ok {
		refused.Attempts, refused.outcomeUnknown = attempts, outcomeUnknown
	} else if unanswered, ok := errors.AsType[*callError](err); ok {
		unanswered.attempts, unanswered.outcomeUnknown = attempts, outcomeUnknown
	}
	return err
}

// safeToRepeat reports whether it does no harm if the service processes the request twice. A billable request would be billed twice, and a
// POST creates something each time.
func (x *exchange) safeToRepeat() bool {
	if takesKey(x.ctx.operation) {
		return x.retry.RepeatWithKey
	}
	return x.request.Method != http.MethodPost && x.request.Method != http.MethodPatch && !isBilled(x.ctx.operation)
}

// repeatable reports whether the request may be retried after it failed with err.
func (x *exchange) repeatable(err error) bool {
	safeToRepeat := x.safeToRepeat()
	if unanswered, ok := errors.AsType[*callError](err); ok {
		return unanswered.fate == fateUnsent || unanswered.fate == fateUnknown && safeToRepeat
	}
	refused, ok := errors.AsType[*APIError](err)
	if !ok {
		return false
	}
	if refused.Code == 429 || refused.HTTPStatus == http.StatusTooManyRequests {
		return true // the rate limit is checked before the request is processed
	}
	if !safeToRepeat {
		return false // the task may exist, and may be billed
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
		return x.request.Method == http.MethodGet // sent by a proxy in front when the service failed in a way that it does not know
	}
	_, broken := errors.AsType[*brokenResponseError](err)
	return broken
}

// waitAfter waits before the attempt that follows err: as long as the server asks for, or else for the computed time. It calls log before
// it waits. If there is to be no next attempt, it returns an error that wraps err.
func (c *Client) waitAfter(ctx context.Context, policy RetryPolicy, err error, computed time.Duration, log func(wait time.Duration)) error {
	asked := serverWait(err)
	if asked > policy.ServerCap {
		return fmt.Errorf("%w; not retried, because the server asks to wait %s and the client waits %s at most", err, asked, policy.ServerCap)
	}
	wait := cmp.Or(asked, computed)
	log(wait)
	if cut := pause(ctx, c.clock, wait); cut != nil {
		return fmt.Errorf("%w; not retried: %w", err, cut)
	}
	return nil
}

// serverWait returns how long the server asks to wait after err, or 0.
func serverWait(err error) time.Duration {
	if refused, ok := errors.AsType[*APIError](err); ok {
		return refused.RetryAfter
	}
	if failed, ok := errors.AsType[*UploadError](err); ok {
		return failed.wait
	}
	return 0
}

// retryAfter returns the wait that a response asks for, or 0. It is in the Retry-After header, in seconds or as a date, or in the body, in
// seconds, beside the code or in the data. The first readable value counts.
func retryAfter(header http.Header, body errorBody, now time.Time) time.Duration {
	if wait, ok := headerWait(header.Get("Retry-After"), now); ok {
		return wait
	}
	if wait, ok := seconds(text(body.RetryAfter)); ok {
		return wait
	}
	var data struct {
		RetryAfter jsontext.Value `json:"retryAfter"`
	}
	if body.Data.Kind() != jsontext.KindBeginObject || json.Unmarshal(body.Data, &data, lenient) != nil {
		return 0
	}
	wait, _ := seconds(text(data.RetryAfter))
	return wait
}

// headerWait parses a Retry-After header. A date that has passed is a wait of 0.
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

// maxServerWait bounds what a server asks for, in seconds, so that it fits into a time.Duration. It is about thirty years.
const maxServerWait = 1e9

// seconds parses a number of seconds, written in decimal digits.
func seconds(value string) (time.Duration, bool) {
	if value == "" || value[0] < '0' || value[0] > '9' || strings.ContainsAny(value, "xX") {
		return 0, false // also rejects infinity, and whatever else strconv accepts as a number
	}
	s, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(min(s, maxServerWait) * float64(time.Second)), true
}
