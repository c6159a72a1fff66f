package jogg

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// The kinds of refusal that programs tell apart with errors.Is. The comments name the codes of the service and the HTTP statuses
// that stand for each; where both arrive, the code counts.
//
// A request whose body the contract closes, which those for the models of other providers are, is checked before it is sent. Where a
// required field is empty, or a file is not in JoggAI's storage, the call fails with ErrInvalidParameter, no [*APIError], and nothing was
// sent or paid for.
var (
	ErrRateLimited        = errors.New("rate limit exceeded") // 429, HTTP 429
	ErrNotFound           = errors.New("not found")           // 10104, HTTP 404
	ErrInvalidAPIKey      = errors.New("invalid API key")     // 10105, HTTP 401
	ErrInsufficientCredit = errors.New("insufficient credit") // 18020, HTTP 402
	ErrNoPermission       = errors.New("no permission")       // 18025, HTTP 403
	ErrInvalidParameter   = errors.New("invalid parameter")   // 40000, HTTP 400 and 422; and see above
	ErrSystem             = errors.New("system error")        // 50000, HTTP 500 and above
)

// ErrOutcomeUnknown tells that a request failed although the service may have taken it, so that what it asked for may be done, and paid
// for. [errors.Is] finds it in the error of a POST, PUT or DELETE, whether or not there was an answer, where at least one attempt ended
//   - without an answer after there was a connection to send it on: the connection broke, the context ended, a timeout passed;
//   - with a 2xx answer that is unreadable, incomplete or lacks what it must have, such as an order's id;
//   - with code 50000, or HTTP 408 or 5xx without a code that says more;
//   - with a redirect by 301, 302 or 303, which is also how a request that was taken is answered.
//
// It does not hold where the service refused the request, where no connection came about, or where the context ended before the request
// was sent. It never holds for a GET, which leaves nothing behind.
//
// A program that pays for what it creates asks for it before it orders once more: where it holds, the order may exist. [APIError.Body] has
// what was answered.
var ErrOutcomeUnknown = errors.New("outcome unknown")

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
// without an envelope; or a success that cannot be used, because it is empty, cut short, longer than 32 MiB, no JSON, or without what the
// caller cannot do without: the data that the operation returns, an order's id, a list's items. Any other field that does not fit the
// contract is no error; see [FieldProblem].
//
// errors.Is matches it with the sentinel of its kind, if it has one.
type APIError struct {
	// Operation is the operation that was refused, named like its method, such as CreateAvatarVideo.
	Operation string
	// HTTPStatus is the HTTP status of the answer. It is often 200.
	HTTPStatus int
	// Code is the envelope's code. It is 0 where there was no envelope, where an answer with code 0 was not a success, and where the
	// code is no whole number.
	Code int
	// CodeText is the code where it is no whole number, such as E_FULL. It is empty elsewhere.
	CodeText string
	// Message is what the server said, or what is wrong with its answer where it said nothing. It is one line of at most 300
	// bytes, valid UTF-8 without control characters.
	Message string
	// RequestID identifies the request in the service's logs. It is empty where the answer had none.
	RequestID string
	// RetryAfter is how long the service asks to wait, 0 where it does not say.
	RetryAfter time.Duration
	// Attempts is the number of times that the request was sent.
	Attempts int
	// Body is the answer as it arrived, as far as it did. It may hold what was paid for, such as an id under another name, and secrets: no
	// format prints it, nor does log/slog or encoding/json.
	Body []byte `json:"-"`

	outcomeUnknown bool
	err            error // what made a successful status a failure
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
	if e.CodeText != "" {
		b.WriteString(", code " + e.CodeText)
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
	if e.outcomeUnknown {
		b.WriteString(", " + ErrOutcomeUnknown.Error())
	}
	b.WriteByte(')')
	return b.String()
}

// Format prints the text of Error, whatever the verb, so that Body does not end up in a log by accident. A copy is printed in the same way.
func (e APIError) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), e.Error())
}

// LogValue makes the error appear in a log of log/slog as the text of Error.
func (e APIError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// Is reports whether target is the sentinel of e's kind, or is [ErrOutcomeUnknown] and the outcome is unknown.
func (e *APIError) Is(target error) bool {
	return target != nil && (target == e.kind() || e.outcomeUnknown && target == ErrOutcomeUnknown)
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

	outcomeUnknown bool
}

// unanswered makes the error of a request that got no answer. net/http wraps the reason in an error whose text repeats the URL;
// the text here does without, so that a query stays out of logs.
func (c *Client) unanswered(x *exchange, fate requestFate, err error) *callError {
	reason := err
	if wrapper, ok := errors.AsType[*url.Error](err); ok {
		reason = wrapper.Err
	}
	return &callError{operation: x.ctx.operation, text: oneLine(c.redact(reason.Error()), maxMessage), fate: fate, err: err}
}

func (e *callError) Error() string {
	var details []string
	if e.attempts > 1 {
		details = append(details, fmt.Sprintf("%d attempts", e.attempts))
	}
	if e.outcomeUnknown {
		details = append(details, ErrOutcomeUnknown.Error())
	}
	text := fmt.Sprintf("jogg: %s: %s", e.operation, e.text)
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	return text
}

// Is reports whether target is [ErrOutcomeUnknown] and the outcome is unknown.
func (e *callError) Is(target error) bool { return e.outcomeUnknown && target == ErrOutcomeUnknown }

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
