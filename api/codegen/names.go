package main

import (
	"maps"
	"regexp"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// nameInlineObjects gives each object that stands inside of a schema, an answer or a request without a name of its own one for Go, as if the
// contract had it among its schemas: that of what it stands in and of its field. Without it oapi-codegen writes a struct without a name,
// which no program can declare a variable of.
func nameInlineObjects(document *openapi3.T) error {
	n := namer{document.Components.Schemas}
	for _, name := range codegen.SortedSchemaKeys(n.schemas) {
		if err := n.inside(codegen.UppercaseFirstCharacter(name), n.schemas[name]); err != nil {
			return err
		}
	}
	for _, path := range document.Paths.InMatchingOrder() {
		operations := document.Paths.Value(path).Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			if err := n.ofOperation(operations[method]); err != nil {
				return err
			}
		}
	}
	return nil
}

// namer adds to the schemas of a contract.
type namer struct{ schemas openapi3.Schemas }

// ofOperation names what an operation sends and answers with.
func (n namer) ofOperation(op *openapi3.Operation) error {
	name := codegen.ToCamelCaseWithInitialisms(op.OperationID)
	if op.RequestBody != nil && op.RequestBody.Ref == "" {
		for _, content := range op.RequestBody.Value.Content {
			if err := n.inline(name+"Request", content.Schema); err != nil {
				return err
			}
		}
	}
	answer := op.Responses.Value("200")
	if answer == nil || answer.Ref != "" {
		return nil
	}
	for _, content := range answer.Value.Content {
		if content.Schema == nil || content.Schema.Ref != "" {
			continue
		}
		for _, part := range append(openapi3.SchemaRefs{content.Schema}, content.Schema.Value.AllOf...) {
			if part.Ref != "" {
				continue
			}
			if err := n.inline(name+"Data", part.Value.Properties["data"]); err != nil {
				return err
			}
		}
	}
	return nil
}

// inside names what stands inside of a schema whose Go type is called name.
func (n namer) inside(name string, schema *openapi3.SchemaRef) error {
	value := schema.Value
	for _, field := range codegen.SortedSchemaKeys(value.Properties) {
		if err := n.inline(name+codegen.ToCamelCaseWithInitialisms(field), value.Properties[field]); err != nil {
			return err
		}
	}
	if err := n.inline(name+"Item", value.Items); err != nil {
		return err
	}
	if err := n.inline(name+"Value", value.AdditionalProperties.Schema); err != nil {
		return err
	}
	for _, part := range value.AllOf {
		if part.Ref != "" {
			continue
		}
		if err := n.inside(name, part); err != nil {
			return err
		}
	}
	return n.nullable(name, value)
}

// nullable names the object in a choice between an object and null.
func (n namer) nullable(name string, value *openapi3.Schema) error {
	for _, choice := range []openapi3.SchemaRefs{value.AnyOf, value.OneOf} {
		if len(choice) != 2 {
			continue
		}
		for i, member := range choice {
			if choice[1-i].Value.Type.Is("null") {
				if err := n.inline(name, member); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// inline gives an inline object the name, and names what stands inside of it.
func (n namer) inline(name string, schema *openapi3.SchemaRef) error {
	if schema == nil || schema.Ref != "" {
		return nil
	}
	if err := n.inside(name, schema); err != nil || len(schema.Value.Properties) == 0 {
		return err
	}
	if _, taken := n.schemas[name]; taken {
		return fault("an object without a name would be called %s, but there is such a schema; give the object a name of its own", name)
	}
	n.schemas[name] = &openapi3.SchemaRef{Value: schema.Value}
	schema.Ref = "#/components/schemas/" + name
	return nil
}

// constantName shortens the name of an enumeration's constant. oapi-codegen puts an N in front of a value that begins with a digit, which
// the name of the type in front of it makes needless.
func constantName(name string) string { return needlessN.ReplaceAllString(name, "$1$2") }

var needlessN = regexp.MustCompile(`([a-z])N([0-9])`)
