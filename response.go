package jogg

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
)

// Response is the HTTP response of a call, filled by [WithResponse].
type Response struct { //nolint:recvcheck // a copy must not print Body either
	// HTTPStatus is the HTTP status of the response to the last attempt, or 0 if there was none.
	HTTPStatus int
	// Header is the header of that response, or nil if there was none.
	Header http.Header
	// RequestID identifies the request in the service's logs. It is empty if the response had none.
	RequestID string
	// Attempts is how many times the request was sent.
	Attempts int
	// Body is the response body as received, even if it is incomplete. It may hold secrets: no format prints it, and neither do log/slog
	// and encoding/json.
	Body []byte `json:"-"`
	// Problems are the fields of the response that did not fit the contract. They are zero in the value that the call returned.
	Problems []FieldProblem

	content reflect.Type // type of the value that the call returns, nil if it returns none
}

// Unknown returns the fields of the response that the contract does not have, as JSON Pointers (RFC 6901) into Body such as
// /data/watermark, in the order of the response. A field that several items of a list have is listed once, for the first of them. After
// [Client.Call] these are the fields that the caller's value does not have. Every call of Unknown searches Body again. A body that is not
// JSON has no fields.
func (r *Response) Unknown() []string {
	return unknownFields(r.Body, r.content)
}

// Format prints status, request id, attempts and the length of the body for every verb, so that Body and Header do not end up in a log by
// accident.
func (r Response) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, r.summary()) }

// LogValue makes log/slog log what Format prints.
func (r Response) LogValue() slog.Value { return slog.StringValue(r.summary()) }

func (r Response) summary() string {
	return fmt.Sprintf("HTTP %d, request %q, attempts %d, %d bytes, %d problems", r.HTTPStatus, r.RequestID, r.Attempts, len(r.Body), len(r.Problems))
}

// report fills the responses that the call's options ask for. content is the type of the value that the call returns.
func (x *exchange) report(content reflect.Type, err error) {
	if x.options == nil || len(x.options.responses) == 0 {
		return
	}
	response := Response{
		HTTPStatus: x.status, Header: x.header, Attempts: x.attempt, Body: x.body, Problems: x.problems, content: content,
	}
	if refused, ok := errors.AsType[*APIError](err); ok {
		response.RequestID = refused.RequestID
	} else if err == nil {
		response.RequestID = oneLine(x.client.redact(x.envelope.requestID()), maxRequestID)
	}
	for _, asked := range x.options.responses {
		*asked = response
	}
}
