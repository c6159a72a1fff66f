package inbox_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/e2e/logbuffer"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// natsServer starts a server with JetStream, on a free port if port is 0.
func natsServer(t testing.TB, dir string, port int) *server.Server {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
		Username: "jogg", Password: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stopServer(s) })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server is not ready")
	}
	return s
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

var credentials = []nats.Option{nats.UserInfo("jogg", "test")}

func TestAnExternalServerStoresEvents(t *testing.T) {
	s := natsServer(t, t.TempDir(), 0)
	conn, err := nats.Connect(s.ClientURL(), credentials...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	for _, c := range []struct {
		name string
		opts inbox.Options
	}{
		{"by its URL", inbox.Options{URL: s.ClientURL(), NATSOptions: credentials, MaxAttempts: 1}},
		{"by a connection", inbox.Options{Conn: conn, Stream: "OTHER", Subject: "other.jogg", MaxAttempts: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			box, broken, got := failing(t, c.opts)
			second := open(t, c.opts) // creating the streams is idempotent
			receive(t, box, "e1", "e2")
			receive(t, second, "e2")
			g.Expect(stats(t, second).Duplicates).To(BeEquivalentTo(1))
			g.Eventually(func() bool { return len(deadLetters(t, second)) == 2 && idle(t, second) }).Should(BeTrue())
			broken.Store(false)
			g.Expect(second.RedriveAll(t.Context())).To(Equal(2))
			g.Eventually(func() bool { return len(got.ids()) == 4 && idle(t, second) }).Should(BeTrue())

			g.Expect(second.Close()).To(Succeed())
			receive(t, box, "e3") // the first inbox has its own connection, or the one that the program owns
		})
	}
}

func TestAStreamWithOtherSettingsIsRejected(t *testing.T) {
	s := natsServer(t, t.TempDir(), 0)
	conn, err := nats.Connect(s.ClientURL(), credentials...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	opts := inbox.Options{Conn: conn}
	if err := open(t, opts).Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, stream, setting string
		change                func(o *inbox.Options)
	}{
		{"limit of events", "JOGG", "max_msgs", func(o *inbox.Options) { o.MaxEvents = 7 }},
		{"limit of bytes", "JOGG", "max_bytes", func(o *inbox.Options) { o.MaxBytes = 7 << 20 }},
		{"window", "JOGG", "duplicate_window", func(o *inbox.Options) { o.DuplicateWindow = time.Hour }},
		{"subject", "JOGG", "subjects", func(o *inbox.Options) { o.Subject = "other" }},
		{"replicas", "JOGG", "num_replicas", func(o *inbox.Options) { o.Replicas = 3 }},
		{"ack wait", "JOGG/worker", "ack_wait", func(o *inbox.Options) { o.AckWait = time.Minute }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			opts := opts
			c.change(&opts)
			_, err := inbox.Open(t.Context(), opts)
			shape, ok := errors.AsType[*inbox.ShapeError](err)
			g.Expect(ok).To(BeTrue(), "%v", err)
			g.Expect(shape.Name).To(Equal(c.stream))
			g.Expect(shape.Setting).To(Equal(c.setting))
			g.Expect(shape.Error()).To(ContainSubstring(c.setting))
			g.Expect(shape.Have).NotTo(Equal(shape.Want))
		})
	}
	t.Run("a stream of another program", func(t *testing.T) {
		g := NewWithT(t)
		js, err := jetstream.New(conn)
		g.Expect(err).NotTo(HaveOccurred())
		_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"theirs"}})
		g.Expect(err).NotTo(HaveOccurred())
		_, err = inbox.Open(t.Context(), inbox.Options{Conn: conn, Stream: "THEIRS", Subject: "theirs"})
		_, ok := errors.AsType[*inbox.ShapeError](err)
		g.Expect(ok).To(BeTrue(), "%v", err)
		stream, err := js.Stream(t.Context(), "THEIRS")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(stream.CachedInfo().Config.Retention).To(Equal(jetstream.LimitsPolicy))
	})
	t.Run("a subject of another program", func(t *testing.T) {
		_, err := inbox.Open(t.Context(), inbox.Options{Conn: conn, Stream: "OTHER", Subject: inbox.DefaultSubject})
		if err == nil {
			t.Error("Open returned no error")
		}
	})
}

