package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// models maps the Go types of the contract's objects to their fields.
type models map[string][]codegen.Property

// readModels returns the models of a document. Call it only while oapi-codegen runs, because it uses the current settings of oapi-codegen.
func readModels(document *openapi3.T) (models, error) {
	types, err := codegen.GenerateTypesForSchemas(nil, document.Components.Schemas, nil)
	if err != nil {
		return nil, err
	}
	known := make(models, len(types))
	for _, t := range types {
		known[t.TypeName] = t.Schema.Properties
	}
	return known, nil
}

// field returns the field of a model that has the JSON name.
func (m models) field(model, name string) (codegen.Property, bool) {
	i := slices.IndexFunc(m[model], func(p codegen.Property) bool { return p.JsonFieldName == name })
	if i < 0 {
		return codegen.Property{}, false
	}
	return m[model][i], true
}

// response returns the model of the content of an operation's response, or "" if it has none.
func (m models) response(op codegen.OperationDefinition) string {
	for _, response := range op.Responses {
		if response.StatusCode != strconv.Itoa(http.StatusOK) {
			continue
		}
		for _, content := range response.Contents {
			for _, field := range content.Schema.Properties {
				if _, named := m[field.Schema.TypeDecl()]; named && field.JsonFieldName == "data" {
					return field.Schema.TypeDecl()
				}
			}
		}
	}
	return ""
}

// items returns the model of the items of a field that is a list of objects, or "" for any other field.
func (m models) items(field codegen.Property) string {
	if field.Schema.ArrayType == nil || len(m[field.Schema.ArrayType.TypeDecl()]) == 0 {
		return ""
	}
	return field.Schema.ArrayType.TypeDecl()
}

// isString reports whether the Go type of a field is string.
func isString(field codegen.Property) bool { return field.GoTypeDef() == "string" }

// isInteger reports whether a Go type is an integer type.
func isInteger(goType string) bool {
	return slices.Contains([]string{"int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64"}, goType)
}

// operationKey reads a key of an operation that overrides a rule. Its value is false, which disables the rule, or an object of strings.
// names lists the members that the object may have.
func operationKey(op codegen.OperationDefinition, key string, names ...string) (settings map[string]string, off bool, err error) {
	wrong := fault("%s: %s must be false or an object with %s", op.SpecOperationId, key, inWords(names))
	switch value := op.Spec.Extensions[key].(type) {
	case nil:
		return nil, false, nil
	case bool:
		if value {
			return nil, false, wrong
		}
		return nil, true, nil
	case map[string]any:
		settings = make(map[string]string, len(value))
		for name, setting := range value {
			text, isString := setting.(string)
			if !isString || !slices.Contains(names, name) {
				return nil, false, wrong
			}
			settings[name] = text
		}
		return settings, false, nil
	default:
		return nil, false, wrong
	}
}

// inWords joins names for a sentence.
func inWords(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
