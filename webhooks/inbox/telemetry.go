package inbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/jogg-go/jogg/webhooks"
)

// Spans and metrics follow OpenTelemetry's semantic conventions for messaging where these have a name. Attributes contain keys, types,
// sizes and numbers, but neither payload nor error texts, which can contain payload.
const (
	scope = "github.com/jogg-go/jogg/webhooks/inbox"

	eventTypeKey     = attribute.Key("jogg.event.type")
	attemptNumberKey = attribute.Key("jogg.attempt")
	outcomeKey       = attribute.Key("jogg.outcome")

	operationReceive = "receive"
	operationProcess = "process"
)

// telemetry has the metric instruments and the tracer of an inbox.
type telemetry struct {
	tracer      trace.Tracer
	meter       metric.Meter
	destination attribute.KeyValue

	receive, process *spans

	received, duplicates, refused, handled, failed, dead, redriven metric.Int64Counter
	waited, took                                                   metric.Float64Histogram

	options sync.Map // of metric.MeasurementOption, by attributeKey
}

// handlingBounds are the bucket boundaries that the conventions recommend, in seconds, and longer ones, because handlers can take minutes.
var handlingBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 900}

// waitingBounds range from an idle inbox to one whose handlers were down for a day, in seconds.
var waitingBounds = []float64{0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}

// newTelemetry creates the instruments. Errors of the provider go to OpenTelemetry's error handler.
func newTelemetry(o *Options) *telemetry {
	meters, tracers := o.MeterProvider, o.TracerProvider
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	if tracers == nil {
		tracers = otel.GetTracerProvider()
	}
	meter := meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	counter := func(name, description string) metric.Int64Counter {
		return orNoop[metric.Int64Counter](metricnoop.Int64Counter{})(
			meter.Int64Counter(name, metric.WithUnit("{event}"), metric.WithDescription(description)))
	}
	histogram := func(name, description string, bounds []float64) metric.Float64Histogram {
		return orNoop[metric.Float64Histogram](metricnoop.Float64Histogram{})(
			meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
				metric.WithExplicitBucketBoundaries(bounds...)))
	}
	t := &telemetry{
		meter:       meter,
		tracer:      tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		destination: semconv.MessagingDestinationName(o.eventsSubject()),

		received:   counter("jogg.inbox.received", "Events stored for the first time"),
		duplicates: counter("jogg.inbox.duplicates", "Redeliveries that were deduplicated"),
		refused:    counter("jogg.inbox.refused", "Events that could not be stored"),
		handled:    counter("jogg.inbox.handled", "Events that were handled"),
		failed:     counter("jogg.inbox.failed", "Failed attempts to handle an event"),
		dead:       counter("jogg.inbox.dead_lettered", "Events that became dead letters"),
		redriven:   counter("jogg.inbox.redriven", "Dead letters that were returned to the queue"),
		waited:     histogram("jogg.inbox.wait.duration", "Time from storing an event to its first attempt", waitingBounds),
		took:       histogram("messaging.process.duration", "Duration of attempts to handle an event", handlingBounds),
	}
	t.receive = t.spans(operationReceive, semconv.MessagingOperationTypeSend, trace.WithSpanKind(trace.SpanKindProducer))
	t.process = t.spans(operationProcess, semconv.MessagingOperationTypeProcess, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer))
	return t
}

// gaugeTimeout limits how long a metrics collection waits for a cluster.
const gaugeTimeout = 2 * time.Second

// registerGauges registers gauges that call stats on every metrics collection, until the returned function is called. If stats fails, the
// gauges have no values.
func (t *telemetry) registerGauges(stats func(context.Context) (Stats, error)) (stop func()) {
	gauge := func(name, unit, description string) metric.Float64ObservableGauge {
		return orNoop[metric.Float64ObservableGauge](metricnoop.Float64ObservableGauge{})(
			t.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description)))
	}
	waiting := gauge("jogg.inbox.waiting", "{event}", "Stored events that this process is not handling")
	running := gauge("jogg.inbox.running", "{event}", "Events that this process is handling")
	dead := gauge("jogg.inbox.dead", "{event}", "Dead letters")
	oldest := gauge("jogg.inbox.oldest.age", "s", "Age of the oldest stored event, 0 if there is none")
	free := gauge("jogg.inbox.free", "By", "Free space on the disk of the directory")
	attributes := metric.WithAttributes(semconv.MessagingSystemKey.String("nats"), t.destination)
	registration, err := t.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, gaugeTimeout)
		defer cancel()
		s, err := stats(ctx)
		if err != nil {
			return err
		}
		o.ObserveFloat64(waiting, float64(s.Waiting), attributes)
		o.ObserveFloat64(running, float64(s.InProgress), attributes)
		o.ObserveFloat64(dead, float64(s.Dead), attributes)
		age := time.Duration(0)
		if !s.OldestWaiting.IsZero() {
			age = time.Since(s.OldestWaiting)
		}
		o.ObserveFloat64(oldest, age.Seconds(), attributes)
		if s.FreeBytes >= 0 {
			o.ObserveFloat64(free, float64(s.FreeBytes), attributes)
		}
		return nil
	}, waiting, running, dead, oldest, free)
	if err != nil {
		otel.Handle(err)
		return func() {}
	}
	return func() {
		if err := registration.Unregister(); err != nil {
			otel.Handle(err)
		}
	}
}

// orNoop replaces an instrument that could not be created by a no-op.
func orNoop[T any](noop T) func(T, error) T {
	return func(instrument T, err error) T {
		if err != nil {
			otel.Handle(err)
			return noop
		}
		return instrument
	}
}

