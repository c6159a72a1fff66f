package main

import (
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// finding is an error in the document and its line.
type finding struct {
	line    int
	problem string
}

// undescribed finds operations and properties without a description, which no rule of the linter requires. The descriptions become the
// comments of the generated code.
func undescribed(text []byte) ([]finding, error) {
	loader := openapi3.NewLoader()
	loader.IncludeOrigin = true
	document, err := loader.LoadFromData(text)
	if err != nil {
		return nil, err
	}
	var findings []finding
	for path, item := range document.Paths.Map() {
		findings = append(findings, operations(path, item)...)
	}
	for name, item := range document.Webhooks {
		findings = append(findings, operations(name, item)...)
	}
	err = document.WalkSchemas(func(pointer string, schema *openapi3.SchemaRef) error {
		for name, property := range schema.Value.Properties {
			if !described(property) {
				findings = append(findings, finding{line(property.Value.Origin), fmt.Sprintf("property `%s` of %s has no description", name, pointer)})
			}
		}
		return nil
	})
	slices.SortFunc(findings, func(a, b finding) int { return a.line - b.line })
	return findings, err
}

func operations(path string, item *openapi3.PathItem) []finding {
	var findings []finding
	for method, operation := range item.Operations() {
		for what, text := range map[string]string{"summary": operation.Summary, "description": operation.Description} {
			if text == "" {
				findings = append(findings, finding{line(operation.Origin), fmt.Sprintf("operation %s %s has no %s", method, path, what)})
			}
		}
	}
	return findings
}

// described reports whether a schema has a description, or is a reference, possibly with null as the alternative.
func described(schema *openapi3.SchemaRef) bool {
	if schema.Ref != "" || schema.Value.Description != "" {
		return true
	}
	alternatives := slices.DeleteFunc(slices.Clone(schema.Value.AnyOf), func(option *openapi3.SchemaRef) bool {
		return option.Value.Type.Is(openapi3.TypeNull)
	})
	return len(alternatives) == 1 && alternatives[0].Ref != ""
}

func line(origin *openapi3.Origin) int {
	if origin == nil || origin.Key == nil {
		return 0
	}
	return origin.Key.Line
}
