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

// callMethods are the methods that [Client.Call] sends.
var callMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// Call calls an operation that the contract does not have. The request goes the way of every other: the envelope is opened, what the
// service refuses is an [*APIError], and repetition, pacing and the care for the API key are the same. A POST or PATCH is sent again only
// if it was rejected before processing or never sent.
//
// The path begins with a slash, follows that of the base URL, and can have a query. in is the request body, encoded as those of all
// operations are, by version 2 of encoding/json; nil sends none. out points to what takes the content of the answer, and what it points to
// is replaced; nil passes over the content. An answer without content is an error unless out is nil or the method is DELETE. Errors, logs and
// [OperationName] call the operation by method and path, such as GET /v2/new/thing.
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
		return fmt.Errorf("jogg: %s: out is no pointer that leads to a value", x.ctx.operation)
	}
	req, err := c.anyRequest(x.context(), method, path, in)
	x.envelope = &anyEnvelope{target: target}
	return x.run(req, err, target.Type().Elem())
}

// anyRequest builds the request of an operation that the contract does not have.
func (c *Client) anyRequest(ctx context.Context, method, path string, in any) (*http.Request, error) {
	if !slices.Contains(callMethods, method) {
		return nil, fmt.Errorf("the method is none of %s", strings.Join(callMethods, ", "))
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

// isDots reports whether a segment of a path is one of those that a URL resolves, also in an escaped spelling.
func isDots(segment string) bool {
	plain := strings.ReplaceAll(strings.ToLower(segment), "%2e", ".")
	return plain == "." || plain == ".."
}

// anyEnvelope is the envelope of an operation that the contract does not have. Its content goes into a value of the caller's.
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
		return unfit(err)
	case t.lost("/data"):
		return unfitAt("/data")
	}
	e.target.Elem().Set(value.Elem())
	return nil
}

// decodeTolerantly reads a JSON value as the content of every answer is read: as it was sent, and only where it does not fit with tolerance.
func decodeTolerantly(value []byte, target any) (tolerance, error) {
	err := json.Unmarshal(value, target, asSent)
	if misfit := (*json.SemanticError)(nil); !errors.As(err, &misfit) {
		return tolerance{}, err
	}
	reflect.ValueOf(target).Elem().SetZero()
	var t tolerance
	err = json.Unmarshal(value, target, t.options())
	return t, err
}
