package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

const secret = "whsec_e2e"

// nodeConfig configures a node, which receives deliveries, handles events, or does both.
type nodeConfig struct {
	Name    string
	Receive bool
	Work    bool
	Ledger  string // file in which the node records what it does with events

	Dir         string
	URL         string
	Replicas    int
	Window      time.Duration // deduplication window
	AckWait     time.Duration
	Backoff     []time.Duration
	MaxAttempts int
	Concurrency int

	Takes   time.Duration // how long each attempt takes
	FixFile string        // events whose ID contains "bad" fail until this file exists
}

// node is the state of a process with an inbox.
type node struct {
	config nodeConfig
	ledger *os.File
	box    *inbox.Inbox
}

// runNode is the main function of the role node.
func runNode() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx = untilOrphaned(ctx)

	n := &node{}
	if n.config, err = roleConfig[nodeConfig](); err != nil {
		return err
	}
	if n.ledger, err = os.OpenFile(n.config.Ledger, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	c := n.config
	n.box, err = inbox.Open(ctx, inbox.Options{
		Dir: c.Dir, URL: c.URL, Replicas: c.Replicas, AckWait: c.AckWait, Backoff: c.Backoff, MaxAttempts: c.MaxAttempts,
		Concurrency: c.Concurrency, DuplicateWindow: c.Window, Logger: slog.New(&ledgerHandler{node: n}),
	})
	if err != nil {
		return err
	}
	return errors.Join(n.serve(ctx), n.box.Close())
}

// serve serves deliveries and the control API, and handles events, until ctx ends.
func (n *node) serve(ctx context.Context) error {
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	if n.config.Receive {
		log := webhooks.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
		mux.Handle("POST /jogg", webhooks.NewHandler(verifier, n.box, webhooks.WithDeduplicationWindow(0), log))
	}
	mux.HandleFunc("GET /stats", n.stats)
	mux.HandleFunc("GET /memory", n.memory)
	mux.HandleFunc("GET /dead", n.dead)
	mux.HandleFunc("POST /redrive", n.redrive)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	fmt.Println("http://" + listener.Addr().String())
	if n.config.Work {
		err = n.box.Run(ctx, webhooks.ReceiverFunc(n.handle))
	} else {
		<-ctx.Done()
	}
	_ = server.Close()
	running.Wait()
	return err
}

func (n *node) handle(ctx context.Context, ev webhooks.Event) error {
	if n.config.Takes > 0 {
		<-time.After(n.config.Takes)
	}
	if strings.Contains(ev.ID, "bad") {
		if _, err := os.Stat(n.config.FixFile); err != nil {
			return errors.Join(n.enter("failed", ev.Key(), inbox.Attempt(ctx)), err)
		}
	}
	return n.enter("handled", ev.Key(), inbox.Attempt(ctx))
}

// enter appends an entry to the ledger. Once written, the entry survives if the process is killed.
func (n *node) enter(what, key string, attempt int) error {
	entry := fmt.Sprintf("%s %s %s %d %d\n", n.config.Name, what, key, attempt, time.Now().UnixNano())
	_, err := n.ledger.WriteString(entry)
	return err
}

// ledgerHandler is a slog.Handler for the inbox. It records in the ledger when the inbox starts an attempt ("taken") and when it has
// acknowledged the event ("settled"), and prints warnings and errors to the standard error.
type ledgerHandler struct {
	node    *node
	key     string
	attempt int
}

func (h *ledgerHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *ledgerHandler) WithGroup(string) slog.Handler            { return h }

func (h *ledgerHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	for _, a := range attrs {
		switch a.Key {
		case "key":
			with.key = a.Value.String()
		case "attempt":
			with.attempt = int(a.Value.Int64())
		}
	}
	return &with
}

func (h *ledgerHandler) Handle(_ context.Context, r slog.Record) error {
	switch r.Message {
	case "event taken":
		return h.node.enter("taken", h.key, h.attempt)
	case "event handled":
		return h.node.enter("settled", h.key, h.attempt)
	}
	if r.Level >= slog.LevelWarn && r.Message != "event failed" && r.Message != "event became a dead letter" {
		args := ""
		r.Attrs(func(a slog.Attr) bool { args += " " + a.String(); return true })
		fmt.Fprintf(os.Stderr, "%v %s %s%s\n", r.Level, r.Message, h.key, args)
	}
	return nil
}

func (n *node) stats(w http.ResponseWriter, r *http.Request) {
	s, err := n.box.Stats(r.Context())
	respond(w, s, err)
}

// memory is the memory usage of a process.
type memory struct {
	Heap     uint64 // bytes, after a garbage collection
	Resident string // VmRSS as /proc/self/status has it, or "unknown"
}

func (n *node) memory(w http.ResponseWriter, _ *http.Request) {
	var m memory
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	m.Heap, m.Resident = stats.HeapAlloc, "unknown"
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		_, after, _ := strings.Cut(string(status), "VmRSS:")
		size, _, _ := strings.Cut(after, "\n")
		m.Resident = strings.TrimSpace(size)
	}
	respond(w, m, nil)
}

func (n *node) dead(w http.ResponseWriter, r *http.Request) {
	letters := map[string]int{} // attempts by key
	for d, err := range n.box.DeadLetters(r.Context()) {
		if err != nil {
			respond(w, nil, err)
			return
		}
		letters[d.Key] = d.Attempts
	}
	respond(w, letters, nil)
}

func (n *node) redrive(w http.ResponseWriter, r *http.Request) {
	count, err := n.box.RedriveAll(r.Context())
	respond(w, count, err)
}

func respond(w http.ResponseWriter, v any, err error) {
	if err == nil {
		err = json.NewEncoder(w).Encode(v)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
