// Command demo shows deliveries arriving. A simulated JoggAI and a receiver talk over HTTP on this machine: a video is created and
// waited for, every kind of event arrives, some attempts fail, some deliveries come twice, one is forged, and in the end the receiver
// is killed in the middle of its work. It exits with status 1 if an event was lost, accepted though it was forged, or handled twice other
// than because it was in hand when the receiver was killed.
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
	// patience is for the whole demo, which takes seconds.
	patience = 2 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		exit(receiveDurably(ctx, os.Args[2:]))
	}
	console := flag.Bool("console", false, "in the end, show the console of the receiver's inbox until Ctrl-C")
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

// demo is what the acts share.
type demo struct {
	out    io.Writer
	sim    *simulator.Simulator
	client *jogg.Client
	time   *hurry
	// console keeps the last receiver going, for people who look at its inbox.
	console bool
	// people is a context that ends when they do not want to any more.
	people context.Context //nolint:containedctx // outlasts the patience of the acts
}

func run(people context.Context, out io.Writer, console bool) error {
	ctx, cancel := context.WithTimeoutCause(people, patience, errors.New("the demo took too long"))
	defer cancel()
	clock := clockwork.NewFakeClockAt(time.Now())
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	sim, err := simulator.Start(
		simulator.WithAPIKey(apiKey, 100),
		simulator.WithClock(clock),
		simulator.WithRealAnswerLimit(), // receivers do not live on the hurried clock
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
	d := &demo{out: out, sim: sim, client: client, time: newHurry(ctx, clock), console: console, people: people}
	d.printf("A simulated JoggAI serves the API at %s. Its time runs fifty times as fast as yours.\n", sim.BaseURL())

	for _, act := range []func(context.Context) error{d.everyEvent, d.crash} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	if violations := sim.ContractViolations(); len(violations) > 0 {
		return fmt.Errorf("%d answers or deliveries of the simulator do not fit the contract, the first: %v", len(violations), violations[0])
	}
	d.printf("\nNothing was lost, nothing forged was accepted, and nothing was handled twice but what was in hand at the kill.\n")
	return nil
}

func (d *demo) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format, args...)
}

// hurry makes a fake clock run fifty times as fast as time does.
type hurry struct {
	stopped atomic.Bool
}

func newHurry(ctx context.Context, clock *clockwork.FakeClock) *hurry {
	const step = 2 * time.Millisecond
	h := new(hurry)
	go func() {
		tick := time.NewTicker(step)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if !h.stopped.Load() {
					clock.Advance(50 * step)
				}
			}
		}
	}()
	return h
}

func (h *hurry) stop()   { h.stopped.Store(true) }
func (h *hurry) resume() { h.stopped.Store(false) }
