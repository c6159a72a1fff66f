package jogg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
)

// opened turns what HTTP carried into the content of the envelope, or into an APIError.
func (c *Client) opened(next step) step {
	return func(x *exchange) error {
		if err := next(x); err != nil {
			return err
		}
		if x.status < 200 || x.status > 299 {
			return c.refusal(x, nil)
		}
		if err := x.envelope.open(x.body); err != nil {
			return c.refusal(x, err)
		}
		return nil
	}
}

// opener is an envelope of any content.
type opener interface {
	open(body []byte) error
	requestID() string
}

// envelope is the object around the content of an answer. What a success says in words is not kept.
type envelope[T any] struct {
	Code int    `json:"code"`
	RID  string `json:"rid"`
	Data *T     `json:"data"`
}

func (e *envelope[T]) requestID() string { return e.RID }

// The reasons why an answer with a successful status is none.
var (
	errNoSuccess    = errors.New("the service refused the request")
	errAnswerEmpty  = errors.New("the answer is empty")
	errAnswerHTML   = errors.New("the answer is HTML, not JSON")
	errAnswerNoJSON = errors.New("the answer is not JSON")
	errAnswerCut    = fmt.Errorf("the answer is cut short: %w", io.ErrUnexpectedEOF)
	errAnswerNoCode = errors.New("the answer has no code")
	errAnswerNoData = errors.New("the answer has no data")
)

// noCode stands in an envelope for a code that did not arrive. The service's codes are not negative.
const noCode = math.MinInt

// open decodes the answer to a request. An error means that it is not a success, and why.
//
// Answers that keep to the contract are decoded as they are, in one pass. Only where one does not fit is it decoded once more by
// rules that bend, because those take two and a half times as long, for all answers alike.
func (e *envelope[T]) open(body []byte) error {
	if err := looksLikeObject(body); err != nil {
		return err
	}
	*e = envelope[T]{Code: noCode}
	err := json.Unmarshal(body, e, asSent)
	if misfit := (*json.SemanticError)(nil); errors.As(err, &misfit) {
		*e = envelope[T]{Code: noCode}
		err = json.Unmarshal(body, e, asSent, bending)
	}
	switch {
	case err != nil:
		return unfit(err)
	case e.Code == noCode && e.Data == nil:
		return errAnswerNoCode
	case e.Code != 0 && e.Code != noCode:
		return errNoSuccess
	case e.Data == nil && !mayLackData[T]():
		return errAnswerNoData
	case e.Data == nil:
		e.Data = new(T)
	}
	return nil
}

// noContent is the content of operations that return none. It passes over whatever arrives as data.
type noContent struct{}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (*noContent) UnmarshalJSONFrom(dec *jsontext.Decoder) error { return dec.SkipValue() }

// mayLackData tells whether a success without data is one. Of the operations that return something, only the deletion of an
// endpoint can do without: its content is a word of confirmation.
func mayLackData[T any]() bool {
	switch any((*T)(nil)).(type) {
	case *noContent, *gen.WebhookEndpointDeletion:
		return true
	default:
		return false
	}
}

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
		return fmt.Errorf("the answer does not fit the contract at %s", misfit.JSONPointer)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errAnswerCut
	default:
		return errAnswerNoJSON
	}
}

// asSent accepts texts that are no valid UTF-8 and names that come twice: the service's answer stands, whatever it is spelled
// like.
var asSent = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// bending accepts what the service has been seen to send in place of what it documents.
var bending = json.WithUnmarshalers(json.UnmarshalFromFunc(bend))

// bend decodes the next value into target, a pointer, where the kinds of the two differ in a way that is understood: a number or
// a truth value for a text, a text for a number, a text for the reason of a failure, one text for a list of them. All else is
// left to the usual rules.
func bend(dec *jsontext.Decoder, target any) error {
	kind := dec.PeekKind()
	field := reflect.ValueOf(target).Elem()
	isText, isNumber := kind == jsontext.KindString, kind == jsontext.KindNumber
	isTruth := kind == jsontext.KindTrue || kind == jsontext.KindFalse
	switch {
	case isText && field.Type() == reflect.TypeFor[gen.TaskFailure]():
		return withText(dec, func(s string) error { field.Set(reflect.ValueOf(gen.TaskFailure{Message: s})); return nil })
	case isText && field.Type() == reflect.TypeFor[[]string]():
		return withText(dec, func(s string) error { field.Set(reflect.ValueOf([]string{s})); return nil })
	case (isNumber || isTruth) && field.Kind() == reflect.String:
		return withText(dec, func(s string) error { field.SetString(s); return nil })
	case (isNumber || isText) && field.CanInt():
		return withText(dec, func(s string) error {
			n, err := parseInteger(strings.TrimSpace(s))
			field.SetInt(n)
			return err
		})
	case isText && field.CanFloat():
		return withText(dec, func(s string) error {
			f, err := parseFloat(strings.TrimSpace(s))
			field.SetFloat(f)
			return err
		})
	default:
		return errors.ErrUnsupported
	}
}

