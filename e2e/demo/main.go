// Command demo shows webhook deliveries. A simulated JoggAI and a receiver communicate over HTTP on this machine. The demo creates a video
// and waits for it, and delivers every type of event. Some attempts fail, some events are redelivered, and one delivery is forged. At the
// end, a receiver is killed while it processes events. The exit status is 1 if an event was lost, if a forged event was accepted, or if an
// event was handled twice for another reason than being in progress when the receiver was killed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
)

const (
	apiKey = "demo-key"
	// timeout is for the whole demo, which takes seconds.
	timeout = 2 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		exit(receiveDurably(ctx, os.Args[2:]))
	}
	console := flag.Bool("console", false, "at the end, serve the console of the receiver's inbox until Ctrl-C")
	flag.Parse()
	exit(run(ctx, os.Stdout, *console))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// demo is the state that the acts share.
type demo struct {
	out    io.Writer
	sim    *simulator.Simulator
	client *jogg.Client
	time   *fastClock
	// console keeps the last receiver running, to look at its inbox.
	console bool
	// interrupted is a context that ends when the user presses Ctrl-C.
	interrupted context.Context //nolint:containedctx // outlives the timeout of the acts
}

func run(interrupted context.Context, out io.Writer, console bool) error {
	ctx, cancel := context.WithTimeoutCause(interrupted, timeout, errors.New("the demo took too long"))
	defer cancel()
	clock := clockwork.NewFakeClockAt(time.Now())
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	sim, err := simulator.Start(
		simulator.WithAPIKey(apiKey, 100),
		simulator.WithClock(clock),
		simulator.WithRealResponseTimeout(), // receivers do not use the fast clock
		simulator.WithLogger(quiet),
	)
	if err != nil {
		return err
	}
	defer sim.Close()
	client, err := jogg.New(apiKey, jogg.WithBaseURL(sim.BaseURL()), jogg.WithClock(clock))
	if err != nil {
		return err
	}
	d := &demo{out: out, sim: sim, client: client, time: newFastClock(ctx, clock), console: console, interrupted: interrupted}
	d.printf("A simulated JoggAI serves the API at %s. Its clock runs fifty times as fast as yours.\n", sim.BaseURL())

	for _, act := range []func(context.Context) error{d.everyEvent, d.crash} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	if violations := sim.ContractViolations(); len(violations) > 0 {
		return fmt.Errorf("%d responses or deliveries of the simulator violate the contract, the first: %v", len(violations), violations[0])
	}
	d.printf("\nNo event was lost, no forged event was accepted, and only events in progress at the kill were handled twice.\n")
	return nil
}

func (d *demo) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format, args...)
}

// fastClock advances a fake clock fifty times as fast as real time.
type fastClock struct {
	stopped atomic.Bool
}

func newFastClock(ctx context.Context, clock *clockwork.FakeClock) *fastClock {
	const step = 2 * time.Millisecond
	c := new(fastClock)
	go func() {
		tick := time.NewTicker(step)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if !c.stopped.Load() {
					clock.Advance(50 * step)
				}
			}
		}
	}()
	return c
}

func (c *fastClock) stop()   { c.stopped.Store(true) }
func (c *fastClock) resume() { c.stopped.Store(false) }
