package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/e2e/logbuffer"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// TestAnEventThatKillsItsProcessBecomesADeadLetter runs itself repeatedly in processes that are killed as soon as the handler starts.
func TestAnEventThatKillsItsProcessBecomesADeadLetter(t *testing.T) {
	const variable = "INBOX_TEST_POISON"
	opts := inbox.Options{MaxAttempts: 3, AckWait: time.Second, Concurrency: 1}
	if dir := os.Getenv(variable); dir != "" {
		opts.Dir = filepath.Join(dir, "inbox")
		box := open(t, opts)
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		opened := make(chan struct{})
		go func() {
			<-opened
			NewWithT(t).Eventually(func() bool { return stats(t, box).Dead == 1 }).Should(BeTrue())
			cancel()
		}()
		close(opened)
		if err := box.Run(ctx, webhooks.ReceiverFunc(func(ctx context.Context, _ webhooks.Event) error {
			marker := filepath.Join(dir, fmt.Sprintf("attempt-%d-%d", inbox.Attempt(ctx), os.Getpid()))
			if err := os.WriteFile(marker, nil, 0o600); err != nil {
				t.Error(err)
			}
			if err := self.Kill(); err != nil {
				t.Error(err)
			}
			select {}
		})); err != nil {
			t.Fatal(err)
		}
		return
	}
	g := NewWithT(t)
	dir := t.TempDir()
	opts.Dir = filepath.Join(dir, "inbox")
	box := open(t, opts)
	receive(t, box, "poison")
	g.Expect(box.Close()).To(Succeed())
	processes := 0
	for done := false; !done; processes++ {
		g.Expect(processes).To(BeNumerically("<", 10))
		cmd := exec.Command(testBinary(t), "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), variable+"="+dir)
		out, err := cmd.CombinedOutput()
		_, killed := errors.AsType[*exec.ExitError](err)
		g.Expect(err == nil || killed && !strings.Contains(string(out), "FAIL")).To(BeTrue(), "%v: %s", err, out)
		done = err == nil
	}
	markers, err := filepath.Glob(filepath.Join(dir, "attempt-*"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(markers).To(HaveLen(3))
	for i, marker := range markers {
		g.Expect(filepath.Base(marker)).To(HavePrefix(fmt.Sprintf("attempt-%d-", i+1)))
	}
	g.Expect(processes).To(Equal(4))
	letters := deadLetters(t, open(t, opts))
	g.Expect(letters).To(HaveLen(1))
	g.Expect(letters[0].Attempts).To(Equal(3))
	g.Expect(letters[0].Reason).To(ContainSubstring("was interrupted"))
}

// deliverAgain makes JetStream redeliver an unacknowledged event for the next pull request, as it does after AckWait.
func deliverAgain(t testing.TB, box *inbox.Inbox, sequence, delivery uint64) {
	t.Helper()
	subject := fmt.Sprintf("$JS.ACK.JOGG.worker.%d.%d.%d.%d.0", delivery, sequence, delivery, time.Now().UnixNano())
	if _, err := box.Conn().Request(subject, []byte("-NAK"), 10*time.Second); err != nil {
		t.Fatal(err)
	}
}

func TestAnEventInFlightIsNotStartedAgain(t *testing.T) {
	g := NewWithT(t)
	var log logbuffer.Buffer
	box := open(t, inbox.Options{
		Concurrency: 3, Backoff: shortBackoff, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	var got tally
	started, release := make(chan struct{}, 10), make(chan struct{})
	run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		got.add(ctx, ev)
		started <- struct{}{}
		<-release
		if inbox.Attempt(ctx) == 1 {
			return errHandler
		}
		return nil
	})
	receive(t, box, "e1")
	<-started
	deliverAgain(t, box, 1, 1)
	g.Eventually(log.String).Should(ContainSubstring("event is already in flight"))
	g.Expect(got.attempts()).To(Equal([]int{1}))
	g.Expect(stats(t, box).InProgress).To(Equal(1))
	close(release)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(got.attempts()).To(Equal([]int{1, 2})) // the skipped delivery does not count as an attempt
}

func TestARedrivenEventAndItsRedeliveryAreHandledOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(t testing.TB, box *inbox.Inbox) // runs before the event is redriven
	}{
		{"the redelivery comes later", func(testing.TB, *inbox.Inbox) {}},
		{"the redelivery is already waiting", func(t testing.TB, box *inbox.Inbox) { t.Helper(); receive(t, box, "e1") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			opts := inbox.Options{Dir: t.TempDir(), DuplicateWindow: time.Second, AckWait: time.Second, MaxAttempts: 1, Concurrency: 2}
			box := open(t, opts)
			receive(t, box, "e1")
			stop := run(t, box, func(context.Context, webhooks.Event) error { return errHandler })
			g.Eventually(func() bool { return len(deadLetters(t, box)) == 1 && idle(t, box) }).Should(BeTrue())
			stop()
			js, err := jetstream.New(box.Conn())
			g.Expect(err).NotTo(HaveOccurred())
			g.Eventually(func() uint64 { // the window is over
				handled, err := js.Stream(t.Context(), "JOGG_HANDLED")
				g.Expect(err).NotTo(HaveOccurred())
				return handled.CachedInfo().State.Msgs
			}).Should(BeZero())
			c.first(t, box)
			g.Expect(box.RedriveAll(t.Context())).To(Equal(1))
			receive(t, box, "e1")

			var got tally
			var concurrent atomic.Int64
			run(t, box, func(ctx context.Context, ev webhooks.Event) error {
				g.Expect(concurrent.Add(1)).To(BeEquivalentTo(1), "handled concurrently")
				defer concurrent.Add(-1)
				got.add(ctx, ev)
				return nil
			})
			g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
			g.Expect(got.ids()).To(Equal([]string{"e1"}))
		})
	}
}

func TestARedeliveryIsNotHandledInParallelWithTheRedrivenEvent(t *testing.T) {
	g := NewWithT(t)
	s := natsServer(t, t.TempDir(), 0)
	opts := inbox.Options{URL: s.ClientURL(), NATSOptions: credentials, DuplicateWindow: 3 * time.Second, MaxAttempts: 1, Concurrency: 1}
	one, other := open(t, opts), open(t, opts)
	receive(t, one, "e1")
	stop := run(t, one, func(context.Context, webhooks.Event) error { return errHandler })
	g.Eventually(func() bool { return len(deadLetters(t, one)) == 1 && idle(t, one) }).Should(BeTrue())
	stop()
	handled, err := jetstream.New(one.Conn())
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() (uint64, error) { // the window is over
		stream, err := handled.Stream(t.Context(), "JOGG_HANDLED")
		if err != nil {
			return 0, err
		}
		return stream.CachedInfo().State.Msgs, nil
	}).Should(BeZero())

	started, release := make(chan struct{}), make(chan struct{})
	run(t, one, func(context.Context, webhooks.Event) error {
		close(started)
		<-release
		return nil
	})
	g.Expect(one.RedriveAll(t.Context())).To(Equal(1))
	<-started
	receive(t, one, "e1")
	var got tally
	run(t, other, got.handle)
	g.Eventually(func() uint64 { return stats(t, other).Duplicates }).Should(BeEquivalentTo(1))
	close(release)
	g.Eventually(func() bool { return idle(t, one) }).Should(BeTrue())
	g.Expect(got.ids()).To(BeEmpty())
}

