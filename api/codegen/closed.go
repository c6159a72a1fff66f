package main

import (
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// storageKey stands at the top of the contract and names the domain under which the service keeps files.
const storageKey = "x-jogg-storage"

// closedBody is what the client looks for in a request body that is closed. The places are JSON pointers, in which * stands for each item
// of a list.
type closedBody struct {
	Operation string
	Required  []string // where there has to be something, if there is something around it
	Files     []string // the URLs of files
}

// closedBodies returns the bodies of the operations whose schema has additionalProperties: false.
func closedBodies(operations []codegen.OperationDefinition) []closedBody {
	var all []closedBody
	for _, op := range operations {
		schema := bodyOf(op.Spec)
		if schema == nil || !isClosed(schema.Value) {
			continue
		}
		body := closedBody{Operation: op.OperationId}
		body.look(schema, "", nil)
		all = append(all, body)
	}
	return all
}

func isClosed(schema *openapi3.Schema) bool {
	return schema.AdditionalProperties.Has != nil && !*schema.AdditionalProperties.Has
}

// look notes the places in a schema. around are the schemas that it is in, which it is not followed into again.
func (b *closedBody) look(ref *openapi3.SchemaRef, place string, around []*openapi3.Schema) {
	schema := ref.Value
	if slices.Contains(around, schema) {
		return
	}
	around = append(slices.Clip(around), schema)
	if schema.Format == "uri" {
		b.Files = append(b.Files, place)
	}
	if schema.Items != nil {
		b.look(schema.Items, place+"/*", around)
	}
	for _, name := range schema.Required {
		b.Required = append(b.Required, place+"/"+name)
	}
	for _, name := range codegen.SortedSchemaKeys(schema.Properties) {
		b.look(schema.Properties[name], place+"/"+name, around)
	}
}
