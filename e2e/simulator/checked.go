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

// CheckedTransport is an http.RoundTripper that validates the requests of a client and their responses against the contract, whichever
// server responds. It records violations and changes neither requests nor responses. It buffers bodies in memory. It is safe for concurrent
// use.
type CheckedTransport struct {
	next     http.RoundTripper
	contract *contract

	mu         sync.Mutex
	operations map[string]int
	violations []Violation
	unknown    map[string]struct{}
}

// NewCheckedTransport returns a CheckedTransport that sends requests with next. It returns an error if the contract cannot be loaded.
func NewCheckedTransport(next http.RoundTripper) (*CheckedTransport, error) {
	contract, err := publishedContract()
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return &CheckedTransport{next: next, contract: contract, operations: map[string]int{}, unknown: map[string]struct{}{}}, nil
}

// Violations returns the violations of the contract so far: by requests, by responses, and by requests for no operation of the contract.
func (t *CheckedTransport) Violations() []Violation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.violations)
}

// Calls returns the number of requests for the operation, which is an operationId.
func (t *CheckedTransport) Calls(operation string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.operations[operation]
}

// Unknown returns the response fields that are not in the contract, sorted and without duplicates. Each is the operationId, a space and a
// JSON Pointer, in which "*" stands for every index of an array. Such fields are not violations, because a service may add fields at any
// time.
func (t *CheckedTransport) Unknown() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.unknown))
}

// RoundTrip validates the request, sends it and validates the response. Its errors are those of reading a body and of the next
// RoundTripper.
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
		t.record(operation, fmt.Errorf("response: %w", err))
	}
	t.noteUnknown(request.operation, body)
	return resp, nil
}

// noteUnknown records the fields of a response body that are not in the contract.
func (t *CheckedTransport) noteUnknown(o *operation, body []byte) {
	var value any
	declared := o.route.Operation.Responses.Status(o.success)
	if declared == nil || json.Unmarshal(body, &value) != nil {
		return
	}
	if content := declared.Value.Content.Get("application/json"); content != nil && content.Schema != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.noteUnknownMembers(openapi3.SchemaRefs{content.Schema}, value, o.id+" ")
	}
}

// noteUnknownMembers records the members of a value that are in none of the schemas. A schema may describe a part of the value, or one of
// several alternatives. t.mu is held.
func (t *CheckedTransport) noteUnknownMembers(schemas openapi3.SchemaRefs, value any, place string) {
	for i := 0; i < len(schemas); i++ { // schemas grows
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

// membersNamed returns the schemas of a member, and whether the object is open: additionalProperties is true, or the schemas declare no
// properties at all.
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
