package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// waitKey, on an operation, overrides the rule of [waiter.of].
const waitKey = "x-jogg-wait"

// The models that the rule looks for.
const (
	statusType  = "TaskStatus"
	failureType = "TaskFailure"
)

// reasonFields are the string fields that say why a task failed. A field of type TaskFailure takes precedence, whatever its name.
var reasonFields = []string{"error", "err_msg", "error_msg", "msg", "fail_msg"}

// waitMethod is the data of waits.tmpl for one Wait method.
type waitMethod struct {
	Name, Operation, Comment string
	// IDType is the Go type of the ID. IDParam is the field of the operation's parameters that takes it, or "" if the ID is in the path.
	IDType, IDParam string
	// HasParams reports whether the operation has a parameter struct.
	HasParams bool
	// Response is the model of the response. Read is the function that reads the status and the reason of a failure from it.
	Response, Read string
}

// waiter finds the operations that have a Wait method.
type waiter struct {
	document   *openapi3.T
	models     models
	operations []codegen.OperationDefinition
}

// methods returns the Wait methods in the order of the operations.
func (w waiter) methods() ([]waitMethod, error) {
	var methods []waitMethod
	for _, op := range w.operations {
		method, ok, err := w.of(op)
		if err != nil {
			return nil, err
		}
		if ok {
			methods = append(methods, method)
		}
	}
	return methods, nil
}

// of returns the Wait method of an operation. An operation has one if it reads the status of a task by one ID. The status is the field of
// type TaskStatus in the response. The reason of a failure is a field of type TaskFailure or one of reasonFields, whichever is set first,
// including those among the fields that a response with additionalProperties keeps. x-jogg-wait disables the rule, or says where else in
// the response the status is.
func (w waiter) of(op codegen.OperationDefinition) (method waitMethod, ok bool, err error) {
	settings, off, err := operationKey(op, waitKey, "status", "items", "total")
	if err != nil || off {
		return waitMethod{}, false, err
	}
	method = waitMethod{
		Name: "Wait" + strings.TrimPrefix(op.OperationId, "Get"), Operation: op.OperationId,
		HasParams: op.RequiresParamObject(), Response: w.models.response(op),
	}
	id, hasID := oneID(op)
	if hasID && id.In == "query" {
		method.IDParam = id.GoName()
	}
	method.IDType = inGen(id.TypeDef())
	switch {
	case settings != nil && (!hasID || method.Response == ""):
		return waitMethod{}, false, fault("%s: %s is on an operation that does not read by one ID", op.SpecOperationId, waitKey)
	case !hasID || method.Response == "":
		return waitMethod{}, false, nil
	case settings["items"] != "":
		method.Read, err = w.readBatch(op, method.Response, settings)
	default:
		method.Read, err = w.readTask(op, method.Response, settings["status"])
	}
	method.Comment = w.comment(op, id, method.Name, settings["items"] != "")
	return method, method.Read != "", err
}

// oneID returns the parameter that identifies a task: the only path parameter, or else the only required query parameter.
func oneID(op codegen.OperationDefinition) (codegen.ParameterDefinition, bool) {
	required := slices.Clone(op.PathParams)
	for _, param := range op.QueryParams {
		if param.Required {
			required = append(required, param)
		}
	}
	if op.Method != http.MethodGet || len(required) != 1 {
		return codegen.ParameterDefinition{}, false
	}
	schema := required[0].Spec.Schema
	if schema == nil || len(schema.Value.Enum) > 0 {
		return codegen.ParameterDefinition{}, false
	}
	return required[0], required[0].SchemaType() == "string" || required[0].SchemaType() == "integer"
}

// readTask returns the Go function that reads the status of a task, or "" if the response has no status.
func (w waiter) readTask(op codegen.OperationDefinition, model, name string) (string, error) {
	var statuses []codegen.Property
	for _, field := range w.models[model] {
		if field.GoTypeDef() == statusType && (name == "" || field.JsonFieldName == name) {
			statuses = append(statuses, field)
		}
	}
	switch {
	case len(statuses) > 1:
		return "", fault("%s: more than one field of %s is a %s; say which one with %s: {status: …}", op.SpecOperationId, model, statusType, waitKey)
	case len(statuses) == 0 && name != "":
		return "", fault("%s: %s names the status %q, but %s has no such %s", op.SpecOperationId, waitKey, name, model, statusType)
	case len(statuses) == 0:
		return "", nil
	}
	return fmt.Sprintf("func(v *gen.%s) (gen.%s, gen.%s) {\n return v.%s, %s\n}",
		model, statusType, failureType, statuses[0].GoFieldName(), w.reason(model)), nil
}

