//go:build tools

// Package jogg pins here the commands that its developers run with `go run`, so that go.sum vouches for them. The build tag keeps them
// out of every build.
package jogg

import (
	_ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen" // make generate: writes every *.gen.go
	_ "github.com/onsi/ginkgo/v2/ginkgo"                         // runs single specs of the suites in e2e/; `go test` runs them all
)
