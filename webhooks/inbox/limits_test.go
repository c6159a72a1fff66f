package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/e2e/logbuffer"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

func keysOf(letters []inbox.DeadLetter) []string {
	keys := make([]string, len(letters))
	for i, letter := range letters {
		keys[i] = letter.Key
	}
	return keys
}

func TestTheOldestDeadLettersAreDeletedAboveTheLimit(t *testing.T) {
	g := NewWithT(t)
	var log logbuffer.Buffer
	opts := inbox.Options{
		Dir: t.TempDir(), MaxAttempts: 1, MaxDeadLetters: 3, Concurrency: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	box, _, _ := failing(t, opts)
	for i := range 5 {
		receive(t, box, fmt.Sprintf("e%d", i+1))
		g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	}
	g.Eventually(func() []inbox.DeadLetter { return deadLetters(t, box) }).Should(HaveLen(3))
	all := keysOf(deadLetters(t, box))
	for i, key := range all {
		g.Expect(key).To(HaveSuffix(fmt.Sprintf("e%d", i+3)))
	}
	g.Eventually(func() int { return strings.Count(log.String(), "dead letter deleted") }).Should(Equal(2))
	for _, id := range []string{"e1", "e2"} {
		g.Expect(log.String()).To(MatchRegexp(`level=ERROR msg="dead letter deleted[^\n]* key=\S*%s event=`, id))
	}
	g.Expect(box.Close()).To(Succeed())

	opts.MaxDeadLetters = 1 // the limit also applies to existing dead letters
	box = open(t, opts)
	box.Maintain(t.Context())
	g.Expect(keysOf(deadLetters(t, box))).To(Equal(all[2:]))
	g.Expect(strings.Count(log.String(), "dead letter deleted")).To(Equal(4))
}

func TestOldDeadLettersAreDeleted(t *testing.T) {
	g := NewWithT(t)
	var log logbuffer.Buffer
	opts := inbox.Options{Dir: t.TempDir(), MaxAttempts: 1, DeadLetterAge: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	box, _, _ := failing(t, opts)
	receive(t, box, "e1", "e2")
	g.Eventually(func() bool { return len(deadLetters(t, box)) == 2 && idle(t, box) }).Should(BeTrue())
	box.Maintain(t.Context())
	g.Expect(deadLetters(t, box)).To(HaveLen(2))
	g.Expect(box.Close()).To(Succeed())

	opts.DeadLetterAge = time.Millisecond
	box = open(t, opts)
	g.Eventually(func() []inbox.DeadLetter {
		box.Maintain(t.Context())
		return deadLetters(t, box)
	}).Should(BeEmpty())
	g.Expect(strings.Count(log.String(), "dead letter deleted")).To(Equal(2))
}

func TestOnDeadLetterIsCalled(t *testing.T) {
	g := NewWithT(t)
	var mu sync.Mutex
	var announced []inbox.DeadLetter
	var log logbuffer.Buffer
	box, _, _ := failing(t, inbox.Options{
		MaxAttempts: 2, Concurrency: 1, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		OnDeadLetter: func(ctx context.Context, letter inbox.DeadLetter) {
			mu.Lock()
			defer mu.Unlock()
			announced = append(announced, letter)
			if ctx.Err() != nil {
				t.Error(ctx.Err())
			}
			panic("a surprise")
		},
	})
	receive(t, box, "e1", "e2")
	g.Eventually(func() bool { return len(deadLetters(t, box)) == 2 && idle(t, box) }).Should(BeTrue())
	mu.Lock()
	defer mu.Unlock()
	letters := deadLetters(t, box)
	g.Expect(announced).To(HaveLen(2))
	for i, letter := range letters {
		g.Expect(announced[i].Last).To(BeTemporally("==", letter.Last))
		g.Expect(announced[i].First).To(BeTemporally("==", letter.First))
		g.Expect(announced[i]).To(Equal(letter))
	}
	g.Expect(log.String()).To(ContainSubstring("OnDeadLetter panicked"))
	g.Expect(log.String()).NotTo(ContainSubstring("a surprise"))
}

func TestAnInboxCanBeClosedWhileItsDeadLettersAreListed(t *testing.T) {
	g := NewWithT(t)
	box, _, _ := failing(t, inbox.Options{MaxAttempts: 1})
	receive(t, box, "e1", "e2", "e3")
	g.Eventually(func() bool { return len(deadLetters(t, box)) == 3 && idle(t, box) }).Should(BeTrue())
	var keys []string
	var last error
	for letter, err := range box.DeadLetters(t.Context()) {
		if err != nil {
			last = err
			break
		}
		keys = append(keys, letter.Key)
		g.Expect(box.Close()).To(Succeed())
	}
	g.Expect(keys).To(HaveLen(1))
	g.Expect(last).To(MatchError(inbox.ErrClosed))
}

func TestHealthyFollowsTheLimits(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{MaxEvents: 2})
	g.Expect(box.Healthy(t.Context())).To(Succeed())
	receive(t, box, "e1", "e2")
	g.Expect(box.Healthy(t.Context())).To(MatchError(inbox.ErrFull))
	run(t, box, func(context.Context, webhooks.Event) error { return nil })
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(box.Healthy(t.Context())).To(Succeed())
	g.Expect(box.Close()).To(Succeed())
	g.Expect(box.Healthy(t.Context())).To(MatchError(inbox.ErrClosed))
	_, closed := errors.AsType[*inbox.StoreError](box.Healthy(t.Context()))
	g.Expect(closed).To(BeFalse())
}
