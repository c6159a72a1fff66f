package jogg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// opened decodes the envelope of a response, or turns the response into an APIError.
func (c *Client) opened(next step) step {
	return func(x *exchange) error {
		x.problems = nil
		if err := next(x); err != nil {
			return err
		}
		if x.status < 200 || x.status > 299 {
			return c.apiError(x, nil)
		}
		if err := x.envelope.open(x); err != nil {
			return c.apiError(x, err)
		}
		c.logProblems(x)
		return nil
	}
}

// opener is an envelope of any content.
type opener interface {
	// open decodes the response and records in the exchange which fields did not fit. An error says why the response is not a success.
	open(x *exchange) error
	requestID() string
}

// envelope is the JSON object around the content of a response. The message of a success is not kept.
type envelope[T any] struct {
	Code int    `json:"code"`
	RID  string `json:"rid"`
	// Success and Error come from gateways in front of the service.
	Success jsontext.Value `json:"success"`
	Error   jsontext.Value `json:"error"`
	Data    *T             `json:"data"`
}

func (e *envelope[T]) requestID() string { return e.RID }

// Why a 2xx response is not a success.
var (
	errNoSuccess      = errors.New("the service rejected the request")
	errResponseEmpty  = errors.New("the response is empty")
	errResponseHTML   = errors.New("the response is HTML, not JSON")
	errResponseNoJSON = errors.New("the response is not JSON")
	errResponseCut    = fmt.Errorf("the response is cut short: %w", io.ErrUnexpectedEOF)
	errResponseNoCode = errors.New("the response has no code")
	errResponseNoData = errors.New("the response has no data")
	errNothingFound   = fmt.Errorf("%w: the response has no data", ErrNotFound) // for the Find operations
)

// noCode is the Code of an envelope that has none. The service's codes are not negative.
const noCode = math.MinInt

// open implements opener.
func (e *envelope[T]) open(x *exchange) error {
	if x.status == http.StatusNoContent && (x.request.Method == http.MethodPut || x.request.Method == http.MethodDelete) {
		*e = envelope[T]{Data: new(T)}
		return nil
	}
	body := trimBOM(x.body)
	if err := looksLikeObject(body); err != nil {
		return err
	}
	t, err := e.decode(body)
	if err != nil {
		return decodeError(err)
	}
	x.problems = t.problems
	return e.check(x, t, body)
}

// decode decodes the envelope. A response that keeps to the contract takes one pass. Only one that does not fit is decoded again, with
// tolerance, because that takes two and a half times as long.
func (e *envelope[T]) decode(body []byte) (tolerance, error) {
	*e = envelope[T]{Code: noCode}
	err := json.Unmarshal(body, e, lenient)
	if _, ok := errors.AsType[*json.SemanticError](err); !ok {
		return tolerance{}, err
	}
	*e = envelope[T]{Code: noCode}
	var t tolerance
	err = json.Unmarshal(body, e, t.options())
	return t, err
}

// check reports why a decoded response is not a success, and sets Data where a success may lack it.
func (e *envelope[T]) check(x *exchange, t tolerance, body []byte) error {
	switch {
	case t.lost("/code"), e.Code != noCode && e.Code != 0, isFalse(e.Success), e.Code == noCode && isSet(e.Error):
		return errNoSuccess
	case e.Code == noCode && (e.Data == nil || isNothing[T]()):
		return errResponseNoCode
	case e.Data == nil || isNothing[T]():
		return e.checkWithoutData(x, body)
	case t.lost("/data") && x.request.Method != http.MethodDelete:
		return mismatch("/data")
	}
	if items := itemsOf(x.ctx.operation); items != "" && len(t.problems) > 0 && t.lost("/data/"+items) {
		return mismatch("/data/" + jsontext.Pointer(items))
	}
	if fields := lacking(x.ctx.operation, e.Data); fields != nil {
		return fmt.Errorf("the response has no %s", strings.Join(fields, " and no "))
	}
	return nil
}

// checkWithoutData reports why a response without content is not a success. It is a success for an operation that returns nothing, for a
// deletion, whose content is a confirmation, and for a list where null means empty.
func (e *envelope[T]) checkWithoutData(x *exchange, body []byte) error {
	var raw errorBody
	_ = json.Unmarshal(body, &raw, lenient) // cannot fail: it was decoded before
	null := func(v jsontext.Value) bool { return v.Kind() == jsontext.KindNull }
	switch {
	case isNothing[T]() || x.request.Method == http.MethodDelete:
		if null(raw.Code) {
			return errResponseNoCode
		}
	case strings.HasPrefix(x.ctx.operation, "Find"):
		return errNothingFound
	case itemsOf(x.ctx.operation) == "" || !null(raw.Data):
		return errResponseNoData
	}
	e.Data = new(T)
	return nil
}

// noContent is the content of operations that return none. It skips whatever arrives as data.
type noContent struct{}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (*noContent) UnmarshalJSONFrom(dec *jsontext.Decoder) error { return dec.SkipValue() }

func isNothing[T any]() bool {
	_, nothing := any((*T)(nil)).(*noContent)
	return nothing
}

// isFalse reports whether a value means false, in whatever form.
func isFalse(value jsontext.Value) bool {
	switch value.Kind() {
	case jsontext.KindFalse:
		return true
	case jsontext.KindString, jsontext.KindNumber:
		word := strings.ToLower(text(value))
		return word == "false" || word == "0"
	default:
		return false
	}
}

// isSet reports whether a value is more than an empty, zero or false one.
func isSet(value jsontext.Value) bool {
	switch value.Kind() {
	case jsontext.KindInvalid, jsontext.KindNull, jsontext.KindFalse:
		return false
	case jsontext.KindNumber:
		return text(value) != "0"
	case jsontext.KindTrue:
		return true
	default:
		return len(bytes.Trim(value, "\"{}[] \t\r\n")) > 0
	}
}

// trimBOM removes the byte order mark that some programs put in front of UTF-8.
func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\uFEFF")) }

// looksLikeObject returns an error for a body that is obviously not a JSON object.
func looksLikeObject(body []byte) error {
	body = bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(body) == 0:
		return errResponseEmpty
	case body[0] == '{':
		return nil
	case body[0] == '<':
		return errResponseHTML
	default:
		return errResponseNoJSON
	}
}

// decodeError describes the error of a decoder in the client's own words. The decoder's text can quote the response, and responses about
// endpoints hold secrets.
func decodeError(err error) error {
	if misfit, ok := errors.AsType[*json.SemanticError](err); ok {
		return mismatch(misfit.JSONPointer)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errResponseCut
	}
	return errResponseNoJSON
}

func mismatch(pointer jsontext.Pointer) error {
	return fmt.Errorf("the response does not fit the contract at %s", pointer)
}

// lenient accepts invalid UTF-8 and duplicate names: a response counts, however it is spelled.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// maxLogged is how many problems of one response a log record names.
const maxLogged = 10

// logProblems logs the fields that did not fit, at warn level. It shows their pointers, and nothing of their values.
func (c *Client) logProblems(x *exchange) {
	if len(x.problems) == 0 {
		return
	}
	var fields []string
	for _, problem := range x.problems[:min(len(x.problems), maxLogged)] {
		fields = append(fields, problem.Pointer)
	}
	c.logger.LogAttrs(x.request.Context(), slog.LevelWarn, "jogg: response does not fit the contract",
		slog.String("operation", x.ctx.operation), slog.Int("problems", len(x.problems)), slog.Any("fields", fields))
}
