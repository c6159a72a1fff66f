package inbox

import "testing"

// A worker lets go of an event before the server may deliver it again, and once more in the end, when another worker can have it.
func TestAWorkerLetsGoOfItsOwnEventOnly(t *testing.T) {
	var h inHand
	deliveries := make([]*delivery, 3)
	for i := range deliveries {
		reply := "reply"
		deliveries[i] = &delivery{key: "e1", sequence: 7}
		deliveries[i].reply.Store(&reply)
	}
	first, second, third := deliveries[0], deliveries[1], deliveries[2]
	if holder := h.take(first); holder != nil {
		t.Fatal("somebody had it before the first")
	}
	h.leave(first)
	if holder := h.take(second); holder != nil {
		t.Fatal("the first still has it")
	}
	h.leave(first)
	if holder := h.take(third); holder != second {
		t.Error("the first took it from the second")
	}
}
