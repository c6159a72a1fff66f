package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/e2e/sample"
	"github.com/jogg-go/jogg/webhooks"
)

// envelopes maps event types to the schemas of their deliveries.
var envelopes = func() map[string]*openapi3.SchemaRef {
	all := map[string]*openapi3.SchemaRef{}
	for event, mapped := range document.Components.Schemas["Delivery"].Value.Discriminator.Mapping {
		all[event] = document.Components.Schemas[strings.TrimPrefix(mapped.Ref, "#/components/schemas/")]
	}
	return all
}()

var _ = Describe("Every event type", func() {
	It("is known to package webhooks", func() {
		var known []string
		for _, event := range webhooks.EventTypes() {
			known = append(known, string(event))
		}
		Expect(known).To(ConsistOf(slices.Collect(maps.Keys(envelopes))))
	})

	It("is decoded without loss of any field", func() {
		for event, envelope := range envelopes {
			for seed := range uint64(6) {
				maker := sample.Maker{Seed: seed, AnyForm: seed >= 3, Choose: func(p sample.Property) (any, bool) {
					return event, p.Place == "delivery.event"
				}}
				made, err := maker.Make("delivery", envelope)
				Expect(err).NotTo(HaveOccurred())
				body, err := json.Marshal(made)
				Expect(err).NotTo(HaveOccurred())
				By(fmt.Sprintf("%s, seed %d", event, seed))
				received, err := webhooks.Parse(body)
				Expect(err).NotTo(HaveOccurred(), "%s", body)
				Expect(received.Type).To(BeEquivalentTo(event))
				Expect(lost(made.(map[string]any)["data"], received.Data)).To(BeEmpty(), "lost from %s", body)
			}
		}
	})
})

var _ = Describe("Every schema", func() {
	It("is used by an operation or a delivery, so that this suite covers it", func() {
		reached := map[string]bool{"Delivery": true}
		for _, o := range documented {
			for _, parameter := range o.Parameters {
				reach(reached, parameter.Value.Schema)
			}
			if o.RequestBody != nil {
				reach(reached, o.RequestBody.Value.Content.Get("application/json").Schema)
			}
			for _, response := range o.Responses.Map() {
				reach(reached, response.Value.Content.Get("application/json").Schema)
			}
		}
		for _, mapped := range document.Components.Schemas["Delivery"].Value.Discriminator.Mapping {
			reach(reached, &openapi3.SchemaRef{Ref: mapped.Ref, Value: document.Components.Schemas[name(mapped.Ref)].Value})
		}
		reached["EventType"] = true // the fields of deliveries refer to it by x-go-type
		Expect(slices.Collect(maps.Keys(reached))).To(ContainElements(slices.Collect(maps.Keys(document.Components.Schemas))))
	})
})

// reach adds the names of the schemas that a schema contains.
func reach(reached map[string]bool, schema *openapi3.SchemaRef) {
	if schema == nil || reached[name(schema.Ref)] {
		return
	}
	if schema.Ref != "" {
		reached[name(schema.Ref)] = true
	}
	inside := slices.Concat(schema.Value.AllOf, schema.Value.AnyOf, schema.Value.OneOf)
	inside = append(inside, schema.Value.Items, schema.Value.AdditionalProperties.Schema)
	for _, part := range slices.Concat(inside, slices.Collect(maps.Values(schema.Value.Properties))) {
		reach(reached, part)
	}
}

// name returns the name of a referenced schema.
func name(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }
