package inbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.uber.org/goleak"

	"github.com/jogg-go/jogg/e2e/inboxtest"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

func TestMain(m *testing.M) {
	SetDefaultEventuallyTimeout(30 * time.Second) // long enough for slow machines
	SetDefaultEventuallyPollingInterval(5 * time.Millisecond)
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

var (
	open = inboxtest.Open
	run  = inboxtest.Run
)

// event returns an event with that ID.
func event(t testing.TB, id string) webhooks.Event {
	t.Helper()
	quoted, err := json.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := webhooks.Parse(fmt.Appendf(nil,
		`{"event":"generated_avatar_video_success","event_id":%s,"timestamp":1732806631,"data":{"video_id":"v1","surprise":[1]}}`, quoted))
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// keyOf returns the key of the event with that ID.
func keyOf(id string) string { return "generated_avatar_video_success:" + id }

func receive(t testing.TB, box *inbox.Inbox, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := box.Receive(t.Context(), event(t, id)); err != nil {
			t.Fatal(err)
		}
	}
}

func stats(t testing.TB, box *inbox.Inbox) inbox.Stats {
	t.Helper()
	s, err := box.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// idle reports whether no event is waiting or being handled.
func idle(t testing.TB, box *inbox.Inbox) bool {
	t.Helper()
	s := stats(t, box)
	return s.Waiting == 0 && s.InProgress == 0
}

// tally records the events and attempt numbers that handlers are called with.
type tally struct {
	mu      sync.Mutex
	events  []webhooks.Event
	numbers []int
}

func (c *tally) add(ctx context.Context, ev webhooks.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, ev)
	c.numbers = append(c.numbers, inbox.Attempt(ctx))
}

// handle is a handler that only counts.
func (c *tally) handle(ctx context.Context, ev webhooks.Event) error {
	c.add(ctx, ev)
	return nil
}

func (c *tally) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]string, len(c.events))
	for i, ev := range c.events {
		ids[i] = ev.ID
	}
	return ids
}

func (c *tally) attempts() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.numbers)
}

func TestAnEventIsHandledAsItWasReceived(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	sent := event(t, "e1")
	g.Expect(box.Receive(t.Context(), sent)).To(Succeed())

	var got tally
	run(t, box, got.handle)
	g.Eventually(got.ids).Should(Equal([]string{"e1"}))
	g.Expect(got.events[0]).To(Equal(sent))
	g.Expect(got.attempts()).To(Equal([]int{1}))
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
}

func TestAnEventWithoutAnIDIsHandled(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	sent, err := webhooks.Parse([]byte(`{"event":"generated_script_failed","timestamp":1732806631,"data":{"task_id":"task_1"}}`))
	g.Expect(err).NotTo(HaveOccurred())
	for range 3 {
		g.Expect(box.Receive(t.Context(), sent)).To(Succeed())
	}
	var got tally
	run(t, box, got.handle)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(got.events).To(Equal([]webhooks.Event{sent}))
}

func TestArbitraryKeysAreDistinguished(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	long := string(bytes.Repeat([]byte("x"), 5000))
	ids := []string{"a b", "a%20b", "a\r\nNats-Msg-Id: z", "z", "ä", "*", ">", "a.b", long, long + "y", "\x00"}
	for range 2 {
		receive(t, box, ids...)
	}
	var got tally
	run(t, box, got.handle)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(got.ids()).To(ConsistOf(ids))
	g.Expect(stats(t, box).Duplicates).To(BeEquivalentTo(len(ids)))
}

func TestARedeliveryIsDeduplicated(t *testing.T) {
	handled := func(t *testing.T, box *inbox.Inbox, got *tally) (stop func()) {
		return run(t, box, got.handle)
	}
	for _, c := range []struct {
		name          string
		run, reopen   bool // before the redelivery
		atReceive     uint64
		eventsWaiting uint64
	}{
		{"while it waits", false, false, 1, 1},
		{"while it waits, after a restart", false, true, 1, 1},
		{"after it was handled", true, false, 1, 0},
		{"after it was handled and a restart", true, true, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			opts := inbox.Options{Dir: t.TempDir()}
			box := open(t, opts)
			var got tally
			receive(t, box, "e1")
			if c.run {
				stop := handled(t, box, &got)
				g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
				stop()
			}
			if c.reopen {
				g.Expect(box.Close()).To(Succeed())
				box = open(t, opts)
			}
			receive(t, box, "e1")
			g.Expect(stats(t, box).Duplicates).To(Equal(c.atReceive))
			g.Expect(stats(t, box).Waiting).To(Equal(c.eventsWaiting))

			handled(t, box, &got)
			g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
			g.Expect(got.ids()).To(Equal([]string{"e1"}))
			g.Expect(stats(t, box).Duplicates).To(BeEquivalentTo(1))
		})
	}
}

