package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// largestEvent is the largest message of a local inbox, in bytes: eight times what webhooks.NewHandler accepts by default.
const largestEvent = 8 << 20

// local is a NATS server inside the process that keeps its streams in a directory and listens on nothing.
type local struct {
	dir    *directory
	server *server.Server
}

// startLocal takes the directory and starts the server on it. What the server would do to a damaged directory, which is to drop
// what it cannot read, is found out and refused before.
func startLocal(ctx context.Context, o *Options) (_ *local, err error) {
	dir, err := takeDirectory(o.Dir, o.streamNames())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = joined(err, dir.release())
		}
	}()
	if err := dir.verify(); err != nil {
		return nil, err
	}
	s, err := server.NewServer(&server.Options{
		ServerName: connName,
		DontListen: true,
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   dir.path,
		SyncAlways: true,
		MaxPayload: largestEvent,
		MaxPending: 8 * largestEvent,

		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("inbox: configure server: %w", err)
	}
	log := &serverLog{log: o.Logger, fatal: make(chan error, 1)}
	s.SetLoggerV2(log, false, false, false)
	if err := start(ctx, s, log); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, err
	}
	return &local{dir: dir, server: s}, nil
}

// start starts the server. A directory with millions of events takes some seconds.
func start(ctx context.Context, s *server.Server, log *serverLog) error {
	ready := make(chan struct{})
	go func() {
		s.Start()
		close(ready)
	}()
	select {
	case <-ready:
	case <-ctx.Done():
		<-ready
		return fmt.Errorf("inbox: start server: %w", context.Cause(ctx))
	}
	select {
	case err := <-log.fatal:
		return fmt.Errorf("inbox: start server: %w", err)
	default:
	}
	if !s.ReadyForConnections(time.Second) || !s.JetStreamEnabled() {
		return errors.New("inbox: start server: JetStream is not available")
	}
	return nil
}

func (l *local) stop() error {
	l.server.Shutdown()
	l.server.WaitForShutdown()
	return l.dir.release()
}

// serverLog hands what the server has to complain about to the inbox's logger.
type serverLog struct {
	log   *slog.Logger
	fatal chan error
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn("inbox server", "detail", fmt.Sprintf(format, v...))
}

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error("inbox server", "detail", fmt.Sprintf(format, v...))
}

// Fatalf is called when the server cannot start, and expected to end the process.
func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default:
	}
}

// streamDir returns where the server keeps a stream.
func (d *directory) streamDir(name string) string {
	return filepath.Join(d.path, server.JetStreamStoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", name)
}
