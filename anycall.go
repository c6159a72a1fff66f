package jogg

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// callMethods are the HTTP methods that [Client.Call] accepts.
var callMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// Call calls an operation that the contract does not have. It behaves like every other operation: the envelope is decoded, an error
// response is an [*APIError], and retries, pacing and the protection of the API key are the same. A POST or PATCH is retried only if it was
// rejected before processing or never sent.
//
// path begins with a slash, is appended to the base URL, and can have a query. in is the request body, encoded like those of all operations
// by version 2 of encoding/json; nil sends no body. out points to a value that is replaced by the content of the response; nil discards the
// content. A response without content is an error unless out is nil or the method is DELETE. Errors, logs and [OperationName] name the
// operation by method and path, such as GET /v2/new/thing.
func (c *Client) Call(ctx context.Context, method, path string, in, out any, opts ...CallOption) error {
	name, _, _ := strings.Cut(path, "?")
	x := c.begin(ctx, oneLine(method+" "+name, maxMessage), nil, opts)
	if out == nil {
		req, err := c.anyRequest(x.context(), method, path, in)
		_, err = finish[noContent](x, req, err)
		return err
	}
	target := reflect.ValueOf(out)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("jogg: %s: out is not a pointer to a value", x.ctx.operation)
	}
	req, err := c.anyRequest(x.context(), method, path, in)
	x.envelope = &anyEnvelope{target: target}
	return x.run(req, err, target.Type().Elem())
}

// anyRequest builds the request of an operation that the contract does not have.
func (c *Client) anyRequest(ctx context.Context, method, path string, in any) (*http.Request, error) {
	if !slices.Contains(callMethods, method) {
		return nil, fmt.Errorf("the method is not one of %s", strings.Join(callMethods, ", "))
	}
	target, err := url.Parse(c.server + path)
	switch name, _, _ := strings.Cut(path, "?"); {
	case !strings.HasPrefix(path, "/"):
		return nil, errors.New("the path does not begin with a slash")
	case err != nil || strings.Contains(path, "#"):
		return nil, errors.New("the path is not valid in a URL")
	case slices.ContainsFunc(strings.Split(name, "/"), isDots):
		return nil, errors.New("the path has a dot segment")
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), http.NoBody)
	if err != nil || in == nil {
		return req, err
	}
	body, err := encode(in)
	if err != nil {
		return nil, err
	}
	setBody(req, body)
	return req, nil
}

// isDots reports whether a path segment is a dot segment, which URL resolution would remove, also in its percent-encoded spelling.
func isDots(segment string) bool {
	plain := strings.ReplaceAll(strings.ToLower(segment), "%2e", ".")
	return plain == "." || plain == ".."
}

// anyEnvelope is the envelope of an operation that the contract does not have. Its content is decoded into a value of the caller.
type anyEnvelope struct {
	envelope[jsontext.Value]
	target reflect.Value
}

// open implements opener.
func (e *anyEnvelope) open(x *exchange) error {
	if err := e.envelope.open(x); err != nil {
		return err
	}
	content := *e.Data
	if len(content) == 0 {
		return nil
	}
	value := reflect.New(e.target.Type().Elem())
	t, err := decodeTolerantly(content, value.Interface())
	for i := range t.problems {
		t.problems[i].Pointer = "/data" + t.problems[i].Pointer
	}
	x.problems = append(x.problems, t.problems...)
	switch {
	case err != nil:
		return decodeError(err)
	case t.lost("/data"):
		return mismatch("/data")
	}
	e.target.Elem().Set(value.Elem())
	return nil
}

// decodeTolerantly decodes a JSON value like the content of every response: by the usual rules first, and with [tolerance] only if the
// value does not fit.
func decodeTolerantly(value []byte, target any) (tolerance, error) {
	err := json.Unmarshal(value, target, lenient)
	if _, ok := errors.AsType[*json.SemanticError](err); !ok {
		return tolerance{}, err
	}
	reflect.ValueOf(target).Elem().SetZero()
	var t tolerance
	err = json.Unmarshal(value, target, t.options())
	return t, err
}
