package inbox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// pullSubjects returns the reply subjects of the workers' pull requests, in their order.
func pullSubjects(t *testing.T, box *inbox.Inbox) <-chan string {
	t.Helper()
	asked := make(chan string, 1000)
	sub, err := box.Conn().Subscribe("$JS.API.CONSUMER.MSG.NEXT.>", func(msg *nats.Msg) { asked <- msg.Reply })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	if err := box.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	return asked
}

// status publishes a status message to the reply subject of a pull request.
func status(t *testing.T, box *inbox.Inbox, to, status, description string) {
	t.Helper()
	msg := nats.NewMsg(to)
	msg.Header.Set("Status", status)
	msg.Header.Set("Description", description)
	if err := box.Conn().PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
}

func TestHeartbeatsDoNotDisplaceEvents(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Concurrency: 1, AckWait: time.Hour})
	asked := pullSubjects(t, box)
	var got tally
	run(t, box, got.handle)
	for _, id := range []string{"e1", "e2", "e3"} {
		to := <-asked
		for range 30 {
			status(t, box, to, "100", "Idle Heartbeat")
		}
		receive(t, box, id)
		g.Eventually(got.ids).Should(ContainElement(id))
	}
	g.Expect(got.attempts()).To(Equal([]int{1, 1, 1}))
}

func TestAWorkerRepeatsAFailedPullRequest(t *testing.T) {
	for _, c := range []struct{ status, description string }{
		{"404", "No Messages"},
		{"408", "Request Timeout"},
		{"409", "Leadership Change"},
		{"503", ""},
		{"999", "never seen"},
	} {
		t.Run(c.status, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			box := open(t, inbox.Options{Concurrency: 1})
			asked := pullSubjects(t, box)
			var got tally
			run(t, box, got.handle)
			status(t, box, <-asked, c.status, c.description)
			g.Eventually(asked).WithTimeout(10 * time.Second).Should(Receive())
			receive(t, box, "e1")
			g.Eventually(got.attempts).WithTimeout(10 * time.Second).Should(Equal([]int{1}))
		})
	}
}

func TestAnEventUnderWayWhenRunEndsIsReturned(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{AckWait: time.Hour})
	var got tally
	for _, id := range []string{"e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"} {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := box.Run(ctx, webhooks.ReceiverFunc(got.handle)); err != nil {
				t.Error(err)
			}
		})
		receive(t, box, id)
		cancel()
		running.Wait()
	}
	run(t, box, got.handle)
	g.Eventually(func() bool { return idle(t, box) }).WithTimeout(10 * time.Second).Should(BeTrue())
	g.Expect(got.ids()).To(HaveLen(8))
}
