package main

import (
	"maps"
	"regexp"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// nameInlineObjects adds each inline object of a schema, a response or a request to the schemas of the contract, under the name of its
// parent and its field. Otherwise oapi-codegen generates an anonymous struct, and a program cannot declare a variable of its type.
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

// namer adds named schemas to a contract.
type namer struct{ schemas openapi3.Schemas }

// ofOperation names the inline objects of a request and a response.
func (n namer) ofOperation(op *openapi3.Operation) error {
	name := codegen.ToCamelCaseWithInitialisms(op.OperationID)
	if op.RequestBody != nil && op.RequestBody.Ref == "" {
		for _, content := range op.RequestBody.Value.Content {
			if err := n.inline(name+"Request", content.Schema); err != nil {
				return err
			}
		}
	}
	response := op.Responses.Value("200")
	if response == nil || response.Ref != "" {
		return nil
	}
	for _, content := range response.Value.Content {
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

// inside names the inline objects in a schema. name is the Go type of the schema.
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

// nullable names the object in a choice of an object or null.
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

// inline gives an inline object the name, and names the inline objects in it.
func (n namer) inline(name string, schema *openapi3.SchemaRef) error {
	if schema == nil || schema.Ref != "" {
		return nil
	}
	if err := n.inside(name, schema); err != nil || len(schema.Value.Properties) == 0 {
		return err
	}
	if _, taken := n.schemas[name]; taken {
		return fault("an inline object would be named %s, but there is a schema of that name; give the object a name of its own", name)
	}
	n.schemas[name] = &openapi3.SchemaRef{Value: schema.Value}
	schema.Ref = "#/components/schemas/" + name
	return nil
}

// constantName shortens the name of an enumeration's constant. oapi-codegen puts an N in front of a value that begins with a digit. The N
// is redundant, because the name of the type comes first.
func constantName(name string) string { return redundantN.ReplaceAllString(name, "$1$2") }

var redundantN = regexp.MustCompile(`([a-z])N([0-9])`)
