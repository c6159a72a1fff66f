package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
	"github.com/jogg-go/jogg/webhooks/inbox/console"
)

// receiver receives the simulator's deliveries into an inbox, for demonstration.
type receiver struct {
	box    *inbox.Inbox
	server *http.Server
	dir    string
	url    string
	stop   context.CancelFunc
	ran    chan error
}

// receive starts a receiver with an inbox in a temporary directory, and registers it as an endpoint for every event. close deletes the
// directory.
func receive(ctx context.Context, sim *simulator.Simulator, address, apiKey string, log io.Writer) (_ *receiver, err error) {
	r := &receiver{ran: make(chan error, 1), stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.dir, err = os.MkdirTemp("", "joggsim-inbox"); err != nil {
		return nil, err
	}
	quiet := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	r.box, err = inbox.Open(ctx, inbox.Options{
		Dir: r.dir, Logger: quiet, MaxAttempts: 3, Backoff: []time.Duration{5 * time.Second, 30 * time.Second},
	})
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	r.url = "http://" + listener.Addr().String()
	client, err := jogg.New(apiKey, jogg.WithBaseURL(sim.BaseURL()))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	endpoint, err := client.EnsureWebhookEndpoint(ctx, r.url+"/jogg")
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	verifier, err := webhooks.NewVerifier(endpoint.Secret)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("POST /jogg", webhooks.NewHandler(verifier, r.box, webhooks.WithLogger(quiet)))
	mux.Handle("/", console.New(r.box, console.WithActions(), console.WithPayloads(), console.WithLogger(quiet)))
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = r.server.Serve(listener) }()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go func() { r.ran <- r.box.Run(running, webhooks.ReceiverFunc(simulateWork)) }()
	return r, nil
}

// simulateWork stands in for a user's handler. It takes up to three seconds. For some events it fails on the first attempt or on all.
func simulateWork(ctx context.Context, ev webhooks.Event) error {
	hash := fnv.New32a()
	_, _ = io.WriteString(hash, ev.Key()) // never fails
	luck := hash.Sum32() % 100
	select {
	case <-time.After(time.Duration(luck) * 30 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case luck%7 == 0:
		return fmt.Errorf("no such customer: %d", luck)
	case luck%5 == 0 && inbox.Attempt(ctx) == 1:
		return errors.New("database unavailable")
	}
	return nil
}

// close stops the receiver and deletes its directory.
func (r *receiver) close() (err error) {
	if r.server != nil {
		err = r.server.Close()
	}
	if r.box != nil {
		r.stop()
		err = errors.Join(err, r.box.Close())
	}
	if r.dir != "" {
		err = errors.Join(err, os.RemoveAll(r.dir))
	}
	return err
}
