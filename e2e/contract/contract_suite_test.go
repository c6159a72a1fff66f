// Package contract holds the client against the contract in both directions, seen from outside: against the simulator, and with an API
// key in the environment the read-only part against the real API too.
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

// bench is a simulator with a client of it. What passes between them is checked on both sides.
type bench struct {
	clock   *clockwork.FakeClock
	sim     *simulator.Simulator
	checked *simulator.CheckedTransport
	wire    *wire
	client  *jogg.Client
	aside   *jogg.Client // for what a spec needs before, so that it is not among what passed
}

// newBench starts a simulator for a spec. When the spec has ended, nothing may have violated the contract.
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
		Expect(b.sim.ContractViolations()).To(BeEmpty(), "the simulator's answers and deliveries")
	})
	return b
}

// newClient returns a client that does not repeat calls, so that a spec sees each answer.
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

// limited gives a spec more time than it needs, and an end.
func limited(ctx context.Context) context.Context {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	DeferCleanup(cancel)
	return ctx
}
