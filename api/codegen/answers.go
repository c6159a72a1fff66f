package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// models are the fields of the contract's objects, by the name of their Go type.
type models map[string][]codegen.Property

// readModels returns the models of a document. It can be called while oapi-codegen is running only, which by then knows the settings.
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

// field returns a field of a model by its name in JSON.
func (m models) field(model, name string) (codegen.Property, bool) {
	i := slices.IndexFunc(m[model], func(p codegen.Property) bool { return p.JsonFieldName == name })
	if i < 0 {
		return codegen.Property{}, false
	}
	return m[model][i], true
}

// answer returns the model of the content that an operation answers with, or "" if it has none.
func (m models) answer(op codegen.OperationDefinition) string {
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

// items returns the model of the items of a field that is a list of objects, or "" if it is none.
func (m models) items(field codegen.Property) string {
	if field.Schema.ArrayType == nil || len(m[field.Schema.ArrayType.TypeDecl()]) == 0 {
		return ""
	}
	return field.Schema.ArrayType.TypeDecl()
}

// isText reports whether the Go type of a field is string.
func isText(field codegen.Property) bool { return field.GoTypeDef() == "string" }

// isInteger reports whether a Go type is one of those that the contract's integers have.
func isInteger(goType string) bool {
	return slices.Contains([]string{"int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64"}, goType)
}

// operationKey reads a key of an operation that is false, to switch a rule off, or an object of texts, to depart from it. names are those
// that the object may have.
func operationKey(op codegen.OperationDefinition, key string, names ...string) (settings map[string]string, off bool, err error) {
	wrong := fault("%s: %s is false or an object with %s", op.SpecOperationId, key, inWords(names))
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
			text, isText := setting.(string)
			if !isText || !slices.Contains(names, name) {
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
