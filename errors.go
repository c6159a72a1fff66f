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

// The kinds of errors that programs tell apart with errors.Is. The comments name the service's codes and the HTTP statuses of each kind; if
// a response has both, the code counts.
//
// A request with a closed body, as those for the models of other providers have, is checked before it is sent. If a required field is
// empty, or a file is not in JoggAI's storage, the call fails with ErrInvalidParameter and without an [*APIError]. Nothing was sent or
// billed then.
var (
	ErrRateLimited        = errors.New("rate limit exceeded") // 429, HTTP 429
	ErrNotFound           = errors.New("not found")           // 10104, HTTP 404
	ErrInvalidAPIKey      = errors.New("invalid API key")     // 10105, HTTP 401
	ErrInsufficientCredit = errors.New("insufficient credit") // 18020, HTTP 402
	ErrNoPermission       = errors.New("no permission")       // 18025, HTTP 403
	ErrInvalidParameter   = errors.New("invalid parameter")   // 40000, HTTP 400 and 422; and see above
	ErrSystem             = errors.New("system error")        // 50000, HTTP 500 and above
)

// ErrOutcomeUnknown means that a request failed although the service may have processed and billed it. [errors.Is] finds it in the error of
// a POST, PUT, PATCH or DELETE, with or without a response, if at least one attempt ended
//   - without a response after a connection to send it on was open: the connection broke, the context ended, or a timeout expired;
//   - with a 2xx response that is unreadable, incomplete or lacks an essential field, such as a task's id;
//   - with code 50000, or HTTP 408 or 5xx without a more specific code;
//   - with a redirect by 301, 302 or 303, which is also a common response to a request that was processed.
//
// It does not hold if the service rejected the request, if no connection was opened, or if the context ended before the request was sent.
// It never holds for a GET, which changes nothing.
//
// A program that pays for what it creates checks for it before it sends the request again: if it holds, the task may exist. [APIError.Body]
// has the response.
var ErrOutcomeUnknown = errors.New("outcome unknown")

// kindOf returns the kind of error that a code or an HTTP status stands for. The numbers of the two do not overlap, except for 429, which
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

// The limits of texts from the server, in bytes.
const (
	maxMessage   = 300
	maxRequestID = 100
)

// APIError is an error response or an unusable response. That is
//   - an envelope whose code is not 0, whatever the HTTP status;
//   - an HTTP status other than 2xx, with or without an envelope;
//   - a 2xx response that is empty, cut short, longer than 32 MiB, not JSON, or lacks an essential field: the data that the operation
//     returns, a task's id, or a list's items.
//
// Any other field that does not fit the contract is not an error; see [FieldProblem].
//
// errors.Is matches an APIError with the sentinel of its kind, if it has one.
type APIError struct {
	// Operation is the operation that failed, named like its method, such as CreateAvatarVideo.
	Operation string
	// HTTPStatus is the HTTP status of the response. It is often 200.
	HTTPStatus int
	// Code is the envelope's code. It is 0 if there was no envelope, if a response with code 0 was not a success, or if the code is not an
	// integer.
	Code int
	// CodeText is the code if it is not an integer, such as E_FULL. Otherwise it is empty.
	CodeText string
	// Message is the server's message, or what is wrong with its response if there is no message. It is one line of at most 300 bytes,
	// valid UTF-8 without control characters.
	Message string
	// RequestID identifies the request in the service's logs. It is empty if the response had none.
	RequestID string
	// RetryAfter is how long the service asks to wait, or 0 if it does not say.
	RetryAfter time.Duration
	// Attempts is how many times the request was sent.
	Attempts int
	// Body is the response body as received, even if it is incomplete. It may hold what was paid for, such as an id under another name, and
	// secrets: no format prints it, and neither do log/slog and encoding/json.
	Body []byte `json:"-"`

	outcomeUnknown bool
	err            error // why a 2xx response is not a success
}

// Error returns the operation, the kind, the message and the details on one line, without those that are unknown:
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

// Format prints the text of Error for every verb, so that Body does not end up in a log by accident. A copy is printed the same way.
func (e APIError) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), e.Error())
}

// LogValue makes log/slog log the text of Error.
func (e APIError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// Is reports whether target is the sentinel of e's kind, or is [ErrOutcomeUnknown] and the outcome is unknown.
func (e *APIError) Is(target error) bool {
	return target != nil && (target == e.kind() || e.outcomeUnknown && target == ErrOutcomeUnknown)
}

// Unwrap returns why a 2xx response is not a success, such as [io.ErrUnexpectedEOF], or nil.
func (e *APIError) Unwrap() error {
	return e.err
}

func (e *APIError) kind() error {
	if kind := kindOf(e.Code); kind != nil {
		return kind
	}
	return kindOf(e.HTTPStatus)
}

// callError is the error of a request that got no response.
type callError struct {
	operation string
	text      string
	attempts  int
	fate      requestFate
	err       error

	outcomeUnknown bool
}

// unanswered returns the error of a request that got no response. net/http wraps the reason in an error whose text repeats the URL. The
// text here omits the URL, so that its query stays out of logs.
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

// minRedacted is the minimum length of a key to be redacted. Shorter keys exist in tests only, and are parts of ordinary words.
const minRedacted = 8

// redact removes the API key from a text of the server. Some services repeat the key that they reject.
func (c *Client) redact(text string) string {
	key := c.key()
	if len(key) < minRedacted {
		return text
	}
	return strings.ReplaceAll(text, key, "[API key]")
}

// oneLine returns text as one line of at most limit bytes. Runs of white space and of non-printable characters become one space.
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