// reason returns the Go expression for the reason of a failure.
func (w waiter) reason(model string) string {
	var reasons []string
	for _, field := range w.models[model] {
		if field.GoTypeDef() == failureType {
			reasons = append(reasons, "v."+field.GoFieldName())
		}
	}
	for _, name := range reasonFields {
		if field, ok := w.models.field(model, name); ok && isString(field) {
			reasons = append(reasons, fmt.Sprintf("gen.%s{Message: v.%s}", failureType, field.GoFieldName()))
		}
	}
	if schemaOf(w.document, model).AdditionalProperties.Schema != nil {
		reasons = append(reasons, fmt.Sprintf("reasonAmong(v.AdditionalProperties, \"%s\")", strings.Join(reasonFields, `", "`)))
	}
	switch len(reasons) {
	case 0:
		return "gen." + failureType + "{}"
	case 1:
		return reasons[0]
	default:
		return "cmp.Or(" + strings.Join(reasons, ", ") + ")"
	}
}

// readBatch returns the Go function that combines the statuses of a batch's items into one status.
func (w waiter) readBatch(op codegen.OperationDefinition, model string, settings map[string]string) (string, error) {
	field, _ := w.models.field(model, settings["items"])
	items := w.models.items(field)
	if items == "" {
		return "", fault("%s: %s names the items %q, but %s has no list of objects of that name", op.SpecOperationId, waitKey, settings["items"], model)
	}
	read, err := w.readTask(op, items, settings["status"])
	switch {
	case err != nil:
		return "", err
	case read == "":
		return "", fault("%s: %s names the items %q, but %s has no %s", op.SpecOperationId, waitKey, settings["items"], items, statusType)
	}
	total := "0"
	if path := settings["total"]; path != "" {
		if total, err = w.integer(model, path); err != nil {
			return "", fault("%s: %s names the total %q, but %v", op.SpecOperationId, waitKey, path, err)
		}
	}
	return fmt.Sprintf("func(v *gen.%s) (gen.%s, gen.%s) {\n return batchStatus(v.%s, %s, %s)\n}",
		model, statusType, failureType, field.GoFieldName(), total, read), nil
}

// integer returns the Go expression for the integer at a dotted path of field names.
func (w waiter) integer(model, path string) (string, error) {
	fields := []string{"v"}
	for name := range strings.SplitSeq(path, ".") {
		field, ok := w.models.field(model, name)
		if !ok {
			return "", fmt.Errorf("%s has no field %q", model, name)
		}
		fields = append(fields, field.GoFieldName())
		model = field.GoTypeDef()
	}
	if !isInteger(model) {
		return "", fmt.Errorf("its Go type is %s", model)
	}
	return "int(" + strings.Join(fields, ".") + ")", nil
}

// comment returns the doc comment of a Wait method.
func (w waiter) comment(op codegen.OperationDefinition, id codegen.ParameterDefinition, name string, isBatch bool) string {
	text := fmt.Sprintf("polls [Client.%s] until the task ends, and returns the last response", op.OperationId)
	if isBatch {
		text = fmt.Sprintf("polls [Client.%s] until every item of the batch has ended, and returns the last response", op.OperationId)
	}
	if response := op.Spec.Responses.Value("200"); response != nil && response.Value.Description != nil {
		if description := strings.TrimRight(*response.Value.Description, " ."); description != "" {
			text += ": " + codegen.LowercaseFirstCharacter(description)
		}
	}
	text += "."
	switch described := strings.TrimSpace(id.Spec.Description); {
	case strings.HasPrefix(described, "Identifies "):
		text += " The id identifies " + strings.TrimPrefix(described, "Identifies ")
	case described != "":
		text += " About the id: " + codegen.LowercaseFirstCharacter(described)
	}
	text += " See [WaitOption] for what all Wait methods have in common."
	if isBatch {
		text += "\n\nItems fail independently. If at least one item succeeded, the wait succeeds, and the program selects the usable items with [StateOf]." +
			" If every item failed, the error is a [*TaskError] with the status of the first item."
	}
	return codegen.StringWithTypeNameToGoComment(text, name)
}
