package contract

import (
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
)

// readOnly returns the operations that require no parameters, change nothing and cost nothing.
func readOnly() []string {
	var ids []string
	for id, o := range documented {
		requires := func(p *openapi3.ParameterRef) bool { return p.Value.Required }
		if o.verb == http.MethodGet && !slices.ContainsFunc(o.Parameters, requires) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// drifted returns the differences between a response and the contract. They are not failures, because the client tolerates them.
func drifted(response jogg.Response) []string {
	var drift []string
	for _, field := range response.Unknown() {
		drift = append(drift, "not in the contract: "+field)
	}
	for _, problem := range response.Problems {
		drift = append(drift, "violates the contract: "+problem.String())
	}
	return drift
}

var _ = Describe("The real API", Label("live"), func() {
	var client *jogg.Client
	var checked *simulator.CheckedTransport

	BeforeEach(func() {
		key := os.Getenv("JOGG_API_KEY")
		if key == "" {
			Skip("JOGG_API_KEY is not set, so the real API is not called")
		}
		var err error
		checked, err = simulator.NewCheckedTransport(http.DefaultTransport)
		Expect(err).NotTo(HaveOccurred())
		client, err = jogg.New(key, jogg.WithHTTPClient(&http.Client{Transport: checked}))
		Expect(err).NotTo(HaveOccurred())
	})

	for _, operation := range readOnly() {
		It("responds to "+operation+" as the contract says", func(ctx SpecContext) {
			var response jogg.Response
			_, err := documented[operation].call(limited(ctx), client, input{}, jogg.WithResponse(&response))
			if drift := drifted(response); len(drift) > 0 {
				AddReportEntry("drift of "+operation, strings.Join(drift, "\n"), ReportEntryVisibilityAlways)
			}
			Expect(err).NotTo(HaveOccurred())
			Expect(checked.Violations()).To(BeEmpty())
		})
	}

	It("returns not found for an unknown video", func(ctx SpecContext) {
		_, err := client.GetAvatarVideo(limited(ctx), "video_that_does_not_exist")
		Expect(errors.Is(err, jogg.ErrNotFound) || errors.Is(err, jogg.ErrInvalidParameter)).To(BeTrue(), "%v", err)
	})
})
