package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// The inbox depends on the OpenTelemetry API only, so the program chooses the exporter: here Prometheus.
func Example() {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		panic(err)
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{}) // http.Handle("GET /metrics", metrics)

	dir, err := os.MkdirTemp("", "jogg-telemetry")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	quiet := slog.New(slog.DiscardHandler)
	box, err := inbox.Open(context.Background(), inbox.Options{Dir: filepath.Join(dir, "inbox"), Logger: quiet, MeterProvider: meters})
	if err != nil {
		panic(err)
	}
	defer box.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, id := range []string{"1", "2", "2"} {
		ev, err := webhooks.Parse(fmt.Appendf(nil, `{"event":"generated_script_success","event_id":%q,"data":{"status":"success"}}`, id))
		if err != nil {
			panic(err)
		}
		if err := box.Receive(ctx, ev); err != nil {
			panic(err)
		}
	}
	handled := make(chan struct{}, 2)
	ran := make(chan error)
	go func() {
		ran <- box.Run(ctx, webhooks.ReceiverFunc(func(context.Context, webhooks.Event) error {
			handled <- struct{}{}
			return nil
		}))
	}()
	<-handled
	<-handled
	cancel() // Run finishes the events in progress before it returns
	fmt.Println(<-ran)

	page := httptest.NewRecorder()
	metrics.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		name, _, _ = strings.Cut(name, "{")
		switch name {
		case "jogg_inbox_received_total", "jogg_inbox_duplicates_total", "jogg_inbox_handled_total", "jogg_inbox_waiting", "jogg_inbox_dead":
			fmt.Println(name, value)
		}
	}
	// Output:
	// <nil>
	// jogg_inbox_dead 0
	// jogg_inbox_duplicates_total 1
	// jogg_inbox_handled_total 2
	// jogg_inbox_received_total 2
	// jogg_inbox_waiting 0
}
