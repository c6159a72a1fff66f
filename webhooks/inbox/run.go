package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jogg-go/jogg/webhooks"
)

// Run passes events to r, Options.Concurrency at a time, until ctx ends or the inbox is closed. Several Runs share the work, in one process
// or in many.
//
// If r returns nil, the event is done. If r returns an error or panics, the event is retried after the backoff, unless the error wraps one
// from Discard, RetryAt or RetryAfter. After the last attempt it becomes a dead letter. r may take as long as it needs. Its context has the
// values of ctx and the number of the attempt, see Attempt.
//
// When ctx ends, Run shuts down gracefully. No new attempts start, and running ones have Options.Grace to finish. Then their contexts end,
// and their events return to the queue, where another worker can start them again immediately. The interrupted attempt counts. Run waits
// for r to return, but not for longer than one second after the end of its context. It returns nil, or ErrClosed if the inbox was closed.
// If the inbox is closed immediately afterwards, an event that was on its way to a worker is redelivered up to Options.AckWait after the
// next Open.
//
// While the store of a directory has failed, no attempts start. Results of r are kept until they can be stored.
//
// Handling is at-least-once. An event is handled again if its process dies, or loses the connection to the cluster, after r returned and
// before the event is acknowledged. It is also handled again if a cluster without leaders accepts no in-progress acknowledgements for
// longer than Options.AckWait and another process takes the event. Within a process, an event is never handled twice at the same time.
func (b *Inbox) Run(ctx context.Context, r webhooks.Receiver) error {
	if r == nil {
		return errors.New("inbox: run without a receiver")
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer b.leave()

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	handling, cancelHandling := b.handlingContext(ctx)
	defer cancelHandling()
	go func() {
		select {
		case <-b.closing:
			stop(ErrClosed)
		case <-ctx.Done():
		}
	}()

	var workers sync.WaitGroup
	for range b.opts.Concurrency {
		w := &worker{Inbox: b, receiver: r, handling: handling}
		workers.Go(func() {
			defer w.dropPull()
			w.run(ctx, stop)
		})
	}
	workers.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, ErrClosed) {
		return cause
	}
	return nil
}

// errGraceOver is the cause of a handler's context that ends with the grace period.
var errGraceOver = errors.New("inbox: grace period is over")

// handlingContext returns the context of the handlers. It ends Options.Grace after ctx.
func (b *Inbox) handlingContext(ctx context.Context) (context.Context, func()) {
	handling, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(b.opts.Grace):
			cancel(errGraceOver)
		case <-handling.Done():
		}
	})
	return handling, func() {
		unhook()
		cancel(nil)
	}
}

// worker pulls and handles one event at a time.
type worker struct {
	*Inbox
	receiver webhooks.Receiver
	handling context.Context //nolint:containedctx // outlives the context of Run by the grace period
	idle     *pull           // the subscription to reuse, without a pending pull request
}

// fetchRetryWait is the wait after a failed pull request.
const fetchRetryWait = 500 * time.Millisecond

// run handles events until ctx ends. It calls stop if the connection is closed.
func (w *worker) run(ctx context.Context, stop context.CancelCauseFunc) {
	failing := false
	for ctx.Err() == nil {
		msg, err := w.next(ctx)
		switch {
		case err == nil && msg != nil && ctx.Err() != nil:
			w.nakUnstarted(msg)
			return
		case ctx.Err() != nil:
			return
		case err == nil:
			failing = false
			if msg != nil {
				w.handle(msg)
			}
			continue
		case w.conn.IsClosed():
			stop(fmt.Errorf("%w: %w", ErrClosed, err))
			return
		}
		if !failing { // once per series of errors
			w.log.WarnContext(ctx, "inbox cannot get events", "error", err)
		}
		failing = true
		select {
		case <-ctx.Done():
		case <-time.After(fetchRetryWait):
		}
	}
}

// delivery is an event as it was delivered to a worker.
type delivery struct {
	*nats.Msg
	reply    atomic.Pointer[string] // the subject for acknowledgements of the latest delivery
	sequence uint64                 // in the stream of events
	id       string                 // the message ID, which duplicates share
	event    webhooks.Event
	key      string
	attempt  int
	stored   time.Time // when it was stored in the stream, the last time if it was redriven
	received time.Time // when it was received first
	began    time.Time // when the handler was called
	log      *slog.Logger
}

// inFlightKey returns the key that only one worker of a process may hold at a time.
func (d *delivery) inFlightKey() string { return messageID(d.key) }

// ids returns all message IDs under which the event may be redelivered.
func (d *delivery) ids() []string {
	if id := d.inFlightKey(); id != d.id {
		return []string{d.id, id}
	}
	return []string{d.id}
}

