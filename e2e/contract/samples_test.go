package contract

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/sample"
)

// published is a body from the published guides.
type published struct {
	Kind      string `json:"kind"` // request or response
	Operation string `json:"operation"`
	Body      any    `json:"body"`
}

// outsideTheContract explains which requests in the guides violate the published schema. The keys are substrings of these requests.
var outsideTheContract = map[string]string{
	`"photo_url"`:       "the guide uses an older form of the request: photo_url and name do not exist, and the five required fields are missing",
	`"avatar_type":"0"`: "the schema has a number there, the guide sends it in quotes",
	`"prod_abc123"`:     "the guide uses the older flat form of the request, which the nested one has replaced",
}

// samples returns the bodies of a kind, by a unique name.
func samples(kind string) map[string]published {
	file, err := os.ReadFile("testdata/samples.json")
	Expect(err).NotTo(HaveOccurred())
	var all []published
	Expect(json.Unmarshal(file, &all)).To(Succeed())
	some := map[string]published{}
	for i, s := range all {
		if s.Kind == kind {
			some[fmt.Sprintf("%d %s", i, s.Operation)] = s
		}
	}
	Expect(some).NotTo(BeEmpty())
	return some
}

// clientOf returns a client with the transport.
func clientOf(transport http.RoundTripper) *jogg.Client {
	GinkgoHelper()
	client, err := jogg.New(apiKey, jogg.WithHTTPClient(&http.Client{Transport: transport}), jogg.WithRetry(jogg.RetryPolicy{Attempts: 1}))
	Expect(err).NotTo(HaveOccurred())
	return client
}

// receive calls the operation with a fixed response, and returns the decoded result.
func receive(ctx SpecContext, o operation, response any) (any, error) {
	GinkgoHelper()
	body, err := json.Marshal(response)
	Expect(err).NotTo(HaveOccurred())
	in, err := o.input(makers["required"])
	Expect(err).NotTo(HaveOccurred())
	return o.call(ctx, clientOf(canned(body)), in)
}

// respondingTo returns a transport that responds to the operation with all fields that its response can have.
func respondingTo(o operation) http.RoundTripper {
	GinkgoHelper()
	response := map[string]any{"code": 0}
	if o.data() != nil {
		data, err := sample.Maker{}.Make(o.OperationID, o.data())
		Expect(err).NotTo(HaveOccurred())
		response["data"] = data
	}
	body, err := json.Marshal(response)
	Expect(err).NotTo(HaveOccurred())
	return canned(body)
}

var _ = Describe("The guides' samples", func() {
	It("are sent unchanged", func(ctx SpecContext) {
		outside := map[string]string{}
		for name, s := range samples("request") {
			By(name)
			o := documented[s.Operation]
			in, err := o.input(makers["required"])
			Expect(err).NotTo(HaveOccurred())
			in.body = s.Body
			recorded := &wire{next: respondingTo(o)}
			_, err = o.call(ctx, clientOf(recorded), in)
			if reason, ok := reasonOutsideTheContract(s.Body); ok {
				outside[reason] = outsideTheContract[reason]
				Expect(err).To(MatchError(ContainSubstring("does not fit")), outsideTheContract[reason])
				continue
			}
			Expect(err).NotTo(HaveOccurred())
			expectSent(recorded.exchanges[0], o, in)
		}
		Expect(outside).To(Equal(outsideTheContract), "the samples that are outside the contract")
	})

	It("are decoded without loss", func(ctx SpecContext) {
		for name, s := range samples("response") {
			By(name)
			result, err := receive(ctx, documented[s.Operation], s.Body)
			Expect(err).NotTo(HaveOccurred())
			data := s.Body.(map[string]any)["data"]
			Expect(leaves(data)).NotTo(BeEmpty())
			Expect(lost(data, result)).To(BeEmpty())
		}
	})

	// The service has been seen to send null where the schema has a value, numbers for strings and strings for numbers.
	DescribeTable("are decoded with any field in another form", func(ctx SpecContext, applies func(any) bool, vary func(any) (sent, kept any)) {
		tried := 0
		for name, s := range samples("response") {
			envelope := s.Body.(map[string]any)
			eachValue(envelope["data"], func(place string, value any, set func(any)) {
				if !applies(value) {
					return
				}
				tried++
				sent, want := vary(value)
				set(sent)
				result, err := receive(ctx, documented[s.Operation], envelope)
				set(value)
				if sent == nil && err != nil && documented[s.Operation].verb == http.MethodPost {
					return // a POST does not succeed without the ID of what it created
				}
				Expect(err).NotTo(HaveOccurred(), "%s at %s", name, place)
				kept, err := asJSON(result)
				Expect(err).NotTo(HaveOccurred())
				found := leaves(kept)
				// The reason of a failure is decoded to an object: a string to its message, and a number to its code.
				if got := cmp.Or(found[place], found[place+".message"], found[place+".code"]); want == nil || want == 0.0 { // zero values can be omitted
					Expect(got).To(BeZero(), "%s at %s", name, place)
				} else {
					Expect(got).To(Equal(want), "%s at %s", name, place)
				}
			})
		}
		Expect(tried).To(BeNumerically(">", 0))
	},
		Entry("null", anything, func(any) (any, any) { return nil, nil }),
		Entry("a number for a string", isA[string], func(any) (any, any) { return 17.0, "17" }),
		Entry("a boolean for a string", isA[string], func(any) (any, any) { return true, "true" }),
		Entry("a string for a number", isA[float64], func(v any) (any, any) {
			return strconv.FormatInt(int64(v.(float64)), 10), float64(int64(v.(float64)))
		}),
		Entry("a string with spaces for a number", isA[float64], func(any) (any, any) { return " 12 ", 12.0 }),
		Entry("an empty string for a number", isA[float64], func(any) (any, any) { return "", nil }),
		Entry("an exponent", isA[float64], func(any) (any, any) { return json.RawMessage("1e3"), 1000.0 }),
		Entry("a fraction of zero", isA[float64], func(any) (any, any) { return json.RawMessage("1.0"), 1.0 }),
	)
})

func reasonOutsideTheContract(body any) (reason string, outside bool) {
	text, err := json.Marshal(body)
	Expect(err).NotTo(HaveOccurred())
	for reason := range outsideTheContract {
		if strings.Contains(string(text), reason) {
			return reason, true
		}
	}
	return "", false
}

func anything(any) bool { return true }

func isA[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

// eachValue calls visit for each value in v, at any depth, with a function that replaces it.
func eachValue(v any, visit func(place string, value any, set func(any))) {
	var walk func(place string, v any)
	walk = func(place string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				visit(place+"."+name, member, func(other any) { v[name] = other })
				walk(place+"."+name, member)
			}
		case []any:
			for i, element := range v {
				visit(fmt.Sprintf("%s[%d]", place, i), element, func(other any) { v[i] = other })
				walk(fmt.Sprintf("%s[%d]", place, i), element)
			}
		}
	}
	walk("", v)
}
