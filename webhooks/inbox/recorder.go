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
func (w *recorder) startReceive(ctx context.Context, key string, ev webhooks.Event) (context.Context, reception) {
	ctx, span := w.receive.start(ctx, w.tracer, key, ev, trace.SpanContext{})
	return ctx, reception{recorder: w, span: span, event: ev}
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
func (w *recorder) countDuplicate(ctx context.Context, d *delivery) {
	w.history.add(func(c *Counts) { c.Duplicates++ })
	w.count(ctx, w.duplicates, d.event.Type)
}

// startAttempt records the start of an attempt. The returned function records its end. The span of the attempt links to the span of
// receiving instead of being its child, because they can be hours apart.
func (w *recorder) startAttempt(ctx context.Context, d *delivery) (context.Context, func(err error)) {
	d.began = time.Now()
	received := trace.SpanContextFromContext(propagator.Extract(context.Background(), headerCarrier(d.Header)))
	ctx, span := w.process.start(ctx, w.tracer, d.key, d.event, received)
	if span.IsRecording() {
		span.SetAttributes(attemptNumberKey.Int(d.attempt))
	}
	if d.attempt == 1 && w.waited.Enabled(ctx) {
		w.waited.Record(ctx, d.began.Sub(d.stored).Seconds(), w.typeAttributes(d.event.Type))
	}
	w.mu.Lock()
	w.running[d.sequence] = Entry{
		Key: d.key, Type: d.event.Type, State: StateRunning, Received: d.received, Size: len(d.Data),
		Attempts: d.attempt, Began: d.began, sequence: d.sequence,
	}
	w.mu.Unlock()
	return ctx, func(err error) {
		took := time.Since(d.began)
		w.mu.Lock()
		delete(w.running, d.sequence)
		w.mu.Unlock()
		w.history.took(took)
		w.processed(ctx, d.event.Type, took, err)
		if err == nil {
			w.history.add(func(c *Counts) { c.Handled++ })
			w.count(ctx, w.handled, d.event.Type)
		} else {
			w.history.add(func(c *Counts) { c.Failed++ })
			w.count(ctx, w.failed, d.event.Type)
		}
		setSpanError(span, err)
		span.End()
	}
}

// countDeadLetter counts a new dead letter.
func (w *recorder) countDeadLetter(ctx context.Context, t webhooks.EventType) {
	w.history.add(func(c *Counts) { c.Dead++ })
	w.count(ctx, w.dead, t)
}

// countRedrive counts a redriven dead letter.
func (w *recorder) countRedrive(ctx context.Context, t webhooks.EventType) {
	w.history.add(func(c *Counts) { c.Redriven++ })
	w.count(ctx, w.redriven, t)
}

// inProgress returns the running events by sequence.
func (w *recorder) inProgress() map[uint64]Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.running)
}

// maxCachedSequences limits the cache of sequences, which is cleared when it is full.
const maxCachedSequences = 4096

// cacheSequence caches the sequence of a listed event, so that the next call for it needs no scan. The cache can be outdated.
func (w *recorder) cacheSequence(key string, sequence uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sequences) >= maxCachedSequences {
		clear(w.sequences)
	}
	w.sequences[key] = sequence
}

func (w *recorder) cachedSequence(key string) (uint64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sequence, ok := w.sequences[key]
	return sequence, ok
}
