package inbox_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

func TestRetryNowBringsAnAttemptForward(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), Backoff: longBackoff}
	box := open(t, opts)
	receive(t, box, "e1", "new")
	stop := run(t, box, func(context.Context, webhooks.Event) error { return errHandler })
	g.Eventually(func() []inbox.AttemptRecord { return find(t, box, "e1").Failures }).Should(HaveLen(1))
	stop()

	g.Expect(box.RetryNow(t.Context(), keyOf("e1"))).To(Succeed())
	g.Expect(find(t, box, "e1").Next).To(BeZero())
	g.Expect(find(t, box, "e1").Failures).To(HaveLen(1), "RetryNow does not count as an attempt")

	var got tally
	run(t, box, got.handle)
	g.Eventually(got.ids).Should(ContainElement("e1"))
	g.Expect(got.attempts()).To(ContainElement(2), "the attempts are not counted from zero")
	g.Expect(box.RetryNow(t.Context(), "nobody")).To(MatchError(inbox.ErrNoEvent))
}

func TestRetryNowWorksAfterARestart(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), Backoff: longBackoff}
	box := open(t, opts)
	failOnce(t, box, "e1")
	g.Expect(box.Close()).To(Succeed())

	box = open(t, opts)
	var got tally
	run(t, box, got.handle)
	g.Expect(box.RetryNow(t.Context(), keyOf("e1"))).To(Succeed())
	g.Eventually(got.attempts).Should(Equal([]int{2}))
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
}

func TestARunningEventIsLeftToItsHandler(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	receive(t, box, "e1")
	release := make(chan struct{})
	run(t, box, func(context.Context, webhooks.Event) error {
		<-release
		return nil
	})
	defer close(release)
	g.Eventually(func() []string { return keys(t, box, inbox.Query{State: inbox.StateRunning}) }).Should(HaveLen(1))
	g.Expect(box.RetryNow(t.Context(), keyOf("e1"))).To(MatchError(inbox.ErrRunning))
	g.Expect(box.Discard(t.Context(), keyOf("e1"))).To(MatchError(inbox.ErrRunning))
}

func TestAWaitingEventIsDiscardedByHand(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), Backoff: longBackoff}
	box := open(t, opts)
	failOnce(t, box, "fails")
	receive(t, box, "new", "stays")

	g.Expect(box.Discard(t.Context(), keyOf("fails"), keyOf("new"))).To(Succeed())
	g.Expect(keys(t, box, inbox.Query{State: inbox.StateWaiting})).To(Equal([]string{"stays"}))
	letters := deadLetters(t, box)
	g.Expect(letters).To(HaveLen(2))
	g.Expect(letters[0].Reason).To(And(ContainSubstring("by hand"), ContainSubstring(errHandler.Error())))
	g.Expect(letters[0].Event).To(Equal(event(t, "fails")))

	g.Expect(box.Receive(t.Context(), event(t, "new"))).To(Succeed(), "a redelivery is deduplicated")
	g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(1))
	g.Expect(box.Close()).To(Succeed())

	box = open(t, opts)
	var got tally
	run(t, box, got.handle)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(got.ids()).To(Equal([]string{"stays"}))
	g.Expect(box.RedriveAll(t.Context())).To(Equal(2))
	g.Eventually(got.ids).Should(ConsistOf("stays", "fails", "new"))
}

func TestAPauseOutlastsARestart(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir()}
	box := open(t, opts)
	handled := make(chan string, 10)
	handle := func(_ context.Context, ev webhooks.Event) error {
		handled <- ev.ID
		return nil
	}
	stop := run(t, box, handle)
	receive(t, box, "before")
	g.Eventually(handled).Should(Receive(Equal("before")))

	g.Expect(box.Pause(t.Context(), time.Time{})).To(Succeed())
	g.Expect(stats(t, box).Paused).To(BeTemporally(">", time.Now().Add(24*time.Hour)))
	receive(t, box, "during")
	stop()
	g.Expect(box.Close()).To(Succeed())

	box = open(t, opts)
	g.Expect(stats(t, box).Paused).NotTo(BeZero())
	run(t, box, handle)
	g.Consistently(handled).WithTimeout(300 * time.Millisecond).ShouldNot(Receive())
	g.Expect(box.Resume(t.Context())).To(Succeed())
	g.Eventually(handled).Should(Receive(Equal("during")))
	g.Expect(stats(t, box).Paused).To(BeZero())
}

func TestAPauseEndsByItself(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	handled := make(chan string, 10)
	g.Expect(box.Pause(t.Context(), time.Now().Add(500*time.Millisecond))).To(Succeed())
	run(t, box, func(_ context.Context, ev webhooks.Event) error {
		handled <- ev.ID
		return nil
	})
	receive(t, box, "e1")
	g.Eventually(handled).Should(Receive())
	g.Expect(stats(t, box).Paused).To(BeZero())
}

func TestAttachKeepsExistingSettings(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{
		Dir: t.TempDir(), Stream: "OTHER", Subject: "some.where", MaxEvents: 7, MaxBytes: 1 << 20, DuplicateWindow: time.Hour,
		AckWait: 3 * time.Second,
	}
	box := open(t, opts)
	receive(t, box, "e1")
	before := settings(t, box)
	g.Expect(box.Close()).To(Succeed())

	tool, err := inbox.Attach(t.Context(), inbox.Options{Dir: opts.Dir, Logger: opts.Logger})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(settings(t, tool)).To(Equal(before))
	g.Expect(keys(t, tool, inbox.Query{State: inbox.StateWaiting})).To(Equal([]string{"e1"}))
	g.Expect(tool.Close()).To(Succeed())
	g.Expect(settings(t, open(t, opts))).To(Equal(before))
}

func TestAttachCreatesNothing(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	for _, missing := range []string{dir, filepath.Join(dir, "missing")} {
		_, err := inbox.Attach(t.Context(), inbox.Options{Dir: missing})
		g.Expect(err).To(MatchError(inbox.ErrNoInbox))
	}
	g.Expect(contents(t, dir)).To(BeEmpty())
	s := natsServer(t, t.TempDir(), 0)
	_, err := inbox.Attach(t.Context(), inbox.Options{URL: s.ClientURL(), NATSOptions: credentials})
	g.Expect(err).To(MatchError(inbox.ErrNoInbox))
}

// A tool does not know the limits of the program for dead letters.
func TestAttachDeletesNoDeadLetters(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), MaxAttempts: 1, DeadLetterAge: time.Hour}
	box, _, _ := failing(t, opts)
	receive(t, box, "e1", "e2")
	g.Eventually(func() bool { return len(deadLetters(t, box)) == 2 && idle(t, box) }).Should(BeTrue())
	g.Expect(box.Close()).To(Succeed())
	tool, err := inbox.Attach(t.Context(), inbox.Options{Dir: opts.Dir, MaxDeadLetters: 1, DeadLetterAge: time.Nanosecond})
	g.Expect(err).NotTo(HaveOccurred())
	tool.Maintain(t.Context())
	g.Expect(deadLetters(t, tool)).To(HaveLen(2))
	g.Expect(tool.Close()).To(Succeed())
}
