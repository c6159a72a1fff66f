package webhooks

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const patience = time.Hour

func accept(d *deduplication, key string) {
	if reception, turn, _ := d.begin(Event{}, key); turn == turnFirst {
		d.finish(reception, answer{status: http.StatusOK})
	}
}

func TestDeduplicationKeepsNoMoreThanItsLimit(t *testing.T) {
	for _, limit := range []int{0, 1, 2, 100} {
		a := newDeduplication(limit, patience)
		for i := range 3*limit + 5 {
			accept(a, strconv.Itoa(i))
			if len(a.accepted) > limit || len(a.oldest) > limit || len(a.accepted) != len(a.oldest) || len(a.pending) != 0 {
				t.Fatalf("with a limit of %d it keeps %d keys in a ring of %d, and %d pending", limit, len(a.accepted), len(a.oldest), len(a.pending))
			}
		}
	}
}

func TestDeduplicationForgetsTheOldestKeyFirst(t *testing.T) {
	const limit = 10
	a := newDeduplication(limit, patience)
	for i := range 35 {
		accept(a, strconv.Itoa(i))
		for j := range i + 1 {
			reception, turn, _ := a.begin(Event{}, strconv.Itoa(j))
			if remembered := turn == turnAccepted; remembered != (j > i-limit) {
				t.Fatalf("after key %d, key %d is remembered: %t", i, j, remembered)
			}
			if turn == turnFirst {
				a.finish(reception, answer{status: http.StatusInternalServerError})
			}
		}
	}
}

func TestDeduplicationForgetsWhatWasNotAccepted(t *testing.T) {
	a := newDeduplication(10, patience)
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable} {
		reception, turn, _ := a.begin(Event{}, "key")
		if turn != turnFirst {
			t.Fatal("another reception goes on")
		}
		if again, turn, _ := a.begin(Event{}, "key"); turn != turnFollow || again != reception {
			t.Fatal("a redelivery does not join the reception")
		}
		a.finish(reception, answer{status: status})
	}
	if len(a.pending) != 0 || len(a.accepted) != 0 {
		t.Errorf("%d keys are pending and %d accepted", len(a.pending), len(a.accepted))
	}
}

func TestDeduplicationNoticesAnotherBody(t *testing.T) {
	d := newDeduplication(10, patience)
	first, other := Event{Raw: []byte("{}")}, Event{Raw: []byte("{ }")}
	reception, _, _ := d.begin(first, "key")
	check := func(ev Event, want turn, differs bool) {
		t.Helper()
		if _, turn, got := d.begin(ev, "key"); turn != want || got != differs {
			t.Errorf("the turn is %d, and it differs: %t", turn, got)
		}
	}
	check(first, turnFollow, false)
	check(other, turnFollow, true)
	d.finish(reception, answer{status: http.StatusOK})
	check(first, turnAccepted, false)
	check(other, turnAccepted, true)
}

// A receiver that never returns must not pin its event for ever.
func TestDeduplicationReceivesAnewWhatWasBegunLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeduplication(10, time.Minute)
		stuck, _, _ := d.begin(Event{}, "key")
		d.setOverdue(stuck)
		<-time.After(time.Minute - 1)
		if r, turn, _ := d.begin(Event{}, "key"); turn != turnFollow || r != stuck {
			t.Errorf("before its time the turn is %d", turn)
		}
		<-time.After(1)
		anew, turn, _ := d.begin(Event{}, "key")
		if turn != turnFirst || anew == stuck {
			t.Fatalf("after its time the turn is %d", turn)
		}
		d.finish(stuck, answer{status: http.StatusInternalServerError})
		if r, turn, _ := d.begin(Event{}, "key"); turn != turnFollow || r != anew {
			t.Errorf("when the old one has returned, the turn is %d", turn)
		}
		d.finish(anew, answer{status: http.StatusOK})
		if _, turn, _ := d.begin(Event{}, "key"); turn != turnAccepted {
			t.Errorf("when the new one has returned, the turn is %d", turn)
		}
		if d.overdue != 0 || len(d.pending) != 0 {
			t.Errorf("%d are overdue and %d pending", d.overdue, len(d.pending))
		}
	})
}

func TestDeduplicationBoundsWhatIsOverdue(t *testing.T) {
	d := newDeduplication(10, patience)
	var stuck []*reception
	for i := range mostOverdue {
		r, turn, _ := d.begin(Event{}, strconv.Itoa(i))
		if turn != turnFirst || !d.setOverdue(r) {
			t.Fatalf("the turn of %d is %d", i, turn)
		}
		stuck = append(stuck, r)
	}
	if _, turn, _ := d.begin(Event{}, "one more"); turn != turnBusy {
		t.Errorf("the turn of one more is %d", turn)
	}
	if _, turn, _ := d.begin(Event{}, "0"); turn != turnFollow {
		t.Errorf("the turn of a redelivery is %d", turn)
	}
	d.finish(stuck[0], answer{status: http.StatusServiceUnavailable})
	if _, turn, _ := d.begin(Event{}, "one more"); turn != turnFirst {
		t.Errorf("the turn of one more is %d when another has returned", turn)
	}
	finished := stuck[0]
	if d.setOverdue(finished) {
		t.Error("a finished one became overdue")
	}
}

// However long keys are, what is kept of them is not.
func TestDeduplicationKeepsHashesOfKeys(t *testing.T) {
	const limit = 1000
	a := newDeduplication(limit, patience)
	before := heap()
	for i := range limit {
		accept(a, strings.Repeat(strconv.Itoa(i), 10_000))
	}
	if grown := int64(heap()) - int64(before); grown > limit*1000 {
		t.Errorf("%d keys of at least 10 kB take %d bytes", limit, grown)
	}
	runtime.KeepAlive(a)
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkRemembering reports what a key in the deduplication window takes, in bytes and in time, for few keys and many.
func BenchmarkRemembering(b *testing.B) {
	for _, limit := range []int{100, 10_000, 1_000_000} {
		b.Run(strconv.Itoa(limit), func(b *testing.B) {
			before := heap()
			a := newDeduplication(limit, patience)
			for i := range limit {
				accept(a, fmt.Sprint("evt_", i))
			}
			perKey := float64(heap()-before) / float64(limit)
			i := limit
			for b.Loop() {
				accept(a, fmt.Sprint("evt_", i))
				i++
			}
			b.ReportMetric(perKey, "B/key")
			runtime.KeepAlive(a)
		})
	}
}
