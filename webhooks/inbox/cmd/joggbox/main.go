// Joggbox shows and manages an inbox from the command line. The inbox is in a JetStream cluster, or in a directory that no other process
// has open.
//
//	joggbox -url nats://a,nats://b,nats://c stats
//	joggbox -dir jogg-inbox list -state dead -reason "connection refused"
//	joggbox -dir jogg-inbox redrive -all -newer 1h
//	joggbox -dir jogg-inbox move -to nats://a,nats://b,nats://c
//
// It changes no settings of the inbox. While a process has a directory open, only that process can read it: use package console there. Run
// joggbox without arguments for a list of its commands.
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

// errUsage reports invalid arguments. The details have already been printed.
var errUsage = errors.New("invalid arguments")

// location is the inbox to open.
type location struct {
	url, dir, stream           string
	credentials, ca, cert, key string
	timeout                    time.Duration
}

// tool is the state that all commands share.
type tool struct {
	out, log io.Writer
	json     bool
	location location
	box      *inbox.Inbox
}

// command is a subcommand.
type command struct {
	name, args, summary string
	// prepare defines the flags of the command and returns the function that runs it after they are parsed.
	prepare func(t *tool, flags *flag.FlagSet) func(ctx context.Context) error
}

func commands() []command {
	return []command{
		{"stats", "", "show counts, oldest event, pause and free disk space", (*tool).stats},
		{"list", "[filters]", "list waiting events, or dead letters with -state dead", (*tool).list},
		{"show", "[-payload] KEY", "show an event and its failed attempts", (*tool).show},
		{"retry", "KEY… | -all [filters]", "retry waiting events now", act("retry", inbox.StateWaiting, (*inbox.Inbox).RetryNow)},
		{"discard", "KEY… | -all [filters]", "turn waiting events into dead letters", act("discard", inbox.StateWaiting, (*inbox.Inbox).Discard)},
		{"redrive", "KEY… | -all [filters]", "put dead letters back into the queue", act("redrive", inbox.StateDead, (*inbox.Inbox).Redrive)},
		{"delete", "KEY… | -all [filters]", "delete dead letters permanently", act("delete", inbox.StateDead, deleteAll)},
		{"pause", "[-for DURATION]", "stop delivering events to workers", (*tool).pause},
		{"resume", "", "resume delivering events to workers", (*tool).resume},
		{"move", "-to URL", "move all events from a directory to a cluster", (*tool).move},
	}
}

// run parses the arguments and runs one command.
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
	return t.usage("unknown command %q", flags.Arg(0))
}

// flags returns the flags that come before the command.
func (t *tool) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("joggbox", flag.ContinueOnError)
	flags.SetOutput(t.log)
	l := &t.location
	flags.StringVar(&l.url, "url", os.Getenv("NATS_URL"), "comma-separated `URLs` of the cluster's servers ($NATS_URL by default)")
	flags.StringVar(&l.dir, "dir", "", "`directory` of the inbox; no other process may have it open")
	flags.StringVar(&l.stream, "stream", "", "stream `name` (default JOGG in a cluster; in a directory, the stream found there)")
	flags.StringVar(&l.credentials, "creds", "", "`file` with NATS credentials for the cluster")
	flags.StringVar(&l.ca, "tlsca", "", "`file` with CA certificates to verify the cluster's servers")
	flags.StringVar(&l.cert, "tlscert", "", "client certificate `file` for the cluster; needs -tlskey")
	flags.StringVar(&l.key, "tlskey", "", "private key `file` of the client certificate")
	flags.DurationVar(&l.timeout, "timeout", time.Minute, "time limit for opening the inbox")
	flags.BoolVar(&t.json, "json", false, "print JSON lines instead of tables")
	flags.Usage = func() {
		fmt.Fprint(t.log, "Joggbox shows and manages an inbox.\n\nUsage: joggbox (-url URL | -dir DIRECTORY) [flags] COMMAND [arguments]\n\nCommands:\n")
		for _, c := range commands() {
			fmt.Fprintf(t.log, "  %-8s %-22s %s\n", c.name, c.args, c.summary)
		}
		fmt.Fprint(t.log, "\nFlags:\n")
		flags.PrintDefaults()
	}
	return flags
}

// parse parses args. It returns errUsage if they are invalid, and flag.ErrHelp if help was requested.
func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return errUsage
	}
	return err
}

// usage prints what is wrong with the arguments and returns errUsage.
func (t *tool) usage(format string, args ...any) error {
	fmt.Fprintf(t.log, "joggbox: "+format+"\n", args...)
	return errUsage
}

// do parses the arguments of a command, opens the inbox and runs the command.
func (t *tool) do(ctx context.Context, c command, args []string) (err error) {
	flags := flag.NewFlagSet("joggbox "+c.name, flag.ContinueOnError)
	flags.SetOutput(t.log)
	flags.Usage = func() {
		fmt.Fprintf(t.log, "Usage: joggbox (-url URL | -dir DIRECTORY) %s %s\n\n", c.name, c.args)
		flags.PrintDefaults()
	}
	runCommand := c.prepare(t, flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if t.location.dir != "" { // takes precedence, because url may come from the environment
		t.location.url = ""
	}
	if t.location.dir == "" && t.location.url == "" {
		return t.usage("-url or -dir is required")
	}
	opening, cancel := context.WithTimeout(ctx, t.location.timeout)
	defer cancel()
	options := t.options(t.location.url)
	options.Dir, options.Stream = t.location.dir, t.location.stream
	if t.box, err = inbox.Attach(opening, options); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.box.Close()) }()
	return runCommand(ctx)
}

// options returns the options to connect to the cluster at url, or only a logger if url is "".
func (t *tool) options(url string) inbox.Options {
	o := inbox.Options{URL: url, Logger: slog.New(slog.NewTextHandler(t.log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if url == "" {
		return o
	}
	o.NATSOptions = append(o.NATSOptions, nats.Name("joggbox"))
	if t.location.credentials != "" {
		o.NATSOptions = append(o.NATSOptions, nats.UserCredentials(t.location.credentials))
	}
	if t.location.ca != "" {
		o.NATSOptions = append(o.NATSOptions, nats.RootCAs(t.location.ca))
	}
	if t.location.cert != "" {
		o.NATSOptions = append(o.NATSOptions, nats.ClientCert(t.location.cert, t.location.key))
	}
	return o
}
