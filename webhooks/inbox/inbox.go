package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Inbox keeps events durably until they have been handled. Open makes one, Close must be called in the end. It is safe for
// concurrent use.
type Inbox struct {
	opts  Options
	log   *slog.Logger
	local *local // nil with a cluster
	conn  *nats.Conn
	js    jetstream.JetStream
	*streams
	failures jetstream.Stream // nil if it cannot be had
	recorder *recorder

	duplicates atomic.Uint64 // since Open
	running    atomic.Int64  // handlers at this moment
	health     health
	inFlight   inFlight
	skipped    skippedDeliveries
	expiring   sync.Mutex // held while dead letters are deleted because of their bounds

	mu               sync.Mutex
	closed           bool
	calls            sync.WaitGroup // calls that are under way
	closing          chan struct{}
	close            func() error
	unregisterGauges func() // ends the gauges

	lifetime       context.Context //nolint:containedctx // ends when Close begins
	cancelLifetime context.CancelFunc
	supervisor     sync.WaitGroup
}

// Open opens an inbox. It creates what does not exist yet, which on a cluster that is electing its leaders can take until ctx ends, 30
// seconds at most.
//
// Errors are a *OptionError; with a directory a *LockedError, an error that is ErrForeign or ErrCorrupt, or one of the file system;
// with a cluster a *ShapeError or one of the connection.
func Open(ctx context.Context, opts Options) (*Inbox, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	return open(ctx, opts, func(*Inbox, context.Context) error { return nil })
}

// open opens an inbox whose options have been checked. Once it is connected adopt may change them.
func open(ctx context.Context, opts Options, adopt func(b *Inbox, ctx context.Context) error) (*Inbox, error) {
	b := &Inbox{opts: opts.withDefaults(), closing: make(chan struct{})}
	b.log = b.opts.Logger
	b.recorder = newRecorder(&b.opts)
	b.close = sync.OnceValue(b.shutDown)
	b.lifetime, b.cancelLifetime = context.WithCancel(context.Background())
	if err := b.connect(ctx); err != nil {
		return nil, err
	}
	if err := adopt(b, ctx); err != nil {
		return nil, joined(err, b.disconnect())
	}
	if err := b.prepare(ctx); err != nil {
		return nil, joined(err, b.disconnect())
	}
	b.unregisterGauges = b.recorder.registerGauges(b.Stats)
	b.health.markUp()
	b.supervisor.Go(b.supervise)
	return b, nil
}

// connect connects the inbox with its server, which it starts first if it is a local one.
func (b *Inbox) connect(ctx context.Context) (err error) {
	switch {
	case b.opts.Dir != "":
		if b.local, err = startLocal(ctx, &b.opts); err != nil {
			return err
		}
		if b.conn, err = b.local.connect(); err != nil {
			return joined(err, b.local.stop())
		}
	case b.opts.URL != "":
		b.conn, err = connectCluster(ctx, &b.opts)
	default:
		b.conn = b.opts.Conn
	}
	return err
}

func (b *Inbox) prepare(ctx context.Context) (err error) {
	if b.js, err = jetstream.New(b.conn); err != nil {
		return fmt.Errorf("inbox: %w", err)
	}
	if b.streams, err = setUp(ctx, b.js, &b.opts, b.local != nil && b.local.dir.manifest.Complete); err != nil {
		return err
	}
	b.openFailures(ctx)
	if b.local == nil {
		return nil
	}
	if err := b.local.dir.markComplete(); err != nil {
		return err
	}
	if err := b.sweep(ctx); err != nil {
		return err
	}
	return b.forgetMissing(ctx)
}

// forgetEnded forgets the attempts of events that are not there any more.
func (b *Inbox) forgetMissing(ctx context.Context) error {
	for _, sequence := range b.local.attempts.interruptedEvents() {
		_, err := b.events.GetMsg(ctx, sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			b.local.attempts.forget(sequence)
		} else if err != nil {
			return fmt.Errorf("inbox: look for event %d: %w", sequence, err)
		}
	}
	return nil
}

// Close closes the inbox: Receive and Run fail from now on, each Run that is under way stops as if its context had ended, and Close
// waits for them. Closing again waits for the first time and returns its error.
func (b *Inbox) Close() error { return b.close() }

func (b *Inbox) shutDown() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	close(b.closing)
	b.unregisterGauges()
	b.cancelLifetime()
	b.calls.Wait()
	b.supervisor.Wait()
	return b.disconnect()
}

func (b *Inbox) disconnect() error {
	if b.conn != nil && b.conn != b.opts.Conn {
		b.conn.Close()
	}
	if b.local == nil {
		return nil
	}
	return b.local.stop()
}

// enter says that a call begins, leave that it ends. Close waits for those in between.
func (b *Inbox) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.conn.IsClosed() {
		return ErrClosed
	}
	b.calls.Add(1)
	return nil
}

func (b *Inbox) leave() { b.calls.Done() }
