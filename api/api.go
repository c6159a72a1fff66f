// Package api holds the contract between JoggAI and this library, an OpenAPI 3.1 document, for programs that check traffic against it.
package api

import (
	"bytes"
	_ "embed"
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI returns the document, as YAML. The bytes are the caller's to keep and to change.
func OpenAPI() []byte { return bytes.Clone(openAPI) }
