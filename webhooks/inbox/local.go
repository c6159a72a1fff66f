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
	// largestEvent is the largest message of a local inbox, in bytes: eight times what webhooks.NewHandler accepts by default.
	maxEventSize = 8 << 20
	// unlimitedStore stands for no limit of the server's own. It would be a part of what is free when the server starts, whatever
	// becomes of the disk; see space.
	unlimitedStore = 1 << 60
	// reconnectWait lies between two tries to reach the server while it is restarted.
	reconnectWait = 20 * time.Millisecond
)

// local is a NATS server inside the process that keeps its streams in a directory and listens on nothing. The server can be replaced;
// the connection to it then finds the new one.
type local struct {
	dir      *directory
	space    *space
	attempts *attemptTable
	log      *slog.Logger

	server   atomic.Pointer[server.Server] // nil while it is stopped
	failed   atomic.Pointer[error]         // what the server has said that it cannot go on with
	checkNow chan struct{}                 // has room for one
}

// errDown is why there is no connection while the server is restarted.
var errServerStopped = errors.New("inbox: the server is stopped")

// startLocal takes the directory and starts the server on it.
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

// startServer starts the server on the directory. What it would do to a damaged directory, which is to drop what it cannot read, is found
// out and refused before.
func (l *local) startServer(ctx context.Context) error {
	if err := l.dir.verify(ctx, l.log); err != nil {
		return err
	}
	if err := l.dir.dropBlockList(); err != nil {
		return err
	}
	if err := l.dir.recordServer(); err != nil {
		l.log.WarnContext(ctx, "inbox cannot note which server has its directory", "error", err)
	}
	l.failed.Store(nil)
	s, err := startServer(ctx, l.dir.path, l)
	if err != nil {
		return err
	}
	if err := healthOf(s); err != nil && l.dir.manifest.Complete {
		stopServer(s) // or a stream that it has not found would be created anew
		return err
	}
	l.server.Store(s)
	return nil
}

// startServer starts a server that keeps its streams in dir.
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

// connect connects with the server, and again with each that takes its place.
func (l *local) connect() (*nats.Conn, error) {
	conn, err := nats.Connect("",
		nats.InProcessServer(l),
		nats.Name(connName),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(0, 0),
		nats.ReconnectBufSize(-1), // what is published to no server fails at once
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

// InProcessConn returns a connection to the server that there is at this moment.
func (l *local) InProcessConn() (net.Conn, error) {
	s := l.server.Load()
	if s == nil {
		return nil, errServerStopped
	}
	return s.InProcessConn()
}

// stop stops the server and gives the directory back. If the server could write to the end, the directory gets a list of what is in it.
func (l *local) stop() error {
	clean := l.server.Load() != nil && l.check() == nil
	l.stopServer()
	if clean {
		if err := l.dir.writeBlockList(); err != nil {
			l.log.Warn("inbox closes without a list of its files", "error", err)
		}
	}
	return errors.Join(l.attempts.close(), l.dir.release())
}

// suspect has the server looked at.
func (l *local) requestCheck() {
	select {
	case l.checkNow <- struct{}{}:
	default:
	}
}

// serverLog hands what the server has to complain about to the inbox's logger.
type serverLog struct {
	*local
	fatal chan error

	mu     sync.Mutex
	recent map[string]time.Time // what it has said lately
}

// sayAgain is after how long a server that repeats itself is listened to again. Some do so thousands of times a second.
const logRepeatInterval = 10 * time.Second

// news reports whether the server has not said that lately.
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

// Fatalf is called when the server cannot start, and expected to end the process.
func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default:
	}
}

// lastWords are parts of what a server says when it will not store anything any more. They save time: without them, the look that is
// taken now and then finds out as well. Without descriptors it goes on until it needs one for a new file, and meanwhile tries to read
// others without a pause.
//
// A server that cannot read an event for a consumer does not try again by itself, and finds nothing wrong when it is looked at.
var failureMessages = []string{
	"critical write error", "failed to store a msg", "disabling jetstream", "too many open files", "received an error looking up message",
}

// listen notes that the server has failed, if it says so, and has it looked at in any case. The server calls it with locks held.
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

// streamDir returns where the server keeps a stream.
func (d *directory) streamDir(name string) string {
	return filepath.Join(d.path, server.JetStreamStoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", name)
}