func (w *worker) delivery(msg *nats.Msg) (*delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	d := &delivery{
		Msg:      msg,
		sequence: meta.Sequence.Stream,
		id:       msg.Header.Get(jetstream.MsgIDHeader),
		attempt:  w.attemptOf(meta),
		stored:   meta.Timestamp,
		received: parseTime(msg.Header, receivedHeader, meta.Timestamp),
	}
	d.reply.Store(&msg.Reply)
	d.event, d.key = eventOf(msg.Header, msg.Data)
	d.log = w.log.With("key", d.key, "event", string(d.event.Type), "attempt", d.attempt)
	return d, nil
}

// attemptOf returns the number of the attempt that a delivery is. That is JetStream's delivery count without the deliveries that started no
// attempt. If the last attempt crashed its process before JetStream had written the count, it is one more than the attempt table says.
func (w *worker) attemptOf(meta *nats.MsgMetadata) int {
	attempt := max(int(meta.NumDelivered)-w.skipped.count(meta.Sequence.Stream), 1)
	if w.local == nil {
		return attempt
	}
	return max(attempt, w.local.attempts.attempts(meta.Sequence.Stream)+1)
}

// handle handles a message and stores the result. It sends in-progress acknowledgements until the result is stored.
func (w *worker) handle(msg *nats.Msg) {
	delivered := time.Now()
	d, err := w.delivery(msg)
	if err != nil {
		w.log.ErrorContext(w.handling, "inbox got a message without JetStream metadata", "error", err)
		return
	}
	if holder := w.inFlight.claim(d); holder != nil {
		w.leaveToHolder(d, holder)
		return
	}
	defer w.inFlight.release(d)
	w.running.Add(1)
	defer w.running.Add(-1)
	defer w.keepAlive(d)()
	d.log.DebugContext(w.handling, "event taken")

	var done bool
	err = w.persist(func(ctx context.Context) (err error) {
		done, err = w.wasHandled(ctx, d.id)
		return err
	})
	switch {
	case err != nil:
		w.postpone(d, err)
		return
	case done:
		w.duplicates.Add(1)
		w.recorder.countDuplicate(w.handling, d)
		d.log.DebugContext(w.handling, "event was already handled")
		w.report(d, w.persist(func(ctx context.Context) error { return w.acknowledge(ctx, d) }))
		return
	case w.local == nil && time.Since(delivered) > w.opts.AckWait:
		// The look-up took so long that the event was redelivered to another worker, or is about to be.
		w.skipped.add(d.sequence)
		d.log.WarnContext(w.handling, "event left to another attempt")
		return
	case d.attempt > w.opts.MaxAttempts:
		w.storeDeadLetter(d, d.attempt-1, errLastAttempt)
		return
	}
	if w.local != nil {
		defer w.local.attempts.begin(d.sequence, d.attempt)()
	}
	w.finish(d, w.attempt(d))
}

// leaveToHolder leaves a delivery to the worker of this process that holds its event. If that worker holds the same message, it also
// acknowledges this delivery. Otherwise the message is a second one about the same event. It is negatively acknowledged with a delay, to
// check later whether the event was handled.
func (w *worker) leaveToHolder(d, holder *delivery) {
	w.skipped.add(d.sequence)
	d.log.DebugContext(w.handling, "event is already in flight")
	if holder.sequence != d.sequence {
		wait := inFlightWait << min(w.skipped.count(d.sequence)-1, 16)
		w.report(d, w.nak(d, min(wait, w.opts.AckWait)))
	}
}

// inFlightWait is the first redelivery delay of an event that is in flight. It doubles each time.
const inFlightWait = 50 * time.Millisecond

// errLastAttempt is the reason of a dead letter whose last attempt has no result. JetStream redelivers such an event once more.
var errLastAttempt = errors.New("inbox: the last attempt was interrupted: its process died, or lost the cluster")

// finish acknowledges, retries or dead-letters an event after an attempt that ended with err.
func (w *worker) finish(d *delivery, err error) {
	_, discarded := errors.AsType[*DiscardError](err)
	switch {
	case err == nil:
		w.complete(d)
	case discarded || d.undecodable(err):
		w.storeDeadLetter(d, d.attempt, err)
	case w.handling.Err() != nil:
		d.log.WarnContext(w.handling, "event returned to the queue unfinished", "error", err)
		w.recordFailure(d, err, time.Now())
		w.report(d, w.nak(d, 0))
	case d.attempt >= w.opts.MaxAttempts:
		w.storeDeadLetter(d, d.attempt, err)
	default:
		w.retry(d, err)
	}
}

// undecodable reports whether an attempt failed because the event cannot be decoded. Another attempt in this process would fail too.
func (d *delivery) undecodable(err error) bool {
	data, ok := d.event.Data.(*webhooks.Undecodable)
	reason, wrapped := errors.AsType[*webhooks.PayloadError](err)
	return ok && wrapped && reason == data.Err
}

