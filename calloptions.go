package jogg

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// CallOption changes a single call of an operation: what it sends beyond the contract, how it is retried, and what is reported about the
// response. It is a function, so printing one shows an address and no value. A CallOption can be used for any number of calls. An invalid
// option makes the call fail before anything is sent.
//
// Every operation takes options as its last arguments, as do the iterators, which apply them to the request of each page. A Wait method
// takes them through [WithCall].
type CallOption func(*callOptions) error

// callOptions are the options of one call.
type callOptions struct {
	fields    []bodyField
	query     url.Values
	header    http.Header
	retry     *RetryPolicy
	responses []*Response
}

// bodyField is a field of the body that an option sets.
type bodyField struct {
	at    jsontext.Pointer
	value jsontext.Value
}

// WithField sets a field of the request body that the contract does not have. pointer is a JSON Pointer (RFC 6901) to the field, such as
// /script/override_script. Missing objects on the path are created. In a list, a number is the index of an existing item, and - appends an
// item. value is encoded like all request bodies, by version 2 of encoding/json.
//
// Some bodies are closed: the service rejects fields in them that it does not know. WithField sends the field all the same, because the
// service may add it at any time. URLs in value are not checked.
//
// A value that the body already has at pointer is replaced, so a program that sets a field this way keeps working when the contract gains
// the field. A debug log record then says that the field is in the contract.
func WithField(pointer string, value any) CallOption {
	encoded, err := encode(value)
	return func(o *callOptions) error {
		at := jsontext.Pointer(pointer)
		switch {
		case pointer == "" || !at.IsValid():
			return fmt.Errorf("WithField: %q is not a JSON pointer to a field", pointer)
		case err != nil:
			return fmt.Errorf("WithField: %s: the value cannot be written as JSON: %w", pointer, err)
		}
		o.fields = append(o.fields, bodyField{at, encoded})
		return nil
	}
}

// WithQuery sets a query parameter. It replaces a parameter of the same name that the call would send. If it is given more than once for a
// name, all values are sent.
func WithQuery(name, value string) CallOption {
	return func(o *callOptions) error {
		if name == "" {
			return errors.New("WithQuery: the name is empty")
		}
		if o.query == nil {
			o.query = make(url.Values)
		}
		o.query.Add(name, value)
		return nil
	}
}

// reservedHeaders are set by the client or by net/http, and cannot be set by options.
var reservedHeaders = []string{"X-Api-Key", "Host", "Content-Length", "Transfer-Encoding", "Trailer"}

// WithHeader sets a request header. It replaces a header of the same name that the call would send, such as User-Agent. If it is given more
// than once for a name, all values are sent. The API key header, Host, and the headers that net/http derives from the body cannot be set.
func WithHeader(name, value string) CallOption {
	return func(o *callOptions) error {
		key := http.CanonicalHeaderKey(name)
		switch {
		case !isToken(name):
			return fmt.Errorf("WithHeader: %q is not the name of a header", name)
		case slices.Contains(reservedHeaders, key):
			return fmt.Errorf("WithHeader: %s cannot be set", key)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return fmt.Errorf("WithHeader: the value of %s has a control character", key) // without the value, which may be a secret
		}
		if o.header == nil {
			o.header = make(http.Header)
		}
		o.header.Add(key, value)
		return nil
	}
}

// isToken reports whether text is a token of RFC 9110, as header names are.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// WithCallRetry replaces the policy of [WithRetry] for one call. RetryPolicy{Attempts: 1} turns retries off.
func WithCallRetry(policy RetryPolicy) CallOption {
	return func(o *callOptions) error {
		if policy.isNegative() {
			return errors.New("WithCallRetry: a field of the policy is negative")
		}
		policy := policy.withDefaults()
		o.retry = &policy
		return nil
	}
}

// WithResponse fills response with the HTTP response of the call, whether the call succeeds or fails. Every further call with the same
// option fills it again, so concurrent calls need a Response each.
func WithResponse(response *Response) CallOption {
	return func(o *callOptions) error {
		if response == nil {
			return errors.New("WithResponse: the response is nil")
		}
		o.responses = append(o.responses, response)
		return nil
	}
}

// applyTo applies the options to a request, except for headers, which [Client.identified] sets last.
func (o *callOptions) applyTo(x *exchange) error {
	if len(o.query) > 0 {
		query := x.request.URL.Query()
		maps.Copy(query, o.query)
		x.request.URL.RawQuery = query.Encode()
	}
	return o.setFields(x)
}

// setFields sets the fields of the options in the body.
func (o *callOptions) setFields(x *exchange) error {
	if len(o.fields) == 0 {
		return nil
	}
	if x.request.Method == http.MethodGet {
		return errors.New("WithField: a GET has no body")
	}
	body, err := bodyOf(x.request)
	if err != nil {
		return err
	}
	for _, field := range o.fields {
		if body, err = setAt(body, "", slices.Collect(field.at.Tokens()), field.value); err != nil {
			return fmt.Errorf("WithField: %s: %w", field.at, err)
		}
		x.logTyped(field.at)
	}
	setBody(x.request, body)
	return nil
}

// logTyped logs that an option sets a field which the contract has, if it does.
func (x *exchange) logTyped(at jsontext.Pointer) {
	if x.model == nil || !hasField(reflect.TypeOf(x.model).Elem(), slices.Collect(at.Tokens())) {
		return
	}
	x.client.logger.LogAttrs(x.request.Context(), slog.LevelDebug, "jogg: WithField sets a field that the contract has",
		slog.String("operation", x.ctx.operation), slog.String("field", string(at)), slog.String("type", reflect.TypeOf(x.model).Elem().String()))
}
