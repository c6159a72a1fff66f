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
	if err := b.admit(0); err != nil {
		return err
	}
	if b.conn.IsReconnecting() {
		return fmt.Errorf("inbox: %w", nats.ErrDisconnected)
	}
	if b.local != nil {
		if err := b.local.check(); err != nil {
			return &StoreError{Since: time.Now(), Err: err} // the guard has yet to notice
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
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
	if _, err := b.consumer.Info(ctx); err != nil {
		return fmt.Errorf("inbox: ask for the state of consumer %s/%s: %w", b.opts.Stream, consumerName, err)
	}
	return nil
}

// call begins a call that asks the store. Its context ends when the store fails, and end, which gets the call's error, then says so.
func (b *Inbox) beginCall(ctx context.Context) (_ context.Context, end func(err *error), err error) {
	if err := b.enter(); err != nil {
		return nil, nil, err
	}
	up := b.health.current.Load()
	if err := b.health.err(); err != nil {
		b.leave()
		return nil, nil, err
	}
	ctx, cancel := up.derive(ctx)
	return ctx, func(err *error) {
		cancel()
		b.leave()
		if *err != nil && up.Err() != nil {
			*err = b.health.storeError(up)
		}
	}, nil
}

// refusal returns why an event of that many bytes must not be published now, or nil. It makes no system call.
func (b *Inbox) admit(size int) error {
	if err := b.health.err(); err != nil {
		return err
	}
	if b.local != nil {
		return b.local.space.admit(size)
	}
	return nil
}

// health is whether the store works. A cluster's is taken to work; it reports by itself what does not.
type health struct {
	current  atomic.Pointer[uptime]
	restarts atomic.Uint64

	mu         sync.Mutex
	since      time.Time // when the last era ended
	restartErr error     // why the last restart has failed
}

// era is a time in which the store works. It ends with the reason, and next is closed when another one has begun.
type uptime struct {
	context.Context //nolint:containedctx // its end is what it is about
	end             context.CancelCauseFunc
	restarted       chan struct{}
}

// begin begins an era.
func (h *health) markUp() {
	u := &uptime{restarted: make(chan struct{})}
	u.Context, u.end = context.WithCancelCause(context.Background())
	if last := h.current.Swap(u); last != nil {
		close(last.restarted)
	}
}

// fail ends the era.
func (h *health) markDown(cause error) {
	h.mu.Lock()
	h.since, h.restartErr = time.Now(), nil
	h.mu.Unlock()
	h.current.Load().end(cause)
}

// restartFailed notes why the store cannot be restarted, and reports whether that is another reason than before.
func (h *health) restartFailed(err error) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	news = h.restartErr == nil || h.restartErr.Error() != err.Error()
	h.restartErr = err
	return news
}

// err returns a *StoreError if the store does not work.
func (h *health) err() error {
	if u := h.current.Load(); u.Err() != nil {
		return h.storeError(u)
	}
	return nil
}

// ended returns the error of an era that has ended, the last one or one before it.
func (h *health) storeError(u *uptime) error {
	cause := context.Cause(u)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.restartErr != nil {
		cause = fmt.Errorf("%w; restart: %w", cause, h.restartErr)
	}
	return &StoreError{Since: h.since, Err: cause}
}

// working waits for the store to work and returns the era that it works in, or an error when ctx ends.
func (h *health) awaitUp(ctx context.Context) (*uptime, error) {
	for {
		u := h.current.Load()
		if u.Err() == nil {
			return u, nil
		}
		select {
		case <-u.restarted:
		case <-ctx.Done():
			if err := h.err(); err != nil {
				return nil, err
			}
			return nil, context.Cause(ctx) // it works again at this very moment
		}
	}
}

// within returns a context that ends with ctx and with the era.
func (u *uptime) derive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(u, cancel)
	return ctx, func() {
		unhook()
		cancel()
	}
}

// look asks the server whether its streams can still be written. What it has complained about itself comes first: it does not show
// everything that stops it.
func (l *local) check() error {
	if failed := l.failed.Load(); failed != nil {
		return *failed
	}
	s := l.server.Load()
	if s == nil {
		return errServerStopped
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
		return errServerStopped
	}
	return nil // the next look will tell
}

// healthTries is how often a server is asked that is busy.
const healthTries = 5
