package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// maxEventSize is the maximum size of a message in a local inbox, in bytes. It is eight times the default limit of webhooks.NewHandler.
	maxEventSize = 8 << 20
	// unlimitedStore disables the server's own storage limit. That limit would be a part of the space that is free when the server starts,
	// and would not follow later changes; space checks the current value instead.
	unlimitedStore = 1 << 60
	// reconnectWait is the wait between attempts to reconnect to the server while it is restarted.
	reconnectWait = 20 * time.Millisecond
)

// local is a NATS server inside the process that stores its streams in a directory and opens no port. The server can be replaced; the
// connection is then restored to the new one.
type local struct {
	dir      *directory
	space    *space
	attempts *attemptTable
	log      *slog.Logger

	server   atomic.Pointer[server.Server] // nil while it is stopped
	failed   atomic.Pointer[error]         // the first fatal error that the server logged
	checkNow chan struct{}                 // buffered for one request
}

// errServerStopped is the error of connections while the server is restarted.
var errServerStopped = errors.New("inbox: the server is stopped")

// startLocal locks the directory and starts the server on it.
func startLocal(ctx context.Context, o *Options) (*local, error) {
	dir, err := lockDirectory(o.Dir, o.streamNames(), o.Logger)
	if err != nil {
		return nil, err
	}
	l := &local{dir: dir, log: o.Logger, checkNow: make(chan struct{}, 1)}
	err = dir.verifyBlockList()
	if err == nil {
		err = l.startServer(ctx)
	}
	if err != nil {
		return nil, joined(err, errors.Join(dir.restoreHolder(), dir.release()))
	}
	l.space = newSpace(dir.path, o.Reserve)
	l.attempts = openAttemptTable(filepath.Join(dir.path, attemptTableFile), o.Logger)
	return l, nil
}

// startServer starts the server on the directory. It verifies the directory first, because the server would drop what it cannot read.
func (l *local) startServer(ctx context.Context) error {
	if err := l.dir.verify(ctx, l.log); err != nil {
		return err
	}
	if err := l.dir.dropBlockList(); err != nil {
		return err
	}
	if err := l.dir.recordServer(); err != nil {
		l.log.WarnContext(ctx, "inbox cannot record the server version in its directory", "error", err)
	}
	l.failed.Store(nil)
	s, err := startServer(ctx, l.dir.path, l)
	if err != nil {
		return err
	}
	if err := healthOf(s); err != nil && l.dir.manifest.Complete {
		stopServer(s) // otherwise setUp would create a stream that the server has not found
		return err
	}
	l.server.Store(s)
	return nil
}

// startServer starts a server that stores its streams in dir.
func startServer(ctx context.Context, dir string, l *local) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName:        connName,
		DontListen:        true,
		NoSigs:            true,
		JetStream:         true,
		JetStreamMaxStore: unlimitedStore,
		StoreDir:          dir,
		SyncAlways:        true,
		MaxPayload:        maxEventSize,
		MaxPending:        8 * maxEventSize,

		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("inbox: configure server: %w", err)
	}
	log := &serverLog{local: l, fatal: make(chan error, 1)}
	s.SetLoggerV2(log, false, false, false)
	if err := start(ctx, s, log); err != nil {
		stopServer(s)
		return nil, err
	}
	return s, nil
}

// start starts the server and waits until it is ready. That takes a few seconds for millions of events.
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

// connect connects to the server. The connection is restored to each server that replaces it.
func (l *local) connect() (*nats.Conn, error) {
	conn, err := nats.Connect("",
		nats.InProcessServer(l),
		nats.Name(connName),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(0, 0),
		nats.ReconnectBufSize(-1), // publishing fails immediately while the server is stopped
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if l.server.Load() != nil {
				l.log.Warn("inbox connection error", "error", err)
			}
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("inbox: connect: %w", err)
	}
	return conn, nil
}

// InProcessConn returns a connection to the current server.
func (l *local) InProcessConn() (net.Conn, error) {
	s := l.server.Load()
	if s == nil {
		return nil, errServerStopped
	}
	return s.InProcessConn()
}

// stop stops the server and unlocks the directory. If the store was healthy, it also writes the list of message blocks.
func (l *local) stop() error {
	clean := l.server.Load() != nil && l.check() == nil
	l.stopServer()
	if clean {
		if err := l.dir.writeBlockList(); err != nil {
			l.log.Warn("inbox cannot write the list of its files", "error", err)
		}
	}
	return errors.Join(l.attempts.close(), l.dir.release())
}

// requestCheck asks supervise to check the server now. It does not block.
func (l *local) requestCheck() {
	select {
	case l.checkNow <- struct{}{}:
	default:
	}
}

// serverLog passes the server's warnings and errors to the inbox's logger.
type serverLog struct {
	*local
	fatal chan error

	mu     sync.Mutex
	recent map[string]time.Time // messages that were logged recently
}

// logRepeatInterval is how often the same message is logged. Some server errors repeat thousands of times per second.
const logRepeatInterval = 10 * time.Second

// isNew reports whether a message was not logged within logRepeatInterval.
func (l *serverLog) isNew(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if last, ok := l.recent[text]; ok && now.Sub(last) < logRepeatInterval {
		return false
	}
	maps.DeleteFunc(l.recent, func(_ string, last time.Time) bool { return now.Sub(last) >= logRepeatInterval })
	if l.recent == nil {
		l.recent = make(map[string]time.Time)
	}
	l.recent[text] = now
	return true
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if l.isNew(text) {
		l.log.Warn("inbox server", "detail", text)
	}
	l.detectFailure(text)
}

func (l *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if l.isNew(text) {
		l.log.Error("inbox server", "detail", text)
	}
	l.detectFailure(text)
}

// Fatalf records the error of a server that cannot start. The server expects it to exit the process.
func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default:
	}
}

// failureMessages are parts of messages that a server logs when it cannot store anything any more. For most of them the periodic check
// would detect the failure too, but later. A server without file descriptors continues until it needs one for a new file, and meanwhile
// retries to read other files in a busy loop.
//
// The last message is not detected by the check: a server that cannot read an event for a consumer does not retry, and reports itself
// healthy.
var failureMessages = []string{
	"critical write error", "failed to store a msg", "disabling jetstream", "too many open files", "received an error looking up message",
}

// detectFailure records a failure if the message is one of failureMessages, and requests a check in any case. It must not call the server,
// which holds locks while it logs.
func (l *serverLog) detectFailure(text string) {
	lower := strings.ToLower(text)
	for _, message := range failureMessages {
		if strings.Contains(lower, message) {
			err := errors.New("inbox: server: " + text)
			l.failed.CompareAndSwap(nil, &err)
			break
		}
	}
	l.requestCheck()
}

// streamDir returns the directory in which the server stores a stream.
func (d *directory) streamDir(name string) string {
	return filepath.Join(d.path, server.JetStreamStoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", name)
}
