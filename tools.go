//go:build ignore

// Package jogg lists here, for readers, the commands that its developers run with `go tool`. The tool lines of go.mod pin their versions,
// and TestToolsAreListed checks that both lists agree. `go mod tidy` of a program that imports jogg skips files with the constraint
// "ignore", and so records none of these commands; it skips no other constraint.
package jogg

import (
	_ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen" // make generate: writes e2e/bench/stock
	_ "github.com/onsi/ginkgo/v2/ginkgo"                         // runs single specs of the suites in e2e/; `go test` runs all of them
)
