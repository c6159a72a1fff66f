package inbox_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// settings returns the limits of the streams and the consumer of an inbox.
func settings(t testing.TB, box *inbox.Inbox) []string {
	t.Helper()
	js, err := jetstream.New(box.Conn())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for stream := range js.ListStreams(t.Context()).Info() {
		c := stream.Config
		all = append(all, fmt.Sprint(c.Name, c.Subjects, c.MaxMsgs, c.MaxBytes, c.MaxAge, c.Duplicates))
		consumers, err := js.Stream(t.Context(), c.Name)
		if err != nil {
			t.Fatal(err)
		}
		for consumer := range consumers.ListConsumers(t.Context()).Info() {
			all = append(all, fmt.Sprint(consumer.Name, consumer.Config.AckWait))
		}
	}
	return all
}

// mixed returns an inbox with five handled, five waiting and five failed events, and five dead letters.
func mixed(t testing.TB, opts inbox.Options) *inbox.Inbox {
	t.Helper()
	g := NewWithT(t)
	opts.Backoff = longBackoff
	box := open(t, opts)
	stop := run(t, box, func(_ context.Context, ev webhooks.Event) error {
		switch ev.ID[0] {
		case 'd':
			return inbox.Discard(errHandler)
		case 'f':
			return errHandler
		}
		return nil
	})
	for i := range 5 {
		receive(t, box, fmt.Sprint("handled", i), fmt.Sprint("dead", i), fmt.Sprint("failed", i))
	}
	g.Eventually(func() inbox.Counts { return box.Counts() }).Should(And(
		HaveField("Handled", BeEquivalentTo(5)), HaveField("Failed", BeEquivalentTo(10)), HaveField("Dead", BeEquivalentTo(5))))
	stop()
	for i := range 5 {
		receive(t, box, fmt.Sprint("waits", i))
	}
	return box
}

func TestADirectoryMovesToACluster(t *testing.T) {
	g := NewWithT(t)
	s := natsServer(t, t.TempDir(), 0)
	from := mixed(t, inbox.Options{})
	to := open(t, inbox.Options{URL: s.ClientURL(), NATSOptions: credentials, Stream: "ELSEWHERE", Subject: "else.where"})
	received := find(t, from, "failed3").Received

	moved, err := from.MoveTo(t.Context(), to)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(moved.Waiting).To(Equal(10))
	g.Expect(moved.Dead).To(Equal(5))
	g.Expect(moved.Remembered).To(BeNumerically(">=", 10))
	g.Expect(moved.Failures).To(Equal(10))
	g.Expect(idle(t, from)).To(BeTrue())
	g.Expect(stats(t, from).Dead).To(BeZero())
	g.Expect(deadLetters(t, to)).To(HaveLen(5))
	g.Expect(find(t, to, "failed3").Received).To(BeTemporally("~", received, time.Millisecond))
	g.Expect(find(t, to, "failed3").Failures).To(HaveLen(1))

	receive(t, to, "handled1", "waits1", "failed1", "dead1") // redeliveries
	var got tally
	run(t, to, got.handle)
	g.Eventually(func() bool { return idle(t, to) }).Should(BeTrue())
	g.Expect(got.ids()).To(ConsistOf("waits0", "waits1", "waits2", "waits3", "waits4", "failed0", "failed1", "failed2", "failed3", "failed4"))
	g.Expect(to.RedriveAll(t.Context())).To(Equal(5))
	g.Eventually(got.ids).Should(HaveLen(15))
}

func TestAnInterruptedMoveLosesNothing(t *testing.T) {
	g := NewWithT(t)
	s := natsServer(t, t.TempDir(), 0)
	from := mixed(t, inbox.Options{})
	full := open(t, inbox.Options{URL: s.ClientURL(), NATSOptions: credentials, MaxEvents: 4})
	moved, err := from.MoveTo(t.Context(), full)
	g.Expect(err).To(MatchError(inbox.ErrFull))
	g.Expect(moved.Waiting).To(Equal(4))
	g.Expect(moved.Dead).To(Equal(5))
	g.Expect(stats(t, from).Waiting + stats(t, full).Waiting).To(BeEquivalentTo(10))

	var got tally
	run(t, full, got.handle)
	g.Eventually(func() bool { return idle(t, full) }).Should(BeTrue())
	g.Eventually(func() error {
		_, err := from.MoveTo(t.Context(), full)
		return err
	}).Should(Succeed())
	g.Eventually(got.ids).Should(HaveLen(10))
	g.Expect(idle(t, from)).To(BeTrue())
}

func TestAnInboxDoesNotMoveToItself(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	receive(t, box, "e1")
	_, err := box.MoveTo(t.Context(), box)
	g.Expect(err).To(MatchError(ContainSubstring("same")))
	g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(1))
}
