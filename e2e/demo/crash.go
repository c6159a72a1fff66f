package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
	"github.com/jogg-go/jogg/webhooks/inbox/console"
)

const (
	// childCommand runs this program as the receiver that is killed.
	childCommand = "receive-durably"
	secretEnv    = "JOGG_DEMO_SECRET"

	crashEvents = 200
	killAfter   = 60 // events handled
)

// crash kills a receiver with an inbox while it processes events, and starts it again.
func (d *demo) crash(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "jogg-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	url := "http://" + address + "/jogg"
	endpoint, err := d.client.EnsureWebhookEndpoint(ctx, url, webhooks.GeneratedScriptSuccess)
	if err != nil {
		return err
	}
	c := &child{dir: dir, address: address, secret: endpoint.Secret, life: d.interrupted}
	d.printf("\nLast act: a receiver with an inbox, in its own process. It gets %d events.\n", crashEvents)
	if err := c.start(); err != nil {
		return err
	}
	defer c.kill()
	before := len(d.sim.Deliveries())
	trigger := func(events int) error {
		for range events {
			if _, err := d.sim.Trigger(webhooks.GeneratedScriptSuccess, simulator.ToURL(url)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := trigger(crashEvents / 2); err != nil {
		return err
	}
	if err := c.untilHandled(ctx, killAfter); err != nil {
		return err
	}
	if err := trigger(crashEvents - crashEvents/2); err != nil { // so that it is killed while it receives as well
		return err
	}
	d.time.stop() // JoggAI retries for 15 seconds; a restart takes less, but not on the fast clock
	c.kill()
	handled, err := c.handled()
	if err != nil {
		return err
	}
	acknowledged := accepted(d.sim.Deliveries()[before:])
	d.printf("Killed after it acknowledged %d and handled %d. Started again with the same directory.\n", acknowledged, len(handled))
	if err := c.start(); err != nil {
		return err
	}
	d.time.resume()
	if err := d.finishDeliveries(ctx); err != nil {
		return err
	}
	deliveries := d.sim.Deliveries()[before:]
	if n := accepted(deliveries); n != crashEvents {
		return fmt.Errorf("only %d of %d events were accepted", n, crashEvents)
	}
	if err := c.untilHandled(ctx, crashEvents); err != nil {
		return err
	}
	if err := d.checkHandled(c, deliveries); err != nil || !d.console {
		return err
	}
	d.printf("The console of its inbox is at http://%s/console/ until you press Ctrl-C.\n", address)
	<-d.interrupted.Done()
	return nil
}

func accepted(deliveries []simulator.DeliveryRecord) int {
	n := 0
	for _, delivery := range deliveries {
		if delivery.State == simulator.DeliveryAccepted {
			n++
		}
	}
	return n
}

// checkHandled reports how many events were handled more than once. The inbox processes events at least once: those in progress when the
// process died are processed again.
func (d *demo) checkHandled(c *child, deliveries []simulator.DeliveryRecord) error {
	handled, err := c.handled()
	if err != nil {
		return err
	}
	again := 0
	for key, times := range handled {
		if times > 2 {
			return fmt.Errorf("%s was handled %d times", key, times)
		}
		again += times - 1
	}
	if again > inbox.DefaultConcurrency {
		return fmt.Errorf("%d events were handled twice, more than can have been in progress at the kill", again)
	}
	attempts := 0
	for _, delivery := range deliveries {
		attempts += len(delivery.Attempts)
	}
	d.printf("All %d were acknowledged in %d attempts, and all %d are handled. %d that were in progress at the kill were handled again, with the same key.\n",
		crashEvents, attempts, len(handled), again)
	return nil
}

// child is the process that is killed. It appends the key of each event that it has handled to a file.
type child struct {
	dir, address, secret string
	life                 context.Context //nolint:containedctx // context of the process
	cmd                  *exec.Cmd
	events               *bufio.Scanner
}

func (c *child) log() string { return filepath.Join(c.dir, "handled") }

// start starts the process and waits until it listens.
func (c *child) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.cmd = exec.CommandContext(c.life, self, childCommand, "-dir", filepath.Join(c.dir, "inbox"), "-addr", c.address, "-handled", c.log())
	c.cmd.Env = append(os.Environ(), secretEnv+"="+c.secret)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.events = bufio.NewScanner(out)
	if !c.events.Scan() {
		return fmt.Errorf("the receiver ended before it listened: %w", errors.Join(c.events.Err(), c.cmd.Wait()))
	}
	return nil
}

// untilHandled waits until n different events are handled. The process prints a line for each event that it has handled.
func (c *child) untilHandled(ctx context.Context, n int) error {
	for {
		handled, err := c.handled()
		if err != nil {
			return err
		}
		if len(handled) >= n {
			return nil
		}
		if !c.events.Scan() {
			return fmt.Errorf("the receiver ended early: %w", errors.Join(context.Cause(ctx), c.events.Err()))
		}
	}
}

// handled returns how often each event was handled, by its key.
func (c *child) handled() (map[string]int, error) {
	text, err := os.ReadFile(c.log())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	times := map[string]int{}
	for key := range strings.FieldsSeq(string(text)) {
		times[key]++
	}
	return times, nil
}

func (c *child) kill() {
	if c.cmd != nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		c.cmd = nil
	}
}

func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// receiveDurably is the main function of the child.
func receiveDurably(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(childCommand, flag.ContinueOnError)
	dir := flags.String("dir", "", "directory of the inbox")
	address := flags.String("addr", "", "address to listen on")
	handled := flags.String("handled", "", "file that gets the key of each handled event")
	if err := flags.Parse(args); err != nil {
		return err
	}
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	box, err := inbox.Open(ctx, inbox.Options{Dir: *dir, Logger: quiet})
	if err != nil {
		return err
	}
	defer box.Close()
	verifier, err := webhooks.NewVerifier(os.Getenv(secretEnv))
	if err != nil {
		return err
	}
	log, err := os.OpenFile(*handled, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /jogg", webhooks.NewHandler(verifier, box, webhooks.WithLogger(quiet)))
	mux.Handle("/console/", console.New(box, console.WithActions(), console.WithPayloads(), console.WithLogger(quiet)))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()
	if _, err := fmt.Println("listening"); err != nil {
		return err
	}
	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, ev webhooks.Event, _ *webhooks.ScriptSucceeded) error {
		return note(log, ev)
	})
	return box.Run(ctx, router)
}

// note stands for the user's code. It is slow enough to be killed in the middle, and durable.
func note(log *os.File, ev webhooks.Event) error {
	if _, err := io.WriteString(log, ev.Key()+"\n"); err != nil {
		return err
	}
	if err := log.Sync(); err != nil {
		return err
	}
	_, err := fmt.Println("handled", ev.Key())
	return err
}
