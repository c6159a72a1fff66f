package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// deadLetters returns all dead letters.
func deadLetters(t testing.TB, box *inbox.Inbox) (letters []inbox.DeadLetter) {
	t.Helper()
	for letter, err := range box.DeadLetters(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		letters = append(letters, letter)
	}
	return letters
}

// failing opens and runs an inbox with a handler that fails while broken is set.
func failing(t testing.TB, opts inbox.Options) (box *inbox.Inbox, broken *atomic.Bool, got *tally) {
	t.Helper()
	opts.Backoff = shortBackoff
	box, broken, got = open(t, opts), &atomic.Bool{}, &tally{}
	broken.Store(true)
	run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		got.add(ctx, ev)
		if broken.Load() {
			return errHandler
		}
		return nil
	})
	return box, broken, got
}

func TestAnEventIsADeadLetterAfterItsLastAttempt(t *testing.T) {
	g := NewWithT(t)
	box, _, got := failing(t, inbox.Options{MaxAttempts: 3})
	sent, before := event(t, "e1"), time.Now()
	receive(t, box, "e1")
	g.Eventually(func() bool { return len(deadLetters(t, box)) == 1 && idle(t, box) }).Should(BeTrue())
	g.Expect(got.attempts()).To(Equal([]int{1, 2, 3}))

	letter := deadLetters(t, box)[0]
	g.Expect(letter.Key).To(Equal(keyOf("e1")))
	g.Expect(letter.Event).To(Equal(sent))
	g.Expect(letter.Reason).To(Equal(errHandler.Error()))
	g.Expect(letter.Attempts).To(Equal(3))
	g.Expect(letter.First).To(BeTemporally("~", before, 5*time.Second))
	g.Expect(letter.Last).To(BeTemporally(">=", letter.First.Add(40*time.Millisecond)))
	g.Expect(stats(t, box).Dead).To(BeEquivalentTo(1))
}

func TestTwelveAttemptsAreTheDefault(t *testing.T) {
	g := NewWithT(t)
	box, _, got := failing(t, inbox.Options{})
	receive(t, box, "e1")
	g.Eventually(func() int { return len(deadLetters(t, box)) }).WithTimeout(10 * time.Second).Should(Equal(1))
	g.Expect(got.attempts()).To(HaveLen(12))
}

func TestAttemptsCanBeUnlimited(t *testing.T) {
	g := NewWithT(t)
	box, broken, got := failing(t, inbox.Options{MaxAttempts: -1})
	receive(t, box, "e1")
	g.Eventually(func() int { return len(got.attempts()) }).WithTimeout(10 * time.Second).Should(BeNumerically(">", 14))
	broken.Store(false)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(deadLetters(t, box)).To(BeEmpty())
}

func TestAHandlerCanDiscardAnEvent(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	var got tally
	run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		got.add(ctx, ev)
		return fmt.Errorf("handler: %w", inbox.Discard(errHandler))
	})
	receive(t, box, "e1")
	g.Eventually(func() int { return len(deadLetters(t, box)) }).Should(Equal(1))
	g.Expect(got.attempts()).To(Equal([]int{1}))
	letter := deadLetters(t, box)[0]
	g.Expect(letter.Attempts).To(Equal(1))
	g.Expect(letter.Reason).To(ContainSubstring(errHandler.Error()))
}

func TestHandlerErrorsCanBeUnwrapped(t *testing.T) {
	g := NewWithT(t)
	g.Expect(inbox.Discard(errHandler)).To(MatchError(errHandler))
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	err := fmt.Errorf("handler: %w", inbox.RetryAt(at, errHandler))
	g.Expect(err).To(MatchError(errHandler))
	g.Expect(err).To(MatchError(ContainSubstring("retry at 2026-03-01T12:00:00Z")))
	retry, ok := errors.AsType[*inbox.RetryError](inbox.RetryAfter(time.Hour, errHandler))
	g.Expect(ok).To(BeTrue())
	g.Expect(retry.At).To(BeTemporally("~", time.Now().Add(time.Hour), time.Minute))
	g.Expect(inbox.Attempt(t.Context())).To(BeZero())
}

