package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// sameKey is the contract's key for another place in a request at which a field was published.
const sameKey = "x-jogg-same-as"

// twins are two places in a request that stand for one thing.
type twins struct {
	Field   string // of the body, in Go
	Pointer string // to the field, in JSON
	Other   string // JSON pointer to the other place, with %d in place of the index of a list
	List    string // the list that the other place is in, as a Go expression behind the body; "" if it is in none
	Inside  string // the other place, as a Go expression behind the body or behind an item of the list
}

// twinRequest is a request with places that stand for one thing.
type twinRequest struct {
	Type  string // in Go
	Twins []twins
}

// twinRequests returns the requests of the operations that have such places.
func twinRequests(operations []codegen.OperationDefinition) ([]twinRequest, error) {
	var requests []twinRequest
	for _, op := range operations {
		if !hasTwins(op) {
			continue
		}
		found, err := twinsOf(op.Spec)
		if err != nil {
			return nil, err
		}
		request := twinRequest{Type: op.Bodies[0].Schema.TypeDecl(), Twins: found}
		if !slices.ContainsFunc(requests, func(r twinRequest) bool { return r.Type == request.Type }) {
			requests = append(requests, request)
		}
	}
	return requests, nil
}

// twinsOf returns the places in the request of an operation that stand for one thing, in the order of their names.
func twinsOf(op *openapi3.Operation) ([]twins, error) {
	var all []twins
	body := bodyOf(op)
	if body == nil {
		return nil, nil
	}
	for _, name := range codegen.SortedSchemaKeys(body.Value.Properties) {
		field := body.Value.Properties[name]
		pointer, ok := sameAs(field)
		if !ok {
			continue
		}
		other, err := findPlace(body, pointer)
		switch {
		case err != nil:
			return nil, fault("operation %s: %s of %s: %v", op.OperationID, sameKey, name, err)
		case len(other.steps) > 2:
			return nil, fault("operation %s: %s of %s leads through more than one list", op.OperationID, sameKey, name)
		case !isPlainText(field) || !isPlainText(other.schema):
			return nil, fault("operation %s: %s of %s is about more than texts", op.OperationID, sameKey, name)
		}
		pair := twins{Field: fieldInGo(name, field), Pointer: "/" + name, Other: strings.ReplaceAll(pointer, "*", "%d"), Inside: other.steps[0]}
		if len(other.steps) == 2 {
			pair.List, pair.Inside = other.steps[0], other.steps[1]
		}
		all = append(all, pair)
	}
	return all, nil
}

// sameAs returns the pointer that a field has to another place.
func sameAs(field *openapi3.SchemaRef) (pointer string, ok bool) {
	value, ok := field.Extensions[sameKey]
	if !ok && field.Ref == "" {
		value, ok = field.Value.Extensions[sameKey]
	}
	return text(value), ok
}

// isPlainText tells whether the Go type of a field is string.
func isPlainText(field *openapi3.SchemaRef) bool {
	return field.Ref == "" && field.Value.Type.Is("string") && len(field.Value.Enum) == 0 && !isPointerInGo(field)
}

// hasTwins tells whether a request has places that stand for one thing.
func hasTwins(op codegen.OperationDefinition) bool {
	body := bodyOf(op.Spec)
	if body == nil {
		return false
	}
	for _, field := range body.Value.Properties {
		if _, ok := sameAs(field); ok {
			return true
		}
	}
	return false
}

// place is a field somewhere in a body.
type place struct {
	schema *openapi3.SchemaRef
	// steps are Go expressions, each behind the one before: the first behind the body, each other behind an item of a list.
	steps []string
}

// findPlace finds what a JSON pointer points to in a body. A * in it stands for each item of a list.
func findPlace(body *openapi3.SchemaRef, pointer string) (place, error) {
	found := place{schema: body, steps: []string{""}}
	names, isPointer := strings.CutPrefix(pointer, "/")
	if body == nil || !isPointer || names == "" {
		return place{}, fmt.Errorf("%q is no JSON pointer into the request", pointer)
	}
	for name := range strings.SplitSeq(names, "/") {
		schema := found.schema.Value
		if name == "*" && schema.Items != nil {
			found.schema = schema.Items
			found.steps = append(found.steps, "")
			continue
		}
		next := schema.Properties[name]
		if next == nil {
			return place{}, fmt.Errorf("%q points to nothing, because there is no %s", pointer, name)
		}
		if isPointerInGo(next) {
			return place{}, fmt.Errorf("%q leads to %s, which is a pointer in Go", pointer, name)
		}
		found.steps[len(found.steps)-1] += "." + fieldInGo(name, next)
		found.schema = next
	}
	return found, nil
}

// isPointerInGo tells whether the Go type of a field was made a pointer.
func isPointerInGo(field *openapi3.SchemaRef) bool {
	const key = "x-go-type-skip-optional-pointer"
	return field.Extensions[key] == false || field.Ref == "" && field.Value.Extensions[key] == false
}

// fieldInGo returns the name of a field in Go.
func fieldInGo(name string, field *openapi3.SchemaRef) string {
	const key = "x-go-name"
	if own := text(field.Extensions[key]); own != "" {
		return own
	}
	if own := text(field.Value.Extensions[key]); own != "" && field.Ref == "" {
		return own
	}
	return codegen.ToCamelCaseWithInitialisms(name)
}
