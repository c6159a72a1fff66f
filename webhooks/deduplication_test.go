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

const stuckAfter = time.Hour

func accept(d *deduplication, key string) {
	if c, what, _ := d.begin(Event{}, key); what == decisionReceive {
		d.finish(c, response{status: http.StatusOK})
	}
}

func TestDeduplicationKeepsNoMoreThanItsLimit(t *testing.T) {
	for _, limit := range []int{0, 1, 2, 100} {
		d := newDeduplication(limit, stuckAfter)
		for i := range 3*limit + 5 {
			accept(d, strconv.Itoa(i))
			if len(d.accepted) > limit || len(d.window) > limit || len(d.accepted) != len(d.window) || len(d.pending) != 0 {
				t.Fatalf("with a limit of %d it keeps %d keys, a window of %d, and %d pending calls", limit, len(d.accepted), len(d.window), len(d.pending))
			}
		}
	}
}

func TestDeduplicationEvictsTheOldestKeyFirst(t *testing.T) {
	const limit = 10
	d := newDeduplication(limit, stuckAfter)
	for i := range 35 {
		accept(d, strconv.Itoa(i))
		for j := range i + 1 {
			c, what, _ := d.begin(Event{}, strconv.Itoa(j))
			if kept := what == decisionAcknowledge; kept != (j > i-limit) {
				t.Fatalf("after key %d, key %d is in the window: %t", i, j, kept)
			}
			if what == decisionReceive {
				d.finish(c, response{status: http.StatusInternalServerError})
			}
		}
	}
}

func TestDeduplicationDoesNotKeepUnacceptedKeys(t *testing.T) {
	d := newDeduplication(10, stuckAfter)
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable} {
		c, what, _ := d.begin(Event{}, "key")
		if what != decisionReceive {
			t.Fatal("another call is in progress")
		}
		if again, what, _ := d.begin(Event{}, "key"); what != decisionWait || again != c {
			t.Fatal("a redelivery does not wait for the call")
		}
		d.finish(c, response{status: status})
	}
	if len(d.pending) != 0 || len(d.accepted) != 0 {
		t.Errorf("%d keys are pending and %d accepted", len(d.pending), len(d.accepted))
	}
}

func TestDeduplicationDetectsADifferentBody(t *testing.T) {
	d := newDeduplication(10, stuckAfter)
	first, other := Event{Raw: []byte("{}")}, Event{Raw: []byte("{ }")}
	c, _, _ := d.begin(first, "key")
	check := func(ev Event, want decision, differs bool) {
		t.Helper()
		if _, what, got := d.begin(ev, "key"); what != want || got != differs {
			t.Errorf("the decision is %d, and the body differs: %t", what, got)
		}
	}
	check(first, decisionWait, false)
	check(other, decisionWait, true)
	d.finish(c, response{status: http.StatusOK})
	check(first, decisionAcknowledge, false)
	check(other, decisionAcknowledge, true)
}

// A receiver that never returns must not block its event forever.
func TestDeduplicationReplacesStuckCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeduplication(10, time.Minute)
		stuck, _, _ := d.begin(Event{}, "key")
		d.setOverdue(stuck)
		<-time.After(time.Minute - 1)
		if c, what, _ := d.begin(Event{}, "key"); what != decisionWait || c != stuck {
			t.Errorf("before the call is stuck, the decision is %d", what)
		}
		<-time.After(1)
		anew, what, _ := d.begin(Event{}, "key")
		if what != decisionReceive || anew == stuck {
			t.Fatalf("after the call is stuck, the decision is %d", what)
		}
		d.finish(stuck, response{status: http.StatusInternalServerError})
		if c, what, _ := d.begin(Event{}, "key"); what != decisionWait || c != anew {
			t.Errorf("after the stuck call returned, the decision is %d", what)
		}
		d.finish(anew, response{status: http.StatusOK})
		if _, what, _ := d.begin(Event{}, "key"); what != decisionAcknowledge {
			t.Errorf("after the new call returned, the decision is %d", what)
		}
		if d.overdue != 0 || len(d.pending) != 0 {
			t.Errorf("%d calls are overdue and %d pending", d.overdue, len(d.pending))
		}
	})
}

func TestDeduplicationBoundsOverdueCalls(t *testing.T) {
	d := newDeduplication(10, stuckAfter)
	var overdue []*call
	for i := range maxOverdue {
		c, what, _ := d.begin(Event{}, strconv.Itoa(i))
		if what != decisionReceive || !d.setOverdue(c) {
			t.Fatalf("the decision about event %d is %d", i, what)
		}
		overdue = append(overdue, c)
	}
	if _, what, _ := d.begin(Event{}, "one more"); what != decisionReject {
		t.Errorf("the decision about one more event is %d", what)
	}
	if _, what, _ := d.begin(Event{}, "0"); what != decisionWait {
		t.Errorf("the decision about a redelivery is %d", what)
	}
	d.finish(overdue[0], response{status: http.StatusServiceUnavailable})
	if _, what, _ := d.begin(Event{}, "one more"); what != decisionReceive {
		t.Errorf("after a call returned, the decision about one more event is %d", what)
	}
	if d.setOverdue(overdue[0]) {
		t.Error("a finished call became overdue")
	}
}

// Memory must not grow with the length of the keys.
func TestDeduplicationKeepsHashesOfKeys(t *testing.T) {
	const limit = 1000
	d := newDeduplication(limit, stuckAfter)
	before := heap()
	for i := range limit {
		accept(d, strings.Repeat(strconv.Itoa(i), 10_000))
	}
	if grown := int64(heap()) - int64(before); grown > limit*1000 {
		t.Errorf("%d keys of at least 10 kB take %d bytes", limit, grown)
	}
	runtime.KeepAlive(d)
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkDeduplicationWindow reports the bytes and the time that a key in the window costs, for small and large windows.
func BenchmarkDeduplicationWindow(b *testing.B) {
	for _, limit := range []int{100, 10_000, 1_000_000} {
		b.Run(strconv.Itoa(limit), func(b *testing.B) {
			before := heap()
			d := newDeduplication(limit, stuckAfter)
			for i := range limit {
				accept(d, fmt.Sprint("evt_", i))
			}
			perKey := float64(heap()-before) / float64(limit)
			i := limit
			for b.Loop() {
				accept(d, fmt.Sprint("evt_", i))
				i++
			}
			b.ReportMetric(perKey, "B/key")
			runtime.KeepAlive(d)
		})
	}
}
