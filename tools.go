//go:build tools

// Package jogg pins here the commands that `make` runs, so that go.sum vouches for them. The build tag keeps them out of every build.
package jogg

import (
	_ "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen" // writes gen/, operations.gen.go and the simulator's server
	_ "github.com/onsi/ginkgo/v2/ginkgo"                         // runs the suites in e2e/
)
