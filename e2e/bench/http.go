package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

var quiet = slog.New(slog.DiscardHandler)

func newHandler(opts ...webhooks.HandlerOption) (http.Handler, error) {
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		return nil, err
	}
	receiver := webhooks.ReceiverFunc(func(context.Context, webhooks.Event) error { return nil })
	return webhooks.NewHandler(verifier, receiver, append([]webhooks.HandlerOption{webhooks.WithLogger(quiet)}, opts...)...), nil
}

// bareHandler only reads the body.
func bareHandler(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	http.Error(w, http.StatusText(http.StatusOK), http.StatusOK)
}

const (
	senders = 16
	burst   = 1600 // deliveries per round, shared by the senders
)

// handlers compares the handler with one that only reads the body, over HTTP on the loopback.
func handlers(ctx context.Context, m meter) error {
	ours, err := newHandler()
	if err != nil {
		return err
	}
	deliveries := make([]delivery, 50_000)
	for i := range deliveries {
		deliveries[i] = newDelivery(webhooks.GeneratedAvatarVideoSuccess, fmt.Sprintf("evt_%016d", i), string(dataOf(video.body)))
	}
	transport := &http.Transport{MaxIdleConnsPerHost: senders}
	defer transport.CloseIdleConnections()
	var contenders []contender
	for _, c := range []struct {
		name    string
		handler http.Handler
	}{{"net/http, reading the body", http.HandlerFunc(bareHandler)}, {"jogg handler", ours}} {
		server := httptest.NewServer(c.handler)
		defer server.Close()
		var next atomic.Int64
		contenders = append(contenders, contender{c.name, func() error {
			return sendBurst(ctx, &http.Client{Transport: transport}, server.URL, deliveries, &next)
		}})
	}
	results, err := m.measure(ctx, contenders)
	if err != nil {
		return err
	}
	title(fmt.Sprintf("Deliveries over HTTP on the loopback, with %d senders on the same CPUs", senders))
	fmt.Println("| | requests per second | × bare |\n| --- | ---: | ---: |")
	for i, c := range contenders {
		fmt.Printf("| %s | %.0f | %.2f |\n", c.name, burst/results[i].time.Seconds(), results[0].ratio(results[i]))
	}
	return nil
}

func dataOf(body []byte) json.RawMessage {
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	_ = json.Unmarshal(body, &envelope) // written in this program
	return envelope.Data
}

func sendBurst(ctx context.Context, client *http.Client, url string, deliveries []delivery, next *atomic.Int64) error {
	var wait sync.WaitGroup
	errs := make(chan error, senders)
	for range senders {
		wait.Go(func() {
			for range burst / senders {
				d := deliveries[int(next.Add(1))%len(deliveries)]
				if err := send(ctx, client, url, d); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	return <-errs
}

func send(ctx context.Context, client *http.Client, url string, d delivery) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.body))
	if err != nil {
		return err
	}
	request.Header = d.header.Clone()
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status code %d", response.StatusCode)
	}
	return nil
}

// keys measures the cost of the deduplication window: the time of the handler without a network, and the memory of the keys.
func keys(ctx context.Context, m meter) error {
	title("The handler by size of the deduplication window (no network)")
	fmt.Println("| keys in the window | ns per delivery | bytes per key |\n| ---: | ---: | ---: |")
	for n := 100; n <= m.keys; n *= 10 {
		handler, err := newHandler(webhooks.WithDeduplicationWindow(n))
		if err != nil {
			return err
		}
		i := 0
		deliver := contender{"", func() error {
			i++
			d := newDelivery(webhooks.GeneratedScriptFailed, fmt.Sprintf("evt_%016d", i), `{"task_id":"task_1"}`)
			request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(d.body))
			request.Header = d.header
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if recorder.Code != http.StatusOK {
				return fmt.Errorf("status code %d", recorder.Code)
			}
			return nil
		}}
		before := heap()
		if _, err := repeat(deliver, n); err != nil { // fills the window, so that each further key evicts one
			return err
		}
		each := float64(heap()-before) / float64(n)
		results, err := m.measure(ctx, []contender{deliver})
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %d | %.0f |\n", n, results[0].time.Nanoseconds(), each)
		runtime.KeepAlive(handler)
	}
	return nil
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // the second collection empties the pools
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// calls compares a call of the client with the generated client and with net/http.
func calls(ctx context.Context, m meter) error {
	const body = `{"code":0,"msg":"Success","rid":"req_1","data":{"video_id":"video_123456","status":"completed",` +
		`"video_url":"https://res.jogg.ai/videos/video_123456.mp4","cover_url":"https://res.jogg.ai/covers/1.jpg","duration":30,"created_at":1732806631}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}))
	defer server.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	defer transport.CloseIdleConnections()
	shared := &http.Client{Transport: transport}

	client, err := jogg.New("key", jogg.WithBaseURL(server.URL), jogg.WithHTTPClient(shared))
	if err != nil {
		return err
	}
	withKey := func(_ context.Context, r *http.Request) error {
		r.Header.Set("X-Api-Key", "key")
		return nil
	}
	raw, err := gen.NewClient(server.URL, gen.WithHTTPClient(shared), gen.WithRequestEditorFn(withKey))
	if err != nil {
		return err
	}
	request, err := gen.NewGetAvatarVideoRequest(ctx, server.URL, "video_123456")
	if err != nil {
		return err
	}
	address := request.URL.String()
	contenders := []contender{
		{"generated client, decoding", func() error {
			response, err := raw.GetAvatarVideo(ctx, "video_123456")
			return decode(response, err)
		}},
		{"jogg", func() error {
			_, err := client.GetAvatarVideo(ctx, "video_123456")
			return err
		}},
		{"net/http, decoding", func() error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
			if err != nil {
				return err
			}
			request.Header.Set("X-Api-Key", "key")
			response, err := shared.Do(request)
			return decode(response, err)
		}},
	}
	results, err := m.measure(ctx, contenders)
	if err != nil {
		return err
	}
	title("A client call over HTTP on the loopback")
	fmt.Println("| | ns | ± | × generated | bytes | allocations |\n| --- | ---: | ---: | ---: | ---: | ---: |")
	for i, c := range contenders {
		r := results[i]
		fmt.Printf("| %s | %d | %.0f %% | %.2f | %d | %d |\n",
			c.name, r.time.Nanoseconds(), 100*r.spread, r.ratio(results[0]), r.bytes, r.allocs)
	}
	return nil
}

func decode(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var envelope struct {
		Code int
		Msg  string
		Data gen.AvatarVideo
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return err
	}
	if envelope.Code != 0 {
		return fmt.Errorf("code %d", envelope.Code)
	}
	return nil
}
