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

// CallOption changes a single call of an operation: what it sends beside what the contract knows, how it is repeated, and what is reported
// of its answer. It is a function, so printing one shows an address and no value. A value can be used for any number of calls. An option
// that is not valid makes the call fail before anything is sent.
//
// Every operation takes options last, as do the iterators, for the request of each page. A Wait method takes them by [WithCall].
type CallOption func(*callOptions) error

// callOptions are the options of one call.
type callOptions struct {
	fields    []bodyField
	query     url.Values
	header    http.Header
	retry     *RetryPolicy
	responses []*Response
}

// bodyField is a field that an option puts into the body.
type bodyField struct {
	at    jsontext.Pointer
	value jsontext.Value
}

// WithField sets a field of the request body that the contract does not have. pointer is a JSON Pointer (RFC 6901) to it, such as
// /script/override_script. Objects on the way that are not there are made; in a list, a number stands for the item of that index, which has
// to be there, and - for one to be added. value is encoded as the bodies of all operations are, by version 2 of encoding/json.
//
// Some bodies are closed: the service refuses fields in them that it does not know. As it may learn to know one any day, WithField sends it
// all the same, and the URLs in it are not checked.
//
// A value that the body has there already is replaced, so a program that sets a field in this way works on when the contract learns about
// it. A record at debug level then says that the field is in the contract.
func WithField(pointer string, value any) CallOption {
	encoded, err := encode(value)
	return func(o *callOptions) error {
		at := jsontext.Pointer(pointer)
		switch {
		case pointer == "" || !at.IsValid():
			return fmt.Errorf("WithField: %q is no JSON pointer to a field", pointer)
		case err != nil:
			return fmt.Errorf("WithField: %s: the value cannot be written as JSON: %w", pointer, err)
		}
		o.fields = append(o.fields, bodyField{at, encoded})
		return nil
	}
}

// WithQuery sets a query parameter. It replaces one of the same name that the call sends anyway. Given more than once for a name, all the
// values are sent.
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

// ownHeaders are set by the client or by net/http, whatever an option says.
var ownHeaders = []string{"X-Api-Key", "Host", "Content-Length", "Transfer-Encoding", "Trailer"}

// WithHeader sets a header of the request. It replaces one of the same name that the call sends anyway, such as the User-Agent. Given more
// than once for a name, all the values are sent. The header of the API key, the host, and what net/http derives from the body cannot be set.
func WithHeader(name, value string) CallOption {
	return func(o *callOptions) error {
		key := http.CanonicalHeaderKey(name)
		switch {
		case !isToken(name):
			return fmt.Errorf("WithHeader: %q is no name of a header", name)
		case slices.Contains(ownHeaders, key):
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

// isToken reports whether text is a token of RFC 9110, which names of headers are.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// WithCallRetry replaces the policy of [WithRetry] for one call. RetryPolicy{Attempts: 1} turns repetition off.
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

// WithResponse fills response with what HTTP carried back. It is filled whether the call succeeds or fails, and by each call anew that the
// option is given to: calls at the same time need a Response each.
func WithResponse(response *Response) CallOption {
	return func(o *callOptions) error {
		if response == nil {
			return errors.New("WithResponse: the response is nil")
		}
		o.responses = append(o.responses, response)
		return nil
	}
}

// applyTo changes a request, apart from its headers, which [Client.identified] sets last.
func (o *callOptions) applyTo(x *exchange) error {
	if len(o.query) > 0 {
		query := x.request.URL.Query()
		maps.Copy(query, o.query)
		x.request.URL.RawQuery = query.Encode()
	}
	return o.setFields(x)
}

// setFields writes the fields of the options into the body.
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
		x.noteTyped(field.at)
	}
	setBody(x.request, body)
	return nil
}

// noteTyped writes a record if the contract has a field that an option sets.
func (x *exchange) noteTyped(at jsontext.Pointer) {
	if x.model == nil || !hasField(reflect.TypeOf(x.model).Elem(), slices.Collect(at.Tokens())) {
		return
	}
	x.client.logger.LogAttrs(x.request.Context(), slog.LevelDebug, "jogg: WithField sets a field that the contract has",
		slog.String("operation", x.ctx.operation), slog.String("field", string(at)), slog.String("type", reflect.TypeOf(x.model).Elem().String()))
}
