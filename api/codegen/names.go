package main

import (
	"regexp"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// goTypeName is oapi-codegen's key for the name of the Go type of an inline schema.
const goTypeName = "x-go-type-name"

// nameInlineObjects gives each object that stands inside of a named schema, without a name of its own, one for Go: that of what it stands in
// and of its field. Without it oapi-codegen writes a struct without a name, which no program can declare a variable of.
func nameInlineObjects(document *openapi3.T) {
	for name, schema := range document.Components.Schemas {
		nameInside(codegen.UppercaseFirstCharacter(name), schema)
	}
}

// nameInside names what stands inside of a schema whose Go type is called name.
func nameInside(name string, schema *openapi3.SchemaRef) {
	if schema == nil || schema.Ref != "" && name == "" {
		return
	}
	for field, property := range schema.Value.Properties {
		nameInline(name+codegen.ToCamelCaseWithInitialisms(field), property)
	}
	nameInline(name+"Item", schema.Value.Items)
	nameInline(name+"Value", schema.Value.AdditionalProperties.Schema)
	for _, part := range schema.Value.AllOf {
		nameInline(name, part)
	}
}

// nameInline gives an inline object the name, and names what stands inside of it.
func nameInline(name string, schema *openapi3.SchemaRef) {
	if schema == nil || schema.Ref != "" {
		return
	}
	if len(schema.Value.Properties) > 0 && schema.Value.Extensions[goTypeName] == nil {
		if schema.Value.Extensions == nil {
			schema.Value.Extensions = map[string]any{}
		}
		schema.Value.Extensions[goTypeName] = name
	}
	nameInside(name, schema)
}

// constantName shortens the name of an enumeration's constant. oapi-codegen puts an N in front of a value that begins with a digit, which
// the name of the type in front of it makes needless.
func constantName(name string) string { return needlessN.ReplaceAllString(name, "$1$2") }

var needlessN = regexp.MustCompile(`([a-z])N([0-9])`)
