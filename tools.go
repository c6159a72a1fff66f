//go:build ignore

// Package jogg names here, for readers, the commands that its developers run with `go tool`. The tool lines of go.mod pin them, and
// TestToolsAreListed holds the two together. `go mod tidy` of a program that imports jogg skips files behind "ignore", so that it records
// none of these commands: it skips no other constraint.
package jogg

import (
	_ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen" // make generate: writes e2e/bench/stock
	_ "github.com/onsi/ginkgo/v2/ginkgo"                         // runs single specs of the suites in e2e/; `go test` runs them all
)
