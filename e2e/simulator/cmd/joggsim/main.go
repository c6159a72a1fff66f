// Joggsim serves a simulated JoggAI: the API, uploads and media, signed deliveries, and a page for people at /_console/.
//
//	joggsim -addr 127.0.0.1:8080 -api-key KEY
//
// It keeps everything in memory and ends with SIGINT or SIGTERM. The page shows keys and secrets to whoever can reach it, so the address
// should be one that only this machine can reach, as the default is.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "joggsim:", err)
		os.Exit(1)
	}
}

// errUsage says that the arguments are wrong. The flag package has told it already.
var errUsage = errors.New("wrong arguments")

// run serves until the context ends.
func run(ctx context.Context, args []string, out, log io.Writer) (err error) {
	c, options, err := parse(args, log)
	if err != nil {
		return err
	}
	sim, err := simulator.Start(options...)
	if err != nil {
		return err
	}
	defer sim.Close()
	inboxURL := ""
	if c.inbox != "" {
		r, err := receive(ctx, sim, c.inbox, c.key, log)
		if err != nil {
			return fmt.Errorf("inbox: %w", err)
		}
		defer func() { err = errors.Join(err, r.close()) }()
		inboxURL = r.url
	}
	greet(out, sim, c.shown, inboxURL)
	for attempt := range sim.FollowAttempts(ctx) {
		fmt.Fprintln(out, line(attempt))
	}
	_, err = fmt.Fprintln(out, "Stopped.")
	return err
}

// config is what is not for the simulator itself.
type config struct {
	key, shown string // the API key, which is not shown if it was given
	inbox      string // the address of the receiver, "" for none
}

// parse reads the flags.
func parse(args []string, log io.Writer) (c config, options []simulator.Option, err error) {
	flags := flag.NewFlagSet("joggsim", flag.ContinueOnError)
	flags.SetOutput(log)
	var (
		address    = flags.String("addr", "127.0.0.1:8080", "serve the API and the page at this `address`")
		media      = flags.String("media-addr", "127.0.0.1:0", "serve uploads and media at this `address`; port 0 chooses one")
		apiKey     = flags.String("api-key", "", "take this API `key` (by default $JOGG_API_KEY, or else "+simulator.DefaultAPIKey+")")
		credits    = flags.Float64("credits", 1000, "give the account so many credits")
		pending    = flags.Duration("pending", 2*time.Second, "let tasks wait so long")
		processing = flags.Duration("processing", 8*time.Second, "let tasks be processed so long")
		limit      = flags.Int("post-limit", 20, "allow so many POST requests a minute; 0 allows any number")
		seen       = flags.Bool("seen", false, "spell the states of tasks success and fail, as seen, and not as documented")
		guides     = flags.Bool("guides", false, "answer in the forms of the guides where the published schema has others")
		statuses   = flags.Bool("error-statuses", false, "answer failed calls with a 4xx or 5xx status in place of 200")
		pages      = flags.String("pages", "honest", "let lists be `honest`, ignored (the whole list each time), endless or clamped")
		https      = flags.Bool("https-only", false, "refuse plain-http receivers on the loopback too")
		seed       = flags.Uint64("seed", 0, "make the same ids and secrets for the same `seed`; 0 makes others each time")
		receiver   = flags.String("inbox", "", "receive the deliveries into an inbox, too, and show its console at this `address`")
		verbose    = flags.Bool("v", false, "log more")
	)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return config{}, nil, err
		}
		return config{}, nil, errUsage
	}
	mode, known := pageModes[*pages]
	if flags.NArg() > 0 || !known {
		fmt.Fprintf(log, "joggsim: there is no argument %q\n", cmp.Or(strings.Join(flags.Args(), " "), "-pages "+*pages))
		flags.Usage()
		return config{}, nil, errUsage
	}
	given := cmp.Or(*apiKey, os.Getenv("JOGG_API_KEY"))
	if given == "" {
		c.shown, given = simulator.DefaultAPIKey, simulator.DefaultAPIKey
	}
	c.key, c.inbox = given, *receiver
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	options = []simulator.Option{
		simulator.WithAddr(*address),
		simulator.WithMediaAddr(*media),
		simulator.WithAPIKey(given, *credits),
		simulator.WithDurations(*pending, *processing),
		simulator.WithPostLimit(*limit, time.Minute),
		simulator.WithPages(mode),
		simulator.WithSeed(cmp.Or(*seed, uint64(time.Now().UnixNano()))),
		simulator.WithLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: level}))),
	}
	if *seen {
		options = append(options, simulator.WithSpelling(simulator.Seen))
	}
	if *guides {
		options = append(options, simulator.WithGuideForms())
	}
	if *statuses {
		options = append(options, simulator.WithErrorStatuses())
	}
	if *https {
		options = append(options, simulator.WithHTTPSOnly())
	}
	return c, options, nil
}

var pageModes = map[string]simulator.PageMode{
	"honest":  simulator.PagesHonest,
	"ignored": simulator.PagesIgnored,
	"endless": simulator.PagesEndless,
	"clamped": simulator.PagesClamped,
}

// greet tells a person where everything is.
func greet(out io.Writer, sim *simulator.Simulator, key, inboxURL string) {
	shown := "the one that you gave"
	if key != "" {
		shown = key
	}
	fmt.Fprintf(out, "A simulated JoggAI is serving.\n\n  API      %s\n  API key  %s\n  Media    %s\n  Console  %s/_console/\n\n",
		sim.BaseURL(), shown, sim.MediaURL(), sim.BaseURL())
	if inboxURL != "" {
		fmt.Fprintf(out, "Its deliveries are received, and the inbox is shown at %s/\n\n", inboxURL)
	}
	if request, err := gen.NewGetCurrentUserRequest(context.Background(), sim.BaseURL()); err == nil {
		fmt.Fprintf(out, "Try it:  curl -H 'x-api-key: %s' %s\n", cmp.Or(key, "YOUR-KEY"), request.URL)
	}
	fmt.Fprint(out, "Stop it: Ctrl-C. Deliveries appear below.\n\n")
}

// line is one attempt to deliver, for people.
func line(a simulator.AttemptRecord) string {
	answer := strconv.Itoa(a.Status)
	if a.Status == 0 {
		answer = a.Err
	}
	return fmt.Sprintf("%s  %-32s %s  attempt %d: %s", a.Begun.Format(time.TimeOnly), a.Type, a.URL, a.Number, answer)
}