func TestAFullInboxReturnsErrFull(t *testing.T) {
	for _, c := range []struct {
		name string
		opts inbox.Options
	}{
		{"events", inbox.Options{MaxEvents: 2}},
		{"bytes", inbox.Options{MaxBytes: 760}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			c.opts.RetryAfter = 7 * time.Second
			box := open(t, c.opts)
			receive(t, box, "e1", "e2")
			err := box.Receive(t.Context(), event(t, "e3"))
			g.Expect(err).To(MatchError(inbox.ErrFull))
			unavailable, ok := errors.AsType[*webhooks.UnavailableError](err)
			g.Expect(ok).To(BeTrue())
			g.Expect(unavailable.RetryAfter).To(Equal(7 * time.Second))
			receive(t, box, "e1") // a duplicate needs no space
			g.Expect(box.Healthy(t.Context())).To(MatchError(inbox.ErrFull))
			g.Expect(stats(t, box).Problem).To(ContainSubstring("full"))

			var got tally
			run(t, box, got.handle)
			g.Eventually(func() error { return box.Receive(t.Context(), event(t, "e3")) }).Should(Succeed())
			g.Eventually(got.ids).Should(ConsistOf("e1", "e2", "e3"))
			g.Eventually(func() string { return stats(t, box).Problem }).Should(BeEmpty())
			g.Expect(box.Healthy(t.Context())).To(Succeed())
		})
	}
}

func TestReceiveRejectsEventsThatCannotBeStored(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	g.Expect(box.Receive(t.Context(), webhooks.Event{ID: "e1"})).To(MatchError(ContainSubstring("no Raw")))
	err := box.Receive(t.Context(), webhooks.Event{ID: "e1", Raw: make([]byte, 9<<20)})
	g.Expect(err).To(MatchError(ContainSubstring("9437184 bytes")))
	_, later := errors.AsType[*webhooks.UnavailableError](err)
	g.Expect(later).To(BeFalse())
}

func TestReceiveHonoursItsContext(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := box.Receive(ctx, event(t, "e1"))
	g.Expect(err).To(MatchError(context.Canceled))
	_, later := errors.AsType[*webhooks.UnavailableError](err)
	g.Expect(later).To(BeTrue())
}

func TestAClosedInboxRejectsEverything(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	g.Expect(box.Close()).To(Succeed())
	g.Expect(box.Close()).To(Succeed())
	err := box.Receive(t.Context(), event(t, "e1"))
	g.Expect(err).To(MatchError(inbox.ErrClosed))
	unavailable, ok := errors.AsType[*webhooks.UnavailableError](err)
	g.Expect(ok).To(BeTrue())
	g.Expect(unavailable.RetryAfter).To(Equal(inbox.DefaultRetryAfter))
	g.Expect(box.Run(t.Context(), webhooks.NewRouter())).To(MatchError(inbox.ErrClosed))
	_, err = box.Stats(t.Context())
	g.Expect(err).To(MatchError(inbox.ErrClosed))
	g.Expect(box.Redrive(t.Context(), "e1")).To(MatchError(inbox.ErrClosed))
	g.Expect(box.DeleteDeadLetter(t.Context(), "e1")).To(MatchError(inbox.ErrClosed))
	g.Expect(box.RetryNow(t.Context(), "e1")).To(MatchError(inbox.ErrClosed))
	g.Expect(box.Discard(t.Context(), "e1")).To(MatchError(inbox.ErrClosed))
	g.Expect(box.Pause(t.Context(), time.Time{})).To(MatchError(inbox.ErrClosed))
	g.Expect(box.Resume(t.Context())).To(MatchError(inbox.ErrClosed))
	_, err = box.Find(t.Context(), "e1")
	g.Expect(err).To(MatchError(inbox.ErrClosed))
	for _, state := range []inbox.State{inbox.StateWaiting, inbox.StateRunning, inbox.StateDead} {
		_, err = box.List(t.Context(), inbox.Query{State: state})
		g.Expect(err).To(MatchError(inbox.ErrClosed))
	}
	_, err = box.RedriveAll(t.Context())
	g.Expect(err).To(MatchError(inbox.ErrClosed))
}