// withText reads a string, a number or a truth value and hands it on as a text.
func withText(dec *jsontext.Decoder, set func(string) error) error {
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	return set(token.String())
}

var errNotANumber = errors.New("not a number of this kind")

// parseInteger reads a whole number in any spelling. An empty text stands for none.
func parseInteger(number string) (int64, error) {
	if number == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return n, nil
	}
	f, err := parseFloat(number)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 { // beyond 2⁵³ a float64 skips whole numbers
		return 0, errNotANumber
	}
	return int64(f), nil
}

// parseFloat reads a finite number. An empty text stands for none.
func parseFloat(number string) (float64, error) {
	if number == "" {
		return 0, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, errNotANumber
	}
	return f, nil
}

// refusalBody is an envelope, or what others send in its place, with every member in whatever form it came.
type refusalBody struct {
	Code       jsontext.Value `json:"code"`
	Msg        jsontext.Value `json:"msg"`
	Message    jsontext.Value `json:"message"` // from gateways in front of the service
	Error      jsontext.Value `json:"error"`   // likewise
	RID        jsontext.Value `json:"rid"`
	RetryAfter jsontext.Value `json:"retryAfter"`
	Data       jsontext.Value `json:"data"`
}

// refusal makes the one error out of an answer that is no success. cause is what makes a successful status a failure, nil where
// the status is a failure by itself.
func (c *Client) refusal(x *exchange, cause error) *APIError {
	var body refusalBody
	object := looksLikeObject(x.body) == nil && json.Unmarshal(x.body, &body, asSent) == nil
	e := &APIError{Operation: x.operation, HTTPStatus: x.status}
	if object {
		code, err := parseInteger(text(body.Code))
		if e.Code = int(code); err != nil {
			cause = errNoSuccess // a code in words is no success, and says more than that it does not fit
		}
		e.RequestID = oneLine(c.redact(text(body.RID)), maxRequestID)
		e.Message = firstText(body.Msg, body.Message, body.Error)
	}
	if e.Code == 0 && !errors.Is(cause, errNoSuccess) {
		e.err = cause
	}
	e.RetryAfter = retryAfter(x.header, body, c.clock.Now())
	e.Message = oneLine(c.redact(e.inWords(x, e.Message)), maxMessage)
	return e
}

// inWords returns the message of e: the server's own unless it is the message of a success, else the cause, else what the status
// means.
func (e *APIError) inWords(x *exchange, message string) string {
	success := x.status >= 200 && x.status <= 299
	switch {
	case e.err != nil:
		return e.err.Error()
	case message != "":
		return message
	case success:
		return ""
	case isPlainText(x):
		return string(x.body)
	}
	if errors.Is(looksLikeObject(x.body), errAnswerHTML) {
		return errAnswerHTML.Error()
	}
	return http.StatusText(x.status)
}

// isPlainText tells whether a body is meant to be read as it is.
func isPlainText(x *exchange) bool {
	return errors.Is(looksLikeObject(x.body), errAnswerNoJSON) && !bytes.ContainsAny(x.body[:1], `["`) &&
		!strings.Contains(x.header.Get("Content-Type"), "html")
}

// firstText returns the first of the values that is a text and not empty.
func firstText(values ...jsontext.Value) string {
	for _, value := range values {
		if value.Kind() == jsontext.KindString && len(value) > len(`""`) {
			return text(value)
		}
	}
	return ""
}

// text returns a JSON string without its quotes, a number as it is written, and nothing for all else.
func text(value jsontext.Value) string {
	switch value.Kind() {
	case jsontext.KindString:
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil && len(unquoted) == 0 {
			return ""
		}
		return strings.TrimSpace(string(unquoted))
	case jsontext.KindNumber:
		return string(value)
	default:
		return ""
	}
}
