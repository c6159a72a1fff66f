package webhooks

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func accept(a *acceptance, key string) {
	if reception, first := a.begin(key); first {
		a.finish(reception, answer{status: http.StatusOK})
	}
}

func TestAcceptanceKeepsNoMoreThanItsLimit(t *testing.T) {
	for _, limit := range []int{0, 1, 2, 100} {
		a := newAcceptance(limit)
		for i := range 3*limit + 5 {
			accept(a, strconv.Itoa(i))
			if len(a.accepted) > limit || len(a.oldest) > limit || len(a.accepted) != len(a.oldest) || len(a.pending) != 0 {
				t.Fatalf("with a limit of %d it keeps %d keys in a ring of %d, and %d pending", limit, len(a.accepted), len(a.oldest), len(a.pending))
			}
		}
	}
}

func TestAcceptanceForgetsTheOldestKeyFirst(t *testing.T) {
	const limit = 10
	a := newAcceptance(limit)
	for i := range 35 {
		accept(a, strconv.Itoa(i))
		for j := range i + 1 {
			reception, first := a.begin(strconv.Itoa(j))
			if remembered := reception == nil; remembered != (j > i-limit) {
				t.Fatalf("after key %d, key %d is remembered: %t", i, j, remembered)
			}
			if first {
				a.finish(reception, answer{status: http.StatusInternalServerError})
			}
		}
	}
}

func TestAcceptanceForgetsWhatWasNotAccepted(t *testing.T) {
	a := newAcceptance(10)
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable} {
		reception, first := a.begin("key")
		if !first {
			t.Fatal("another reception goes on")
		}
		if again, first := a.begin("key"); first || again != reception {
			t.Fatal("a redelivery does not join the reception")
		}
		a.finish(reception, answer{status: status})
	}
	if len(a.pending) != 0 || len(a.accepted) != 0 {
		t.Errorf("%d keys are pending and %d accepted", len(a.pending), len(a.accepted))
	}
}

// However long keys are, what is kept of them is not.
func TestAcceptanceKeepsHashesOfKeys(t *testing.T) {
	const limit = 1000
	a := newAcceptance(limit)
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

// BenchmarkRemembering reports what a remembered key takes, in bytes and in time, for few keys and many.
func BenchmarkRemembering(b *testing.B) {
	for _, limit := range []int{100, 10_000, 1_000_000} {
		b.Run(strconv.Itoa(limit), func(b *testing.B) {
			before := heap()
			a := newAcceptance(limit)
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
