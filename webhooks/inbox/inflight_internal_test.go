package inbox

import "testing"

// A worker lets go of an event before the server may deliver it again, and once more in the end, when another worker can have it.
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
		t.Fatal("somebody had it before the first")
	}
	h.release(first)
	if holder := h.claim(second); holder != nil {
		t.Fatal("the first still has it")
	}
	h.release(first)
	if holder := h.claim(third); holder != second {
		t.Error("the first took it from the second")
	}
}
