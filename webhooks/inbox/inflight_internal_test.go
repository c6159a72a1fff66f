package inbox

import "testing"

// A worker releases an event before the server can redeliver it, and again at the end, when another worker may hold it.
func TestAWorkerReleasesOnlyItsOwnEvent(t *testing.T) {
	var h inFlight
	deliveries := make([]*delivery, 3)
	for i := range deliveries {
		reply := "reply"
		deliveries[i] = &delivery{key: "e1", sequence: 7}
		deliveries[i].reply.Store(&reply)
	}
	first, second, third := deliveries[0], deliveries[1], deliveries[2]
	if holder := h.claim(first); holder != nil {
		t.Fatal("the event has a holder before the first claim")
	}
	h.release(first)
	if holder := h.claim(second); holder != nil {
		t.Fatal("the first delivery still holds the event")
	}
	h.release(first)
	if holder := h.claim(third); holder != second {
		t.Error("the first delivery released the event of the second")
	}
}
