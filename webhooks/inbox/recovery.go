package inbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A NATS server does not recover from a disk error. After a single ENOSPC, EMFILE, EIO or EACCES, the affected stream stores no messages
// and answers no requests until the server is restarted. In a cluster another replica takes over. A directory has no other replica, so the
// inbox restarts the server as soon as the directory is writable.
const (
	// checkInterval is how often the store and the free space are checked. Errors that the server logs trigger a check immediately.
	checkInterval = 500 * time.Millisecond
	// restartWait is the first wait between failed restarts, and maxRestartWait the longest.
	restartWait    = 100 * time.Millisecond
	maxRestartWait = 2 * time.Second
	// stableTime is how long the store must work for the restart backoff to be reset.
	stableTime = 30 * time.Second
	// maintenanceInterval is how often maintain runs.
	maintenanceInterval = time.Minute
)

// supervise checks the store, restarts it when it has failed, and runs maintenance, until the inbox is closed.
func (b *Inbox) supervise() {
	var checkNow <-chan struct{}
	var ticks <-chan time.Time
	if b.local != nil {
		tick := time.NewTicker(checkInterval)
		defer tick.Stop()
		checkNow, ticks = b.local.checkNow, tick.C
	}
	maintenance := time.NewTicker(maintenanceInterval)
	defer maintenance.Stop()
	waits := restartWaits()
	for upSince := time.Now(); ; {
		select {
		case <-b.lifetime.Done():
			return
		case <-maintenance.C:
			b.maintain(b.lifetime)
			continue
		case <-checkNow:
		case <-ticks:
			b.local.space.measure(b.lifetime, b.log)
		}
		err := b.local.check()
		if err == nil {
			continue
		}
		if time.Since(upSince) > stableTime {
			waits = restartWaits()
		}
		b.recoverStore(err, waits)
		upSince = time.Now()
	}
}

func restartWaits() *backoff.ExponentialBackOff {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = restartWait, maxRestartWait
	return waits
}

// recoverStore stops the server and restarts it, with backoff, until that succeeds or the inbox is closed.
func (b *Inbox) recoverStore(cause error, waits *backoff.ExponentialBackOff) {
	begin := time.Now()
	b.health.markDown(cause)
	b.log.Error("inbox store failed, events are rejected until it is restarted", "error", cause)
	b.local.stopServer()
	_ = b.conn.ForceReconnect() // so that no request waits for a response of the stopped server; fails if the connection is closed

	for b.lifetime.Err() == nil {
		err := b.restart(b.lifetime)
		if err == nil {
			b.health.restarts.Add(1)
			b.health.markUp()
			b.log.Warn("inbox store restarted", "after", time.Since(begin).Round(time.Millisecond))
			return
		}
		if b.health.restartFailed(err) && b.lifetime.Err() == nil {
			b.log.Warn("inbox store cannot be restarted yet", "error", err)
		}
		select {
		case <-b.lifetime.Done():
		case <-time.After(waits.NextBackOff()):
		}
	}
}

// restart starts the server if its directory is writable, and verifies that the server can store a message.
func (b *Inbox) restart(ctx context.Context) (err error) {
	if err := b.local.dir.probe(b.local.space.probeSize()); err != nil {
		return err
	}
	b.local.space.measure(ctx, b.log)
	// After an error the indexes may be wrong. The server rebuilds them from the message blocks.
	if err := b.local.dir.dropIndexes(); err != nil {
		return err
	}
	if err := b.local.startServer(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			b.local.stopServer()
			_ = b.conn.ForceReconnect()
		}
	}()
	if err := b.awaitConnection(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx = b.local.whileHealthy(ctx)
	if _, err := setUp(ctx, b.js, &b.opts, true); err != nil {
		return causeOf(ctx, err)
	}
	ctx, stop := context.WithTimeout(ctx, storeTimeout)
	defer stop()
	if _, err := b.js.PublishMsg(ctx, nats.NewMsg(b.opts.handledSubject("restarted"))); err != nil {
		return fmt.Errorf("inbox: store a message: %w", causeOf(ctx, err))
	}
	if err := b.sweep(ctx); err != nil {
		return causeOf(ctx, err)
	}
	return b.local.check()
}

// whileHealthy returns a context that ends as soon as the server's store fails, with the error as its cause. A failed store does not
// respond, and waiting for a timeout would delay the next restart.
func (l *local) whileHealthy(ctx context.Context) context.Context {
	ctx, end := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(checkInterval / 10)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				end(nil)
				return
			case <-tick.C:
			}
			if err := l.check(); err != nil {
				end(err)
				return
			}
		}
	}()
	return ctx
}

// causeOf returns the cause of ctx if it has ended, and err otherwise.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// awaitConnection waits until the connection is restored to the new server.
func (b *Inbox) awaitConnection(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	tick := time.NewTicker(reconnectWait / 2)
	defer tick.Stop()
	for !b.conn.IsConnected() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("inbox: connect: %w", nats.ErrDisconnected)
		case <-tick.C:
		}
	}
	return nil
}

// maintain sweeps acknowledged events and expires dead letters.
func (b *Inbox) maintain(ctx context.Context) {
	if b.health.err() != nil {
		return
	}
	ctx, cancel := b.health.current.Load().derive(ctx)
	defer cancel()
	if b.local != nil {
		if err := b.sweep(ctx); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "inbox cannot delete acknowledged events", "error", err)
		}
	}
	if err := b.expireDead(ctx); err != nil && ctx.Err() == nil {
		b.log.WarnContext(ctx, "inbox cannot expire dead letters", "error", err)
	}
}

const (
	probeFile = "inbox.probe"
	// probeFiles is the number of file descriptors that must be available before the server is started. It needs a few for each stream, and
	// treats a file that it cannot open as lost.
	probeFiles = 32
)

// probe checks whether the directory is writable. It writes and fsyncs a file of that size, opens probeFiles descriptors, and creates a
// file in every directory in which the server will create files.
func (d *directory) probe(size int64) (err error) {
	path := filepath.Join(d.path, probeFile)
	defer func() { err = errors.Join(err, removeIfThere(path)) }()
	if err := writeFile(path, make([]byte, size)); err != nil {
		return fmt.Errorf("inbox: write to the directory: %w", err)
	}
	var open []*os.File
	defer func() {
		for _, f := range open {
			_ = f.Close() // opened for reading only
		}
	}()
	for range probeFiles {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("inbox: open files: %w", err)
		}
		open = append(open, f)
	}
	for _, name := range d.allStreams() {
		for _, dir := range []string{filepath.Join(d.streamDir(name), "msgs"), filepath.Join(d.streamDir(name), "obs")} {
			path := filepath.Join(dir, probeFile)
			f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
			if err == nil {
				err = errors.Join(f.Close(), os.Remove(path))
			}
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("inbox: create a file: %w", err)
			}
		}
	}
	return nil
}

// dropIndexes deletes the index files, which summarize the message blocks. They are the only files that the server writes without fsync.
func (d *directory) dropIndexes() error {
	for _, name := range d.allStreams() {
		if err := removeIfThere(filepath.Join(d.streamDir(name), "msgs", indexFile)); err != nil {
			return fmt.Errorf("inbox: %w", err)
		}
	}
	return nil
}

// indexFile is JetStream's name for the index of a stream.
const indexFile = "index.db"

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// stopServer stops the server, regardless of the state of its store.
func (l *local) stopServer() {
	if s := l.server.Swap(nil); s != nil {
		stopServer(s)
	}
	l.failed.Store(nil)
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}
