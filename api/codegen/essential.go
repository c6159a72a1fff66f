package main

import (
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// requiredKey is the contract's key for the required fields of a POST response.
const requiredKey = "x-jogg-required"

// essentials describes the required fields of a response.
type essentials struct {
	Operation string
	// Type is the Go type of the response's content.
	Type string
	// Fields holds groups of fields. One field of each group is required.
	Fields [][]essentialField
	// Items is the field that holds the items of a list. It is empty for an operation that returns no list.
	Items string
}

// essentialField is the JSON name of a field, and the Go condition on the content v that is true if the field is missing.
type essentialField struct{ Name, Missing string }

// findEssentials returns the essentials of all operations that have any.
//
// They follow from the contract. A POST response requires one of the IDs by which a GET reads the result. The response of an operation
// named list… requires its items: its only array, or the one that x-jogg-list names. The key x-jogg-required on the schema of a POST
// response overrides the first rule. That rule does not apply to a response with additionalProperties, because it is unknown which field
// holds its ID.
func findEssentials(document *openapi3.T, operations []codegen.OperationDefinition) ([]essentials, error) {
	known, err := readModels(document)
	if err != nil {
		return nil, err
	}
	var all []essentials
	for _, op := range operations {
		found := essentials{Operation: op.OperationId, Type: known.response(op)}
		switch {
		case found.Type == "":
			continue
		case op.Method == http.MethodPost:
			found.Fields, err = known.created(document, op, found.Type)
		case strings.HasPrefix(op.SpecOperationId, "list"):
			found.Items, err = known.listed(op, found.Type)
		}
		if err != nil {
			return nil, err
		}
		if found.Items != "" || len(found.Fields) > 0 {
			all = append(all, found)
		}
	}
	return all, nil
}

// created returns the required fields of a POST response.
func (m models) created(document *openapi3.T, op codegen.OperationDefinition, model string) ([][]essentialField, error) {
	schema := schemaOf(document, model)
	groups, stated, err := requiredFields(op, schema)
	if err != nil {
		return nil, err
	}
	if ids := m.idsOfGETs(document, model); !stated && len(ids) > 0 && schema.AdditionalProperties.Schema == nil {
		groups = [][]string{ids}
	}
	var all [][]essentialField
	for _, names := range groups {
		var group []essentialField
		for _, name := range names {
			field, ok := m.field(model, name)
			if !ok {
				return nil, fault("%s: %s names %q, which is not a field of the response", op.SpecOperationId, requiredKey, name)
			}
			condition := missing(field)
			if condition == "" {
				return nil, fault("%s: %s names %q, which is not a string, a number or a list", op.SpecOperationId, requiredKey, name)
			}
			group = append(group, essentialField{Name: name, Missing: condition})
		}
		all = append(all, group)
	}
	return all, nil
}

// schemaOf returns the schema of a model.
func schemaOf(document *openapi3.T, model string) *openapi3.Schema {
	for name, schema := range document.Components.Schemas {
		if codegen.SchemaNameToTypeName(name) == model {
			return schema.Value
		}
	}
	return new(openapi3.Schema)
}

// requiredFields reads the key x-jogg-required: a list whose entries are field names or lists of alternatives. stated reports whether the
// schema has the key.
func requiredFields(op codegen.OperationDefinition, schema *openapi3.Schema) (groups [][]string, stated bool, err error) {
	value, stated := schema.Extensions[requiredKey]
	if !stated {
		return nil, false, nil
	}
	wrong := fault("%s: %s must be a list of fields, or of lists of fields of which one is required", op.SpecOperationId, requiredKey)
	entries, ok := value.([]any)
	if !ok {
		return nil, true, wrong
	}
	for _, entry := range entries {
		alternatives, ok := entry.([]any)
		if !ok {
			alternatives = []any{entry}
		}
		var group []string
		for _, alternative := range alternatives {
			name, ok := alternative.(string)
			if !ok {
				return nil, true, wrong
			}
			group = append(group, name)
		}
		groups = append(groups, group)
	}
	return groups, true, nil
}

// idsOfGETs returns those fields of a model that are required ID parameters of a GET.
func (m models) idsOfGETs(document *openapi3.T, model string) []string {
	var ids []string
	for _, item := range document.Paths.Map() {
		if item.Get == nil {
			continue
		}
		for _, parameter := range slices.Concat(item.Parameters, item.Get.Parameters) {
			name := parameter.Value.Name
			field, ok := m.field(model, name)
			if ok && parameter.Value.Required && strings.HasSuffix(name, "_id") && missing(field) != "" && !slices.Contains(ids, name) {
				ids = append(ids, name)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// listed returns the field that holds the items of a list, or "" if it is ambiguous.
func (m models) listed(op codegen.OperationDefinition, model string) (string, error) {
	settings, _, err := operationKey(op, listKey, "items", "id")
	if err != nil || settings["items"] != "" {
		return settings["items"], err
	}
	var arrays []string
	for _, field := range m[model] {
		if field.Schema.ArrayType != nil {
			arrays = append(arrays, field.JsonFieldName)
		}
	}
	if len(arrays) != 1 {
		return "", nil
	}
	return arrays[0], nil
}

// missing returns the Go condition that is true if a field of the content v is missing, or "" if the field is not a string, a number or a
// list.
func missing(field codegen.Property) string {
	name := "v." + field.GoFieldName()
	switch {
	case field.Schema.ArrayType != nil:
		return "len(" + name + ") == 0"
	case isString(field):
		return name + ` == ""`
	case isInteger(field.GoTypeDef()) || field.GoTypeDef() == "float64":
		return name + " == 0"
	default:
		return ""
	}
}
