package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

const (
	secret   = "whsec_abc123xyz"
	patience = 5 * time.Minute
)

var _ = Describe("A storm", func() {
	It("of the same events is handled once each", func(ctx SpecContext) {
		const events, times, connections = 1000, 50, 32
		box := open(ctx, inbox.Options{})
		var handled tally
		run(box, webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
			handled.add(ev.Key())
			return nil
		}))
		verifier, err := webhooks.NewVerifier(secret)
		Expect(err).NotTo(HaveOccurred())
		// The handler remembers nothing, so that the inbox alone has to recognize what comes again.
		server := httptest.NewServer(webhooks.NewHandler(verifier, box, webhooks.WithRememberedKeys(0)))
		DeferCleanup(server.Close)
		transport := &http.Transport{MaxIdleConnsPerHost: connections}
		DeferCleanup(transport.CloseIdleConnections)
		client := &http.Client{Transport: transport}

		var next, refused atomic.Int64
		var senders sync.WaitGroup
		for range connections {
			senders.Go(func() {
				for {
					n := int(next.Add(1)) - 1
					if n >= events*times {
						return
					}
					if status := deliver(ctx, client, server.URL, body(n%events)); status != http.StatusOK {
						refused.Add(1)
					}
				}
			})
		}
		senders.Wait()
		Expect(refused.Load()).To(BeZero())
		Eventually(handled.keys).WithContext(ctx).Should(Equal(events))
		Eventually(func() uint64 {
			stats, err := box.Stats(ctx)
			Expect(err).NotTo(HaveOccurred())
			return stats.Waiting + uint64(stats.InProgress)
		}).WithContext(ctx).Should(BeZero())
		Expect(handled.counts()).To(Equal(map[int]int{1: events}))
	}, NodeTimeout(patience))
})

// deliver sends a signed delivery and returns the status of the answer, or 0.
func deliver(ctx context.Context, client *http.Client, url string, body []byte) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign(body, secret))
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

var _ = Describe("Poison", func() {
	It("does not hold up the others, dies after exactly the attempts, and is redriven", func(ctx SpecContext) {
		const events, attempts = 300, 4
		box := open(ctx, inbox.Options{MaxAttempts: attempts, Backoff: []time.Duration{10 * time.Millisecond}})
		for n := range events {
			Expect(box.Receive(ctx, event(n))).To(Succeed())
		}
		var handled, failed tally
		var mended atomic.Bool
		run(box, webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
			if ev.Key()[len(ev.Key())-1] == '7' && !mended.Load() {
				failed.add(ev.Key())
				return errors.New("poison")
			}
			handled.add(ev.Key())
			return nil
		}))
		dead := func() (letters []inbox.DeadLetter) {
			for letter, err := range box.DeadLetters(ctx) {
				Expect(err).NotTo(HaveOccurred())
				letters = append(letters, letter)
			}
			return letters
		}
		Eventually(handled.keys).WithContext(ctx).Should(Equal(events * 9 / 10))
		Eventually(dead).WithContext(ctx).Should(HaveLen(events / 10))
		for _, letter := range dead() {
			Expect(letter.Attempts).To(Equal(attempts))
			Expect(letter.Reason).To(Equal("poison"))
		}
		Expect(failed.counts()).To(Equal(map[int]int{attempts: events / 10}))

		mended.Store(true)
		Expect(box.RedriveAll(ctx)).To(Equal(events / 10))
		Eventually(handled.keys).WithContext(ctx).Should(Equal(events))
		Expect(dead()).To(BeEmpty())
		Expect(handled.counts()).To(Equal(map[int]int{1: events}))
	}, NodeTimeout(patience))
})

var _ = Describe("A slow handler", func() {
	It("runs once, though it takes longer than the acknowledgement may", func(ctx SpecContext) {
		box := open(ctx, inbox.Options{AckWait: time.Second})
		var calls tally
		release := make(chan struct{})
		run(box, webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
			calls.add(ev.Key())
			<-release
			return nil
		}))
		for n := range 3 {
			Expect(box.Receive(ctx, event(n))).To(Succeed())
		}
		Eventually(calls.keys).WithContext(ctx).Should(Equal(3))
		Consistently(calls.counts).WithContext(ctx).WithTimeout(4 * time.Second).Should(Equal(map[int]int{1: 3}))
		close(release)
		Eventually(func() uint64 {
			stats, err := box.Stats(ctx)
			Expect(err).NotTo(HaveOccurred())
			return stats.Waiting + uint64(stats.InProgress)
		}).WithContext(ctx).Should(BeZero())
		Expect(calls.counts()).To(Equal(map[int]int{1: 3}))
	}, NodeTimeout(patience))
})

// backlog is how many events wait in the end. JOGG_BACKLOG=1000000 makes it a million.
func backlog() int {
	if n, err := strconv.Atoi(os.Getenv("JOGG_BACKLOG")); err == nil && n > 0 {
		return n
	}
	return 20_000
}

var _ = Describe("A backlog", func() {
	It("costs neither speed nor memory as it grows", func(ctx SpecContext) {
		const tenths, receivers = 10, 64
		n := backlog()
		box := open(ctx, inbox.Options{DuplicateWindow: time.Second})
		var took [tenths]time.Duration
		var refused atomic.Int64
		for tenth := range tenths {
			start := time.Now()
			var next atomic.Int64
			var wait sync.WaitGroup
			failures := make(chan error, receivers)
			for range receivers {
				wait.Go(func() {
					for i := int(next.Add(1)); i <= n/tenths; i = int(next.Add(1)) {
						ev, err := webhooks.Parse(body(tenth*n/tenths + i))
						if err == nil {
							err = persist(ctx, box, ev, &refused)
						}
						if err != nil {
							failures <- err
							return
						}
					}
				})
			}
			wait.Wait()
			close(failures)
			Expect(<-failures).NotTo(HaveOccurred())
			took[tenth] = time.Since(start)
			AddReportEntry(fmt.Sprintf("%9d waiting: %6.0f a second, heap %d MiB, process %s, %d asked to come again", (tenth+1)*n/tenths,
				float64(n/tenths)/took[tenth].Seconds(), heap()>>20, resident(), refused.Load()))
		}
		stats, err := box.Stats(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(stats.Waiting).To(Equal(uint64(n)))
		// The machine's other work can slow any tenth; growth would slow the last ones against the first ones by much more than this.
		Expect(took[8] + took[9]).To(BeNumerically("<", 8*(took[0]+took[1])))
		// JetStream keeps an index of a few bytes for each message, and its block caches; the bodies stay on disk.
		Expect(heap()).To(BeNumerically("<", 256<<20+200*int64(n)))
	})
})

// persist sends an event as JoggAI does: when the disk is too slow for an answer in time, again.
func persist(ctx context.Context, box *inbox.Inbox, ev webhooks.Event, refused *atomic.Int64) error {
	for {
		err := box.Receive(ctx, ev)
		if _, unavailable := errors.AsType[*webhooks.UnavailableError](err); !unavailable || ctx.Err() != nil {
			return err
		}
		refused.Add(1)
	}
}

// resident returns how much memory the process has, in the system's words, where the system says so.
func resident() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	size, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(size)
}

func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
