package jogg

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
)

// Response is what HTTP carried back for a call, filled by [WithResponse].
type Response struct { //nolint:recvcheck // a copy is not to print Body either
	// HTTPStatus is the HTTP status of the answer to the last attempt, 0 if there was none.
	HTTPStatus int
	// Header is the header of that answer, nil if there was none.
	Header http.Header
	// RequestID identifies the request in the service's logs. It is empty where the answer had none.
	RequestID string
	// Attempts is the number of times that the request was sent.
	Attempts int
	// Body is the answer as it arrived, as far as it did. It may hold secrets: no format prints it, nor does log/slog or encoding/json.
	Body []byte `json:"-"`
	// Problems are the fields of the answer that did not fit the contract and have their zero value in what the call returned.
	Problems []FieldProblem

	content reflect.Type // of what the call returns, nil if that is nothing
}

// Unknown returns the fields of the answer that the contract does not have, as JSON Pointers (RFC 6901) into Body such as /data/watermark, in
// the order of the answer. A field that several items of a list have is listed once, for the first item that has it. After [Client.Call] it
// is the fields for which the caller's value has no place. The answer is searched with each call; one that is not JSON has no fields.
func (r *Response) Unknown() []string {
	return unknownFields(r.Body, r.content)
}

// Format prints status, request id, attempts and the length of the body, whatever the verb, so that Body and Header do not end up in a log
// by accident.
func (r Response) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, r.summary()) }

// LogValue makes the response appear in a log of log/slog as it is printed.
func (r Response) LogValue() slog.Value { return slog.StringValue(r.summary()) }

func (r Response) summary() string {
	return fmt.Sprintf("HTTP %d, request %q, attempts %d, %d bytes, %d problems", r.HTTPStatus, r.RequestID, r.Attempts, len(r.Body), len(r.Problems))
}

// report fills the responses that the options of a call ask for. content is the type of what the call returns.
func (x *exchange) report(content reflect.Type, err error) {
	if x.options == nil || len(x.options.responses) == 0 {
		return
	}
	response := Response{
		HTTPStatus: x.status, Header: x.header, Attempts: x.attempt, Body: x.body, Problems: x.problems, content: content,
	}
	if refused := (*APIError)(nil); errors.As(err, &refused) {
		response.RequestID = refused.RequestID
	} else if err == nil {
		response.RequestID = oneLine(x.client.redact(x.envelope.requestID()), maxRequestID)
	}
	for _, asked := range x.options.responses {
		*asked = response
	}
}
