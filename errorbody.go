package jogg

import (
	"bytes"
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// errorBody is an error envelope, or what others send in its place, with every member in whatever form it came.
type errorBody struct {
	Code       jsontext.Value `json:"code"`
	Msg        jsontext.Value `json:"msg"`
	RID        jsontext.Value `json:"rid"`
	RetryAfter jsontext.Value `json:"retryAfter"`
	Data       jsontext.Value `json:"data"`

	// From gateways and frameworks in front of the service.
	Message jsontext.Value `json:"message"`
	Error   jsontext.Value `json:"error"`
	Detail  jsontext.Value `json:"detail"`
	Errors  jsontext.Value `json:"errors"`
	Title   jsontext.Value `json:"title"`
}

// apiError returns the error for a response that is not a success. cause says why a 2xx response is not one; it is nil for other statuses.
func (c *Client) apiError(x *exchange, cause error) *APIError {
	var body errorBody
	content := trimBOM(x.body)
	object := looksLikeObject(content) == nil && json.Unmarshal(content, &body, lenient) == nil
	e := &APIError{Operation: x.ctx.operation, HTTPStatus: x.status, Body: x.body}
	if object {
		e.Code, e.CodeText = body.codes()
		e.CodeText = oneLine(c.redact(e.CodeText), maxRequestID)
		e.RequestID = oneLine(c.redact(text(body.RID)), maxRequestID)
		e.Message = body.message()
	}
	if e.Code == 0 && !errors.Is(cause, errNoSuccess) {
		e.err = cause
	}
	e.RetryAfter = retryAfter(x.header, body, c.clock.Now())
	e.Message = oneLine(c.redact(e.describe(x, e.Message)), maxMessage)
	e.outcomeUnknown = x.changes() && e.mayBeProcessed()
	return e
}

// codes returns the code as a number and, if it is not an integer, as text. If the envelope has no code, that of the error object counts.
func (body *errorBody) codes() (number int, word string) {
	var reason struct {
		Code jsontext.Value `json:"code"`
		Type jsontext.Value `json:"type"`
	}
	if body.Error.Kind() == jsontext.KindBeginObject {
		_ = json.Unmarshal(body.Error, &reason, lenient) // cannot fail for an object
	}
	for _, code := range []jsontext.Value{body.Code, reason.Code, reason.Type} {
		written := text(code)
		n, err := parseInteger(written)
		switch {
		case err != nil:
			word = cmp.Or(word, written)
		case number == 0:
			number = int(n)
		}
	}
	if short := text(body.Error); word == "" && short != "" && !strings.ContainsAny(short, " \t\n") && firstOf(body.Msg, body.Message, body.Detail) != "" {
		word = short // a code in words, beside the sentence that explains it
	}
	return number, word
}

// message returns the message of an error response.
func (body *errorBody) message() string {
	return firstOf(body.Msg, body.Message, body.Error, body.Detail, body.Errors, body.Title)
}

// mayBeProcessed reports whether the service may have processed the request although e was its response.
func (e *APIError) mayBeProcessed() bool {
	if e.HTTPStatus == http.StatusTooManyRequests {
		return false // the rate limit is checked before the request is processed
	}
	if kind := kindOf(e.Code); kind != nil {
		return errors.Is(kind, ErrSystem)
	}
	switch e.HTTPStatus {
	case http.StatusRequestTimeout:
		return true
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		return true // also a common response to a form that was processed
	}
	return e.HTTPStatus >= 500 || e.err != nil
}

// describe returns the message of e: the server's own unless it is the message of a success, else the cause, else the meaning of the
// status.
func (e *APIError) describe(x *exchange, message string) string {
	success := x.status >= 200 && x.status <= 299
	switch {
	case errors.Is(e.err, errResponseNoCode) && message != "":
		return e.err.Error() + ": " + message
	case e.err != nil:
		return e.err.Error()
	case message != "":
		return message
	case success:
		return ""
	case isPlainText(x):
		return string(trimBOM(x.body))
	}
	if errors.Is(looksLikeObject(trimBOM(x.body)), errResponseHTML) {
		return errResponseHTML.Error()
	}
	return http.StatusText(x.status)
}

// isPlainText reports whether a body is text to be read as it is.
func isPlainText(x *exchange) bool {
	body := trimBOM(x.body)
	return errors.Is(looksLikeObject(body), errResponseNoJSON) && !bytes.ContainsAny(body[:1], `["`) &&
		!strings.Contains(x.header.Get("Content-Type"), "html")
}

// firstOf returns the text of the first value that has any. Numbers have none.
func firstOf(values ...jsontext.Value) string {
	for _, value := range values {
		if value.Kind() == jsontext.KindNumber {
			continue
		}
		if found := words(value); found != "" {
			return found
		}
	}
	return ""
}

// words returns the text for people in a value of any form: a string as it is, the explanation in an object, and the texts of the first
// elements of an array.
func words(value jsontext.Value) string { return wordsWithin(value, 0) }

// The bounds of the search for a text.
const (
	maxDepth    = 4
	maxElements = 10
)

func wordsWithin(value jsontext.Value, depth int) string {
	switch {
	case depth > maxDepth:
		return ""
	case value.Kind() == jsontext.KindBeginObject:
		var parts struct {
			Message     jsontext.Value `json:"message"`
			Msg         jsontext.Value `json:"msg"`
			ErrMsg      jsontext.Value `json:"err_msg"`
			Detail      jsontext.Value `json:"detail"`
			Description jsontext.Value `json:"description"`
			Reason      jsontext.Value `json:"reason"`
			Error       jsontext.Value `json:"error"`
			Errors      jsontext.Value `json:"errors"`
			Title       jsontext.Value `json:"title"`
		}
		_ = json.Unmarshal(value, &parts, lenient) // cannot fail for an object
		for _, part := range []jsontext.Value{
			parts.Message, parts.Msg, parts.ErrMsg, parts.Detail, parts.Description, parts.Reason, parts.Error, parts.Errors, parts.Title,
		} {
			if found := wordsWithin(part, depth+1); found != "" {
				return found
			}
		}
		return ""
	case value.Kind() == jsontext.KindBeginArray:
		var elements []jsontext.Value
		_ = json.Unmarshal(value, &elements, lenient) // cannot fail for an array
		var found []string
		for _, element := range elements[:min(len(elements), maxElements)] {
			if said := wordsWithin(element, depth+1); said != "" {
				found = append(found, said)
			}
		}
		return strings.Join(found, "; ")
	default:
		return text(value)
	}
}

// text returns a JSON string without quotes and surrounding space, a number as it is written, and "" for everything else.
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
