package main

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// waitKey stands on an operation that departs from the rule of [waiter.of].
const waitKey = "x-jogg-wait"

// statusType and failureType are the models that the rule looks for.
const (
	statusType  = "TaskStatus"
	failureType = "TaskFailure"
)

// reasonTexts are the fields that say in words why a task failed. A field that is a TaskFailure, whatever it is called, comes before them.
var reasonTexts = []string{"error", "err_msg", "error_msg", "msg", "fail_msg"}

// waitMethod is a Wait method for waits.tmpl.
type waitMethod struct {
	Name, Operation, Comment string
	// IDType is the Go type of the id. IDParam is the field of the operation's parameters that takes it, or "" if the id is in the path.
	IDType, IDParam string
	// HasParams is set where the operation has a struct of parameters.
	HasParams bool
	// Answer is the model that is waited for, and Read the function that reads a status and a reason from it.
	Answer, Read string
}

// waiter finds the operations that can be waited for.
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

// of is the rule: an operation that reads the status of a task by one id can be waited for. The status is the field of the answer that is
// a TaskStatus; the reason of a failure is in a field that is a TaskFailure or one of reasonTexts, whichever is set first, also where it is
// among the fields that an answer with additionalProperties keeps. x-jogg-wait switches the rule off, or says where else in the answer the
// status is.
func (w waiter) of(op codegen.OperationDefinition) (method waitMethod, ok bool, err error) {
	settings, off, err := operationKey(op, waitKey, "status", "items", "total")
	if err != nil || off {
		return waitMethod{}, false, err
	}
	method = waitMethod{
		Name: "Wait" + strings.TrimPrefix(op.OperationId, "Get"), Operation: op.OperationId,
		HasParams: op.RequiresParamObject(), Answer: w.models.answer(op),
	}
	id, hasID := oneID(op)
	if hasID && id.In == "query" {
		method.IDParam = id.GoName()
	}
	method.IDType = inGen(id.TypeDef())
	switch {
	case settings != nil && (!hasID || method.Answer == ""):
		return waitMethod{}, false, fault("%s: %s stands on an operation that is not read by one id", op.SpecOperationId, waitKey)
	case !hasID || method.Answer == "":
		return waitMethod{}, false, nil
	case settings["items"] != "":
		method.Read, err = w.readBatch(op, method.Answer, settings)
	default:
		method.Read, err = w.readTask(op, method.Answer, settings["status"])
	}
	method.Comment = w.comment(op, id, method.Name, settings["items"] != "")
	return method, method.Read != "", err
}

// oneID returns the parameter that identifies a task: the only one in the path, or else the only one that the query must have.
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

// readTask writes the function that reads the status of a task. It is empty if the answer has no status.
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

// reason writes the expression for the reason of a failure.
func (w waiter) reason(model string) string {
	var reasons []string
	for _, field := range w.models[model] {
		if field.GoTypeDef() == failureType {
			reasons = append(reasons, "v."+field.GoFieldName())
		}
	}
	for _, name := range reasonTexts {
		if field, ok := w.models.field(model, name); ok && isText(field) {
			reasons = append(reasons, fmt.Sprintf("gen.%s{Message: v.%s}", failureType, field.GoFieldName()))
		}
	}
	if schemaOf(w.document, model).AdditionalProperties.Schema != nil {
		reasons = append(reasons, fmt.Sprintf("reasonAmong(v.AdditionalProperties, \"%s\")", strings.Join(reasonTexts, `", "`)))
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

// readBatch writes the function that finds one status for the items of a batch.
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

// integer writes the expression for the integer at a path of names with dots between them.
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

// comment writes the documentation of a Wait method.
func (w waiter) comment(op codegen.OperationDefinition, id codegen.ParameterDefinition, name string, isBatch bool) string {
	text := fmt.Sprintf("calls [Client.%s] until the task has ended, and returns its last answer", op.OperationId)
	if isBatch {
		text = fmt.Sprintf("calls [Client.%s] until no item of the batch goes on, and returns its last answer", op.OperationId)
	}
	if response := op.Spec.Responses.Value("200"); response != nil && response.Value.Description != nil {
		if description := strings.TrimRight(*response.Value.Description, " ."); description != "" {
			text += ": " + codegen.LowercaseFirstCharacter(description)
		}
	}
	text += "."
	switch described := w.goNames(strings.TrimSpace(id.Spec.Description)); {
	case strings.HasPrefix(described, "Identifies "):
		text += " The id identifies " + strings.TrimPrefix(described, "Identifies ")
	case described != "":
		text += " About the id: " + codegen.LowercaseFirstCharacter(described)
	}
	text += " What holds for all the Wait methods stands at [WaitOption]."
	if isBatch {
		text += "\n\nThe items fail one by one. As long as one of them succeeded the wait did too, and the program picks the usable ones with [StateOf];" +
			" only a batch in which every item failed is a [*TaskError], with the status of its first item."
	}
	return codegen.StringWithTypeNameToGoComment(text, name)
}

// goNames writes the operations that a description names as Go spells them.
func (w waiter) goNames(description string) string {
	return word.ReplaceAllStringFunc(description, func(text string) string {
		for _, op := range w.operations {
			if op.SpecOperationId == text {
				return op.OperationId
			}
		}
		return text
	})
}

var word = regexp.MustCompile(`[A-Za-z]+`)
