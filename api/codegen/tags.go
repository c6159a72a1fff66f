package main

import (
	"github.com/getkin/kin-openapi/openapi3"
)

// omitZeroValues makes every optional field be left out by omitzero alone. With omitempty beside it an empty list would be left out as well,
// although for some fields it says something else than no list, and the two generations of encoding/json do not agree on what is empty.
func omitZeroValues(document *openapi3.T) error {
	return document.WalkSchemas(func(_ string, schema *openapi3.SchemaRef) error {
		for _, property := range schema.Value.Properties {
			extensions := &property.Value.Extensions
			if property.Ref != "" {
				extensions = &property.Extensions // what stands beside a reference is about this field, not about the type
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
