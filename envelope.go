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

// opened turns what HTTP carried into the content of the envelope, or into an APIError.
func (c *Client) opened(next step) step {
	return func(x *exchange) error {
		x.problems = nil
		if err := next(x); err != nil {
			return err
		}
		if x.status < 200 || x.status > 299 {
			return c.refusal(x, nil)
		}
		if err := x.envelope.open(x); err != nil {
			return c.refusal(x, err)
		}
		c.logProblems(x)
		return nil
	}
}

// opener is an envelope of any content.
type opener interface {
	// open decodes the answer to a request and notes in the exchange which fields did not fit. An error means that it is no success, and why.
	open(x *exchange) error
	requestID() string
}

// envelope is the object around the content of an answer. What a success says in words is not kept.
type envelope[T any] struct {
	Code int    `json:"code"`
	RID  string `json:"rid"`
	// Success and Error come from gateways in front of the service.
	Success jsontext.Value `json:"success"`
	Error   jsontext.Value `json:"error"`
	Data    *T             `json:"data"`
}

func (e *envelope[T]) requestID() string { return e.RID }

// Why a 2xx answer is not a success.
var (
	errNoSuccess    = errors.New("the service refused the request")
	errAnswerEmpty  = errors.New("the answer is empty")
	errAnswerHTML   = errors.New("the answer is HTML, not JSON")
	errAnswerNoJSON = errors.New("the answer is not JSON")
	errAnswerCut    = fmt.Errorf("the answer is cut short: %w", io.ErrUnexpectedEOF)
	errAnswerNoCode = errors.New("the answer has no code")
	errAnswerNoData = errors.New("the answer has no data")
	errNothingFound = fmt.Errorf("%w: the answer has no data", ErrNotFound) // of an operation that looks for something
)

// noCode stands in an envelope for a code that did not arrive. The service's codes are not negative.
const noCode = math.MinInt

// open implements opener.
func (e *envelope[T]) open(x *exchange) error {
	if x.status == http.StatusNoContent && (x.request.Method == http.MethodPut || x.request.Method == http.MethodDelete) {
		*e = envelope[T]{Data: new(T)}
		return nil
	}
	body := withoutMark(x.body)
	if err := looksLikeObject(body); err != nil {
		return err
	}
	t, err := e.decode(body)
	if err != nil {
		return unfit(err)
	}
	x.problems = t.problems
	return e.judge(x, t, body)
}

// decode reads the envelope. Answers that keep to the contract take one pass. Only where one does not fit is it decoded once more, with
// tolerance, because that takes two and a half times as long.
func (e *envelope[T]) decode(body []byte) (tolerance, error) {
	*e = envelope[T]{Code: noCode}
	err := json.Unmarshal(body, e, asSent)
	if misfit := (*json.SemanticError)(nil); !errors.As(err, &misfit) {
		return tolerance{}, err
	}
	*e = envelope[T]{Code: noCode}
	var t tolerance
	err = json.Unmarshal(body, e, t.options())
	return t, err
}

// judge tells whether a decoded answer is a success, and completes one that may lack its content.
func (e *envelope[T]) judge(x *exchange, t tolerance, body []byte) error {
	switch {
	case t.lost("/code"), e.Code != noCode && e.Code != 0, isFalse(e.Success), e.Code == noCode && says(e.Error):
		return errNoSuccess
	case e.Code == noCode && (e.Data == nil || isNothing[T]()):
		return errAnswerNoCode
	case e.Data == nil || isNothing[T]():
		return e.judgeWithoutData(x, body)
	case t.lost("/data") && x.request.Method != http.MethodDelete:
		return unfitAt("/data")
	}
	if items := itemsOf(x.ctx.operation); items != "" && len(t.problems) > 0 && t.lost("/data/"+items) {
		return unfitAt("/data/" + jsontext.Pointer(items))
	}
	if fields := lacking(x.ctx.operation, e.Data); fields != nil {
		return fmt.Errorf("the answer has no %s", strings.Join(fields, " and no "))
	}
	return nil
}

// judgeWithoutData tells whether an answer without content is a success: to an operation that returns nothing, to a deletion, whose content
// is a word of confirmation, and where null stands for a list that is empty.
func (e *envelope[T]) judgeWithoutData(x *exchange, body []byte) error {
	var raw refusalBody
	_ = json.Unmarshal(body, &raw, asSent) // it was decoded before
	null := func(v jsontext.Value) bool { return v.Kind() == jsontext.KindNull }
	switch {
	case isNothing[T]() || x.request.Method == http.MethodDelete:
		if null(raw.Code) {
			return errAnswerNoCode
		}
	case strings.HasPrefix(x.ctx.operation, "Find"):
		return errNothingFound
	case itemsOf(x.ctx.operation) == "" || !null(raw.Data):
		return errAnswerNoData
	}
	e.Data = new(T)
	return nil
}

// noContent is the content of operations that return none. It passes over whatever arrives as data.
type noContent struct{}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (*noContent) UnmarshalJSONFrom(dec *jsontext.Decoder) error { return dec.SkipValue() }

func isNothing[T any]() bool {
	_, nothing := any((*T)(nil)).(*noContent)
	return nothing
}

// isFalse tells whether a value says no, in whatever form.
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

// says tells whether a value is more than an empty one.
func says(value jsontext.Value) bool {
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

// withoutMark returns a body without the byte order mark that some programs put in front of UTF-8.
func withoutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\uFEFF")) }

// looksLikeObject tells apart what is no envelope at first sight.
func looksLikeObject(body []byte) error {
	body = bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(body) == 0:
		return errAnswerEmpty
	case body[0] == '{':
		return nil
	case body[0] == '<':
		return errAnswerHTML
	default:
		return errAnswerNoJSON
	}
}

// unfit says in our words what a decoder found wrong. The decoder's own words can quote the answer, and answers about endpoints
// hold secrets.
func unfit(err error) error {
	var misfit *json.SemanticError
	switch {
	case errors.As(err, &misfit):
		return unfitAt(misfit.JSONPointer)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errAnswerCut
	default:
		return errAnswerNoJSON
	}
}

func unfitAt(pointer jsontext.Pointer) error {
	return fmt.Errorf("the answer does not fit the contract at %s", pointer)
}

// asSent accepts texts that are no valid UTF-8 and names that come twice: the service's answer stands, whatever it is spelled
// like.
var asSent = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// maxLogged is how many problems of one answer a log record names.
const maxLogged = 10

// logProblems writes a record, at warn level, of the fields that did not fit. It shows where they stand and nothing of what they hold.
func (c *Client) logProblems(x *exchange) {
	if len(x.problems) == 0 {
		return
	}
	var fields []string
	for _, problem := range x.problems[:min(len(x.problems), maxLogged)] {
		fields = append(fields, problem.Pointer)
	}
	c.logger.LogAttrs(x.request.Context(), slog.LevelWarn, "jogg: answer does not fit the contract",
		slog.String("operation", x.ctx.operation), slog.Int("problems", len(x.problems)), slog.Any("fields", fields))
}