func TestFailedLookUpsUseUpNoAttempts(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := natsServer(t, t.TempDir(), 0)
	conn, err := nats.Connect(s.ClientURL(), credentials...)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	g.Expect(err).NotTo(HaveOccurred())
	var log logbuffer.Buffer
	box := open(t, inbox.Options{
		URL: s.ClientURL(), NATSOptions: credentials, MaxAttempts: 1, Backoff: shortBackoff, Concurrency: 1,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	handled, err := js.Stream(t.Context(), "JOGG_HANDLED")
	g.Expect(err).NotTo(HaveOccurred())
	config := handled.CachedInfo().Config
	g.Expect(js.DeleteStream(t.Context(), config.Name)).To(Succeed())

	receive(t, box, "e1")
	var got tally
	run(t, box, got.handle)
	g.Eventually(log.String).WithTimeout(time.Minute).Should(ContainSubstring("event postponed"))
	_, err = js.CreateStream(t.Context(), config)
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() bool { return idle(t, box) }).WithTimeout(time.Minute).Should(BeTrue())
	g.Expect(got.attempts()).To(Equal([]int{1}))
	g.Expect(deadLetters(t, box)).To(BeEmpty())
}

func TestAHandlerTimesOut(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for _, c := range []struct {
		name   string
		handle func(ctx context.Context) error
		reason string
	}{
		{"and returns when its context ends", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }, "exceeded HandlerTimeout"},
		{"and never returns", func(context.Context) error { <-release; return nil }, "did not return"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			box := open(t, inbox.Options{HandlerTimeout: 50 * time.Millisecond, MaxAttempts: 2, Backoff: shortBackoff, Concurrency: 1})
			receive(t, box, "hangs", "e2")
			var got tally
			run(t, box, func(ctx context.Context, ev webhooks.Event) error {
				got.add(ctx, ev)
				if ev.ID == "hangs" {
					return c.handle(ctx)
				}
				return nil
			})
			g.Eventually(func() bool { return len(deadLetters(t, box)) == 1 && idle(t, box) }).Should(BeTrue())
			g.Expect(got.ids()).To(ConsistOf("hangs", "hangs", "e2"))
			g.Expect(deadLetters(t, box)[0].Reason).To(ContainSubstring(c.reason))
		})
	}
}

func TestASlowHandlerIsLogged(t *testing.T) {
	g := NewWithT(t)
	var log logbuffer.Buffer
	box := open(t, inbox.Options{HandlerWarning: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	receive(t, box, "slow")
	release := make(chan struct{})
	run(t, box, func(context.Context, webhooks.Event) error {
		<-release
		return nil
	})
	g.Eventually(func() int { return strings.Count(log.String(), "handler is slow") }).Should(BeNumerically(">=", 3))
	g.Expect(log.String()).To(MatchRegexp(`level=WARN msg="handler is slow" key=\S*slow event=generated_avatar_video_success attempt=1 running=\d+ms`))
	close(release)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	lines := strings.Count(log.String(), "\n")
	receive(t, box, "quick")
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(strings.Count(log.String(), "\n")).To(Equal(lines))
}
