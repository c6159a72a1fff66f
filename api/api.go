// Package api holds the contract between JoggAI and this library, an OpenAPI 3.1 document, for programs that check traffic against it.
package api

import _ "embed"

// OpenAPI is the document, as YAML. It is not to be changed.
//
//go:embed openapi.yaml
var OpenAPI []byte
