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

// openForBenchmark opens an inbox in a temporary directory.
func openForBenchmark(b *testing.B) *inbox.Inbox {
	b.Helper()
	box, err := inbox.Open(b.Context(), inbox.Options{Dir: filepath.Join(b.TempDir(), "inbox"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = box.Close() })
	return box
}

// bareStream returns the JetStream API of an embedded server with the settings of an inbox's server. Its stream BARE has the settings of an
// inbox's stream. It is the baseline of the benchmarks.
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

// BenchmarkReceive compares Receive with a bare JetStream publish of the same body to a stream with the same settings. The two alternate in
// rounds. The metric "of-bare" is the throughput of Receive divided by that of the bare publish.
func BenchmarkReceive(b *testing.B) {
	for _, senders := range []int{1, 64} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			box, js := openForBenchmark(b), bareStream(b)
			ctx := b.Context()
			n := 0
			var ours, bare []time.Duration
			for b.Loop() {
				bare = append(bare, timeRound(b, senders, &n, func(ev webhooks.Event) error {
					_, err := js.Publish(ctx, "bare", ev.Raw, jetstream.WithMsgID(ev.Key()))
					return err
				}))
				ours = append(ours, timeRound(b, senders, &n, func(ev webhooks.Event) error { return box.Receive(ctx, ev) }))
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

// perSender is the number of events that each sender sends in a round.
const perSender = 8

// timeRound sends perSender new events from each sender concurrently, and returns how long the round takes. n numbers the events.
func timeRound(b *testing.B, senders int, n *int, send func(webhooks.Event) error) time.Duration {
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

// BenchmarkRun compares Run with bare consumers that fetch one message at a time and acknowledge it, with the same concurrency. The two
// alternate in rounds. In addition, Run looks up whether an event has been handled, and stores that it has.
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

// untilDone calls start and returns how long it takes until n results have been sent to done. It fails the benchmark if one is an error.
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

// BenchmarkHandler compares a webhook handler that stores deliveries in an inbox with a handler that only reads the body, over HTTP on the
// loopback interface with 64 senders. Each delivery is a new event.
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
				return fmt.Errorf("status %d", status)
			}
			return nil
		}
	}
	for b.Loop() {
		bare = append(bare, timeRound(b, senders, &n, sendTo(bareServer.URL)))
		ours = append(ours, timeRound(b, senders, &n, sendTo(durable.URL)))
	}
	slices.Sort(ours)
	slices.Sort(bare)
	b.ReportMetric(float64(bare[len(bare)/2])/float64(ours[len(ours)/2]), "of-bare")
	b.ReportMetric(senders*perSender/ours[len(ours)/2].Seconds(), "durable/s")
}

// BenchmarkAnswer sends 500 deliveries a second and reports the 50th and 99th percentile of the response time.
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
				b.Errorf("status %d", status)
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
