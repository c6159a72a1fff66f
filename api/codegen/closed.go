package main

import (
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// storageKey, at the top level of the contract, names the domain of the service's storage.
const storageKey = "x-jogg-storage"

// closedBody is what the client checks in a closed request body. The places are JSON pointers, in which * stands for each item of a list.
type closedBody struct {
	Operation string
	Required  []string // must be set if the object around it is set
	Files     []string // URLs of files
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
		body.collect(schema, "", nil)
		all = append(all, body)
	}
	return all
}

func isClosed(schema *openapi3.Schema) bool {
	return schema.AdditionalProperties.Has != nil && !*schema.AdditionalProperties.Has
}

// collect adds the places in a schema. around lists the enclosing schemas, which stop the recursion.
func (b *closedBody) collect(ref *openapi3.SchemaRef, place string, around []*openapi3.Schema) {
	schema := ref.Value
	if slices.Contains(around, schema) {
		return
	}
	around = append(slices.Clip(around), schema)
	if schema.Format == "uri" {
		b.Files = append(b.Files, place)
	}
	if schema.Items != nil {
		b.collect(schema.Items, place+"/*", around)
	}
	for _, name := range schema.Required {
		b.Required = append(b.Required, place+"/"+name)
	}
	for _, name := range codegen.SortedSchemaKeys(schema.Properties) {
		b.collect(schema.Properties[name], place+"/"+name, around)
	}
}
