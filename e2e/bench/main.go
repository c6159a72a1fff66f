// Command bench measures the library beside others, in one run: it prints tables of ratios. Rounds of all contenders follow each other in
// turn, so that what else the machine does falls on all of them, and the medians are compared.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 15, "rounds of each contender")
	length := flag.Duration("length", 50*time.Millisecond, "length of a round")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	fmt.Printf("%s, %s/%s, %d CPUs; medians of %d rounds of %v\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		*rounds, *length)
	m := meter{rounds: *rounds, length: *length, keys: 1_000_000}
	for _, table := range tables {
		if err := table(ctx, m); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
}

// tables are what is measured. Each prints one table.
var tables = []func(context.Context, meter) error{peers, shapes, payloads, handlers, keys, calls}

// contender is one way of doing something.
type contender struct {
	name string
	do   func() error
}

// result is what a contender needs for doing it once.
type result struct {
	time          time.Duration // the median
	spread        float64       // half the distance between the quartiles, as a part of the median
	bytes, allocs uint64
}

func (r result) ratio(to result) float64 { return float64(r.time) / float64(to.time) }

// meter measures contenders side by side.
type meter struct {
	rounds int
	length time.Duration
	keys   int // how many are remembered at most
}

func (m meter) measure(ctx context.Context, contenders []contender) ([]result, error) {
	counts := make([]int, len(contenders))
	results := make([]result, len(contenders))
	for i, c := range contenders {
		n, err := m.calibrate(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		counts[i] = n
		results[i].bytes, results[i].allocs = memory(c, min(n, 1000))
	}
	times := make([][]time.Duration, len(contenders))
	for range m.rounds {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for i, c := range contenders {
			took, err := repeat(c, counts[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			times[i] = append(times[i], took/time.Duration(counts[i]))
		}
	}
	for i := range contenders {
		slices.Sort(times[i])
		n := len(times[i])
		results[i].time = times[i][n/2]
		results[i].spread = float64(times[i][n*3/4]-times[i][n/4]) / 2 / float64(results[i].time)
	}
	return results, nil
}

// calibrate finds how often a contender can do it in a round.
func (m meter) calibrate(c contender) (int, error) {
	for n := 1; ; n *= 2 {
		took, err := repeat(c, n)
		if err != nil {
			return 0, err
		}
		if took >= m.length {
			return n, nil
		}
	}
}

func repeat(c contender, n int) (time.Duration, error) {
	start := time.Now()
	for range n {
		if err := c.do(); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

func memory(c contender, n int) (bytes, allocs uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	_, _ = repeat(c, n)
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / uint64(n), (after.Mallocs - before.Mallocs) / uint64(n)
}

func title(text string) { fmt.Printf("\n**%s**\n\n", text) }
