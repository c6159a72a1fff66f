// Package tracing shows the client with OpenTelemetry. It is not among the examples of package jogg, because the imports of a package's
// tests are recorded in the go.sum of every program that uses it.
package tracing_test

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
)

// Spans are named after the operation, not after the path of the request.
func Example() {
	spans := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	transport := otelhttp.NewTransport(http.DefaultTransport,
		otelhttp.WithTracerProvider(traces),
		otelhttp.WithSpanNameFormatter(func(_ string, req *http.Request) string { return "jogg." + jogg.OperationName(req.Context()) }))

	sim, err := simulator.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()
	client, err := jogg.New(simulator.DefaultAPIKey, jogg.WithBaseURL(sim.BaseURL()), jogg.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	if _, err := client.GetCurrentUser(context.Background()); err != nil {
		fmt.Println(err)
	}
	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name)
	}
	// Output:
	// jogg.GetCurrentUser
}
