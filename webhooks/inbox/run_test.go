package inbox_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/e2e/logbuffer"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

var errHandler = errors.New("the disk is full")

// shortBackoff is for tests that wait for retries.
var shortBackoff = []time.Duration{20 * time.Millisecond}

func TestAFailedEventIsRetriedAfterTheBackoff(t *testing.T) {
	for _, c := range []struct {
		name string
		fail func() error
	}{
		{"error", func() error { return errHandler }},
		{"panic", func() error { panic("something secret") }},
		{"nil pointer", func() error { var ev *webhooks.Event; return errors.New(ev.ID) }}, //nolint:govet // on purpose
		{"end of the goroutine", func() error { runtime.Goexit(); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			backoff := []time.Duration{100 * time.Millisecond, 300 * time.Millisecond}
			box := open(t, inbox.Options{Backoff: backoff})
			receive(t, box, "e1")

			var got tally
			var times []time.Time
			run(t, box, func(ctx context.Context, ev webhooks.Event) error {
				times = append(times, time.Now())
				got.add(ctx, ev)
				if len(times) <= 3 {
					return c.fail()
				}
				return nil
			})
			g.Eventually(func() bool { return idle(t, box) }).WithTimeout(10 * time.Second).Should(BeTrue())
			g.Expect(got.attempts()).To(Equal([]int{1, 2, 3, 4}))
			for i, wait := range append(backoff, backoff[1]) {
				g.Expect(times[i+1].Sub(times[i])).To(BeNumerically(">=", wait))
			}
		})
	}
}

func TestOneFailingEventDoesNotHoldUpOthers(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Concurrency: 1, Backoff: []time.Duration{time.Hour}})
	receive(t, box, "bad", "e1", "e2")
	var got tally
	run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		if ev.ID == "bad" {
			return errHandler
		}
		got.add(ctx, ev)
		return nil
	})
	g.Eventually(got.ids).Should(Equal([]string{"e1", "e2"}))
	g.Eventually(func() uint64 { return stats(t, box).Waiting }).Should(BeEquivalentTo(1))
}

func TestAHandlerChoosesWhenToRetry(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Backoff: []time.Duration{time.Hour}})
	receive(t, box, "e1")
	again := time.Now().Add(700 * time.Millisecond)
	var got tally
	var second time.Time
	run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		second = time.Now()
		got.add(ctx, ev)
		if inbox.Attempt(ctx) == 1 {
			return errors.Join(errors.New("rate limited"), inbox.RetryAt(again, errHandler))
		}
		return nil
	})
	g.Eventually(func() bool { return idle(t, box) }).WithTimeout(10 * time.Second).Should(BeTrue())
	g.Expect(got.attempts()).To(Equal([]int{1, 2}))
	g.Expect(second).To(BeTemporally(">=", again))
}

func TestRetryAtKeepsToItsTimeAcrossARestart(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), Backoff: []time.Duration{time.Hour}}
	box := open(t, opts)
	receive(t, box, "e1")
	again := time.Now().Add(2 * time.Second)
	called := make(chan struct{})
	stop := run(t, box, func(context.Context, webhooks.Event) error {
		close(called)
		return inbox.RetryAt(again, errHandler)
	})
	<-called
	stop()
	g.Expect(box.Close()).To(Succeed())

	box = open(t, opts)
	var second time.Time
	run(t, box, func(context.Context, webhooks.Event) error {
		second = time.Now()
		return nil
	})
	g.Eventually(func() bool { return idle(t, box) }).WithTimeout(15 * time.Second).Should(BeTrue())
	g.Expect(second).To(BeTemporally(">=", again))
}

func TestASlowHandlerRunsOnce(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{AckWait: time.Second, Backoff: shortBackoff})
	receive(t, box, "e1")
	var got tally
	run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		got.add(ctx, ev)
		<-time.After(3 * time.Second)
		return nil
	})
	g.Eventually(got.ids).Should(HaveLen(1))
	g.Eventually(func() bool { return idle(t, box) }).WithTimeout(10 * time.Second).Should(BeTrue())
	g.Expect(got.ids()).To(HaveLen(1))
}

func TestEventsOfADeadWorkerGoToAnother(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), AckWait: time.Second, Grace: -1}
	box := open(t, opts)
	receive(t, box, "e1")
	takeWithoutAck(t, box)
	g.Expect(box.Close()).To(Succeed())

	box = open(t, opts)
	var got tally
	run(t, box, got.handle)
	g.Eventually(got.attempts).WithTimeout(10 * time.Second).Should(Equal([]int{2}))
}

func TestConcurrencyIsLimited(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Concurrency: 3})
	receive(t, box, "e1", "e2", "e3", "e4", "e5")
	var running atomic.Int64
	release := make(chan struct{})
	run(t, box, func(context.Context, webhooks.Event) error {
		running.Add(1)
		defer running.Add(-1)
		<-release
		return nil
	})
	g.Eventually(running.Load).Should(BeEquivalentTo(3))
	g.Consistently(running.Load).WithTimeout(200 * time.Millisecond).Should(BeEquivalentTo(3))
	g.Expect(stats(t, box).InProgress).To(Equal(3))
	g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(2))
	close(release)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
}

