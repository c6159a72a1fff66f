package main

import (
	"github.com/getkin/kin-openapi/openapi3"
)

// dropConditions removes every oneOf and anyOf that only says which fields go together, such as a oneOf whose members require one field
// each. Such a condition has no type of its own, but oapi-codegen would generate a union for it.
func dropConditions(document *openapi3.T) {
	for _, schema := range document.Components.Schemas {
		if schema.Ref != "" {
			continue
		}
		if conditions(schema.Value.OneOf) {
			schema.Value.OneOf = nil
		}
		if conditions(schema.Value.AnyOf) {
			schema.Value.AnyOf = nil
		}
	}
}

// conditions reports whether all members of a oneOf or an anyOf are conditions.
func conditions(members openapi3.SchemaRefs) bool {
	for _, member := range members {
		if !condition(member) {
			return false
		}
	}
	return len(members) > 0
}

// condition reports whether a schema only says which fields are required or forbidden.
func condition(schema *openapi3.SchemaRef) bool {
	switch v := schema.Value; {
	case schema.Ref != "" || v.Type != nil || len(v.Properties) > 0 || len(v.Enum) > 0 || v.Items != nil:
		return false
	case v.Not != nil:
		return condition(v.Not)
	default:
		return len(v.Required) > 0
	}
}
