// Package service uses the new operations and events of the simulator after the additions.
package service

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

const key = "change-key"

func start(t *testing.T) (*simulator.Simulator, *jogg.Client) {
	t.Helper()
	sim, err := simulator.Start(
		simulator.WithAPIKey(key, 1000), simulator.WithPostLimit(0, time.Minute), simulator.WithDurations(10*time.Millisecond, 10*time.Millisecond),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if violations := sim.ContractViolations(); len(violations) > 0 {
			t.Errorf("the simulator violates the contract: %v", violations)
		}
		sim.Close()
	})
	client, err := jogg.New(key, jogg.WithBaseURL(sim.BaseURL()))
	if err != nil {
		t.Fatal(err)
	}
	return sim, client
}

// delivered triggers an event in the simulator, and returns it as received by a function for its data type.
func delivered[D webhooks.Data](t *testing.T, eventType gen.EventType) (webhooks.Event, D) {
	t.Helper()
	type arrival struct {
		event webhooks.Event
		data  D
	}
	arrivals := make(chan arrival, 1)
	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, event webhooks.Event, data D) error {
		arrivals <- arrival{event, data}
		return nil
	})
	sim, client := start(t)
	secret, err := sim.AccountSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	receiver := httptest.NewUnstartedServer(nil)
	endpoint, err := client.EnsureWebhookEndpoint(t.Context(), "http://"+receiver.Listener.Addr().String(), eventType)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := webhooks.NewVerifier(endpoint.Secret, secret)
	if err != nil {
		t.Fatal(err)
	}
	receiver.Config.Handler = webhooks.NewHandler(verifier, router)
	receiver.Start()
	t.Cleanup(receiver.Close)
	if _, err := sim.Trigger(eventType); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-arrivals:
		return a.event, a.data
	case <-time.After(20 * time.Second):
		t.Fatal("the event did not arrive")
	}
	return webhooks.Event{}, *new(D)
}

func TestNewEventWithDataOfItsOwnIsSent(t *testing.T) {
	event, data := delivered[*webhooks.PodcastSucceeded](t, gen.EventTypeGeneratedPodcastSuccess)
	if event.Type != webhooks.GeneratedPodcastSuccess || data.PodcastID == "" {
		t.Errorf("the simulator sent %s", event.Raw)
	}
}

func TestNewEventWithKnownDataIsSent(t *testing.T) {
	event, data := delivered[*webhooks.VideoSucceeded](t, gen.EventTypeGeneratedTrailerSuccess)
	if event.Type != webhooks.GeneratedTrailerSuccess || data.VideoID == "" {
		t.Errorf("the simulator sent %s", event.Raw)
	}
}
