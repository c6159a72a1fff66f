// Package api contains the contract between JoggAI and this library, an OpenAPI 3.1 document. Programs can validate traffic against it.
package api

import (
	"bytes"
	_ "embed"
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI returns the document as YAML. Each call returns a copy, which the caller may modify.
func OpenAPI() []byte { return bytes.Clone(openAPI) }
