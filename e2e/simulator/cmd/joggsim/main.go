// Joggsim runs a simulator of the JoggAI API: the API itself, uploads and media, signed deliveries, and a console at /_console/.
//
//	joggsim -addr 127.0.0.1:8080 -api-key KEY
//
// It keeps all state in memory and exits on SIGINT or SIGTERM. The console shows API keys and secrets without authentication, so use an
// address that only this machine can reach, such as the default.
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

// errUsage is returned for invalid arguments. They have been reported already.
var errUsage = errors.New("wrong arguments")

// run serves the simulator until the context ends.
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

// config holds the settings that are not options of the simulator.
type config struct {
	key   string // the API key
	shown string // the API key to print; "" if the user set the key, because it may be secret
	inbox string // address of the receiver; "" for none
}

// parse parses the flags.
func parse(args []string, log io.Writer) (c config, options []simulator.Option, err error) {
	flags := flag.NewFlagSet("joggsim", flag.ContinueOnError)
	flags.SetOutput(log)
	var (
		address    = flags.String("addr", "127.0.0.1:8080", "serve the API and the console on this `address`")
		media      = flags.String("media-addr", "127.0.0.1:0", "serve uploads and media on this `address`; port 0 chooses a free port")
		apiKey     = flags.String("api-key", "", "accept this API `key` (default $JOGG_API_KEY, or else "+simulator.DefaultAPIKey+")")
		credits    = flags.Float64("credits", 1000, "credits of the account")
		pending    = flags.Duration("pending", 2*time.Second, "how long tasks are pending")
		processing = flags.Duration("processing", 8*time.Second, "how long tasks are processing")
		limit      = flags.Int("post-limit", 20, "limit of POST requests per minute; 0 means no limit")
		seen       = flags.Bool("seen", false, "spell the final task states success and fail, as observed, instead of as documented")
		guides     = flags.Bool("guides", false, "use the response forms of JoggAI's guides where they differ from its published schema")
		statuses   = flags.Bool("error-statuses", false, "return a 4xx or 5xx status for failed calls instead of 200")
		pages      = flags.String("pages", "honest", "pagination `mode`: honest, ignored (whole list on each page), endless or clamped (page_size at most 100)")
		https      = flags.Bool("https-only", false, "reject plain http receivers on the loopback interface too")
		seed       = flags.Uint64("seed", 0, "`seed` of generated ids and secrets; 0 chooses a different one on each start")
		receiver   = flags.String("inbox", "", "also receive the deliveries into an inbox, and serve its console on this `address`")
		verbose    = flags.Bool("v", false, "log at debug level")
	)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return config{}, nil, err
		}
		return config{}, nil, errUsage
	}
	mode, known := pageModes[*pages]
	if flags.NArg() > 0 || !known {
		fmt.Fprintf(log, "joggsim: invalid argument %q\n", cmp.Or(strings.Join(flags.Args(), " "), "-pages "+*pages))
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

// greet prints the addresses and an example request.
func greet(out io.Writer, sim *simulator.Simulator, key, inboxURL string) {
	shown := "(as configured)"
	if key != "" {
		shown = key
	}
	fmt.Fprintf(out, "The JoggAI simulator is running.\n\n  API      %s\n  API key  %s\n  Media    %s\n  Console  %s/_console/\n\n",
		sim.BaseURL(), shown, sim.MediaURL(), sim.BaseURL())
	if inboxURL != "" {
		fmt.Fprintf(out, "An inbox receives every event. Its console is at %s/\n\n", inboxURL)
	}
	if request, err := gen.NewGetCurrentUserRequest(context.Background(), sim.BaseURL()); err == nil {
		fmt.Fprintf(out, "Try it:  curl -H 'x-api-key: %s' %s\n", cmp.Or(key, "YOUR-KEY"), request.URL)
	}
	fmt.Fprint(out, "Stop it: Ctrl-C. Delivery attempts appear below.\n\n")
}

// line formats a delivery attempt.
func line(a simulator.AttemptRecord) string {
	result := strconv.Itoa(a.Status)
	if a.Status == 0 {
		result = a.Err
	}
	return fmt.Sprintf("%s  %-32s %s  attempt %d: %s", a.Started.Format(time.TimeOnly), a.Type, a.URL, a.Number, result)
}
