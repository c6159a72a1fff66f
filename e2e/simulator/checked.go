package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// CheckedTransport is an http.RoundTripper that holds what a client sends and what it gets against the contract, whichever server
// answers. It can be used by several goroutines at once.
type CheckedTransport struct {
	next     http.RoundTripper
	contract *contract

	mu         sync.Mutex
	operations map[string]int
	violations []Violation
	unknown    map[string]struct{}
}

// NewCheckedTransport returns a CheckedTransport that sends with next. The error says what is wrong with the contract.
func NewCheckedTransport(next http.RoundTripper) (*CheckedTransport, error) {
	contract, err := publishedContract()
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return &CheckedTransport{next: next, contract: contract, operations: map[string]int{}, unknown: map[string]struct{}{}}, nil
}

// Violations returns what did not fit the contract so far.
func (t *CheckedTransport) Violations() []Violation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.violations)
}

// Calls returns how often the operation was called.
func (t *CheckedTransport) Calls(operation string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.operations[operation]
}

// Unknown returns the fields of answers that the contract does not have, sorted, each once: the operation and the JSON Pointer, in which "*"
// stands for every index of a list. They are no violations: a service may add fields at any time, and this is where it shows.
func (t *CheckedTransport) Unknown() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.unknown))
}

// RoundTrip sends the request and checks it and its answer.
func (t *CheckedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	checked := r.Clone(r.Context())
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body, checked.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
	}
	request, err := t.contract.route(checked)
	if err != nil {
		t.record("", fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err))
		return t.next.RoundTrip(r)
	}
	operation := request.operation.id
	t.count(operation)
	if err := t.contract.checkRequest(r.Context(), request); err != nil {
		t.record(operation, fmt.Errorf("request: %w", err))
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if err := t.contract.checkResponse(r.Context(), request, response{status: resp.StatusCode, header: resp.Header, body: body}); err != nil {
		t.record(operation, fmt.Errorf("answer: %w", err))
	}
	t.noteUnknown(request.operation, body)
	return resp, nil
}

// noteUnknown notes what an answer has and the contract does not.
func (t *CheckedTransport) noteUnknown(o *operation, body []byte) {
	var value any
	answer := o.route.Operation.Responses.Status(o.success)
	if answer == nil || json.Unmarshal(body, &value) != nil {
		return
	}
	if content := answer.Value.Content.Get("application/json"); content != nil && content.Schema != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.noteUnknownMembers(openapi3.SchemaRefs{content.Schema}, value, o.id+" ")
	}
}

// noteUnknownMembers notes the members of a value that none of the schemas has, of which each may describe a part of it or be one of several forms.
// t.mu is held.
func (t *CheckedTransport) noteUnknownMembers(schemas openapi3.SchemaRefs, value any, place string) {
	for i := 0; i < len(schemas); i++ { // grows
		schemas = slices.Concat(schemas, schemas[i].Value.AllOf, schemas[i].Value.AnyOf, schemas[i].Value.OneOf)
	}
	switch value := value.(type) {
	case []any:
		var items openapi3.SchemaRefs
		for _, schema := range schemas {
			if schema.Value.Items != nil {
				items = append(items, schema.Value.Items)
			}
		}
		for _, element := range value {
			t.noteUnknownMembers(items, element, place+"/*")
		}
	case map[string]any:
		for name, member := range value {
			known, open := membersNamed(schemas, name)
			pointer := place + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			if len(known) == 0 && !open {
				t.unknown[pointer] = struct{}{}
				continue
			}
			t.noteUnknownMembers(known, member, pointer)
		}
	}
}

// membersNamed returns the schemas of a member, and whether an object may have members of any name: because it says so, or says nothing of them.
func membersNamed(schemas openapi3.SchemaRefs, name string) (known openapi3.SchemaRefs, open bool) {
	described := false
	for _, schema := range schemas {
		v := schema.Value
		described = described || len(v.Properties) > 0
		if property := v.Properties[name]; property != nil {
			known = append(known, property)
		}
		if v.AdditionalProperties.Schema != nil {
			known = append(known, v.AdditionalProperties.Schema)
		}
		open = open || v.AdditionalProperties.Has != nil && *v.AdditionalProperties.Has
	}
	return known, open || !described
}

func (t *CheckedTransport) count(operation string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.operations[operation]++
}

func (t *CheckedTransport) record(operation string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.violations = append(t.violations, Violation{Operation: operation, Time: time.Now(), Problem: err.Error()})
}
