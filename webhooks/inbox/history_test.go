package inbox_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

func TestTheLastHourIsKeptByTheMinute(t *testing.T) {
	g := NewWithT(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := inbox.NewHistory(func() time.Time { return now })
	for range 3 {
		h.Received()
	}
	h.Took(10 * time.Millisecond)
	h.Took(12 * time.Millisecond)
	h.Took(2 * time.Second)
	now = now.Add(59 * time.Minute)
	h.Received()

	minutes := h.Minutes()
	g.Expect(minutes).To(HaveLen(60))
	g.Expect(minutes[0].Begin).To(BeTemporally("==", time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)))
	g.Expect(minutes[0].Received).To(BeEquivalentTo(3))
	g.Expect(minutes[0].HandlingMedian).To(BeNumerically("~", 12*time.Millisecond, 3*time.Millisecond))
	g.Expect(minutes[0].HandlingP95).To(BeNumerically("~", 2200*time.Millisecond, 200*time.Millisecond))
	g.Expect(minutes[59].Received).To(BeEquivalentTo(1))
	g.Expect(minutes[59].HandlingP95).To(BeZero())

	now = now.Add(time.Minute)
	g.Expect(h.Minutes()[0].Received).To(BeZero(), "dropped after an hour")
	g.Expect(h.Counts().Received).To(BeEquivalentTo(4))
}

func TestDurationsFallIntoTheirBucket(t *testing.T) {
	for _, d := range []time.Duration{0, time.Microsecond, 100 * time.Microsecond, time.Millisecond, time.Second, time.Hour, 1000 * time.Hour} {
		h := inbox.NewHistory(time.Now)
		h.Took(d)
		minutes := h.Minutes()
		got := minutes[len(minutes)-1].HandlingMedian
		most := max(time.Duration(float64(d)*1.2), 100*time.Microsecond)
		if d < 90*time.Minute && (got < d || got > most) {
			t.Errorf("%s: %s", d, got)
		}
	}
}

func TestCountsAndHistory(t *testing.T) {
	g := NewWithT(t)
	box, broken, _ := failing(t, inbox.Options{MaxAttempts: 2})
	receive(t, box, "e1", "e1")
	g.Eventually(func() int { return len(deadLetters(t, box)) }).Should(Equal(1))
	broken.Store(false)
	g.Expect(box.RedriveAll(t.Context())).To(Equal(1))
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(box.Receive(t.Context(), webhooks.Event{})).NotTo(Succeed())

	want := inbox.Counts{Received: 1, Duplicates: 1, Refused: 1, Handled: 1, Failed: 2, Dead: 1, Redriven: 1}
	g.Expect(box.Counts()).To(Equal(want))
	var sum inbox.Counts
	for _, m := range box.History() {
		sum.Received += m.Received
		sum.Handled += m.Handled
		sum.Failed += m.Failed
	}
	g.Expect(sum).To(Equal(inbox.Counts{Received: 1, Handled: 1, Failed: 2}))
}
