// Package contract tests from the outside that the client conforms to the contract in both directions. It runs against the simulator, and
// if the environment has an API key, the read-only operations also run against the real API.
package contract

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
)

func TestContract(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Contract Suite")
}

const apiKey = "contract-key"

// bench is a simulator with a client. Requests and responses are checked on both sides.
type bench struct {
	clock   *clockwork.FakeClock
	sim     *simulator.Simulator
	checked *simulator.CheckedTransport
	wire    *wire
	client  *jogg.Client
	aside   *jogg.Client // for the setup of a spec, without recording its exchanges
}

// newBench starts a simulator for a spec. After the spec, its responses and deliveries must not have violated the contract.
func newBench(opts ...simulator.Option) *bench {
	GinkgoHelper()
	b := &bench{clock: clockwork.NewFakeClockAt(time.Now())}
	sim, err := simulator.Start(append([]simulator.Option{
		simulator.WithAPIKey(apiKey, 1000),
		simulator.WithClock(b.clock),
		simulator.WithPostLimit(0, time.Minute),
		simulator.WithSeed(1),
	}, opts...)...)
	Expect(err).NotTo(HaveOccurred())
	b.sim = sim
	DeferCleanup(sim.Close)

	transport := http.DefaultTransport.(*http.Transport).Clone()
	DeferCleanup(transport.CloseIdleConnections)
	b.wire = &wire{next: transport}
	b.checked, err = simulator.NewCheckedTransport(b.wire)
	Expect(err).NotTo(HaveOccurred())
	b.client = b.newClient()
	b.aside = b.newClient(jogg.WithHTTPClient(&http.Client{Transport: transport}))
	DeferCleanup(func() {
		Expect(b.sim.ContractViolations()).To(BeEmpty(), "the simulator's responses and deliveries")
	})
	return b
}

// newClient returns a client without retries, so that a spec sees each response.
func (b *bench) newClient(opts ...jogg.Option) *jogg.Client {
	GinkgoHelper()
	client, err := jogg.New(apiKey, append([]jogg.Option{
		jogg.WithBaseURL(b.sim.BaseURL()),
		jogg.WithHTTPClient(&http.Client{Transport: b.checked}),
		jogg.WithRetry(jogg.RetryPolicy{Attempts: 1}),
	}, opts...)...)
	Expect(err).NotTo(HaveOccurred())
	return client
}

// limited returns a context with a timeout that is longer than a spec needs.
func limited(ctx context.Context) context.Context {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	DeferCleanup(cancel)
	return ctx
}
