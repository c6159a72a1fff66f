// Package webhooks tests the receiving of deliveries from the outside: a simulated JoggAI, or a malicious client, sends them over HTTP.
package webhooks

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/e2e/logbuffer"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/webhooks"
)

func TestWebhooks(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Webhooks Suite")
}

const secret = "whsec_abc123xyz"

// recorder is a receiver that records events and then calls handle, unless that is nil.
type recorder struct {
	mu     sync.Mutex
	events []webhooks.Event
	handle func(context.Context, webhooks.Event) error
}

func (r *recorder) Receive(ctx context.Context, ev webhooks.Event) error {
	r.mu.Lock()
	r.events = append(r.events, ev)
	handle := r.handle
	r.mu.Unlock()
	if handle == nil {
		return nil
	}
	return handle(ctx, ev)
}

func (r *recorder) respondWith(handle func(context.Context, webhooks.Event) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handle = handle
}

func (r *recorder) received() []webhooks.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]webhooks.Event(nil), r.events...)
}

// site is an HTTP server with a handler, as a user would run it.
type site struct {
	*recorder
	*httptest.Server
	log *logbuffer.Buffer
}

func newSite(secrets []string, opts ...webhooks.HandlerOption) *site {
	GinkgoHelper()
	s := &site{recorder: &recorder{}, log: &logbuffer.Buffer{}}
	verifier, err := webhooks.NewVerifier(secrets...)
	Expect(err).NotTo(HaveOccurred())
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Server = httptest.NewServer(webhooks.NewHandler(verifier, s.recorder, append([]webhooks.HandlerOption{webhooks.WithLogger(logger)}, opts...)...))
	DeferCleanup(s.Close)
	DeferCleanup(func() {
		Expect(s.log.String()).NotTo(ContainSubstring(secret))
	})
	return s
}

// post sends a signed delivery as JoggAI would, after applying change to the request, and returns the response.
func (s *site) post(ctx context.Context, event string, body []byte, change ...func(*http.Request)) *http.Response {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "JoggAI-Webhook/2.0")
	request.Header.Set(webhooks.EventHeader, event)
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign(body, secret))
	for _, c := range change {
		c(request)
	}
	response, err := s.Client().Do(request)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(response.Body.Close)
	return response
}

// newSimulator starts a simulated JoggAI with a fake clock. After the spec, none of its deliveries may have violated the contract.
func newSimulator(opts ...simulator.Option) (*simulator.Simulator, *clockwork.FakeClock) {
	GinkgoHelper()
	clock := clockwork.NewFakeClockAt(time.Now())
	sim, err := simulator.Start(append([]simulator.Option{
		simulator.WithAPIKey("key", 100), simulator.WithClock(clock), simulator.WithRealResponseTimeout(),
	}, opts...)...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(sim.Close)
	DeferCleanup(func() { Expect(sim.ContractViolations()).To(BeEmpty()) })
	return sim, clock
}
