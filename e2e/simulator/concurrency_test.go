package simulator_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/webhooks"
)

func TestConcurrentUse(t *testing.T) {
	const workers, rounds = 8, 10
	refuseSome := make([]http.HandlerFunc, 40)
	for i := range refuseSome {
		refuseSome[i] = status([]int{http.StatusOK, http.StatusServiceUnavailable}[i%2])
	}
	r := receive(t, refuseSome...)
	b := start(t, simulator.WithPostLimit(0, time.Minute), simulator.WithRealResponseTimeout(),
		simulator.WithRetries(20, time.Second))
	b.register(r.URL)
	work := []func(){
		func() { b.createAvatarVideo() },
		func() { b.must(b.post(pathOf("createAIScripts"), scriptsRequest)) },
		func() { b.must(b.get(pathOf("listProductVideos"))) },
		func() { b.trigger(webhooks.GeneratedMotionSuccess) },
		func() { b.clock.Advance(time.Second) },
		func() { b.page() },
		func() { b.sim.Deliveries(); b.sim.Events(); b.sim.Tasks() },
		func() { b.upload(`{"filename":"a.png","content_type":"image/png"}`) },
	}
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for round := range rounds {
				work[(worker+round)%len(work)]()
			}
		})
	}
	all.Wait()
	if err := b.sim.FastForward(t.Context()); err != nil {
		t.Fatal(err)
	}
	attempts := 0
	for _, d := range b.sim.Deliveries() {
		attempts += len(d.Attempts)
		if d.State != simulator.DeliveryAccepted {
			t.Errorf("delivery %+v", d)
		}
	}
	events := b.sim.Events()
	if len(events) != len(b.sim.Tasks())+workers*rounds/len(work) || len(b.sim.Deliveries()) != len(events) {
		t.Errorf("%d events of %d tasks, %d deliveries", len(events), len(b.sim.Tasks()), len(b.sim.Deliveries()))
	}
	if attempts != len(r.all()) {
		t.Errorf("%d attempts, %d arrived", attempts, len(r.all()))
	}
}
