package simulator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

func (b *bench) trigger(eventType gen.EventType, options ...simulator.EventOption) simulator.EventRecord {
	b.Helper()
	event, err := b.sim.Trigger(eventType, options...)
	if err != nil {
		b.Fatal(err)
	}
	return event
}

func TestDeliveriesAreSignedAndCarryTheDocumentedHeaders(t *testing.T) {
	r := receive(t)
	b := start(t)
	endpoint, secret := b.register(r.URL)
	event := b.trigger(webhooks.GeneratedVideoSuccess)
	b.settle()
	all := r.all()
	if len(all) != 1 || !bytes.Equal(all[0].body, event.Body) {
		t.Fatalf("%d deliveries arrived", len(all))
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "JoggAI-Webhook/2.0", "X-Webhook-Event": "generated_video_success",
		"X-Webhook-Signature": webhooks.Sign(all[0].body, secret),
	} {
		if got := all[0].header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	records := b.sim.Deliveries()
	if len(records) != 1 || records[0].State != simulator.DeliveryAccepted || records[0].EndpointID != endpoint || records[0].Event != event.Ref {
		t.Fatalf("deliveries %+v", records)
	}
	attempt := records[0].Attempts[0]
	if attempt.Number != 1 || attempt.Status != 200 || attempt.Err != "" || !attempt.Accepted || attempt.EventID != event.ID || attempt.URL != r.URL {
		t.Errorf("attempt %+v", attempt)
	}
}

func TestDeliveriesGoToEnabledSubscribedEndpointsOfTheAccount(t *testing.T) {
	subscribed, other, disabled, foreign := receive(t), receive(t), receive(t), receive(t)
	b := start(t, simulator.WithAPIKey("second", 1))
	b.register(subscribed.URL, webhooks.CreateAvatarFailed, webhooks.CreateAvatarSuccess)
	b.register(other.URL, webhooks.CreateAvatarSuccess)
	b.must(b.post(pathOf("createWebhookEndpoint"), fmt.Sprintf(`{"url":%q,"status":"disabled","events":["create_avatar_failed"]}`, disabled.URL)))
	requestBody := fmt.Sprintf(`{"url":%q,"status":"enabled","events":["create_avatar_failed"]}`, foreign.URL)
	b.must(b.call("second", http.MethodPost, pathOf("createWebhookEndpoint"), requestBody))
	if event := b.trigger(webhooks.CreateAvatarFailed); event.Deliveries != 1 {
		t.Errorf("%d receivers", event.Deliveries)
	}
	b.settle()
	if len(subscribed.all()) != 1 || len(other.all())+len(disabled.all())+len(foreign.all()) != 0 {
		t.Errorf("deliveries: %d subscribed, %d other, %d disabled, %d foreign", len(subscribed.all()), len(other.all()), len(disabled.all()), len(foreign.all()))
	}
	b.trigger(webhooks.CreateAvatarFailed, simulator.OfAccount("second"))
	b.settle()
	if len(foreign.all()) != 1 || len(subscribed.all()) != 1 {
		t.Errorf("the second account's event: %d arrived there, %d at the first's", len(foreign.all()), len(subscribed.all()))
	}
	if _, err := b.sim.Trigger(webhooks.CreateAvatarFailed, simulator.OfAccount("nobody")); !errors.Is(err, simulator.ErrUnknownKey) {
		t.Errorf("error %v", err)
	}
}

func TestFailedDeliveriesAreRetriedThreeTimesFiveSecondsApart(t *testing.T) {
	failure := status(http.StatusInternalServerError)
	r := receive(t, failure, status(http.StatusFound), status(http.StatusNotFound), failure, failure)
	b := start(t)
	b.register(r.URL)
	b.trigger(webhooks.GeneratedVideoSuccess)
	b.settle()
	for arrived := 1; arrived <= 4; arrived++ {
		if got := len(r.all()); got != arrived {
			t.Fatalf("%d attempts arrived, want %d", got, arrived)
		}
		b.advance(5*time.Second - 1)
		if got := len(r.all()); got != arrived {
			t.Fatalf("attempt %d came early", got)
		}
		b.advance(1)
	}
	b.advance(time.Hour)
	if got := len(r.all()); got != 4 {
		t.Errorf("%d attempts arrived in the end", got)
	}
	first := r.all()[0]
	for _, again := range r.all() {
		if !bytes.Equal(first.body, again.body) || first.header.Get("X-Webhook-Signature") != again.header.Get("X-Webhook-Signature") {
			t.Error("the attempts differ")
		}
	}
	delivery := b.sim.Deliveries()[0]
	if delivery.State != simulator.DeliveryFailed || len(delivery.Attempts) != 4 {
		t.Fatalf("delivery %+v", delivery)
	}
	for i, want := range []int{500, 302, 404, 500} {
		attempt := delivery.Attempts[i]
		if attempt.Status != want || attempt.Number != i+1 || attempt.Started.Sub(delivery.Attempts[0].Started) != time.Duration(i)*5*time.Second {
			t.Errorf("attempt %+v, want status %d", attempt, want)
		}
	}
}

func TestRetriesStopWhenADeliveryIsAccepted(t *testing.T) {
	r := receive(t, status(http.StatusBadGateway), status(http.StatusAccepted))
	b := start(t)
	b.register(r.URL)
	b.trigger(webhooks.GeneratedVideoSuccess)
	if err := b.sim.FastForward(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := b.sim.Deliveries()[0]; d.State != simulator.DeliveryAccepted || len(d.Attempts) != 2 || d.Attempts[1].Status != 202 {
		t.Errorf("delivery %+v", d)
	}
}

func TestAReceiverHasFiveSecondsOnTheSimulatorsClock(t *testing.T) {
	arrived := make(chan struct{})
	r := receive(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	b := start(t)
	b.register(r.URL)
	b.trigger(webhooks.GeneratedVideoSuccess)
	<-arrived
	b.clock.Advance(5*time.Second - 1)
	if attempts := b.sim.Attempts(); len(attempts) != 0 {
		t.Fatalf("the attempt ended early: %+v", attempts)
	}
	b.clock.Advance(1)
	attempts, err := b.sim.WaitAttempts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if a := attempts[0]; a.Status != 0 || a.Accepted || a.Err != "no response within the limit" || a.Ended.Sub(a.Started) != 5*time.Second {
		t.Errorf("attempt %+v", a)
	}
	if err := b.sim.FastForward(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := b.sim.Deliveries()[0]; d.State != simulator.DeliveryAccepted || len(d.Attempts) != 2 {
		t.Errorf("delivery %+v", d)
	}
}

func TestTheAnswerLimitCanRunInRealTime(t *testing.T) {
	release := make(chan struct{})
	r := receive(t, func(http.ResponseWriter, *http.Request) { <-release }, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b := start(t, simulator.WithRealResponseTimeout(), simulator.WithResponseTimeout(time.Minute))
	b.register(r.URL)
	b.trigger(webhooks.GeneratedVideoSuccess)
	b.clock.Advance(time.Hour)
	close(release)
	b.settle()
	if d := b.sim.Deliveries()[0]; d.State != simulator.DeliveryAccepted || len(d.Attempts) != 1 {
		t.Errorf("an hour on the fake clock cut the delivery off: %+v", d)
	}
	quick := start(t, simulator.WithRealResponseTimeout(), simulator.WithResponseTimeout(time.Millisecond), simulator.WithRetries(0, 0))
	quick.register(r.URL)
	quick.trigger(webhooks.GeneratedVideoSuccess)
	quick.settle()
	if d := quick.sim.Deliveries()[0]; d.State != simulator.DeliveryFailed || d.Attempts[0].Err != "no response within the limit" {
		t.Errorf("delivery %+v", d)
	}
}

func TestDeliveriesToUnreachableReceiversAreRetried(t *testing.T) {
	b := start(t, simulator.WithRetries(1, time.Second))
	b.register("http://127.0.0.1:1") // no server ever listens there
	b.trigger(webhooks.GeneratedVideoSuccess)
	if err := b.sim.FastForward(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := b.sim.Deliveries()[0]
	if d.State != simulator.DeliveryFailed || len(d.Attempts) != 2 || !strings.Contains(d.Attempts[0].Err, "refused") {
		t.Errorf("delivery %+v", d)
	}
}

func TestDeliveriesStopWhenTheEndpointIsDeletedOrDisabled(t *testing.T) {
	for name, change := range map[string]func(b *bench, id, address string){
		"deleted": func(b *bench, id, _ string) {
			b.must(b.call(key, http.MethodDelete, pathOf("deleteWebhookEndpoint", id), ""))
		},
		"disabled": func(b *bench, id, address string) {
			b.must(b.call(key, http.MethodPut, pathOf("updateWebhookEndpoint", id), fmt.Sprintf(`{"url":%q,"status":"disabled","events":[]}`, address)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, status(http.StatusInternalServerError))
			b := start(t)
			id, _ := b.register(r.URL)
			event := b.trigger(webhooks.GeneratedVideoSuccess)
			b.settle()
			change(b, id, r.URL)
			b.advance(5 * time.Second)
			if err := b.sim.Redeliver(event.Ref); err != nil {
				t.Fatal(err)
			}
			b.settle()
			if d := b.sim.Deliveries(); len(r.all()) != 1 || len(d) != 1 || d[0].State != simulator.DeliveryDropped {
				t.Errorf("%d attempts arrived; deliveries %+v", len(r.all()), d)
			}
		})
	}
}

func TestTaskEventsGoToWebhookURLAndEndpoints(t *testing.T) {
	hook, endpoint := receive(t), receive(t)
	b := start(t)
	_, secret := b.register(endpoint.URL, webhooks.GeneratedAvatarVideoSuccess)
	requestBody := strings.Replace(avatarVideoRequest, `"caption":true`, fmt.Sprintf(`"webhook_url":%q`, hook.URL), 1)
	video := b.must(b.post(pathOf("createAvatarVideo"), requestBody)).text("video_id")
	b.advance(9 * time.Second)
	if len(hook.all())+len(endpoint.all()) != 0 {
		t.Error("the event was delivered before the task ended")
	}
	b.advance(time.Second)
	accountSecret, err := b.sim.AccountSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		receiver *receiver
		secret   string
	}{"hook": {hook, accountSecret}, "endpoint": {endpoint, secret}} {
		all := c.receiver.all()
		if len(all) != 1 || !bytes.Contains(all[0].body, []byte(video)) {
			t.Fatalf("%s: %d deliveries arrived", name, len(all))
		}
		if all[0].header.Get("X-Webhook-Signature") != webhooks.Sign(all[0].body, c.secret) {
			t.Errorf("%s: signed with another secret", name)
		}
	}
	if events := b.sim.Events(); len(events) != 1 || events[0].TaskID != video || events[0].Deliveries != 2 {
		t.Errorf("events %+v", events)
	}
}

func TestWebhookURLThatIsAnEndpointGetsOneDelivery(t *testing.T) {
	r := receive(t)
	b := start(t)
	_, secret := b.register(r.URL, webhooks.GeneratedAvatarVideoSuccess)
	requestBody := strings.Replace(avatarVideoRequest, `"caption":true`, fmt.Sprintf(`"webhook_url":%q`, r.URL), 1)
	b.must(b.post(pathOf("createAvatarVideo"), requestBody))
	b.advance(10 * time.Second)
	if all := r.all(); len(all) != 1 || all[0].header.Get("X-Webhook-Signature") != webhooks.Sign(all[0].body, secret) {
		t.Errorf("%d deliveries arrived", len(all))
	}
}

func TestEveryOperationWithWebhookURLDeliversToIt(t *testing.T) {
	for name, c := range map[string]struct {
		path, body, event string
	}{
		"avatar video":  {pathOf("createAvatarVideo"), strings.Replace(avatarVideoRequest, `"caption":true`, `"webhook_url":"URL"`, 1), "generated_avatar_video_failed"},
		"product video": {pathOf("createProductVideo"), `{"webhook_url":"URL",` + productFields + `}`, "generated_product_video_failed"},
		"previews":      {pathOf("createProductPreviews"), `{"webhook_url":"URL","visual_styles":["Split Story"],` + productFields + `}`, "generated_product_video_failed"},
		"template": {
			pathOf("createTemplateVideo"), strings.Replace(templateRequest, `"content":"Bottle"`, `"content":"Bottle","webhook_url":"URL"`, 1),
			"generated_template_video_failed",
		},
		"translation": {pathOf("createVideoTranslation"), strings.Replace(translationRequest, `"add_subtitles":true`, `"callback_url":"URL"`, 1), "generated_translate_video_failed"},
		"images":      {pathOf("generateProductAvatarImages"), strings.Replace(imagesRequest, `"quality"`, `"webhook_url":"URL","quality"`, 1), "generated_image_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t)
			b := start(t)
			if refused := b.post(c.path, strings.Replace(c.body, "URL", "http://example.com", 1)); refused.code != simulator.CodeInvalidParameter ||
				!strings.Contains(refused.msg, "_url: must be HTTPS") {
				t.Errorf("plain http: %s", refused.body)
			}
			b.must(b.post(c.path, strings.Replace(c.body, "URL", r.URL, 1)))
			if err := b.sim.FailTask(b.sim.Tasks()[0].ID, simulator.Reason{}); err != nil {
				t.Fatal(err)
			}
			b.settle()
			if all := r.all(); len(all) != 1 || all[0].header.Get("X-Webhook-Event") != c.event {
				t.Errorf("arrived: %v", all)
			}
		})
	}
}

func TestAttemptsCanBeFollowed(t *testing.T) {
	r := receive(t, status(http.StatusInternalServerError))
	b := start(t)
	b.register(r.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen []simulator.AttemptRecord
	var follower sync.WaitGroup
	follower.Go(func() {
		for attempt := range b.sim.FollowAttempts(ctx) {
			if seen = append(seen, attempt); len(seen) == 3 {
				return
			}
		}
	})
	b.trigger(webhooks.GeneratedVideoSuccess)
	b.settle()
	b.advance(5 * time.Second)
	b.trigger(webhooks.GeneratedScriptSuccess)
	follower.Wait()
	for i, want := range []struct {
		number, status int
		event          gen.EventType
	}{{1, 500, webhooks.GeneratedVideoSuccess}, {2, 200, webhooks.GeneratedVideoSuccess}, {1, 200, webhooks.GeneratedScriptSuccess}} {
		if got := seen[i]; got.Sequence != int64(i+1) || got.Number != want.number || got.Status != want.status || got.Type != want.event {
			t.Errorf("attempt %d is %+v, want %+v", i, got, want)
		}
	}
	cancel()
	for attempt := range b.sim.FollowAttempts(ctx) {
		if attempt.Sequence > 3 {
			t.Errorf("after the context: %+v", attempt)
		}
	}
}

func TestDeliveriesCanBeWaitedFor(t *testing.T) {
	r := receive(t)
	b := start(t)
	b.register(r.URL)
	for range 30 {
		b.trigger(webhooks.GeneratedVideoSuccess)
	}
	records, err := b.sim.WaitDeliveries(t.Context(), func(all []simulator.DeliveryRecord) bool {
		accepted := 0
		for _, d := range all {
			if d.State == simulator.DeliveryAccepted {
				accepted++
			}
		}
		return accepted == 30
	})
	if err != nil || len(records) != 30 || len(r.all()) != 30 {
		t.Errorf("%d deliveries, %d arrived, error %v", len(records), len(r.all()), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.sim.WaitDeliveries(ctx, func([]simulator.DeliveryRecord) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestHTTPSReceiversNeedATransportThatTrustsThem(t *testing.T) {
	r := &receiver{}
	server := httptest.NewTLSServer(r)
	defer server.Close()
	b := start(t, simulator.WithHTTPSOnly(), simulator.WithDeliveryTransport(server.Client().Transport))
	b.register(server.URL)
	b.trigger(webhooks.GeneratedVideoSuccess)
	b.settle()
	if len(r.all()) != 1 {
		t.Errorf("deliveries %+v", b.sim.Deliveries())
	}
}

func TestDeliveryLogIsBounded(t *testing.T) {
	b := start(t, simulator.WithLogSize(4))
	r := receive(t)
	b.register(r.URL)
	for range 20 {
		b.trigger(webhooks.GeneratedVideoSuccess)
		b.settle()
	}
	deliveries, events, attempts := b.sim.Deliveries(), b.sim.Events(), b.sim.Attempts()
	if len(deliveries) > 6 || len(events) > 6 || len(attempts) > 6 || attempts[len(attempts)-1].Sequence != 20 {
		t.Errorf("kept: %d deliveries, %d events, %d attempts", len(deliveries), len(events), len(attempts))
	}
}
