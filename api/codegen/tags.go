package main

import (
	"github.com/getkin/kin-openapi/openapi3"
)

// omitZeroValues gives every optional field the tag omitzero and not omitempty. With omitempty, an empty list would be omitted as well,
// although for some fields an empty list differs from no list, and encoding/json and encoding/json/v2 disagree on what is empty.
func omitZeroValues(document *openapi3.T) error {
	return document.WalkSchemas(func(_ string, schema *openapi3.SchemaRef) error {
		for _, property := range schema.Value.Properties {
			extensions := &property.Value.Extensions
			if property.Ref != "" {
				extensions = &property.Extensions // extensions beside a reference apply to this field, not to the type
			}
			if *extensions == nil {
				*extensions = make(map[string]any)
			}
			(*extensions)["x-omitempty"] = false
			if (*extensions)["x-go-type-skip-optional-pointer"] == false {
				(*extensions)["x-omitzero"] = true
			}
		}
		return nil
	})
}
