package inbox

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// StoreError says that the store in the inbox's directory has failed. The inbox refuses events and takes none until it works again. It
// tries to restart the store, without end.
type StoreError struct {
	// Since is when the failure was noticed.
	Since time.Time
	// Err is what failed, together with why the store could not be restarted yet, if that was tried.
	Err error
}

func (e *StoreError) Error() string {
	return fmt.Sprintf("inbox: store has failed since %s: %v", e.Since.Format(time.RFC3339), e.Err)
}

// Unwrap returns Err.
func (e *StoreError) Unwrap() error { return e.Err }

// Healthy returns nil if the inbox can receive and handle events now, and otherwise what is wrong: ErrClosed, a *StoreError while the
// store in a directory has failed, an error that is ErrFull while a limit or the reserve of free space is reached, or one of the
// connection to a cluster. It asks the server, so it is meant for a readiness probe every few seconds. It returns when ctx ends, and after
// two seconds at the latest.
func (b *Inbox) Healthy(ctx context.Context) error {
	if err := b.enter(); err != nil {
		return err
	}
	defer b.leave()
	if err := b.refusal(0); err != nil {
		return err
	}
	if b.conn.IsReconnecting() {
		return fmt.Errorf("inbox: %w", nats.ErrDisconnected)
	}
	if b.local != nil {
		if err := b.local.look(); err != nil {
			return &StoreError{Since: time.Now(), Err: err} // the guard has yet to notice
		}
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	events, err := b.events.Info(ctx)
	if err != nil {
		return fmt.Errorf("inbox: ask for the state of stream %s: %w", b.opts.Stream, err)
	}
	if limit := b.opts.MaxEvents; limit > 0 && events.State.Msgs >= uint64(limit) {
		return fmt.Errorf("%w: %d events of %d", ErrFull, events.State.Msgs, limit)
	}
	if limit := b.opts.MaxBytes; limit > 0 && events.State.Bytes >= uint64(limit) {
		return fmt.Errorf("%w: %d bytes of %d", ErrFull, events.State.Bytes, limit)
	}
	if _, err := b.worker.Info(ctx); err != nil {
		return fmt.Errorf("inbox: ask for the state of consumer %s/%s: %w", b.opts.Stream, workerName, err)
	}
	return nil
}

// call begins a call that asks the store. Its context ends when the store fails, and end, which gets the call's error, then says so.
func (b *Inbox) call(ctx context.Context) (_ context.Context, end func(err *error), err error) {
	if err := b.enter(); err != nil {
		return nil, nil, err
	}
	era := b.health.current.Load()
	if err := b.health.err(); err != nil {
		b.leave()
		return nil, nil, err
	}
	ctx, cancel := era.within(ctx)
	return ctx, func(err *error) {
		cancel()
		b.leave()
		if *err != nil && era.Err() != nil {
			*err = b.health.ended(era)
		}
	}, nil
}

// refusal returns why an event of that many bytes must not be published now, or nil. It makes no system call.
func (b *Inbox) refusal(size int) error {
	if err := b.health.err(); err != nil {
		return err
	}
	if b.local != nil {
		return b.local.space.refusal(size)
	}
	return nil
}

// health is whether the store works. A cluster's is taken to work; it reports by itself what does not.
type health struct {
	current  atomic.Pointer[era]
	restarts atomic.Uint64

	mu       sync.Mutex
	since    time.Time // when the last era ended
	attempts error     // why the last restart has failed
}

// era is a time in which the store works. It ends with the reason, and next is closed when another one has begun.
type era struct {
	context.Context //nolint:containedctx // its end is what it is about
	end             context.CancelCauseFunc
	next            chan struct{}
}

// begin begins an era.
func (h *health) begin() {
	e := &era{next: make(chan struct{})}
	e.Context, e.end = context.WithCancelCause(context.Background())
	if last := h.current.Swap(e); last != nil {
		close(last.next)
	}
}

// fail ends the era.
func (h *health) fail(cause error) {
	h.mu.Lock()
	h.since, h.attempts = time.Now(), nil
	h.mu.Unlock()
	h.current.Load().end(cause)
}

// restartFailed notes why the store cannot be restarted, and reports whether that is another reason than before.
func (h *health) restartFailed(err error) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	news = h.attempts == nil || h.attempts.Error() != err.Error()
	h.attempts = err
	return news
}

// err returns a *StoreError if the store does not work.
func (h *health) err() error {
	if e := h.current.Load(); e.Err() != nil {
		return h.ended(e)
	}
	return nil
}

// ended returns the error of an era that has ended, the last one or one before it.
func (h *health) ended(e *era) error {
	cause := context.Cause(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.attempts != nil {
		cause = fmt.Errorf("%w; restart: %w", cause, h.attempts)
	}
	return &StoreError{Since: h.since, Err: cause}
}

// working waits for the store to work and returns the era that it works in, or an error when ctx ends.
func (h *health) working(ctx context.Context) (*era, error) {
	for {
		e := h.current.Load()
		if e.Err() == nil {
			return e, nil
		}
		select {
		case <-e.next:
		case <-ctx.Done():
			if err := h.err(); err != nil {
				return nil, err
			}
			return nil, context.Cause(ctx) // it works again at this very moment
		}
	}
}

// within returns a context that ends with ctx and with the era.
func (e *era) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(e, cancel)
	return ctx, func() {
		unhook()
		cancel()
	}
}

// look asks the server whether its streams can still be written. What it has complained about itself comes first: it does not show
// everything that stops it.
func (l *local) look() error {
	if failed := l.failed.Load(); failed != nil {
		return *failed
	}
	s := l.server.Load()
	if s == nil {
		return errDown
	}
	return healthOf(s)
}

// healthOf says what is wrong with the streams of a server. The server begins with seeing whether it accepts connections, for a millisecond,
// which passes on a busy machine though nothing is wrong; then it has not looked at the streams, and says so by another status.
func healthOf(s *server.Server) error {
	for range healthTries {
		status := s.Healthz(&server.HealthzOptions{})
		if status.StatusCode == http.StatusInternalServerError {
			continue
		}
		if status.Error != "" {
			return fmt.Errorf("inbox: server: %s", status.Error)
		}
		return nil
	}
	if !s.Running() {
		return errDown
	}
	return nil // the next look will tell
}

// healthTries is how often a server is asked that is busy.
const healthTries = 5