func TestSeveralRunsShareTheWork(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Concurrency: 1})
	var both sync.WaitGroup
	both.Add(2)
	var got tally
	for range 2 {
		run(t, box, func(ctx context.Context, ev webhooks.Event) error {
			got.add(ctx, ev)
			both.Done()
			both.Wait() // returns once the other Run has an event too
			return nil
		})
	}
	receive(t, box, "e1", "e2")
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(got.ids()).To(ConsistOf("e1", "e2"))
}

func TestHandlersFinishWithinTheGracePeriod(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Concurrency: 1})
	receive(t, box, "e1", "e2")
	started, release := make(chan struct{}), make(chan struct{})
	var got tally
	type name struct{}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), name{}, "run"))
	ran := make(chan error, 1)
	go func() {
		ran <- box.Run(ctx, webhooks.ReceiverFunc(func(ctx context.Context, ev webhooks.Event) error {
			close(started)
			<-release
			got.add(ctx, ev)
			if ctx.Value(name{}) != "run" {
				t.Error("values of the context of Run are missing")
			}
			return ctx.Err()
		}))
	}()
	<-started
	cancel()
	g.Consistently(ran).WithTimeout(100 * time.Millisecond).ShouldNot(Receive())
	close(release)
	g.Expect(<-ran).To(Succeed())
	g.Expect(got.ids()).To(Equal([]string{"e1"}))
	g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(1))
}

func TestUnfinishedEventsAreReturnedAtOnce(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for _, c := range []struct {
		name   string
		handle func(ctx context.Context) error
	}{
		{"if the handler returns when its context ends", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		{"if the handler never returns", func(context.Context) error { <-release; return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			var log logbuffer.Buffer
			box := open(t, inbox.Options{
				Grace: 50 * time.Millisecond, AckWait: time.Hour, Backoff: []time.Duration{time.Hour}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			})
			receive(t, box, "e1")
			started := make(chan struct{})
			stop := run(t, box, func(ctx context.Context, _ webhooks.Event) error {
				close(started)
				return c.handle(ctx)
			})
			<-started
			stop()
			g.Expect(log.String()).To(MatchRegexp(`level=WARN msg="event returned to the queue unfinished" key=\S+e1`))

			var got tally
			run(t, box, got.handle)
			g.Eventually(got.attempts).Should(Equal([]int{2}))
			g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
		})
	}
}

func TestUnfinishedEventsAreReturnedAcrossARestart(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), Grace: -1, AckWait: time.Hour, Backoff: []time.Duration{time.Hour}, Concurrency: 1}
	box := open(t, opts)
	receive(t, box, "e1")
	started := make(chan struct{})
	stop := run(t, box, func(ctx context.Context, _ webhooks.Event) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	<-started
	stop()
	g.Expect(box.Close()).To(Succeed())

	box = open(t, opts)
	var got tally
	run(t, box, got.handle)
	g.Eventually(func() bool { return idle(t, box) }).WithTimeout(10 * time.Second).Should(BeTrue())
	g.Expect(got.attempts()).To(Equal([]int{2}))
}

func TestRunNeedsAReceiver(t *testing.T) {
	if err := open(t, inbox.Options{}).Run(t.Context(), nil); err == nil {
		t.Error("Run without a receiver returned nil")
	}
}

func TestLogsNameEventsButNotTheirPayload(t *testing.T) {
	g := NewWithT(t)
	var log logbuffer.Buffer
	box := open(t, inbox.Options{
		Logger:      slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Backoff:     shortBackoff,
		MaxAttempts: 3,
	})
	ev, err := webhooks.Parse([]byte(`{"event":"generated_image_failed","event_id":"e1","data":{"photo_id":"PAYLOAD","error":"PAYLOAD"}}`))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(box.Receive(t.Context(), ev)).To(Succeed())
	g.Expect(box.Receive(t.Context(), ev)).To(Succeed())
	run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		if inbox.Attempt(ctx) == 1 {
			panic(string(ev.Raw))
		}
		return errHandler
	})
	g.Eventually(func() uint64 { return stats(t, box).Dead }).Should(BeEquivalentTo(1))
	g.Expect(box.Redrive(t.Context(), "generated_image_failed:e1")).To(Succeed())
	g.Eventually(log.String).Should(ContainSubstring("dead letter redriven"))
	for _, line := range []string{"event received", "event received again", "event failed", "event became a dead letter"} {
		g.Expect(log.String()).To(ContainSubstring(`"msg":"` + line + `","key":"generated_image_failed:e1","event":"generated_image_failed"`))
	}
	g.Expect(log.String()).To(ContainSubstring(errHandler.Error()))
	g.Expect(log.String()).To(ContainSubstring("panic: a string"))
	g.Expect(log.String()).NotTo(ContainSubstring("PAYLOAD"))
}
