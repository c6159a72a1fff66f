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

// Run hands events to r, Options.Concurrency at a time, until ctx ends or the inbox is closed. Several Runs share the work, in one
// process or in many.
//
// An event for which r returns nil is done with. Otherwise, also if r panics, it is tried again after the backoff, unless the error is
// one of Discard, RetryAt or RetryAfter; after the last attempt it becomes a dead letter. How long r takes does not matter. The context
// that r gets has the values of ctx and tells the number of the attempt, see Attempt.
//
// When ctx ends no further event is begun. What runs may go on for Options.Grace, then its context ends and it returns to the queue, for
// another worker to begin again at once. The attempt counts. If the inbox is closed right then, an event that was on its way to a worker
// comes again up to Options.AckWait after it is opened. Run returns nil then, or ErrClosed if the inbox was closed. It waits for r to
// return, but for no more than a second after the end of its context.
//
// While the store in a directory has failed, no event is begun, and what r has ended with is kept until it can be stored.
//
// Handling is at least once: an event is handled again if its process dies, or loses the cluster, between the end of r and the
// acknowledgement, or if a cluster without leaders cannot be told for longer than Options.AckWait that r is still at work and another
// process takes the event. A process that has an event does not begin it a second time meanwhile.
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

// errGraceOver is why a handler's context ends.
var errGraceOver = errors.New("inbox: grace period is over")

// handlingContext returns the context of the handlers, which ends some time after ctx.
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

// worker handles one event after another.
type worker struct {
	*Inbox
	receiver webhooks.Receiver
	handling context.Context //nolint:containedctx // outlives the context of Run by the grace period
	idle     *pull           // has no pull request under way
}

// restWait lies between two tries to get events from a cluster that refuses.
const fetchRetryWait = 500 * time.Millisecond

// run works until ctx ends.
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
		if !failing { // once for each time that something is wrong
			w.log.WarnContext(ctx, "inbox cannot get events", "error", err)
		}
		failing = true
		select {
		case <-ctx.Done():
		case <-time.After(fetchRetryWait):
		}
	}
}

// delivery is an event that a worker has been handed.
type delivery struct {
	*nats.Msg
	reply    atomic.Pointer[string] // where to say what becomes of it: that of its latest delivery
	sequence uint64                 // in the stream of the events
	id       string                 // what its duplicates have in common
	event    webhooks.Event
	key      string
	attempt  int
	stored   time.Time // in the stream, and received at first: not the same after a redrive
	received time.Time
	began    time.Time // when the handler was called
	log      *slog.Logger
}

// holding returns what at most one worker of a process may hold.
func (d *delivery) inFlightKey() string { return messageID(d.key) }

// ids returns all ids under which an event may come again.
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

// attemptOf returns which attempt a delivery is: JetStream's count without what was none, or one more than the attempt that has ended its
// process before JetStream wrote it down.
func (w *worker) attemptOf(meta *nats.MsgMetadata) int {
	attempt := max(int(meta.NumDelivered)-w.skipped.count(meta.Sequence.Stream), 1)
	if w.local == nil {
		return attempt
	}
	return max(attempt, w.local.attempts.attempts(meta.Sequence.Stream)+1)
}

// handle handles a message and says what becomes of it. Its in-progress acknowledgements go on until that is said.
func (w *worker) handle(msg *nats.Msg) {
	delivered := time.Now()
	d, err := w.delivery(msg)
	if err != nil {
		w.log.ErrorContext(w.handling, "inbox has been sent what is no event", "error", err)
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
		d.log.DebugContext(w.handling, "event was handled before")
		w.report(d, w.persist(func(ctx context.Context) error { return w.acknowledge(ctx, d) }))
		return
	case w.local == nil && time.Since(delivered) > w.opts.AckWait:
		// The cluster was out for so long that another worker can have the event by now, and will have it if not.
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

// leaveToHolder leaves a delivery to the worker of this process that has its event. If that worker has the same message, it also answers
// for this delivery. Otherwise the message comes again, to see what has become of its event.
func (w *worker) leaveToHolder(d, holder *delivery) {
	w.skipped.add(d.sequence)
	d.log.DebugContext(w.handling, "event is in hand already")
	if holder.sequence != d.sequence {
		wait := inFlightWait << min(w.skipped.count(d.sequence)-1, 16)
		w.report(d, w.nak(d, min(wait, w.opts.AckWait)))
	}
}

// inHandWait is the first wait for an event that is in hand; each is twice as long as the last.
const inFlightWait = 50 * time.Millisecond

// errLastAttempt is the reason of a dead letter whose last attempt has not ended, so that JetStream delivers it once more.
var errLastAttempt = errors.New("inbox: the last attempt was cut short: its process ended, or lost the cluster")

// conclude says what becomes of an event after an attempt.
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

// undecodable reports whether an attempt has failed because the event cannot be decoded, which another attempt of this process would not change.
func (d *delivery) undecodable(err error) bool {
	data, ok := d.event.Data.(*webhooks.Undecodable)
	reason, wrapped := errors.AsType[*webhooks.PayloadError](err)
	return ok && wrapped && reason == data.Err
}

// abandonTime is how long a handler may take to return after its context has ended.
const abandonTimeout = time.Second

var (
	errAbandoned      = errors.New("inbox: handler does not return")
	errHandlerTimeout = errors.New("inbox: handler has taken longer than it may")
)

// attempt calls the receiver, in a goroutine of its own so that one that never returns does not hold up everything else.
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
		err := errors.New("inbox: handler ended its goroutine")
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

// keepAlive acknowledges that an event is in progress until the function that it returns is called, and warns if that takes long.
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
				_ = w.ackInProgress(d) // the next one may get through
			case <-warning.C:
				d.log.WarnContext(w.handling, "event is taking long", "running", time.Since(begin).Round(time.Millisecond))
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

// settleTime limits how long a worker tries to have something stored. A cluster elects its leaders in that time.
const storeTimeout = 15 * time.Second

// persist calls f with a context that ends when the store fails, and not when the grace period does. f is then called again once the store
// works, as often as it takes, unless the handlers' time is over by then.
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

// storable waits until the store works and its disk has room for what becomes of an event. It returns an error if ctx ends, or the inbox
// is closed, before.
func (w *worker) awaitStore(ctx context.Context) (*uptime, error) {
	up := w.health.current.Load()
	if up.Err() == nil && (w.local == nil || !w.local.space.scarce()) { // as always
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
			return nil, fmt.Errorf("%w: too little is free on the disk: %w", ErrFull, context.Cause(ctx))
		case <-time.After(checkInterval):
		}
	}
}

// settle remembers an event as handled and takes it out of the queue. Once it is remembered, nothing that happens to the
// acknowledgement can make it be handled again.
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

// postpone leaves an event in the queue that no attempt was begun for.
func (w *worker) postpone(d *delivery, err error) {
	w.skipped.add(d.sequence)
	wait := w.opts.backoff(1)
	d.log.WarnContext(w.handling, "event postponed", "error", err, "wait", wait)
	w.report(d, w.nak(d, wait))
}

// retry leaves an event in the queue for another attempt.
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

// report logs that JetStream could not be told what became of an event. It will be delivered again after AckWait.
func (w *worker) report(d *delivery, err error) {
	if err != nil {
		d.log.WarnContext(w.handling, "inbox cannot store what became of an event", "error", err)
	}
}
