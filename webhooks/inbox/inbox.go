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

// Inbox stores events durably until they have been handled. Open it with Open and close it with Close. It is safe for concurrent use.
type Inbox struct {
	opts  Options
	log   *slog.Logger
	local *local // nil with a cluster
	conn  *nats.Conn
	js    jetstream.JetStream
	*streams
	failures jetstream.Stream // nil if it could not be created
	recorder *recorder

	duplicates atomic.Uint64 // since Open
	running    atomic.Int64  // handlers running now
	health     health
	inFlight   inFlight
	skipped    skippedDeliveries
	expiring   sync.Mutex // held while dead letters above the limits are deleted

	mu               sync.Mutex
	closed           bool
	calls            sync.WaitGroup // calls in progress
	closing          chan struct{}
	close            func() error
	unregisterGauges func()

	lifetime       context.Context //nolint:containedctx // canceled when Close begins
	cancelLifetime context.CancelFunc
	supervisor     sync.WaitGroup
}

// Open opens an inbox and creates its directory or streams if they do not exist. While a cluster elects its leaders, Open retries until ctx
// ends, for 30 seconds at most.
//
// It returns an *OptionError for invalid options. With a directory it returns a *LockedError, ErrForeign, ErrCorrupt or a file system
// error. With a cluster it returns a *ShapeError or a connection error.
func Open(ctx context.Context, opts Options) (*Inbox, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	return open(ctx, opts, func(*Inbox, context.Context) error { return nil })
}

// open opens an inbox with valid options. It calls adopt once it is connected; adopt may change the options.
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

// connect connects the inbox to its server. It starts a local server first.
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

// prepare creates what is missing in the store, and repairs what a crash of the previous process left behind.
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

// forgetMissing frees the slots of the attempt table whose events are no longer stored.
func (b *Inbox) forgetMissing(ctx context.Context) error {
	for _, sequence := range b.local.attempts.interruptedEvents() {
		_, err := b.events.GetMsg(ctx, sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			b.local.attempts.forget(sequence)
		} else if err != nil {
			return fmt.Errorf("inbox: look up event %d: %w", sequence, err)
		}
	}
	return nil
}

// Close shuts the inbox down gracefully. New calls fail with ErrClosed. Every Run stops as if its context had ended, and Close waits for
// all calls in progress. Further calls of Close wait for the first one and return its error.
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

// enter registers a call, so that Close waits for it until leave is called. It returns ErrClosed if the inbox is closed.
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
