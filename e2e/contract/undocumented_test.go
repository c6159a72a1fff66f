package contract

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
)

// hologram is the resource of two operations that the contract does not have.
type hologram struct {
	ID    string `json:"hologram_id"`
	Title string `json:"title"`
	Glow  bool   `json:"glow"`
}

// holograms are two operations that only the simulator has.
func holograms() []simulator.Option {
	return []simulator.Option{
		simulator.WithExtraOperation(http.MethodPost, "/v2/create_hologram", func(r *http.Request) (any, error) {
			var request hologram
			if err := json.NewDecoder(r.Body).Decode(&request); err != nil || request.Title == "" {
				return nil, simulator.Refuse(40000, "title is required")
			}
			return hologram{ID: "h1", Title: request.Title, Glow: request.Glow}, nil
		}),
		simulator.WithExtraOperation(http.MethodGet, "/v2/hologram/{id}", func(r *http.Request) (any, error) {
			if r.PathValue("id") != "h1" {
				return nil, simulator.Refuse(10104, "record not found")
			}
			return map[string]any{"hologram_id": "h1", "title": r.URL.Query().Get("lang"), "angle": 90}, nil
		}),
	}
}

var _ = Describe("An operation that the contract does not have", func() {
	var b *bench
	var client *jogg.Client
	fast := jogg.RetryPolicy{Attempts: 3, Base: time.Nanosecond}

	BeforeEach(func() {
		b = newBench(holograms()...)
		client = b.newClient(jogg.WithHTTPClient(&http.Client{Transport: b.wire}), jogg.WithRetry(fast)) // not checked, because the operations violate the contract
	})

	It("can be called, with fields and parameters of any kind", func(ctx SpecContext) {
		var made, read hologram
		err := client.Call(limited(ctx), http.MethodPost, "/v2/create_hologram", map[string]string{"title": "Ada"}, &made, jogg.WithField("/glow", true))
		Expect(err).NotTo(HaveOccurred())
		Expect(made).To(Equal(hologram{ID: "h1", Title: "Ada", Glow: true}))

		var response jogg.Response
		err = client.Call(ctx, http.MethodGet, "/v2/hologram/h1", nil, &read, jogg.WithQuery("lang", "klingon"), jogg.WithResponse(&response))
		Expect(err).NotTo(HaveOccurred())
		Expect(read).To(Equal(hologram{ID: "h1", Title: "klingon"}))
		Expect(response.Unknown()).To(ConsistOf("/data/angle"))
		Expect(response.RequestID).NotTo(BeEmpty())
	})

	It("fails with the same errors as every operation", func(ctx SpecContext) {
		err := client.Call(limited(ctx), http.MethodGet, "/v2/hologram/h2", nil, new(hologram))
		expectAPIError(err, "GET /v2/hologram/h2", jogg.ErrNotFound)
		err = client.Call(ctx, http.MethodPost, "/v2/create_hologram", map[string]string{}, new(hologram))
		expectAPIError(err, "POST /v2/create_hologram", jogg.ErrInvalidParameter)
	})

	It("is retried only if that cannot pay twice", func(ctx SpecContext) {
		const operation = "POST /v2/create_hologram"
		var response jogg.Response
		create := func() error {
			return client.Call(limited(ctx), http.MethodPost, "/v2/create_hologram", map[string]string{"title": "Ada"}, new(hologram), jogg.WithResponse(&response))
		}
		b.sim.FailNext(operation, simulator.Fault{Code: 429}, simulator.Fault{Code: 429})
		Expect(create()).To(Succeed())
		Expect(response.Attempts).To(Equal(3))

		b.sim.FailNext(operation, simulator.Fault{Code: 50000})
		err := create()
		expectAPIError(err, operation, jogg.ErrSystem)
		Expect(errors.Is(err, jogg.ErrOutcomeUnknown)).To(BeTrue(), "%v", err)
		Expect(response.Attempts).To(Equal(1))

		b.sim.FailNext("GET /v2/hologram/{id}", simulator.Fault{Code: 50000})
		Expect(client.Call(ctx, http.MethodGet, "/v2/hologram/h1", nil, nil, jogg.WithResponse(&response))).To(Succeed())
		Expect(response.Attempts).To(Equal(2))
	})
})

var _ = Describe("A field of a response that the contract does not have", func() {
	It("is reported by the checking transport, but is not a violation", func(ctx SpecContext) {
		b := newBench()
		b.sim.FailNext("listVoices", simulator.Fault{ContentType: "application/json", Body: []byte(
			`{"code":0,"rid":"r","trace":{"a":1},"data":{"has_more":false,"voices":[{"voice_id":"1","tone":"dry"},{"voice_id":"2","tone":"wet","pitch/hz":3}]}}`,
		)})
		_, err := b.client.ListVoices(limited(ctx), gen.ListVoicesParams{})
		Expect(err).NotTo(HaveOccurred())
		Expect(b.checked.Unknown()).To(Equal([]string{
			"listVoices /data/voices/*/pitch~1hz", "listVoices /data/voices/*/tone", "listVoices /trace",
		}))
		Expect(b.checked.Violations()).To(BeEmpty())
	})
})
