// Joggbox shows and manages an inbox from a terminal: one in a JetStream cluster, or in a directory that no process has open.
//
//	joggbox -url nats://a,nats://b,nats://c stats
//	joggbox -dir jogg-inbox list -state dead -reason "connection refused"
//	joggbox -dir jogg-inbox redrive -all -newer 1h
//	joggbox -dir jogg-inbox move -to nats://a,nats://b,nats://c
//
// It changes no setting of the inbox. What an embedded inbox holds can be seen by its own process alone while that runs: package console
// is for that. Run it without arguments for all commands.
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
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "joggbox:", err)
		os.Exit(1)
	}
}

// errUsage says that the arguments are wrong, which has been said already.
var errUsage = errors.New("wrong arguments")

// place says where the inbox is.
type place struct {
	url, dir, stream           string
	credentials, ca, cert, key string
	wait                       time.Duration
}

// tool is what all commands share.
type tool struct {
	out, log io.Writer
	json     bool
	place    place
	box      *inbox.Inbox
}

// command is one of the commands.
type command struct {
	name, args, does string
	// prepare adds the command's flags and returns what does it once they are parsed.
	prepare func(t *tool, flags *flag.FlagSet) func(ctx context.Context) error
}

func commands() []command {
	return []command{
		{"stats", "", "show how many events wait, run and are dead", (*tool).stats},
		{"list", "[filters]", "list events that wait, or dead letters with -state dead", (*tool).list},
		{"show", "[-payload] KEY", "show an event with its failed attempts", (*tool).show},
		{"retry", "KEY… | -all [filters]", "try events that wait before their time", act("retry", inbox.StateWaiting, (*inbox.Inbox).RetryNow)},
		{"discard", "KEY… | -all [filters]", "make dead letters of events that wait", act("discard", inbox.StateWaiting, (*inbox.Inbox).Discard)},
		{"redrive", "KEY… | -all [filters]", "put dead letters back into the queue", act("redrive", inbox.StateDead, (*inbox.Inbox).Redrive)},
		{"delete", "KEY… | -all [filters]", "delete dead letters for good", act("delete", inbox.StateDead, deleteAll)},
		{"pause", "[-for DURATION]", "hand workers no further event", (*tool).pause},
		{"resume", "", "end a pause", (*tool).resume},
		{"move", "-to URL", "move all events of a directory to a cluster", (*tool).move},
	}
}

// run does one command.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	t := &tool{out: out, log: log}
	flags := t.flags()
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		flags.Usage()
		return errUsage
	}
	for _, c := range commands() {
		if c.name == flags.Arg(0) {
			return t.do(ctx, c, flags.Args()[1:])
		}
	}
	return t.usage("there is no command %q", flags.Arg(0))
}

// flags are those before the command.
func (t *tool) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("joggbox", flag.ContinueOnError)
	flags.SetOutput(t.log)
	p := &t.place
	flags.StringVar(&p.url, "url", os.Getenv("NATS_URL"), "the cluster's servers, separated by commas (by default $NATS_URL)")
	flags.StringVar(&p.dir, "dir", "", "the inbox's `directory`, which no process may have open")
	flags.StringVar(&p.stream, "stream", "", "the `name` of the stream, if it is not the default or the directory's")
	flags.StringVar(&p.credentials, "creds", "", "a `file` of credentials for the cluster")
	flags.StringVar(&p.ca, "tlsca", "", "a `file` of certificates that vouch for the cluster")
	flags.StringVar(&p.cert, "tlscert", "", "a certificate `file` for the cluster, with -tlskey")
	flags.StringVar(&p.key, "tlskey", "", "the `file` of its key")
	flags.DurationVar(&p.wait, "timeout", time.Minute, "give up opening the inbox after this `time`")
	flags.BoolVar(&t.json, "json", false, "print JSON lines in place of tables")
	flags.Usage = func() {
		fmt.Fprint(t.log, "Joggbox shows and manages an inbox.\n\nUsage: joggbox (-url URL | -dir DIRECTORY) [flags] COMMAND [arguments]\n\nCommands:\n")
		for _, c := range commands() {
			fmt.Fprintf(t.log, "  %-8s %-22s %s\n", c.name, c.args, c.does)
		}
		fmt.Fprint(t.log, "\nFlags:\n")
		flags.PrintDefaults()
	}
	return flags
}

func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return errUsage
	}
	return err
}

// usage says what is wrong with the arguments.
func (t *tool) usage(format string, args ...any) error {
	fmt.Fprintf(t.log, "joggbox: "+format+"\n", args...)
	return errUsage
}

// do parses the arguments of a command, opens the inbox and does it.
func (t *tool) do(ctx context.Context, c command, args []string) (err error) {
	flags := flag.NewFlagSet("joggbox "+c.name, flag.ContinueOnError)
	flags.SetOutput(t.log)
	flags.Usage = func() {
		fmt.Fprintf(t.log, "Usage: joggbox (-url URL | -dir DIRECTORY) %s %s\n\n", c.name, c.args)
		flags.PrintDefaults()
	}
	perform := c.prepare(t, flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if t.place.dir != "" { // named on purpose, so it goes before the environment
		t.place.url = ""
	}
	if t.place.dir == "" && t.place.url == "" {
		return t.usage("either -url or -dir is needed")
	}
	opening, cancel := context.WithTimeout(ctx, t.place.wait)
	defer cancel()
	options := t.options(t.place.url)
	options.Dir, options.Stream = t.place.dir, t.place.stream
	if t.box, err = inbox.Attach(opening, options); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.box.Close()) }()
	return perform(ctx)
}

// options are those for a connection to a cluster, if there is one.
func (t *tool) options(url string) inbox.Options {
	o := inbox.Options{URL: url, Logger: slog.New(slog.NewTextHandler(t.log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if url == "" {
		return o
	}
	o.NATSOptions = append(o.NATSOptions, nats.Name("joggbox"))
	if t.place.credentials != "" {
		o.NATSOptions = append(o.NATSOptions, nats.UserCredentials(t.place.credentials))
	}
	if t.place.ca != "" {
		o.NATSOptions = append(o.NATSOptions, nats.RootCAs(t.place.ca))
	}
	if t.place.cert != "" {
		o.NATSOptions = append(o.NATSOptions, nats.ClientCert(t.place.cert, t.place.key))
	}
	return o
}
