package main

import (
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// requiredKey is the contract's key for the fields of a POST's answer that its caller cannot do without.
const requiredKey = "x-jogg-required"

// essentials is what the caller of an operation cannot do without in the answer.
type essentials struct {
	Operation string
	// Type is the Go type of the answer's content.
	Type string
	// Fields are needed, of each list one.
	Fields [][]essentialField
	// Items is the field that holds the items of a list, "" where the operation does not list.
	Items string
}

// essentialField is a field by its name in JSON, and what in Go is true of the content v where the field was not sent.
type essentialField struct{ Name, Missing string }

// findEssentials returns the essentials of all operations that have some.
//
// They follow from the contract: the answer to a POST needs the ids by which a GET asks for what was ordered, one of them if there are
// several; a list needs its items, the one array in the answer of an operation that is named list…, or the one that x-jogg-list names. The
// key x-jogg-required on the schema of a POST's answer comes before that rule, which leaves alone an answer that may have fields of any name:
// where it has its id is not known.
func findEssentials(document *openapi3.T, operations []codegen.OperationDefinition) ([]essentials, error) {
	known, err := readModels(document)
	if err != nil {
		return nil, err
	}
	var all []essentials
	for _, op := range operations {
		found := essentials{Operation: op.OperationId, Type: known.answer(op)}
		switch {
		case found.Type == "":
			continue
		case op.Method == http.MethodPost:
			found.Fields, err = known.ordered(document, op, found.Type)
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

// ordered returns the fields that the answer to a POST needs.
func (m models) ordered(document *openapi3.T, op codegen.OperationDefinition, model string) ([][]essentialField, error) {
	schema := schemaOf(document, model)
	groups, stated, err := requiredFields(op, schema)
	if err != nil {
		return nil, err
	}
	if ids := m.askedFor(document, model); !stated && len(ids) > 0 && schema.AdditionalProperties.Schema == nil {
		groups = [][]string{ids}
	}
	var all [][]essentialField
	for _, names := range groups {
		var group []essentialField
		for _, name := range names {
			field, ok := m.field(model, name)
			if !ok {
				return nil, fault("%s: %s names %q, which is no field of its answer", op.SpecOperationId, requiredKey, name)
			}
			condition := missing(field)
			if condition == "" {
				return nil, fault("%s: %s names %q, which is no text, number or list", op.SpecOperationId, requiredKey, name)
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

// requiredFields reads the contract's key: a list of fields, each a name or a list of alternatives.
func requiredFields(op codegen.OperationDefinition, schema *openapi3.Schema) (groups [][]string, stated bool, err error) {
	value, stated := schema.Extensions[requiredKey]
	if !stated {
		return nil, false, nil
	}
	wrong := fault("%s: %s is a list of fields, or of lists of fields of which one is needed", op.SpecOperationId, requiredKey)
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

// askedFor returns those fields of a model that are ids by which a GET asks.
func (m models) askedFor(document *openapi3.T, model string) []string {
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

// listed returns the field that holds the items of a list, "" if there is no telling.
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

// missing returns the Go condition for a field of the content v that was not sent, "" if the field is no text, number or list.
func missing(field codegen.Property) string {
	name := "v." + field.GoFieldName()
	switch {
	case field.Schema.ArrayType != nil:
		return "len(" + name + ") == 0"
	case isText(field):
		return name + ` == ""`
	case isInteger(field.GoTypeDef()) || field.GoTypeDef() == "float64":
		return name + " == 0"
	default:
		return ""
	}
}
