package simulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

func TestEndpointsKeepTheirSecret(t *testing.T) {
	b := start(t)
	id, secret := b.register("https://example.com/hook", webhooks.GeneratedVideoSuccess)
	if !strings.HasPrefix(secret, "whsec_") || len(secret) < 20 {
		t.Errorf("secret %q", secret)
	}
	updated := b.must(b.call(key, http.MethodPut, pathOf("updateWebhookEndpoint", id),
		`{"url":"https://example.com/other","status":"disabled","events":["create_avatar_failed","create_avatar_failed"]}`))
	if updated.text("secret") != secret || updated.text("url") != "https://example.com/other" || updated.text("status") != "disabled" {
		t.Errorf("updated: %s", updated.body)
	}
	records, err := b.sim.Endpoints(key)
	if err != nil || len(records) != 1 || records[0].Secret != secret || records[0].Enabled || len(records[0].Events) != 1 {
		t.Errorf("endpoints %v, error %v", records, err)
	}
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if printed := fmt.Sprintf(format, records); strings.Contains(printed, secret) {
			t.Errorf("%s shows the secret: %s", format, printed)
		}
	}
	_, other := b.register("https://example.com/hook")
	if other == secret {
		t.Error("two endpoints have the same secret")
	}
	b.must(b.call(key, http.MethodDelete, pathOf("deleteWebhookEndpoint", id), ""))
	if r := b.must(b.get(pathOf("listWebhookEndpoints"))); strings.Contains(r.body, id) || len(r.data["endpoints"].([]any)) != 1 {
		t.Errorf("after deleting: %s", r.body)
	}
}

func TestAnAccountHoldsAtMostTwentyEndpoints(t *testing.T) {
	b := start(t, simulator.WithPostLimit(0, time.Minute), simulator.WithAPIKey("second", 1))
	for i := range 20 {
		b.register(fmt.Sprintf("https://example.com/%d", i))
	}
	requestBody := `{"url":"https://example.com/hook","status":"enabled","events":[]}`
	if r := b.post(pathOf("createWebhookEndpoint"), requestBody); r.code != simulator.CodeInvalidParameter || !strings.Contains(r.msg, "20") {
		t.Errorf("the 21st endpoint returns %s", r.body)
	}
	b.must(b.call("second", http.MethodPost, pathOf("createWebhookEndpoint"), requestBody))
}

func TestInvalidEndpointsAreRejected(t *testing.T) {
	b := start(t)
	strict := start(t, simulator.WithHTTPSOnly())
	for _, c := range []struct {
		name, url, events, parameter string
		bench                        *bench
	}{
		{"plain http elsewhere", "http://example.com/hook", "", "url", b},
		{"plain http on the loopback, strictly", "http://127.0.0.1:1/hook", "", "url", strict},
		{"no host", "https:///hook", "", "url", b},
		{"no URL", "hook", "", "url", b},
		{"unknown event", "https://example.com", `"generated_hologram_success"`, "events", b},
	} {
		r := c.bench.post(pathOf("createWebhookEndpoint"), fmt.Sprintf(`{"url":%q,"status":"enabled","events":[%s]}`, c.url, c.events))
		if r.code != simulator.CodeInvalidParameter || !strings.HasPrefix(r.msg, "invalid parameter "+c.parameter) {
			t.Errorf("%s: %s", c.name, r.body)
		}
	}
	for _, loopback := range []string{"http://localhost:1/x", "http://127.0.0.1:1", "http://[::1]:1"} {
		b.register(loopback)
	}
	id, _ := b.register("https://example.com")
	if r := b.call(key, http.MethodPut, pathOf("updateWebhookEndpoint", id), `{"url":"http://example.com","status":"enabled","events":[]}`); r.code != simulator.CodeInvalidParameter {
		t.Errorf("updating to plain http: %s", r.body)
	}
	records, err := b.sim.Endpoints(key)
	if err != nil || records[len(records)-1].URL != "https://example.com" {
		t.Errorf("a rejected update changed the endpoint: %v, %v", records, err)
	}
}

func TestEventTypesCanBeExtended(t *testing.T) {
	b := start(t, simulator.WithExtraEventTypes("generated_hologram_success"))
	events := b.must(b.get(pathOf("listWebhookEvents"))).data["events"].([]any)
	if len(events) != len(webhooks.EventTypes())+1 || events[len(events)-1] != "generated_hologram_success" {
		t.Errorf("%d events: %v", len(events), events)
	}
	for i, want := range webhooks.EventTypes() {
		if events[i] != string(want) {
			t.Errorf("event %d is %v, want %s", i, events[i], want)
		}
	}
	b.register("https://example.com", gen.EventType("generated_hologram_success"))
}