// eventType returns the metric attribute of an event type. Undocumented types share one value, so that the cardinality is bounded.
func eventType(t webhooks.EventType) attribute.KeyValue {
	if !t.Known() {
		return eventTypeKey.String("_OTHER")
	}
	return eventTypeKey.String(string(t))
}

// typeAttributes returns the attributes of metrics about events of that type.
func (t *telemetry) typeAttributes(et webhooks.EventType) metric.MeasurementOption {
	return t.attributes(et, "", false)
}

// processed records the duration of an attempt. The conventions require the type of its error.
func (t *telemetry) processed(ctx context.Context, et webhooks.EventType, took time.Duration, err error) {
	kind := ""
	if err != nil {
		kind = errorType(err)
	}
	if t.took.Enabled(ctx) {
		t.took.Record(ctx, took.Seconds(), t.attributes(et, kind, true))
	}
}

// count adds one to a counter.
func (t *telemetry) count(ctx context.Context, counter metric.Int64Counter, et webhooks.EventType) {
	if counter.Enabled(ctx) {
		counter.Add(ctx, 1, t.typeAttributes(et))
	}
}

// attributeKey identifies a set of metric attributes. There are few, so each set is created once.
type attributeKey struct {
	eventType, errorType string
	process              bool
}

// attributes returns the attributes of metrics about events of that type. If process is set, they include the operation, for metrics about
// attempts. errorType is the type of the attempt's error, "" for none.
func (t *telemetry) attributes(et webhooks.EventType, errorType string, process bool) metric.MeasurementOption {
	kind := eventType(et)
	key := attributeKey{kind.Value.AsString(), errorType, process}
	if option, ok := t.options.Load(key); ok {
		return option.(metric.MeasurementOption) //nolint:forcetypeassert // nothing else is stored
	}
	all := []attribute.KeyValue{semconv.MessagingSystemKey.String("nats"), t.destination, kind}
	if process {
		all = append(all, semconv.MessagingOperationName(operationProcess))
	}
	if errorType != "" {
		all = append(all, semconv.ErrorTypeKey.String(errorType))
	}
	option := metric.WithAttributeSet(attribute.NewSet(all...))
	t.options.Store(key, option)
	return option
}

// spans has what all spans of an operation have in common.
type spans struct {
	name       string
	attributes []attribute.KeyValue
	options    []trace.SpanStartOption
}

func (t *telemetry) spans(operation string, kind attribute.KeyValue, opts ...trace.SpanStartOption) *spans {
	return &spans{
		name: operation + " " + t.destination.Value.AsString(),
		attributes: []attribute.KeyValue{
			semconv.MessagingSystemKey.String("nats"), semconv.MessagingOperationName(operation), kind, t.destination,
		},
		options: opts,
	}
}

// start starts a span about an event, with a link to another span if that is valid.
func (s *spans) start(ctx context.Context, t trace.Tracer, key string, ev webhooks.Event, linked trace.SpanContext) (context.Context, trace.Span) {
	opts := s.options
	if linked.IsValid() {
		opts = append(slices.Clip(opts), trace.WithLinks(trace.Link{SpanContext: linked}))
	}
	spanning, span := t.Start(ctx, s.name, opts...)
	if !span.SpanContext().IsValid() { // tracing is off, so ctx need not carry the span
		return ctx, span
	}
	if span.IsRecording() {
		span.SetAttributes(s.attributes...)
		span.SetAttributes(
			semconv.MessagingMessageID(key), semconv.MessagingMessageBodySize(len(ev.Raw)), eventTypeKey.String(string(ev.Type)))
	}
	return spanning, span
}

// setSpanError marks a span as failed, unless err is nil.
func setSpanError(span trace.Span, err error) {
	if err == nil || !span.IsRecording() {
		return
	}
	kind := errorType(err)
	span.SetStatus(codes.Error, kind)
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
}

// errorType maps an error to one of few types, without its text.
func errorType(err error) string {
	_, discarded := errors.AsType[*DiscardError](err)
	_, retried := errors.AsType[*RetryError](err)
	_, panicked := errors.AsType[*panicError](err)
	switch {
	case panicked:
		return "panic"
	case discarded:
		return "discarded"
	case retried:
		return "retry_later"
	case errors.Is(err, ErrFull):
		return "full"
	case errors.Is(err, ErrClosed):
		return "closed"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "_OTHER"
}

// propagator propagates the trace context from the delivery to the attempts, in the headers of the message. Only the inbox reads these
// headers, so they do not depend on the program's propagator.
var propagator = propagation.TraceContext{}

// headerCarrier carries header names as W3C writes them, because NATS header names are case-sensitive.
type headerCarrier nats.Header

func (c headerCarrier) Get(name string) string { return nats.Header(c).Get(name) }
func (c headerCarrier) Set(name, value string) { nats.Header(c).Set(name, value) }
func (c headerCarrier) Keys() []string         { return propagator.Fields() }

// traceOf returns the trace context of a header, nil if it has none.
func traceOf(header nats.Header) nats.Header {
	trace := nats.Header{}
	carryTrace(trace, header)
	if len(trace) == 0 {
		return nil
	}
	return trace
}

// carryTrace copies the trace context of a message to another message about the same event.
func carryTrace(to, from nats.Header) {
	for _, name := range propagator.Fields() {
		if value := from.Get(name); value != "" {
			to.Set(name, value)
		}
	}
}
