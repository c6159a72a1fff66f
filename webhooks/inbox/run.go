package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
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
// When ctx ends no further event is begun. What runs may go on for Options.Grace, then its context ends and it is handed back, for
// another worker to begin again at once. The attempt counts. If the inbox is closed right then, an event that was on its way to a worker
// comes again up to Options.AckWait after it is opened. Run returns nil then, or ErrClosed if the inbox was closed. It waits for r to
// return, but for no more than a second after the end of its context.
//
// Handling is at least once: an event is handled again if its process dies, or loses the cluster, between the end of r and the
// acknowledgement, or if a cluster without leaders cannot be told for longer than Options.AckWait that r is still at work.
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
	handling, cut := b.handlingContext(ctx)
	defer cut()
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
		workers.Go(func() { w.run(ctx, stop) })
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
}

// restWait lies between two tries to get events from a cluster that refuses.
const restWait = 500 * time.Millisecond

// run works until ctx ends.
func (w *worker) run(ctx context.Context, stop context.CancelCauseFunc) {
	failing := false
	for ctx.Err() == nil {
		msg, err := w.next(ctx)
		switch {
		case err == nil && msg != nil && ctx.Err() != nil:
			_ = w.handBack(msg, 0) // if that is lost, the event is delivered again after AckWait
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
		case <-time.After(restWait):
		}
	}
}

// delivery is an event that a worker has been handed.
type delivery struct {
	*nats.Msg
	id       string // what its duplicates have in common
	event    webhooks.Event
	key      string
	attempt  int
	received time.Time
	log      *slog.Logger
}

func (w *worker) delivery(msg *nats.Msg) (*delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	d := &delivery{
		Msg:      msg,
		id:       msg.Header.Get(jetstream.MsgIDHeader),
		attempt:  int(meta.NumDelivered),
		received: parseTime(msg.Header, receivedHeader, meta.Timestamp),
	}
	d.event, d.key = eventOf(msg.Header, msg.Data)
	d.log = w.log.With("key", d.key, "event", string(d.event.Type), "attempt", d.attempt)
	return d, nil
}

// handle handles a message and says what becomes of it. Its sign of life goes on until that is said.
func (w *worker) handle(msg *nats.Msg) {
	taken := time.Now()
	d, err := w.delivery(msg)
	if err != nil {
		w.log.ErrorContext(w.handling, "inbox has been sent what is no event", "error", err)
		return
	}
	w.running.Add(1)
	defer w.running.Add(-1)
	defer w.keepAlive(d)()
	d.log.DebugContext(w.handling, "event taken")

	ctx, cancel := w.settling()
	done, err := w.wasHandled(ctx, d.id)
	cancel()
	switch {
	case err != nil:
		w.retry(d, err)
		return
	case done:
		w.duplicates.Add(1)
		d.log.DebugContext(w.handling, "event was handled before")
		w.acknowledge(d)
		return
	case time.Since(taken) > w.opts.AckWait:
		// The cluster was out for so long that another worker can have the event by now, and will have it if not.
		d.log.WarnContext(w.handling, "event left to another attempt")
		return
	case d.attempt > w.opts.MaxAttempts:
		w.bury(d, d.attempt-1, errLastAttempt)
		return
	}
	w.conclude(d, w.attempt(d))
}

// errLastAttempt is the reason of a dead letter whose last attempt has not ended, so that JetStream delivers it once more.
var errLastAttempt = errors.New("inbox: the last attempt was cut short: its process ended, or lost the cluster")

// conclude says what becomes of an event after an attempt.
func (w *worker) conclude(d *delivery, err error) {
	_, discarded := errors.AsType[*DiscardError](err)
	switch {
	case err == nil:
		w.settle(d)
	case discarded || d.undecodable(err):
		w.bury(d, d.attempt, err)
	case w.handling.Err() != nil:
		d.log.WarnContext(w.handling, "event handed back unfinished", "error", err)
		w.report(d, w.handBack(d.Msg, 0))
	case d.attempt >= w.opts.MaxAttempts:
		w.bury(d, d.attempt, err)
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
const abandonTime = time.Second

var errAbandoned = errors.New("inbox: handler does not return")

// attempt calls the receiver, in a goroutine of its own so that one that never returns does not hold up everything else.
func (w *worker) attempt(d *delivery) error {
	ctx := withAttempt(w.handling, d.attempt)
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
	case <-time.After(abandonTime):
		return errAbandoned
	}
}

// keepAlive gives signs of life for an event until the function that it returns is called.
func (w *worker) keepAlive(d *delivery) func() {
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(w.opts.AckWait / 3)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = w.sayAlive(d.Msg) // the next one may get through
			}
		}
	})
	return func() {
		close(stop)
		done.Wait()
	}
}

// settleTime limits how long a worker tries to have the end of an event stored. A cluster elects its leaders in that time.
const settleTime = 15 * time.Second

// settling returns a context for that. It does not end when the grace period does.
func (w *worker) settling() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(w.handling), settleTime)
}

// settle remembers an event as handled and takes it out of the queue. Once it is remembered, nothing that happens to the
// acknowledgement can make it be handled again.
func (w *worker) settle(d *delivery) {
	ctx, cancel := w.settling()
	defer cancel()
	err := w.remember(ctx, d.id)
	w.acknowledge(d)
	if err != nil {
		w.report(d, err)
		return
	}
	d.log.DebugContext(w.handling, "event handled")
}

// retry leaves an event in the queue for another attempt.
func (w *worker) retry(d *delivery, err error) {
	wait := w.opts.wait(d.attempt, err)
	args := []any{"error", err, "wait", wait}
	if p, ok := errors.AsType[*panicError](err); ok {
		args = append(args, "stack", string(p.stack))
	}
	d.log.WarnContext(w.handling, "event failed", args...)
	w.report(d, w.handBack(d.Msg, wait))
}

// report logs that JetStream could not be told what became of an event. It will be delivered again after AckWait.
func (w *worker) report(d *delivery, err error) {
	if err != nil {
		d.log.WarnContext(w.handling, "inbox cannot store what became of an event", "error", err)
	}
}
