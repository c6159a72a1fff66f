//go:build ignore

// Package jogg lists in this file, for readers, the commands that its developers run with `go tool`. The tool lines of go.mod pin them, and
// TestToolsAreListed keeps the two lists equal. The build constraint is "ignore" because it is the only one that `go mod tidy` skips: a
// program that imports jogg does not record these commands.
package jogg

import (
	_ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen" // make generate: writes e2e/bench/stock
	_ "github.com/onsi/ginkgo/v2/ginkgo"                         // runs single specs of the suites in e2e/; `go test` runs all of them
)
