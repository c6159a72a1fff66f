package jogg

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// The kinds of refusal that programs tell apart with errors.Is. The comments name the codes of the service and the HTTP statuses
// that stand for each; where both arrive, the code counts.
var (
	ErrRateLimited        = errors.New("rate limit exceeded") // 429, HTTP 429
	ErrNotFound           = errors.New("not found")           // 10104, HTTP 404
	ErrInvalidAPIKey      = errors.New("invalid API key")     // 10105, HTTP 401
	ErrInsufficientCredit = errors.New("insufficient credit") // 18020, HTTP 402
	ErrNoPermission       = errors.New("no permission")       // 18025, HTTP 403
	ErrInvalidParameter   = errors.New("invalid parameter")   // 40000, HTTP 400 and 422
	ErrSystem             = errors.New("system error")        // 50000, HTTP 500 and above
)

// kindOf returns the kind that a code or an HTTP status stands for. The numbers of the two do not overlap, apart from 429, which
// is both.
func kindOf(number int) error {
	switch {
	case number == 429:
		return ErrRateLimited
	case number == 10104 || number == 404:
		return ErrNotFound
	case number == 10105 || number == 401:
		return ErrInvalidAPIKey
	case number == 18020 || number == 402:
		return ErrInsufficientCredit
	case number == 18025 || number == 403:
		return ErrNoPermission
	case number == 40000 || number == 400 || number == 422:
		return ErrInvalidParameter
	case number == 50000 || 500 <= number && number <= 599:
		return ErrSystem
	default:
		return nil
	}
}

// The lengths to which texts of the server's are cut, in bytes.
const (
	maxMessage   = 300
	maxRequestID = 100
)

// APIError is a refusal: an envelope whose code is not 0, whatever the HTTP status; an HTTP status that is no success, with or
// without an envelope; or a success that cannot be read, because it is empty, cut short, longer than 32 MiB, no JSON, without the
// data that the operation returns, or not of the shape that the contract gives it.
//
// errors.Is matches it with the sentinel of its kind, if it has one.
type APIError struct {
	// Operation is the operation that was refused, named like its method, such as CreateAvatarVideo.
	Operation string
	// HTTPStatus is the HTTP status of the answer. It is often 200.
	HTTPStatus int
	// Code is the envelope's code. It is 0 where there was no envelope, and where an answer with code 0 was not a success.
	Code int
	// Message is what the server said, or what is wrong with its answer where it said nothing. It is one line of at most 300
	// bytes, valid UTF-8 without control characters.
	Message string
	// RequestID identifies the request in the service's logs. It is empty where the answer had none.
	RequestID string
	// RetryAfter is how long the service asks to wait, 0 where it does not say.
	RetryAfter time.Duration
	// Attempts is the number of times that the request was sent.
	Attempts int

	err error // what made a successful status a failure
}

// Error returns, on one line, the operation, the kind, the message and the details, each left out where it is not known:
//
//	jogg: CreateAvatarVideo: insufficient credit: 3 credits are missing (HTTP 200, code 18020, request 4f2a, retry after 30s, 2 attempts)
func (e *APIError) Error() string {
	var b strings.Builder
	b.WriteString("jogg: " + e.Operation)
	if kind := e.kind(); kind != nil {
		b.WriteString(": " + kind.Error())
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	fmt.Fprintf(&b, " (HTTP %d", e.HTTPStatus)
	if e.Code != 0 {
		fmt.Fprintf(&b, ", code %d", e.Code)
	}
	if e.RequestID != "" {
		b.WriteString(", request " + e.RequestID)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, ", retry after %s", e.RetryAfter)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, ", %d attempts", e.Attempts)
	}
	b.WriteByte(')')
	return b.String()
}

// Is reports whether target is the sentinel of e's kind.
func (e *APIError) Is(target error) bool {
	return target != nil && target == e.kind()
}

// Unwrap returns what was wrong with an answer that looked like a success, such as [io.ErrUnexpectedEOF], else nil.
func (e *APIError) Unwrap() error {
	return e.err
}

func (e *APIError) kind() error {
	if kind := kindOf(e.Code); kind != nil {
		return kind
	}
	return kindOf(e.HTTPStatus)
}

// callError is a request that got no answer.
type callError struct {
	operation string
	text      string
	attempts  int
	fate      requestFate
	err       error
}

// unanswered makes the error of a request that got no answer. net/http wraps the reason in an error whose text repeats the URL;
// the text here does without, so that a query stays out of logs.
func (c *Client) unanswered(x *exchange, fate requestFate, err error) *callError {
	reason := err
	if wrapper, ok := errors.AsType[*url.Error](err); ok {
		reason = wrapper.Err
	}
	return &callError{operation: x.operation, text: oneLine(c.redact(reason.Error()), maxMessage), fate: fate, err: err}
}

func (e *callError) Error() string {
	if e.attempts > 1 {
		return fmt.Sprintf("jogg: %s: %s (%d attempts)", e.operation, e.text, e.attempts)
	}
	return fmt.Sprintf("jogg: %s: %s", e.operation, e.text)
}

func (e *callError) Unwrap() error { return e.err }

// minRedacted is the length from which a key is one. Shorter ones exist in tests only, and are parts of ordinary words.
const minRedacted = 8

// redact takes the API key out of a text that came from the server. Some services repeat the key that they refuse.
func (c *Client) redact(text string) string {
	key := c.key()
	if len(key) < minRedacted {
		return text
	}
	return strings.ReplaceAll(text, key, "[API key]")
}

// oneLine returns text as one line of at most limit bytes. Runs of white space, and of characters that do not print, become one
// space.
func oneLine(text string, limit int) string {
	const more = "…"
	var b strings.Builder
	space := false
	for _, r := range text {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		if b.Len() > limit {
			break
		}
	}
	if b.Len() <= limit {
		return b.String()
	}
	return strings.ToValidUTF8(b.String()[:limit-len(more)], "") + more // drops the half of a character at the cut
}
