package soak

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

// memory is a series of samples of the process's memory, at equal intervals.
type memory []uint64

const samples = 20

// watch takes samples until ctx ends.
func watch(ctx context.Context, length time.Duration) memory {
	ticker := time.NewTicker(length / samples)
	defer ticker.Stop()
	var m memory
	for {
		select {
		case <-ctx.Done():
			return m
		case <-ticker.C:
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			m = append(m, stats.HeapAlloc+stats.StackInuse)
		}
	}
}

// The first quarter is the warm-up, in which connections are made, and buffers and the deduplication window fill. The second quarter is
// then compared with the last.
func (m memory) early() uint64 { return median(m[len(m)/4 : len(m)/2]) }
func (m memory) late() uint64  { return median(m[len(m)*3/4:]) }

func median(values []uint64) uint64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// check fails if memory grew by more than a quarter plus slack bytes, which allow for deliveries in progress.
func (m memory) check(t *testing.T, slack uint64) {
	t.Helper()
	if len(m) < 8 {
		t.Fatalf("only %d samples of memory", len(m))
	}
	if early, late := m.early(), m.late(); late > early+early/4+slack {
		t.Errorf("memory grew from %d to %d KiB", early>>10, late>>10)
	}
}

func (m memory) String() string {
	return fmt.Sprintf("memory was %.1f MiB early and %.1f MiB late", float64(m.early())/(1<<20), float64(m.late())/(1<<20))
}
