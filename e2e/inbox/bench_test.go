package inbox_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

func openForBenchmark(b *testing.B) *inbox.Inbox {
	b.Helper()
	box, err := inbox.Open(b.Context(), inbox.Options{Dir: filepath.Join(b.TempDir(), "inbox"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = box.Close() })
	return box
}

// bareStream is a stream with the inbox's settings in a server with the inbox's settings, and nothing around it.
func bareStream(b *testing.B) jetstream.JetStream {
	b.Helper()
	bare, err := server.NewServer(&server.Options{
		ServerName: "bare", DontListen: true, NoSigs: true, JetStream: true, StoreDir: b.TempDir(), SyncAlways: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	bare.Start()
	b.Cleanup(func() {
		bare.Shutdown()
		bare.WaitForShutdown()
	})
	conn, err := nats.Connect("", nats.InProcessServer(bare))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		b.Fatal(err)
	}
	_, err = js.CreateStream(b.Context(), jetstream.StreamConfig{
		Name: "BARE", Subjects: []string{"bare"}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardNew, Duplicates: inbox.DefaultDuplicateWindow,
	})
	if err != nil {
		b.Fatal(err)
	}
	return js
}

// BenchmarkReceive compares Receive with a bare publish of the same body with the same settings, in rounds that take turns. The metric
// "of-bare" is the speed of Receive as a part of the bare publish's.
func BenchmarkReceive(b *testing.B) {
	for _, senders := range []int{1, 64} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			box, js := openForBenchmark(b), bareStream(b)
			ctx := b.Context()
			n := 0
			var ours, bare []time.Duration
			for b.Loop() {
				bare = append(bare, together(b, senders, &n, func(ev webhooks.Event) error {
					_, err := js.Publish(ctx, "bare", ev.Raw, jetstream.WithMsgID(ev.Key()))
					return err
				}))
				ours = append(ours, together(b, senders, &n, func(ev webhooks.Event) error { return box.Receive(ctx, ev) }))
			}
			slices.Sort(ours)
			slices.Sort(bare)
			each := float64(senders * perSender)
			b.ReportMetric(float64(bare[len(bare)/2])/float64(ours[len(ours)/2]), "of-bare")
			b.ReportMetric(each/ours[len(ours)/2].Seconds(), "receive/s")
			b.ReportMetric(each/bare[len(bare)/2].Seconds(), "publish/s")
		})
	}
}

const perSender = 8

// together lets the senders send some new events each, and returns how long that took.
func together(b *testing.B, senders int, n *int, send func(webhooks.Event) error) time.Duration {
	b.Helper()
	events := make([]webhooks.Event, senders*perSender)
	for i := range events {
		*n++
		ev, err := webhooks.Parse(body(fmt.Sprintf("event-%07d", *n)))
		if err != nil {
			b.Fatal(err)
		}
		events[i] = ev
	}
	start := time.Now()
	var wait sync.WaitGroup
	for some := range slices.Chunk(events, perSender) {
		wait.Go(func() {
			for _, ev := range some {
				if err := send(ev); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	return time.Since(start)
}

// BenchmarkRun compares working events off with a bare consumer that fetches one message at a time and acknowledges it, as many at once
// as Run does, in rounds that take turns. What Run does besides is to look up whether an event has been handled, and to store that it has.
func BenchmarkRun(b *testing.B) {
	const round = 400
	box, js := openForBenchmark(b), bareStream(b)
	ctx := b.Context()
	consumer, err := js.CreateConsumer(ctx, "BARE", jetstream.ConsumerConfig{Durable: "bare", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: -1})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	var ours, bare []time.Duration
	for b.Loop() {
		b.StopTimer()
		for range round {
			n++
			ev, err := webhooks.Parse(body(fmt.Sprintf("event-%07d", n)))
			if err != nil {
				b.Fatal(err)
			}
			if err := box.Receive(ctx, ev); err != nil {
				b.Fatal(err)
			}
			if _, err := js.Publish(ctx, "bare", ev.Raw, jetstream.WithMsgID(ev.Key())); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		bare = append(bare, untilDone(b, round, func(done chan<- error) {
			for range inbox.DefaultConcurrency {
				go func() {
					for range round / inbox.DefaultConcurrency {
						msg, err := consumer.Next()
						if err == nil {
							err = msg.DoubleAck(ctx)
						}
						done <- err
					}
				}()
			}
		}))
		running, stop := context.WithCancel(ctx)
		ran := make(chan error, 1)
		ours = append(ours, untilDone(b, round, func(done chan<- error) {
			go func() {
				ran <- box.Run(running, webhooks.ReceiverFunc(func(context.Context, webhooks.Event) error {
					done <- nil
					return nil
				}))
			}()
		}))
		stop()
		if err := <-ran; err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(ours)
	slices.Sort(bare)
	b.ReportMetric(float64(bare[len(bare)/2])/float64(ours[len(ours)/2]), "of-bare")
	b.ReportMetric(round/ours[len(ours)/2].Seconds(), "handled/s")
}

// untilDone returns how long it takes until n things are done that start begins.
func untilDone(b *testing.B, n int, start func(done chan<- error)) time.Duration {
	b.Helper()
	done := make(chan error, n)
	begin := time.Now()
	start(done)
	for range n {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

// BenchmarkHandler compares the handler with an inbox with a handler that only reads the body, over HTTP on the loopback with 64 senders.
// Each delivery is a new event.
func BenchmarkHandler(b *testing.B) {
	const senders = 64
	box := openForBenchmark(b)
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		b.Fatal(err)
	}
	durable := httptest.NewServer(webhooks.NewHandler(verifier, box, webhooks.WithLogger(slog.New(slog.DiscardHandler))))
	b.Cleanup(durable.Close)
	bareServer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(bareServer.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	b.Cleanup(client.CloseIdleConnections)

	n := 0
	var ours, bare []time.Duration
	sendTo := func(url string) func(webhooks.Event) error {
		return func(ev webhooks.Event) error {
			if status := post(b.Context(), client, url, ev.Raw); status != http.StatusOK {
				return fmt.Errorf("answer %d", status)
			}
			return nil
		}
	}
	for b.Loop() {
		bare = append(bare, together(b, senders, &n, sendTo(bareServer.URL)))
		ours = append(ours, together(b, senders, &n, sendTo(durable.URL)))
	}
	slices.Sort(ours)
	slices.Sort(bare)
	b.ReportMetric(float64(bare[len(bare)/2])/float64(ours[len(ours)/2]), "of-bare")
	b.ReportMetric(senders*perSender/ours[len(ours)/2].Seconds(), "durable/s")
}

// BenchmarkAnswer sends 500 deliveries a second and tells how long their answers take.
func BenchmarkAnswer(b *testing.B) {
	box := openForBenchmark(b)
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		b.Fatal(err)
	}
	durable := httptest.NewServer(webhooks.NewHandler(verifier, box, webhooks.WithLogger(slog.New(slog.DiscardHandler))))
	b.Cleanup(durable.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.Cleanup(client.CloseIdleConnections)

	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	var mu sync.Mutex
	var took []time.Duration
	var wait sync.WaitGroup
	n := 0
	for b.Loop() {
		<-tick.C
		n++
		delivery := body(fmt.Sprintf("event-%07d", n))
		wait.Go(func() {
			start := time.Now()
			if status := post(ctx, client, durable.URL, delivery); status != http.StatusOK {
				b.Errorf("answer %d", status)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(start))
		})
	}
	wait.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
