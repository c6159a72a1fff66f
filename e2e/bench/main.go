// Command bench compares the library with others and prints tables of ratios. Within a table, the rounds of all contenders alternate, so
// that other load on the machine affects all of them, and the medians are compared.
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
	rounds := flag.Int("rounds", 15, "number of rounds per contender")
	length := flag.Duration("length", 50*time.Millisecond, "duration of a round")
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

// tables are the measurements. Each prints one table.
var tables = []func(context.Context, meter) error{peers, shapes, payloads, handlers, keys, calls}

// contender is one implementation of what a table compares.
type contender struct {
	name string
	do   func() error
}

// result is the cost of one operation of a contender.
type result struct {
	time          time.Duration // median
	spread        float64       // half the interquartile range, as a fraction of the median
	bytes, allocs uint64
}

func (r result) ratio(to result) float64 { return float64(r.time) / float64(to.time) }

// meter measures contenders in alternating rounds.
type meter struct {
	rounds int
	length time.Duration
	keys   int // largest deduplication window
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

// calibrate returns how many operations of a contender fill a round.
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
