package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/jogg-go/jogg/e2e/inboxtest"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// collect returns the sum of each counter and gauge over all attributes, and the count of each histogram.
func collect(t testing.TB, reader sdkmetric.Reader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					values[m.Name] += float64(p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					values[m.Name] += p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					values[m.Name] += float64(p.Count)
				}
			}
		}
	}
	return values
}

func TestMetricsCountEvents(t *testing.T) {
	g := NewWithT(t)
	reader := sdkmetric.NewManualReader()
	box, broken := failing(t, inbox.Options{MaxAttempts: 2, MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	receive(t, box, "e1", "e1")
	g.Eventually(func() uint64 { return stats(t, box).Dead }).Should(BeEquivalentTo(1))
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	values := collect(t, reader)
	g.Expect(values).To(HaveKeyWithValue("jogg.inbox.dead", 1.0))
	g.Expect(values).To(HaveKeyWithValue("jogg.inbox.oldest.age", 0.0))
	broken.Store(false)
	g.Expect(box.RedriveAll(t.Context())).To(Equal(1))
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(box.Receive(t.Context(), webhooks.Event{})).NotTo(Succeed())
	g.Expect(box.Pause(t.Context(), time.Time{})).To(Succeed())
	receive(t, box, "waits")

	values = collect(t, reader)
	for name, want := range map[string]float64{
		"jogg.inbox.received": 2, "jogg.inbox.duplicates": 1, "jogg.inbox.refused": 1, "jogg.inbox.handled": 1, "jogg.inbox.failed": 2,
		"jogg.inbox.dead_lettered": 1, "jogg.inbox.redriven": 1, "jogg.inbox.wait.duration": 2, "messaging.process.duration": 3,
		"jogg.inbox.waiting": 1, "jogg.inbox.running": 0, "jogg.inbox.dead": 0,
	} {
		g.Expect(values).To(HaveKeyWithValue(name, want))
	}
	g.Expect(values["jogg.inbox.oldest.age"]).To(And(BeNumerically(">", 0), BeNumerically("<", 60)))
	g.Expect(values["jogg.inbox.free"]).To(BeNumerically(">", 0))

	g.Expect(box.Close()).To(Succeed())
	g.Expect(collect(t, reader)).NotTo(HaveKey("jogg.inbox.waiting"), "a closed inbox has no gauges")
}

func TestAttemptsAreLinkedToTheDelivery(t *testing.T) {
	g := NewWithT(t)
	recorder := tracetest.NewSpanRecorder()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	box, broken := failing(t, inbox.Options{MaxAttempts: 2, TracerProvider: tracers})
	ctx, delivery := tracers.Tracer("test").Start(t.Context(), "POST /jogg")
	g.Expect(box.Receive(ctx, event(t, "e1"))).To(Succeed())
	delivery.End()
	g.Eventually(func() uint64 { return stats(t, box).Dead }).Should(BeEquivalentTo(1))
	broken.Store(false)
	g.Expect(box.RedriveAll(t.Context())).To(Equal(1))
	g.Eventually(func() int { return len(spans(recorder, "process jogg.events")) }).Should(Equal(3))

	received := spans(recorder, "receive jogg.events")
	g.Expect(received).To(HaveLen(1))
	g.Expect(received[0].Parent().SpanID()).To(Equal(delivery.SpanContext().SpanID()))
	g.Expect(received[0].SpanKind()).To(Equal(trace.SpanKindProducer))
	for i, attempt := range spans(recorder, "process jogg.events") {
		g.Expect(attempt.SpanKind()).To(Equal(trace.SpanKindConsumer))
		g.Expect(attempt.Links()).To(HaveLen(1))
		g.Expect(attempt.Links()[0].SpanContext.SpanID()).To(Equal(received[0].SpanContext().SpanID()), "attempt %d", i+1)
		g.Expect(attempt.Links()[0].SpanContext.TraceID()).To(Equal(delivery.SpanContext().TraceID()))
		g.Expect(attempt.SpanContext().TraceID()).NotTo(Equal(delivery.SpanContext().TraceID()), "it has its own trace")
		failed := attempt.Status().Code == codes.Error
		g.Expect(failed).To(Equal(i < 2))
	}
}

func spans(recorder *tracetest.SpanRecorder, name string) (found []sdktrace.ReadOnlySpan) {
	for _, span := range recorder.Ended() {
		if span.Name() == name {
			found = append(found, span)
		}
	}
	return found
}

func TestHandlerSpansAreChildrenOfTheAttempt(t *testing.T) {
	g := NewWithT(t)
	recorder := tracetest.NewSpanRecorder()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	box := open(t, inbox.Options{TracerProvider: tracers})
	receive(t, box, "e1")
	inboxtest.Run(t, box, func(ctx context.Context, _ webhooks.Event) error {
		_, span := tracers.Tracer("test").Start(ctx, "work")
		span.End()
		return nil
	})
	g.Eventually(func() int { return len(spans(recorder, "process jogg.events")) }).Should(Equal(1))
	g.Expect(spans(recorder, "work")[0].Parent().SpanID()).To(Equal(spans(recorder, "process jogg.events")[0].SpanContext().SpanID()))
}

func TestTelemetryHasNoPayload(t *testing.T) {
	g := NewWithT(t)
	recorder, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	box := open(t, inbox.Options{
		MaxAttempts: 1, TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)),
		MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	})
	const secret = "https://cdn.example.com/secret"
	ev, err := webhooks.Parse(fmt.Appendf(nil, `{"event":"made_up_event","event_id":"e1","data":{"video_url":%q}}`, secret))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(box.Receive(t.Context(), ev)).To(Succeed())
	inboxtest.Run(t, box, func(_ context.Context, ev webhooks.Event) error { return errors.New("cannot fetch " + string(ev.Raw)) })
	g.Eventually(func() int { return len(spans(recorder, "process jogg.events")) }).Should(Equal(1))

	var attributes []attribute.KeyValue
	for _, span := range recorder.Ended() {
		attributes = append(attributes, span.Attributes()...)
		g.Expect(span.Status().Description).NotTo(ContainSubstring("cannot fetch"))
		g.Expect(span.Events()).To(BeEmpty())
	}
	g.Expect(len(attributes)).To(BeNumerically(">", 10))
	for _, a := range attributes {
		g.Expect(a.Value.String()).NotTo(Or(ContainSubstring("cdn.example.com"), ContainSubstring("cannot fetch")), string(a.Key))
	}
	var all metricdata.ResourceMetrics
	g.Expect(reader.Collect(t.Context(), &all)).To(Succeed())
	text := fmt.Sprintf("%+v", all)
	g.Expect(text).NotTo(ContainSubstring("cdn.example.com"))
	g.Expect(strings.Contains(text, "made_up_event")).To(BeFalse(), "unknown types do not become attributes of metrics")
}