func TestAPanicIsTheReasonOfADeadLetter(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{MaxAttempts: 1})
	run(t, box, func(context.Context, webhooks.Event) error { panic("at the disco " + strings.Repeat("ä", 5000)) })
	receive(t, box, "e1")
	g.Eventually(func() int { return len(deadLetters(t, box)) }).Should(Equal(1))
	letter := deadLetters(t, box)[0]
	g.Expect(letter.Reason).To(HavePrefix("panic: at the disco ää"))
	g.Expect(len(letter.Reason)).To(BeNumerically("~", 4096, 1))
}

// undecodable are bodies that this version of the library cannot decode: invalid JSON, and a known event that has changed.
var undecodable = map[string]string{
	"invalid JSON":    `{"event":"generated_script_failed"`,
	"a changed event": `{"event":"generated_script_failed","event_id":"e1","data":{"script_task":"t1"}}`,
}

func TestAnEventThatCannotBeDecodedIsADeadLetter(t *testing.T) {
	for name, body := range undecodable {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			box := open(t, inbox.Options{})
			var attempts atomic.Int64
			router := webhooks.NewRouter()
			run(t, box, func(ctx context.Context, ev webhooks.Event) error {
				attempts.Add(1)
				return router.Receive(ctx, ev)
			})
			ev, err := webhooks.Parse([]byte(body))
			if err != nil { // the event that webhooks.NewHandler passes on
				reason, _ := errors.AsType[*webhooks.PayloadError](err)
				ev = webhooks.Event{Raw: []byte(body), Data: &webhooks.Undecodable{Err: reason}}
			}
			g.Expect(box.Receive(t.Context(), ev)).To(Succeed())
			g.Eventually(func() bool { return len(deadLetters(t, box)) == 1 && idle(t, box) }).Should(BeTrue())
			g.Expect(attempts.Load()).To(BeEquivalentTo(1), "another attempt would change nothing")

			letter := deadLetters(t, box)[0]
			g.Expect(string(letter.Event.Raw)).To(Equal(body))
			g.Expect(letter.Event.Data).To(BeAssignableToTypeOf(&webhooks.Undecodable{}))
			g.Expect(letter.Key).To(Equal(ev.Key()))
			g.Expect(letter.Reason).To(ContainSubstring("cannot be decoded"))
			g.Expect(box.Redrive(t.Context(), letter.Key)).To(Succeed())
			g.Eventually(func() bool { return attempts.Load() == 2 && len(deadLetters(t, box)) == 1 && idle(t, box) }).Should(BeTrue())
		})
	}
}

// A program that adds a function for undecodable events, or upgrades to a version that can decode them, handles the stored dead letters.
func TestAnEventThatCouldNotBeDecodedIsRedriven(t *testing.T) {
	for name, body := range undecodable {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			dir := t.TempDir()
			box := open(t, inbox.Options{Dir: dir})
			stop := run(t, box, webhooks.NewRouter().Receive)
			put(t, box, body)
			g.Eventually(func() bool { return len(deadLetters(t, box)) == 1 && idle(t, box) }).Should(BeTrue())
			stop()
			g.Expect(box.Close()).To(Succeed())

			box = open(t, inbox.Options{Dir: dir})
			router := webhooks.NewRouter()
			got := make(chan webhooks.Event, 1)
			webhooks.On(router, func(_ context.Context, ev webhooks.Event, _ *webhooks.Undecodable) error {
				got <- ev
				return nil
			})
			run(t, box, router.Receive)
			g.Expect(box.RedriveAll(t.Context())).To(Equal(1))
			g.Expect(string((<-got).Raw)).To(Equal(body))
			g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
			g.Expect(deadLetters(t, box)).To(BeEmpty())
		})
	}
}

func TestADeadLetterIsRedriven(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{MaxAttempts: 2, Dir: t.TempDir()}
	box, broken, got := failing(t, opts)
	receive(t, box, "e1", "e2", "e3")
	g.Eventually(func() bool { return len(deadLetters(t, box)) == 3 && idle(t, box) }).Should(BeTrue())
	first := deadLetters(t, box)[0].First

	key := deadLetters(t, box)[0].Key
	g.Expect(box.Redrive(t.Context(), key)).To(Succeed())
	g.Eventually(func() bool { return len(deadLetters(t, box)) == 3 && idle(t, box) }).Should(BeTrue())
	again := deadLetters(t, box)[2] // now the newest
	g.Expect(again.Key).To(Equal(key))
	g.Expect(again.Attempts).To(Equal(2))
	g.Expect(again.First).To(BeTemporally("==", first))

	broken.Store(false)
	g.Expect(box.RedriveAll(t.Context())).To(Equal(3))
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(deadLetters(t, box)).To(BeEmpty())
	g.Expect(got.attempts()).To(HaveLen(3*2 + 2 + 3))

	receive(t, box, "e1", "e2", "e3") // late redeliveries
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(got.attempts()).To(HaveLen(3*2 + 2 + 3))
}