// abandonTimeout is how long a handler may take to return after its context has ended.
const abandonTimeout = time.Second

var (
	errAbandoned      = errors.New("inbox: handler did not return")
	errHandlerTimeout = errors.New("inbox: handler exceeded HandlerTimeout")
)

// attempt calls the receiver in a goroutine of its own, so that a handler that never returns does not block the worker.
func (w *worker) attempt(d *delivery) (err error) {
	ctx, ended := w.recorder.startAttempt(withAttempt(w.handling, d.attempt), d)
	defer func() { ended(err) }()
	if limit := w.opts.HandlerTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, errHandlerTimeout)
		defer cancel()
	}
	returned := make(chan error, 1)
	go func() {
		err := errors.New("inbox: handler called runtime.Goexit")
		defer func() {
			if v := recover(); v != nil {
				err = &panicError{value: v, stack: debug.Stack()}
			}
			returned <- err
		}()
		err = w.receiver.Receive(ctx, d.event)
	}()
	select {
	case err := <-returned:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-returned:
		return err
	case <-time.After(abandonTimeout):
		return fmt.Errorf("%w: %w", errAbandoned, context.Cause(ctx))
	}
}

// keepAlive sends in-progress acknowledgements for an event until the returned function is called. It logs a warning if that takes longer
// than Options.HandlerWarning.
func (w *worker) keepAlive(d *delivery) func() {
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(w.opts.AckWait / 3)
		defer tick.Stop()
		limit := w.opts.HandlerWarning
		warning := time.NewTimer(max(limit, 0))
		defer warning.Stop()
		if limit < 0 {
			warning.Stop()
		}
		for begin := time.Now(); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = w.ackInProgress(d) // if it fails, the next one may succeed
			case <-warning.C:
				d.log.WarnContext(w.handling, "handler is slow", "running", time.Since(begin).Round(time.Millisecond))
				warning.Reset(limit)
				limit *= 2
			}
		}
	})
	return func() {
		close(stop)
		done.Wait()
	}
}

// storeTimeout limits how long a worker retries to store a result. A cluster elects its leaders within that time.
const storeTimeout = 15 * time.Second

// persist stores a result by calling f. The context of f ends when the store fails, and not when the grace period does. persist then waits
// until the store works and calls f again, as often as needed. It gives up if the grace period ends while it waits.
func (w *worker) persist(f func(ctx context.Context) error) error {
	for {
		up, err := w.awaitStore(w.handling)
		if err != nil {
			return err
		}
		if err = f(up); err == nil || up.Err() == nil {
			return err
		}
	}
}

// awaitStore waits until the store works and its disk has space for the result of an event. It returns an error if ctx ends, or the inbox
// is closed, before that.
func (w *worker) awaitStore(ctx context.Context) (*uptime, error) {
	up := w.health.current.Load()
	if up.Err() == nil && (w.local == nil || !w.local.space.scarce()) { // the usual case
		return up, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.lifetime, cancel)()
	for {
		up, err := w.health.awaitUp(ctx)
		if err != nil || !w.local.space.scarce() {
			return up, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: too little free space on the disk: %w", ErrFull, context.Cause(ctx))
		case <-time.After(checkInterval):
		}
	}
}

// complete records an event as handled and then acknowledges it, which removes it from the queue. Once it is recorded, a lost
// acknowledgement cannot make it be handled again.
func (w *worker) complete(d *delivery) {
	var err error
	err = w.persist(func(ctx context.Context) error {
		err = w.markHandled(ctx, d.ids()...)
		return errors.Join(err, w.acknowledge(ctx, d))
	})
	w.skipped.forget(d.sequence)
	if err != nil {
		w.report(d, err)
		return
	}
	d.log.DebugContext(w.handling, "event handled")
}

// postpone returns an event to the queue before an attempt has started.
func (w *worker) postpone(d *delivery, err error) {
	w.skipped.add(d.sequence)
	wait := w.opts.backoff(1)
	d.log.WarnContext(w.handling, "event postponed", "error", err, "wait", wait)
	w.report(d, w.nak(d, wait))
}

// retry returns an event to the queue for another attempt.
func (w *worker) retry(d *delivery, err error) {
	wait := w.opts.wait(d.attempt, err)
	w.recordFailure(d, err, time.Now().Add(wait))
	args := []any{"error", err, "wait", wait}
	if p, ok := errors.AsType[*panicError](err); ok {
		args = append(args, "stack", string(p.stack))
	}
	d.log.WarnContext(w.handling, "event failed", args...)
	w.report(d, w.persist(func(context.Context) error { return w.nak(d, wait) }))
}

// report logs that the result of an event could not be stored. JetStream redelivers the event after AckWait.
func (w *worker) report(d *delivery, err error) {
	if err != nil {
		d.log.WarnContext(w.handling, "inbox cannot store the result of an event", "error", err)
	}
}
