package main

import (
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// The contract's keys for what there is to know about an operation as a whole.
const (
	billedKey      = "x-jogg-billed"
	idempotencyKey = "x-jogg-idempotency-key"
	hiddenKey      = "x-jogg-hidden"
)

// markFunctions are what the templates ask about the keys. checkMarks has found their faults before.
var markFunctions = map[string]any{
	"constantName": constantName,
	"notes":        notes,
	"billed":       func(op codegen.OperationDefinition) bool { return isBilled(op.Spec) },
	"closedBodies": closedBodies,
	"keyField":     func(op codegen.OperationDefinition) (string, error) { return keyField(op.Spec) },
	"hasTwins":     hasTwins,
	"twinRequests": twinRequests,
}

// checkMarks finds the operations whose keys are not what the top of the contract says.
func checkMarks(document *openapi3.T) error {
	for _, item := range document.Paths.Map() {
		for _, op := range item.Operations() {
			if value, ok := op.Extensions[billedKey]; ok && value != true {
				return fault("operation %s: %s can only be true", op.OperationID, billedKey)
			}
			if value, ok := op.Extensions[hiddenKey]; ok && text(value) == "" {
				return fault("operation %s: %s has to say why", op.OperationID, hiddenKey)
			}
			if _, err := keyField(op); err != nil {
				return fault("operation %s: %s: %v", op.OperationID, idempotencyKey, err)
			}
			if _, err := twinsOf(op); err != nil {
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

// keyField returns the field of a request that holds an idempotency key, as a Go expression behind the body. It is empty for an operation
// that takes none.
func keyField(op *openapi3.Operation) (string, error) {
	pointer := text(op.Extensions[idempotencyKey])
	if op.Extensions[idempotencyKey] == nil {
		return "", nil
	}
	found, err := findPlace(bodyOf(op), pointer)
	if err != nil {
		return "", err
	}
	if len(found.steps) != 1 || !isPlainText(found.schema) {
		return "", fault("%q is no text, or within a list", pointer)
	}
	return found.steps[0], nil
}

// bodyOf returns the schema of the body of a request, nil if there is none.
func bodyOf(op *openapi3.Operation) *openapi3.SchemaRef {
	if op.RequestBody == nil || op.RequestBody.Value.Content["application/json"] == nil {
		return nil
	}
	return op.RequestBody.Value.Content["application/json"].Schema
}

// notes returns what the documentation of a method says about the keys of its operation, one paragraph each.
func notes(op codegen.OperationDefinition) []string {
	var paragraphs []string
	key := op.Spec.Extensions[idempotencyKey] != nil
	switch {
	case key:
		paragraphs = append(paragraphs, "Each accepted call is billed. A body without an idempotency key is given one, random for each call and the same for "+
			"each of its attempts. As it is not documented what the service does with a key that it has seen before, a request that may have been accepted "+
			"is repeated only with [RetryPolicy.RepeatWithKey].")
	case isBilled(op.Spec):
		paragraphs = append(paragraphs, "Each accepted call is billed. It is repeated only if it was rejected before processing or never sent, so a call "+
			"whose answer was lost is left to the program.")
	}
	if body := bodyOf(op.Spec); body != nil && isClosed(body.Value) {
		paragraphs = append(paragraphs, "The service refuses a body with other fields, and files outside of its own storage: upload them before. A body in "+
			"which a required field is empty, or which names such a file, is [ErrInvalidParameter] before anything is sent.")
	}
	if why := text(op.Spec.Extensions[hiddenKey]); why != "" {
		paragraphs = append(paragraphs, "It may not be open to every account: "+strings.TrimSuffix(why, ".")+".")
	}
	return paragraphs
}
