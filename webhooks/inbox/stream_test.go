package inbox_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// workerConsumer returns the consumer that all workers share.
func workerConsumer(t testing.TB, box *inbox.Inbox) jetstream.Consumer {
	t.Helper()
	js, err := jetstream.New(box.Conn())
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.Consumer(t.Context(), inbox.DefaultStream, "worker")
	if err != nil {
		t.Fatal(err)
	}
	return consumer
}

// takeWithoutAck pulls an event and does not acknowledge it, like a worker that dies.
func takeWithoutAck(t testing.TB, box *inbox.Inbox) {
	t.Helper()
	if _, err := workerConsumer(t, box).Next(); err != nil {
		t.Fatal(err)
	}
}

// put publishes a body to the stream of events without Receive.
func put(t testing.TB, box *inbox.Inbox, body string) {
	t.Helper()
	js, err := jetstream.New(box.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), inbox.DefaultSubject+".events", []byte(body), jetstream.WithMsgID("put")); err != nil {
		t.Fatal(err)
	}
}
