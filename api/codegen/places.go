package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// sameKey is the contract's key for another place in a request where a field was published.
const sameKey = "x-jogg-same-as"

// alias is a pair of places in a request that hold the same value.
type alias struct {
	Field   string // Go field of the body
	Pointer string // JSON pointer to the field
	Other   string // JSON pointer to the other place, with %d for the index in a list
	List    string // list that contains the other place, as a Go expression relative to the body; "" if there is none
	Inside  string // the other place, as a Go expression relative to the body or to an item of the list
}

// aliasRequest is a request with places that hold the same value.
type aliasRequest struct {
	Type    string // Go type
	Aliases []alias
}

// aliasRequests returns the requests that have such places.
func aliasRequests(operations []codegen.OperationDefinition) ([]aliasRequest, error) {
	var requests []aliasRequest
	for _, op := range operations {
		if !hasAliases(op) {
			continue
		}
		found, err := aliasesOf(op.Spec)
		if err != nil {
			return nil, err
		}
		request := aliasRequest{Type: op.Bodies[0].Schema.TypeDecl(), Aliases: found}
		if !slices.ContainsFunc(requests, func(r aliasRequest) bool { return r.Type == request.Type }) {
			requests = append(requests, request)
		}
	}
	return requests, nil
}

// aliasesOf returns the pairs of places in a request that hold the same value, sorted by field name.
func aliasesOf(op *openapi3.Operation) ([]alias, error) {
	var all []alias
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
		case !isPlainString(field) || !isPlainString(other.schema):
			return nil, fault("operation %s: %s of %s does not connect two strings", op.OperationID, sameKey, name)
		}
		pair := alias{Field: fieldInGo(name, field), Pointer: "/" + name, Other: strings.ReplaceAll(pointer, "*", "%d"), Inside: other.steps[0]}
		if len(other.steps) == 2 {
			pair.List, pair.Inside = other.steps[0], other.steps[1]
		}
		all = append(all, pair)
	}
	return all, nil
}

// sameAs returns the pointer from a field to the other place.
func sameAs(field *openapi3.SchemaRef) (pointer string, ok bool) {
	value, ok := field.Extensions[sameKey]
	if !ok && field.Ref == "" {
		value, ok = field.Value.Extensions[sameKey]
	}
	return text(value), ok
}

// isPlainString reports whether the Go type of a field is string.
func isPlainString(field *openapi3.SchemaRef) bool {
	return field.Ref == "" && field.Value.Type.Is("string") && len(field.Value.Enum) == 0 && !isPointerInGo(field)
}

// hasAliases reports whether a request has places that hold the same value.
func hasAliases(op codegen.OperationDefinition) bool {
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

// place is a field of a body, at any depth.
type place struct {
	schema *openapi3.SchemaRef
	// steps are Go expressions. The first is relative to the body, and each other one to an item of the list that the one before ends at.
	steps []string
}

// findPlace returns the place in a body that a JSON pointer refers to. A * in the pointer stands for each item of a list.
func findPlace(body *openapi3.SchemaRef, pointer string) (place, error) {
	found := place{schema: body, steps: []string{""}}
	names, isPointer := strings.CutPrefix(pointer, "/")
	if body == nil || !isPointer || names == "" {
		return place{}, fmt.Errorf("%q is not a JSON pointer into the request", pointer)
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
			return place{}, fmt.Errorf("%q does not exist, because there is no %s", pointer, name)
		}
		if isPointerInGo(next) {
			return place{}, fmt.Errorf("%q leads to %s, which is a pointer in Go", pointer, name)
		}
		found.steps[len(found.steps)-1] += "." + fieldInGo(name, next)
		found.schema = next
	}
	return found, nil
}

// isPointerInGo reports whether the Go type of a field is a pointer.
func isPointerInGo(field *openapi3.SchemaRef) bool {
	const key = "x-go-type-skip-optional-pointer"
	return field.Extensions[key] == false || field.Ref == "" && field.Value.Extensions[key] == false
}

// fieldInGo returns the Go name of a field.
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
