package main

import (
	"github.com/getkin/kin-openapi/openapi3"
)

// dropConditions takes out of the schemas what only says which fields go together, such as a oneOf whose members require one field each.
// Such a condition has no type of its own, but oapi-codegen would make a union of it.
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

// conditions tells whether the members of a oneOf or an anyOf are all conditions.
func conditions(members openapi3.SchemaRefs) bool {
	for _, member := range members {
		if !condition(member) {
			return false
		}
	}
	return len(members) > 0
}

// condition tells whether a schema says nothing but which fields there have to be, or may not be.
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
