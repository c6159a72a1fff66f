package use

import (
	"context"
	"net/http/httptest"
	"slices"
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
			t.Errorf("the simulator leaves the contract: %v", violations)
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := jogg.New(key, jogg.WithBaseURL(sim.BaseURL()))
	if err != nil {
		t.Fatal(err)
	}
	return sim, client
}

// delivered has the simulator send an event to a receiver that routes by the type of the data, and returns the event.
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
		panic("unreachable")
	}
}

func TestNewEventWithDataOfItsOwn(t *testing.T) {
	podcast := receivedAs[*webhooks.PodcastSucceeded](t, webhooks.GeneratedPodcastSuccess,
		`{"podcast_id":77,"podcast_url":"https://example.com/p.mp3","explicit":true}`)
	expect(t, "id", podcast.PodcastID, "77")
	expect(t, "explicit", podcast.Explicit, true)
	if !slices.Contains(webhooks.EventTypes(), webhooks.GeneratedPodcastSuccess) {
		t.Error("EventTypes does not name it")
	}
	event, data := delivered[*webhooks.PodcastSucceeded](t, gen.EventTypeGeneratedPodcastSuccess)
	expect(t, "type", event.Type, webhooks.GeneratedPodcastSuccess)
	if data.PodcastID == "" {
		t.Errorf("the simulator sent %s", event.Raw)
	}
}

func TestNewEventWithKnownData(t *testing.T) {
	if !slices.Contains(webhooks.EventTypes(), webhooks.GeneratedTrailerSuccess) {
		t.Error("EventTypes does not name it")
	}
	event, data := delivered[*webhooks.VideoSucceeded](t, gen.EventTypeGeneratedTrailerSuccess)
	expect(t, "type", event.Type, webhooks.GeneratedTrailerSuccess)
	if data.VideoID == "" {
		t.Errorf("the simulator sent %s", event.Raw)
	}
}
