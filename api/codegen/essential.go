package main

import (
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// essentialKey is the contract's key for the fields of a POST's answer that its caller cannot do without.
const essentialKey = "x-jogg-required"

// essentials is what the caller of an operation cannot do without in the answer.
type essentials struct {
	// Type is the Go type of the answer's content.
	Type string
	// Fields are needed, each of them or one of its alternatives.
	Fields [][]essentialField
	// Items is the field that holds the items of a list, "" where the operation does not list.
	Items string
}

// essentialField is a field by its name in JSON, and what in Go is true of the content v where the field was not sent.
type essentialField struct{ Name, Missing string }

// essential returns the function by which templates ask for the essentials of an operation. It returns nil for one that has none.
//
// They follow from the contract: the answer to a POST needs the ids by which a GET asks for what was ordered, one of them if there are
// several; a list needs its items, the one array of an operation that is named list…. The key x-jogg-required on the schema of a POST's
// answer comes before that rule.
func essential(document *openapi3.T) func(codegen.OperationDefinition) (*essentials, error) {
	return func(op codegen.OperationDefinition) (*essentials, error) {
		content := contentOf(op.Spec)
		if content == nil {
			return nil, nil
		}
		found := essentials{Type: codegen.SchemaNameToTypeName(content.Ref[strings.LastIndex(content.Ref, "/")+1:])}
		fields := fieldsOf(content)
		var err error
		switch {
		case op.Method == http.MethodPost:
			found.Fields, err = ordered(document, op, content, fields)
		case strings.HasPrefix(op.SpecOperationId, "list"):
			found.Items, err = listed(op, fields)
		}
		if err != nil || found.Items == "" && len(found.Fields) == 0 {
			return nil, err
		}
		return &found, nil
	}
}

// ordered returns the fields that the answer to a POST needs.
func ordered(
	document *openapi3.T, op codegen.OperationDefinition, content *openapi3.SchemaRef, fields openapi3.Schemas,
) ([][]essentialField, error) {
	groups, stated, err := statedFields(op, content)
	if err != nil {
		return nil, err
	}
	if !stated {
		if ids := askedFor(document, fields); len(ids) > 0 {
			groups = [][]string{ids}
		}
	}
	var all [][]essentialField
	for _, names := range groups {
		var group []essentialField
		for _, name := range names {
			field := fields[name]
			if field == nil {
				return nil, fault("operation %s: %s names %q, which is no field of its answer", op.SpecOperationId, essentialKey, name)
			}
			condition, ok := missing(goFieldName(name, field), field)
			if !ok {
				return nil, fault("operation %s: %s names %q, which is no text, number or list", op.SpecOperationId, essentialKey, name)
			}
			group = append(group, essentialField{Name: name, Missing: condition})
		}
		all = append(all, group)
	}
	return all, nil
}

// statedFields reads the contract's key: a list of fields, each a name or a list of alternatives.
func statedFields(op codegen.OperationDefinition, content *openapi3.SchemaRef) (groups [][]string, stated bool, err error) {
	value, stated := content.Value.Extensions[essentialKey]
	if !stated {
		return nil, false, nil
	}
	malformed := fault("operation %s: %s is to be a list whose members are fields or lists of fields of which one is needed", op.SpecOperationId,
		essentialKey)
	entries, ok := value.([]any)
	if !ok {
		return nil, true, malformed
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
				return nil, true, malformed
			}
			group = append(group, name)
		}
		groups = append(groups, group)
	}
	return groups, true, nil
}

// askedFor returns those of the fields that are ids by which a GET asks.
func askedFor(document *openapi3.T, fields openapi3.Schemas) []string {
	var ids []string
	for _, item := range document.Paths.Map() {
		if item.Get == nil {
			continue
		}
		for _, parameter := range slices.Concat(item.Parameters, item.Get.Parameters) {
			name := parameter.Value.Name
			if parameter.Value.Required && strings.HasSuffix(name, "_id") && fields[name] != nil && !slices.Contains(ids, name) {
				ids = append(ids, name)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// listed returns the field that holds the items of a list.
func listed(op codegen.OperationDefinition, fields openapi3.Schemas) (string, error) {
	var arrays []string
	for name, field := range fields {
		if field.Value.Type.Is(openapi3.TypeArray) {
			arrays = append(arrays, name)
		}
	}
	if len(arrays) != 1 {
		slices.Sort(arrays)
		return "", fault("operation %s: an operation named list… needs one array in its answer, which holds the items; it has %d %q",
			op.SpecOperationId, len(arrays), arrays)
	}
	return arrays[0], nil
}

// contentOf returns the schema of data in the successful answer to an operation, nil if the answer has none or none with a name.
func contentOf(op *openapi3.Operation) *openapi3.SchemaRef {
	answer := op.Responses.Value("200")
	if answer == nil {
		return nil
	}
	media := answer.Value.Content.Get("application/json")
	if media == nil {
		return nil
	}
	data := fieldsOf(media.Schema)["data"]
	for data != nil && data.Ref == "" {
		named := slices.IndexFunc(data.Value.AnyOf, func(option *openapi3.SchemaRef) bool { return option.Ref != "" })
		if named < 0 {
			return nil
		}
		data = data.Value.AnyOf[named]
	}
	return data
}

// fieldsOf returns the properties of a schema and of those that it is composed of. A later part comes before an earlier one.
func fieldsOf(schema *openapi3.SchemaRef) openapi3.Schemas {
	fields := make(openapi3.Schemas)
	for _, part := range schema.Value.AllOf {
		for name, field := range fieldsOf(part) {
			fields[name] = field
		}
	}
	for name, field := range schema.Value.Properties {
		fields[name] = field
	}
	return fields
}

// goFieldName returns the name that oapi-codegen gives to a field.
func goFieldName(name string, field *openapi3.SchemaRef) string {
	for _, extensions := range []map[string]any{field.Extensions, field.Value.Extensions} {
		if own, ok := extensions["x-go-name"].(string); ok {
			return own
		}
	}
	return codegen.ToCamelCaseWithInitialisms(name)
}

// missing returns the Go condition for a field of the content v that was not sent, if it is a text, a number or a list.
func missing(goName string, field *openapi3.SchemaRef) (condition string, ok bool) {
	kind := field.Value.Type
	switch own := field.Value.Extensions["x-go-type"]; {
	case own == nil && kind.Is(openapi3.TypeArray):
		return "len(v." + goName + ") == 0", true
	case own == "string", own == nil && kind.Includes(openapi3.TypeString):
		return "v." + goName + ` == ""`, true
	case own == "int64", own == "int", own == "float64", own == nil && (kind.Includes(openapi3.TypeInteger) || kind.Includes(openapi3.TypeNumber)):
		return "v." + goName + " == 0", true
	default:
		return "", false
	}
}