func TestCloseEndsRun(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	receive(t, box, "e1")
	started := make(chan struct{})
	ran := make(chan error)
	go func() {
		ran <- box.Run(context.Background(), webhooks.ReceiverFunc(func(ctx context.Context, _ webhooks.Event) error {
			close(started)
			return nil
		}))
	}()
	<-started
	g.Expect(box.Close()).To(Succeed())
	g.Expect(<-ran).To(MatchError(inbox.ErrClosed))
}

func TestEventsOutliveTheInbox(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: filepath.Join(t.TempDir(), "not", "there", "yet")}
	box := open(t, opts)
	receive(t, box, "e1", "e2", "e3")
	g.Expect(box.Close()).To(Succeed())

	box = open(t, opts)
	g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(3))
	var got tally
	run(t, box, got.handle)
	g.Eventually(got.ids).Should(ConsistOf("e1", "e2", "e3"))
}

func TestInvalidOptionsAreErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		option string
		opts   inbox.Options
	}{
		{"Dir", inbox.Options{}},
		{"Dir", inbox.Options{Dir: dir, URL: "nats://127.0.0.1"}},
		{"NATSOptions", inbox.Options{Dir: dir, NATSOptions: append(inbox.Options{}.NATSOptions, nil)}},
		{"Replicas", inbox.Options{Dir: dir, Replicas: 3}},
		{"Replicas", inbox.Options{URL: "nats://127.0.0.1", Replicas: 6}},
		{"Replicas", inbox.Options{URL: "nats://127.0.0.1", Replicas: -1}},
		{"Stream", inbox.Options{Dir: dir, Stream: "a.b"}},
		{"Subject", inbox.Options{Dir: dir, Subject: "a.*"}},
		{"MaxEvents", inbox.Options{Dir: dir, MaxEvents: -1}},
		{"MaxBytes", inbox.Options{Dir: dir, MaxBytes: -1}},
		{"DuplicateWindow", inbox.Options{Dir: dir, DuplicateWindow: time.Millisecond}},
		{"Concurrency", inbox.Options{Dir: dir, Concurrency: -1}},
		{"MaxAttempts", inbox.Options{Dir: dir, MaxAttempts: -2}},
		{"Backoff", inbox.Options{Dir: dir, Backoff: []time.Duration{time.Second, 0}}},
		{"AckWait", inbox.Options{Dir: dir, AckWait: time.Millisecond}},
		{"AckWait", inbox.Options{Dir: dir, AckWait: 1500 * time.Millisecond}},
		{"RetryAfter", inbox.Options{Dir: dir, RetryAfter: -1}},
	} {
		t.Run(c.option, func(t *testing.T) {
			_, err := inbox.Open(t.Context(), c.opts)
			wrong, ok := errors.AsType[*inbox.OptionError](err)
			if !ok || wrong.Option != c.option {
				t.Errorf("Open returned %v, want an error about %s", err, c.option)
			}
		})
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("directory has %v, %v", entries, err)
	}
}

func TestLimitsCanBeChangedLater(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), MaxEvents: 1}
	box := open(t, opts)
	receive(t, box, "e1")
	g.Expect(box.Receive(t.Context(), event(t, "e2"))).To(MatchError(inbox.ErrFull))
	g.Expect(box.Close()).To(Succeed())

	opts.MaxEvents, opts.MaxBytes, opts.DuplicateWindow, opts.AckWait = 2, 1<<20, time.Hour, 5*time.Second
	box = open(t, opts)
	receive(t, box, "e2")
	g.Expect(box.Receive(t.Context(), event(t, "e3"))).To(MatchError(inbox.ErrFull))
}

func TestAStreamCannotBeRenamedInADirectory(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir()}
	g.Expect(open(t, opts).Close()).To(Succeed())
	opts.Stream = "OTHER"
	_, err := inbox.Open(t.Context(), opts)
	wrong, ok := errors.AsType[*inbox.OptionError](err)
	g.Expect(ok).To(BeTrue())
	g.Expect(wrong.Option).To(Equal("Stream"))
}