func TestAFullInboxRejectsRedriving(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{MaxEvents: 1})
	stop := run(t, box, func(context.Context, webhooks.Event) error { return inbox.Discard(errHandler) })
	receive(t, box, "e1")
	g.Eventually(func() bool { return len(deadLetters(t, box)) == 1 && idle(t, box) }).Should(BeTrue())
	stop()
	receive(t, box, "e2")
	g.Expect(box.Redrive(t.Context(), keyOf("e1"))).To(MatchError(inbox.ErrFull))
	n, err := box.RedriveAll(t.Context())
	g.Expect(err).To(MatchError(inbox.ErrFull))
	g.Expect(n).To(BeZero())
	g.Expect(deadLetters(t, box)).To(HaveLen(1))
}

func TestADeadLetterIsDeleted(t *testing.T) {
	g := NewWithT(t)
	box, _, _ := failing(t, inbox.Options{MaxAttempts: 1, Concurrency: 1})
	receive(t, box, "e1", "e2")
	g.Eventually(func() int { return len(deadLetters(t, box)) }).Should(Equal(2))
	g.Expect(box.DeleteDeadLetter(t.Context(), keyOf("e1"))).To(Succeed())
	g.Expect(deadLetters(t, box)).To(HaveLen(1))
	for _, err := range []error{box.DeleteDeadLetter(t.Context(), keyOf("e1")), box.Redrive(t.Context(), keyOf("e2"), keyOf("e1"))} {
		g.Expect(err).To(MatchError(inbox.ErrNoDeadLetter))
		g.Expect(err).To(MatchError(ContainSubstring(`:e1"`)))
	}
}

func TestListingDeadLettersCanEndEarly(t *testing.T) {
	g := NewWithT(t)
	box, _, _ := failing(t, inbox.Options{MaxAttempts: 1})
	receive(t, box, "e1", "e2", "e3")
	g.Eventually(func() int { return len(deadLetters(t, box)) }).Should(Equal(3))
	for range box.DeadLetters(t.Context()) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range box.DeadLetters(ctx) {
		g.Expect(err).To(MatchError(context.Canceled))
	}
}

func TestAnAttemptThatNeverEndedCounts(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{MaxAttempts: 1, AckWait: time.Second})
	receive(t, box, "e1")
	takeWithoutAck(t, box)
	var got tally
	run(t, box, got.handle)
	g.Eventually(func() int { return len(deadLetters(t, box)) }).WithTimeout(10 * time.Second).Should(Equal(1))
	g.Expect(got.ids()).To(BeEmpty())
	g.Expect(deadLetters(t, box)[0].Attempts).To(Equal(1))
	g.Expect(deadLetters(t, box)[0].Reason).To(ContainSubstring("was interrupted"))
}

func TestStats(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{MaxAttempts: 2, Concurrency: 2, Backoff: shortBackoff})
	counts := func() inbox.Stats {
		s := stats(t, box)
		g.Expect(s.FreeBytes).To(BeNumerically(">", 0))
		s.FreeBytes, s.OldestWaiting = 0, time.Time{}
		return s
	}
	g.Expect(counts()).To(Equal(inbox.Stats{}))
	before := time.Now()
	receive(t, box, "bad", "stays", "bad", "waits")
	g.Expect(stats(t, box).OldestWaiting).To(BeTemporally("~", before, 5*time.Second))
	g.Expect(counts()).To(Equal(inbox.Stats{Waiting: 3, Duplicates: 1}))

	release := make(chan struct{})
	run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		switch {
		case ev.ID == "bad":
			return errHandler
		case ev.ID == "stays" && inbox.Attempt(ctx) == 2:
			<-release
			return nil
		case inbox.Attempt(ctx) == 1:
			return inbox.RetryAfter(time.Second, errHandler)
		default:
			return nil
		}
	})
	g.Eventually(counts).WithTimeout(10 * time.Second).Should(Equal(inbox.Stats{InProgress: 1, Redelivered: 1, Duplicates: 1, Dead: 1}))
	close(release)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(counts()).To(Equal(inbox.Stats{Duplicates: 1, Dead: 1}))
}
