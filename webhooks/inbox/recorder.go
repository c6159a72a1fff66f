package inbox

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/jogg-go/jogg/webhooks"
)

// recorder records what happens in an inbox: the history, metrics and spans, and the running events. It also caches the sequences of
// events.
type recorder struct {
	history history
	*telemetry

	mu        sync.Mutex
	running   map[uint64]Entry  // by sequence
	sequences map[string]uint64 // by key
}

func newRecorder(o *Options) *recorder {
	return &recorder{
		history:   history{now: time.Now},
		telemetry: newTelemetry(o),
		running:   map[uint64]Entry{},
		sequences: map[string]uint64{},
	}
}

// reception records one call of Receive.
type reception struct {
	*recorder
	span      trace.Span
	event     webhooks.Event
	duplicate bool
}

// startReceive starts the span of receiving an event. It is a child of the delivery's span, if ctx has one.
func (r *recorder) startReceive(ctx context.Context, key string, ev webhooks.Event) (context.Context, reception) {
	ctx, span := r.receive.start(ctx, r.tracer, key, ev, trace.SpanContext{})
	return ctx, reception{recorder: r, span: span, event: ev}
}

// inject adds the trace context to the message, so that the spans of its attempts can link to it.
func (r *reception) inject(ctx context.Context, msg *nats.Msg) {
	if r.span.SpanContext().IsValid() {
		propagator.Inject(ctx, headerCarrier(msg.Header))
	}
}

// end records the outcome and ends the span.
func (r *reception) end(ctx context.Context, err error) {
	outcome := "received"
	var counter metric.Int64Counter
	switch {
	case err != nil:
		outcome, counter = "refused", r.refused
		r.history.add(func(c *Counts) { c.Refused++ })
	case r.duplicate:
		outcome, counter = "duplicate", r.duplicates
		r.history.add(func(c *Counts) { c.Duplicates++ })
	default:
		counter = r.received
		r.history.add(func(c *Counts) { c.Received++ })
	}
	r.count(ctx, counter, r.event.Type)
	if r.span.IsRecording() {
		r.span.SetAttributes(outcomeKey.String(outcome))
	}
	setSpanError(r.span, err)
	r.span.End()
}

// countDuplicate counts a delivery to a worker of an event that was already handled.
func (r *recorder) countDuplicate(ctx context.Context, d *delivery) {
	r.history.add(func(c *Counts) { c.Duplicates++ })
	r.count(ctx, r.duplicates, d.event.Type)
}

// startAttempt records the start of an attempt. The returned function records its end. The span of the attempt links to the span of
// receiving instead of being its child, because they can be hours apart.
func (r *recorder) startAttempt(ctx context.Context, d *delivery) (context.Context, func(err error)) {
	d.began = time.Now()
	received := trace.SpanContextFromContext(propagator.Extract(context.Background(), headerCarrier(d.Header)))
	ctx, span := r.process.start(ctx, r.tracer, d.key, d.event, received)
	if span.IsRecording() {
		span.SetAttributes(attemptNumberKey.Int(d.attempt))
	}
	if d.attempt == 1 && r.waited.Enabled(ctx) {
		r.waited.Record(ctx, d.began.Sub(d.stored).Seconds(), r.typeAttributes(d.event.Type))
	}
	r.mu.Lock()
	r.running[d.sequence] = Entry{
		Key: d.key, Type: d.event.Type, State: StateRunning, Received: d.received, Size: len(d.Data),
		Attempts: d.attempt, Began: d.began, sequence: d.sequence,
	}
	r.mu.Unlock()
	return ctx, func(err error) {
		took := time.Since(d.began)
		r.mu.Lock()
		delete(r.running, d.sequence)
		r.mu.Unlock()
		r.history.took(took)
		r.processed(ctx, d.event.Type, took, err)
		if err == nil {
			r.history.add(func(c *Counts) { c.Handled++ })
			r.count(ctx, r.handled, d.event.Type)
		} else {
			r.history.add(func(c *Counts) { c.Failed++ })
			r.count(ctx, r.failed, d.event.Type)
		}
		setSpanError(span, err)
		span.End()
	}
}

// countDeadLetter counts a new dead letter.
func (r *recorder) countDeadLetter(ctx context.Context, t webhooks.EventType) {
	r.history.add(func(c *Counts) { c.Dead++ })
	r.count(ctx, r.dead, t)
}

// countRedrive counts a redriven dead letter.
func (r *recorder) countRedrive(ctx context.Context, t webhooks.EventType) {
	r.history.add(func(c *Counts) { c.Redriven++ })
	r.count(ctx, r.redriven, t)
}

// inProgress returns the running events by sequence.
func (r *recorder) inProgress() map[uint64]Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.running)
}

// maxCachedSequences limits the cache of sequences, which is cleared when it is full.
const maxCachedSequences = 4096

// cacheSequence caches the sequence of a listed event, so that the next call for it needs no scan. The cache can be outdated.
func (r *recorder) cacheSequence(key string, sequence uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sequences) >= maxCachedSequences {
		clear(r.sequences)
	}
	r.sequences[key] = sequence
}

func (r *recorder) cachedSequence(key string) (uint64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sequence, ok := r.sequences[key]
	return sequence, ok
}
