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
	"github.com/nats-io/nats.go/jetstream"
)

// StoreError reports that the store of the inbox's directory has failed. Until it works again, the inbox rejects events and starts no
// attempts. It retries the restart of the store indefinitely.
type StoreError struct {
	// Since is when the failure was detected.
	Since time.Time
	// Err is the cause of the failure, and the error of the last restart that failed, if any.
	Err error
}

func (e *StoreError) Error() string {
	return fmt.Sprintf("inbox: store has failed since %s: %v", e.Since.Format(time.RFC3339), e.Err)
}

// Unwrap returns Err.
func (e *StoreError) Unwrap() error { return e.Err }

// Healthy returns nil if the inbox can currently receive and handle events. Otherwise it returns ErrClosed, a *StoreError while the store
// of a directory has failed, ErrFull while a limit or the reserve of free space is reached, or a connection error of the cluster. It sends
// requests to the server and is meant for a readiness probe every few seconds. It returns when ctx ends, and after two seconds at the
// latest.
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
			return &StoreError{Since: time.Now(), Err: err} // not yet detected by supervise
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	events, err := b.events.Info(ctx)
	if err != nil {
		return fmt.Errorf("inbox: get the state of stream %s: %w", b.opts.Stream, err)
	}
	if err := b.opts.reached(events.State); err != nil {
		return err
	}
	if _, err := b.consumer.Info(ctx); err != nil {
		return fmt.Errorf("inbox: get the state of consumer %s/%s: %w", b.opts.Stream, consumerName, err)
	}
	return nil
}

// reached returns ErrFull with the limit that a stream of events has reached, or nil. The limit of bytes is reached if another event of the
// average size does not fit: Receive rejects that one, so the bytes themselves rarely get there.
func (o *Options) reached(events jetstream.StreamState) error {
	if limit := o.MaxEvents; limit > 0 && events.Msgs >= uint64(limit) {
		return fmt.Errorf("%w: %d events of %d", ErrFull, events.Msgs, limit)
	}
	if limit := o.MaxBytes; limit > 0 && events.Msgs > 0 && events.Bytes+events.Bytes/events.Msgs > uint64(limit) {
		return fmt.Errorf("%w: %d bytes of %d", ErrFull, events.Bytes, limit)
	}
	return nil
}

// beginCall begins a call that sends requests to the store. The returned context ends when the store fails. end must be called with the
// error of the call, which it replaces by a *StoreError if the store has failed.
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

// admit returns nil if an event of that many bytes may be published now, and otherwise the reason to reject it. It makes no system call.
func (b *Inbox) admit(size int) error {
	if err := b.health.err(); err != nil {
		return err
	}
	if b.local != nil {
		return b.local.space.admit(size)
	}
	return nil
}

// health tracks whether the store of a directory works. With a cluster it is always up: each request returns its own errors.
type health struct {
	current  atomic.Pointer[uptime]
	restarts atomic.Uint64

	mu         sync.Mutex
	since      time.Time // when the last uptime ended
	restartErr error     // of the last restart, if it failed
}

// uptime is a period in which the store works, between a start and a failure. Its context ends with the failure as the cause.
type uptime struct {
	context.Context //nolint:containedctx // its end marks the failure
	end             context.CancelCauseFunc
	restarted       chan struct{} // closed when the next uptime has begun
}

// markUp begins a new uptime.
func (h *health) markUp() {
	u := &uptime{restarted: make(chan struct{})}
	u.Context, u.end = context.WithCancelCause(context.Background())
	if last := h.current.Swap(u); last != nil {
		close(last.restarted)
	}
}

// markDown ends the uptime.
func (h *health) markDown(cause error) {
	h.mu.Lock()
	h.since, h.restartErr = time.Now(), nil
	h.mu.Unlock()
	h.current.Load().end(cause)
}

// restartFailed records the error of a restart, and reports whether it differs from the previous one.
func (h *health) restartFailed(err error) (news bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	news = h.restartErr == nil || h.restartErr.Error() != err.Error()
	h.restartErr = err
	return news
}

// err returns a *StoreError if the store has failed.
func (h *health) err() error {
	if u := h.current.Load(); u.Err() != nil {
		return h.storeError(u)
	}
	return nil
}

// storeError returns the *StoreError of an uptime that has ended, the last one or an earlier one.
func (h *health) storeError(u *uptime) error {
	cause := context.Cause(u)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.restartErr != nil {
		cause = fmt.Errorf("%w; restart: %w", cause, h.restartErr)
	}
	return &StoreError{Since: h.since, Err: cause}
}

// awaitUp waits until the store works and returns the current uptime. It returns an error if ctx ends before that.
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
			return nil, context.Cause(ctx) // the store was restarted at the same moment
		}
	}
}

// derive returns a context that ends when ctx or the uptime ends.
func (u *uptime) derive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(u, cancel)
	return ctx, func() {
		unhook()
		cancel()
	}
}

// check returns an error if the store has failed. Errors that the server logged come first, because its health status does not include all
// failures.
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

// healthOf returns an error if a stream of the server is not healthy. The server first checks for a millisecond whether it accepts
// connections. On a busy machine that check can time out although nothing is wrong. The server then reports status 500 without having
// checked the streams, and healthOf tries again.
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
	return nil // left to the next check
}

// healthTries is how often the health of a busy server is requested.
const healthTries = 5
