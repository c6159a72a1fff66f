package main

import (
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// The contract's keys for properties of an operation.
const (
	billedKey      = "x-jogg-billed"
	idempotencyKey = "x-jogg-idempotency-key"
	hiddenKey      = "x-jogg-hidden"
)

// markFunctions are the template functions that read the keys. checkMarks has already validated the keys.
var markFunctions = map[string]any{
	"constantName":  constantName,
	"notes":         notes,
	"billed":        func(op codegen.OperationDefinition) bool { return isBilled(op.Spec) },
	"closedBodies":  closedBodies,
	"keyField":      func(op codegen.OperationDefinition) (string, error) { return keyField(op.Spec) },
	"hasAliases":    hasAliases,
	"aliasRequests": aliasRequests,
}

// checkMarks validates the keys of all operations. The comment at the top of api/openapi.yaml describes them.
func checkMarks(document *openapi3.T) error {
	for _, item := range document.Paths.Map() {
		for _, op := range item.Operations() {
			if value, ok := op.Extensions[billedKey]; ok && value != true {
				return fault("operation %s: %s can only be true", op.OperationID, billedKey)
			}
			if value, ok := op.Extensions[hiddenKey]; ok && text(value) == "" {
				return fault("operation %s: %s must give the reason", op.OperationID, hiddenKey)
			}
			if _, err := keyField(op); err != nil {
				return fault("operation %s: %s: %v", op.OperationID, idempotencyKey, err)
			}
			if _, err := aliasesOf(op); err != nil {
				return err
			}
		}
	}
	return nil
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

func isBilled(op *openapi3.Operation) bool { return op.Extensions[billedKey] == true }

// keyField returns the request field of the idempotency key, as a Go expression relative to the body. It is empty for an operation that
// takes no key.
func keyField(op *openapi3.Operation) (string, error) {
	pointer := text(op.Extensions[idempotencyKey])
	if op.Extensions[idempotencyKey] == nil {
		return "", nil
	}
	found, err := findPlace(bodyOf(op), pointer)
	if err != nil {
		return "", err
	}
	if len(found.steps) != 1 || !isPlainString(found.schema) {
		return "", fault("%q is not a string, or is inside a list", pointer)
	}
	return found.steps[0], nil
}

// bodyOf returns the schema of the request body of an operation, or nil if it has none.
func bodyOf(op *openapi3.Operation) *openapi3.SchemaRef {
	if op.RequestBody == nil || op.RequestBody.Value.Content["application/json"] == nil {
		return nil
	}
	return op.RequestBody.Value.Content["application/json"].Schema
}

// notes returns the paragraphs of a method's doc comment about the keys of its operation.
func notes(op codegen.OperationDefinition) []string {
	var paragraphs []string
	key := op.Spec.Extensions[idempotencyKey] != nil
	switch {
	case key:
		paragraphs = append(paragraphs, "Each accepted call is billed. If the body has no idempotency key, the client generates a random one for the call "+
			"and sends it with every attempt. The service does not document what it does with a key that it has seen before, so a request that may have "+
			"been accepted is retried only with [RetryPolicy.RepeatWithKey].")
	case isBilled(op.Spec):
		paragraphs = append(paragraphs, "Each accepted call is billed. The client retries the call only if it was rejected before processing or never sent. "+
			"If the response was lost, the program decides whether to retry.")
	}
	if body := bodyOf(op.Spec); body != nil && isClosed(body.Value) {
		paragraphs = append(paragraphs, "The service rejects a body with other fields or with the URL of a file outside its own storage; upload such files "+
			"first. The call fails with [ErrInvalidParameter], and nothing is sent, if a required field is empty or the URL of a file is outside that storage.")
	}
	if why := text(op.Spec.Extensions[hiddenKey]); why != "" {
		paragraphs = append(paragraphs, "The operation may not be available to every account: "+strings.TrimSuffix(why, ".")+".")
	}
	return paragraphs
}
