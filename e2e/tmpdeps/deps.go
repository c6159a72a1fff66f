//go:build tools

package tmpdeps

import (
	_ "github.com/cenkalti/backoff/v5"
	_ "github.com/getkin/kin-openapi/openapi3filter"
	_ "github.com/getkin/kin-openapi/routers/gorillamux"
	_ "github.com/getkin/kin-openapi/routers/legacy"
	_ "github.com/go-json-experiment/json"
	_ "github.com/jonboulle/clockwork"
	_ "github.com/nats-io/nats-server/v2/server"
	_ "github.com/nats-io/nats.go/jetstream"
	_ "github.com/onsi/gomega"
	_ "go.uber.org/goleak"
	_ "golang.org/x/time/rate"
)