func TestAnUnreachableServerIsAnError(t *testing.T) {
	g := NewWithT(t)
	s := natsServer(t, t.TempDir(), 0)
	url := s.ClientURL()
	_, err := inbox.Open(t.Context(), inbox.Options{URL: url})
	g.Expect(err).To(MatchError(nats.ErrAuthorization))
	stopServer(s)
	_, err = inbox.Open(t.Context(), inbox.Options{URL: url, NATSOptions: credentials})
	g.Expect(err).To(MatchError(nats.ErrNoServers))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = inbox.Open(ctx, inbox.Options{URL: url, NATSOptions: credentials})
	g.Expect(err).To(HaveOccurred())
}

func TestALostConnectionIsRestored(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	s := natsServer(t, dir, 0)
	port := s.Addr().(*net.TCPAddr).Port
	box := open(t, inbox.Options{URL: s.ClientURL(), NATSOptions: credentials, AckWait: 2 * time.Second})
	var got tally
	run(t, box, got.handle)
	receive(t, box, "e1")
	g.Eventually(got.ids).Should(ConsistOf("e1"))

	stopServer(s)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := box.Receive(ctx, event(t, "e2"))
	_, later := errors.AsType[*webhooks.UnavailableError](err)
	g.Expect(later).To(BeTrue(), "%v", err)
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	_, err = box.Stats(ctx)
	g.Expect(err).To(HaveOccurred())

	natsServer(t, dir, port)
	g.Eventually(func() error { return box.Receive(t.Context(), event(t, "e2")) }).WithTimeout(20 * time.Second).Should(Succeed())
	g.Eventually(got.ids).WithTimeout(20 * time.Second).Should(ConsistOf("e1", "e2"))
}

func TestAClosedConnectionEndsRun(t *testing.T) {
	g := NewWithT(t)
	s := natsServer(t, t.TempDir(), 0)
	conn, err := nats.Connect(s.ClientURL(), credentials...)
	g.Expect(err).NotTo(HaveOccurred())
	box := open(t, inbox.Options{Conn: conn, Grace: -1})
	receive(t, box, "e1")
	handled := make(chan struct{})
	ran := make(chan error)
	go func() {
		ran <- box.Run(t.Context(), webhooks.ReceiverFunc(func(context.Context, webhooks.Event) error {
			close(handled)
			return nil
		}))
	}()
	<-handled
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	conn.Close()
	g.Eventually(ran).WithTimeout(10 * time.Second).Should(Receive(MatchError(inbox.ErrClosed)))
	g.Expect(box.Receive(t.Context(), event(t, "e1"))).To(MatchError(inbox.ErrClosed))
}

// gate is a dialer. Once it is closed, its connections block writes from the first one that contains text.
type gate struct {
	text   string
	closed atomic.Bool
	held   chan struct{} // closed when a write is blocked
	opened chan struct{}
	once   sync.Once
}

func (g *gate) Dial(network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).Dial(network, address)
	return &gatedConn{Conn: conn, gate: g}, err
}

type gatedConn struct {
	net.Conn
	gate *gate
}

func (c *gatedConn) Write(p []byte) (int, error) {
	if c.gate.closed.Load() && bytes.Contains(p, []byte(c.gate.text)) {
		c.gate.once.Do(func() { close(c.gate.held) })
		<-c.gate.opened
	}
	return c.Conn.Write(p)
}

func TestAnEventIsLeftToAnotherAttemptAfterASlowLookUp(t *testing.T) {
	g := NewWithT(t)
	s := natsServer(t, t.TempDir(), 0)
	cut := &gate{text: "JOGG_HANDLED", held: make(chan struct{}), opened: make(chan struct{})}
	var log logbuffer.Buffer
	opts := inbox.Options{URL: s.ClientURL(), NATSOptions: credentials, AckWait: time.Second, Concurrency: 1}
	slowOpts := opts
	slowOpts.NATSOptions = append(slices.Clone(credentials), nats.SetCustomDialer(cut))
	slowOpts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	slow, quick := open(t, slowOpts), open(t, opts)

	cut.closed.Store(true)
	receive(t, quick, "e1")
	var got tally
	count := got.handle
	run(t, slow, count)
	<-cut.held
	leftAlone := make(chan struct{})
	run(t, quick, func(ctx context.Context, ev webhooks.Event) error {
		<-leftAlone
		return count(ctx, ev)
	})
	g.Eventually(func() int { return stats(t, quick).InProgress }).WithTimeout(10 * time.Second).Should(Equal(1))
	close(cut.opened)
	g.Eventually(log.String).WithTimeout(10 * time.Second).Should(ContainSubstring("event left to another attempt"))
	close(leftAlone)
	g.Eventually(func() bool { return idle(t, quick) }).WithTimeout(10 * time.Second).Should(BeTrue())
	g.Expect(got.attempts()).To(Equal([]int{2}))
}
