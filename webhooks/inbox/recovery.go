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

// An error of the disk is for ever in a NATS server: the stream that had it (one ENOSPC, EMFILE, EIO or EACCES) takes no message until
// the server is started again, and answers nothing. In a cluster another replica takes over. An inbox's directory has no other replica, so
// the inbox restarts the server by itself once the directory can be written.
const (
	// lookEvery is how often the store and the disk are looked at. What the server complains about is looked at immediately.
	checkInterval = 500 * time.Millisecond
	// restartWait is the first wait between two restarts that fail, and longestRestartWait the last.
	restartWait    = 100 * time.Millisecond
	maxRestartWait = 2 * time.Second
	// stableTime is how long an era has to last for the waits to begin anew.
	stableTime = 30 * time.Second
	// tidyEvery is how often what nobody waits for is done: see tidy.
	maintenanceInterval = time.Minute
)

// guard notices that the store has failed, heals it, and tidies up, until the inbox is closed.
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

// heal stops the server and starts it again, as soon as that works or until the inbox is closed.
func (b *Inbox) recoverStore(cause error, waits *backoff.ExponentialBackOff) {
	begin := time.Now()
	b.health.markDown(cause)
	b.log.Error("inbox store has failed, events are refused until it works again", "error", cause)
	b.local.stopServer()
	_ = b.conn.ForceReconnect() // so that nobody waits for answers of the server that is gone; fails if the connection is closed

	for b.lifetime.Err() == nil {
		err := b.restart(b.lifetime)
		if err == nil {
			b.health.restarts.Add(1)
			b.health.markUp()
			b.log.Warn("inbox store works again", "after", time.Since(begin).Round(time.Millisecond))
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

// restart starts the server on its directory, if that can be written, and makes sure that it can store.
func (b *Inbox) restart(ctx context.Context) (err error) {
	if err := b.local.dir.probe(b.local.space.probeSize()); err != nil {
		return err
	}
	b.local.space.measure(ctx, b.log)
	// What the server wrote about its files after an error may be wrong. It finds out by itself what is in them.
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

// whileSound returns a context that ends as soon as the server's store fails, with the reason as its cause: a store that has failed answers
// nothing, and to wait for its answers until a time limit would keep the next restart waiting.
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

// causeOf returns why ctx has ended, or err if it has not.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// awaitConnection waits until the connection has found the new server.
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

// tidy does what has to be done now and then: it deletes events that are done with and still there, and dead letters that are too many
// or too old.
func (b *Inbox) maintain(ctx context.Context) {
	if b.health.err() != nil {
		return
	}
	ctx, cancel := b.health.current.Load().derive(ctx)
	defer cancel()
	if b.local != nil {
		if err := b.sweep(ctx); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "inbox cannot be swept", "error", err)
		}
	}
	if err := b.expireDead(ctx); err != nil && ctx.Err() == nil {
		b.log.WarnContext(ctx, "old dead letters cannot be deleted", "error", err)
	}
}

const (
	probeFile = "inbox.probe"
	// probeFiles is how many files can be opened at the same time, at least, before the server is started. It needs a few for each
	// stream, and takes a file that it cannot open for one that is lost.
	probeFiles = 32
)

// probe finds out whether the directory can be written: it writes a file of that size and has the disk keep it, and creates one wherever
// the server will.
func (d *directory) probe(size int64) (err error) {
	path := filepath.Join(d.path, probeFile)
	defer func() { err = errors.Join(err, removeIfThere(path)) }()
	if err := writeFile(path, make([]byte, size)); err != nil {
		return fmt.Errorf("inbox: write to the directory: %w", err)
	}
	var open []*os.File
	defer func() {
		for _, f := range open {
			_ = f.Close() // only read
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

// dropIndexes deletes the files in which the server sums up what its message files hold. They are all that it writes without being
// certain of the disk.
func (d *directory) dropIndexes() error {
	for _, name := range d.allStreams() {
		if err := removeIfThere(filepath.Join(d.streamDir(name), "msgs", indexFile)); err != nil {
			return fmt.Errorf("inbox: %w", err)
		}
	}
	return nil
}

// indexFile is JetStream's name for such a file.
const indexFile = "index.db"

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// stopServer stops the server, however its store is.
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
