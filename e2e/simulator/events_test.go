package simulator_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// opened is the body of a delivery, decoded without its event type.
type opened struct {
	Event     string
	EventID   any `json:"event_id"`
	Timestamp any
	Data      map[string]any
}

func openEvent(t *testing.T, body []byte) opened {
	t.Helper()
	var o opened
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// openTop decodes the fields of the envelope.
func openTop(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var top map[string]any
	if err := json.Unmarshal(body, &top); err != nil {
		t.Fatal(err)
	}
	return top
}

func TestEveryEventHasTheDocumentedFields(t *testing.T) {
	b := start(t)
	fields := map[string]string{
		"video_success": "cover_url duration status video_id video_url", "video_failed": "error status video_id",
		"avatar_success": "avatar_id cover_url preview_url status", "avatar_failed": "avatar_id error status",
		"script_success": "scripts status task_id", "script_failed": "error status task_id",
		"image_success": "photo_id photo_urls", "image_failed": "error photo_id",
		"motion_success": "motion_id motion_url photo_url", "motion_failed": "error motion_id",
	}
	for _, eventType := range webhooks.EventTypes() {
		event := b.trigger(eventType)
		o := openEvent(t, event.Body)
		words := strings.Split(string(eventType), "_")
		shape := strings.Join(words[len(words)-2:], "_")
		var names []string
		for name := range o.Data {
			names = append(names, name)
		}
		slices.Sort(names)
		want, documented := fields[shape]
		if !documented {
			continue // the fields of a derived event follow from the contract
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s has the fields %q, want %q", eventType, got, want)
		}
		quiet := slices.Contains([]string{"script", "image", "motion"}, words[1])
		if (event.ID == "") != quiet || (o.EventID == nil) != quiet {
			t.Errorf("%s has the event_id %v", eventType, o.EventID)
		}
		if o.Event != string(eventType) || o.Timestamp != float64(b.clock.Now().Unix()) {
			t.Errorf("%s: envelope %+v", eventType, o)
		}
		if decoded, err := webhooks.Parse(event.Body); err != nil || decoded.Type != eventType {
			t.Errorf("%s: decoded %v, error %v", eventType, decoded.Type, err)
		}
	}
}

func TestMediaOfEventsCanBeDownloaded(t *testing.T) {
	b := start(t)
	for _, eventType := range webhooks.EventTypes() {
		for _, field := range openEvent(t, b.trigger(eventType).Body).Data {
			urls, _ := field.([]any)
			for _, address := range append(urls, field) {
				if text, ok := address.(string); ok && strings.HasPrefix(text, "http") {
					if r := b.fetch(http.MethodGet, text, nil, nil); r.status != http.StatusOK || r.body == "" {
						t.Errorf("%s: %s returns %d", eventType, text, r.status)
					}
				}
			}
		}
	}
}

func TestEventOptionsVaryThePayload(t *testing.T) {
	b := start(t)
	at := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		name      string
		eventType gen.EventType
		options   []simulator.EventOption
		holds     func(opened) bool
	}{
		{"error of a video is an object", webhooks.GeneratedVideoFailed, nil, func(o opened) bool { _, object := o.Data["error"].(map[string]any); return object }},
		{"error of an image is a string", webhooks.GeneratedImageFailed, nil, func(o opened) bool { _, text := o.Data["error"].(string); return text }},
		{"error as string", webhooks.GeneratedVideoFailed, []simulator.EventOption{simulator.ErrorAsString()}, func(o opened) bool { _, text := o.Data["error"].(string); return text }},
		{"error as object", webhooks.GeneratedMotionFailed, []simulator.EventOption{simulator.ErrorAsObject()}, func(o opened) bool { _, object := o.Data["error"].(map[string]any); return object }},
		{"error as err_msg", webhooks.CreateAvatarFailed, []simulator.EventOption{simulator.ErrorAsErrMsg()}, func(o opened) bool {
			text, ok := o.Data["err_msg"].(string)
			return ok && text != "" && o.Data["error"] == nil
		}},
		{
			"no error to change", webhooks.GeneratedVideoSuccess,
			[]simulator.EventOption{simulator.ErrorAsErrMsg(), simulator.ErrorAsString(), simulator.ErrorAsObject()},
			func(o opened) bool { return o.Data["error"] == nil && o.Data["err_msg"] == nil },
		},
		{"project_id", webhooks.GeneratedAvatarVideoSuccess, []simulator.EventOption{simulator.IDAsProjectID()}, func(o opened) bool {
			return o.Data["video_id"] == nil && o.Data["project_id"] != nil
		}},
		{"numeric ids", webhooks.GeneratedVideoSuccess, []simulator.EventOption{simulator.NumericIDs()}, func(o opened) bool { n, ok := o.Data["video_id"].(float64); return ok && n > 0 }},
		{"string ids", webhooks.CreateAvatarSuccess, []simulator.EventOption{simulator.StringIDs()}, func(o opened) bool { _, ok := o.Data["avatar_id"].(string); return ok }},
		{"numeric project_id", webhooks.GeneratedVideoFailed, []simulator.EventOption{simulator.IDAsProjectID(), simulator.NumericIDs()}, func(o opened) bool {
			_, ok := o.Data["project_id"].(float64)
			return ok
		}},
		{"fraction", webhooks.GeneratedVideoSuccess, []simulator.EventOption{simulator.FractionalDuration()}, func(o opened) bool {
			d, ok := o.Data["duration"].(float64)
			return ok && d != float64(int(d))
		}},
		{"whole", webhooks.GeneratedVideoSuccess, []simulator.EventOption{simulator.WholeDuration()}, func(o opened) bool {
			d, ok := o.Data["duration"].(float64)
			return ok && d == float64(int(d))
		}},
		{"no event_id", webhooks.GeneratedVideoSuccess, []simulator.EventOption{simulator.WithoutEventID()}, func(o opened) bool { return o.EventID == nil }},
		{"given event_id", webhooks.GeneratedScriptSuccess, []simulator.EventOption{simulator.EventID("evt_1")}, func(o opened) bool { return o.EventID == "evt_1" }},
		{"given time", webhooks.GeneratedScriptSuccess, []simulator.EventOption{simulator.Timestamp(at)}, func(o opened) bool { return o.Timestamp == 1_700_000_000.0 }},
		{"extra fields", webhooks.GeneratedScriptSuccess, []simulator.EventOption{simulator.ExtraFields()}, func(o opened) bool { return o.Data["resolution"] != nil }},
		{"given data", webhooks.GeneratedVideoSuccess, []simulator.EventOption{simulator.Data(map[string]any{"cover_url": nil, "video_id": "mine"})}, func(o opened) bool {
			cover, sent := o.Data["cover_url"]
			return sent && cover == nil && o.Data["video_id"] == "mine"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			event := b.trigger(c.eventType, c.options...)
			if !c.holds(openEvent(t, event.Body)) {
				t.Errorf("body %s", event.Body)
			}
			if _, err := webhooks.Parse(event.Body); err != nil {
				t.Errorf("not decoded: %v", err)
			}
		})
	}
	if event := b.trigger(webhooks.GeneratedVideoSuccess, simulator.ExtraFields()); openTop(t, event.Body)["api_version"] != "2.1" {
		t.Errorf("no extra field in the envelope: %s", event.Body)
	}
}

func TestUnknownEventsGoToEveryEnabledEndpoint(t *testing.T) {
	r := receive(t)
	b := start(t)
	b.register(r.URL, webhooks.CreateAvatarFailed)
	b.trigger("generated_hologram_success")
	b.settle()
	if all := r.all(); len(all) != 1 || all[0].header.Get("X-Webhook-Event") != "generated_hologram_success" {
		t.Errorf("%d deliveries arrived", len(all))
	}
	subscribed := start(t, simulator.WithExtraEventTypes("generated_hologram_success"))
	subscribed.register(r.URL, webhooks.CreateAvatarFailed)
	if event := subscribed.trigger("generated_hologram_success"); event.Deliveries != 0 {
		t.Errorf("%d endpoints got an event without a subscription", event.Deliveries)
	}
}

func TestForgedDeliveriesAreSignedWithAnUnknownSecret(t *testing.T) {
	r := receive(t)
	b := start(t)
	_, secret := b.register(r.URL)
	account, err := b.sim.AccountSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	b.trigger(webhooks.GeneratedVideoSuccess, simulator.Forged())
	b.settle()
	verifier, err := webhooks.NewVerifier(secret, account)
	if err != nil {
		t.Fatal(err)
	}
	forged := r.all()[0]
	if err := verifier.Verify(forged.body, forged.header.Get("X-Webhook-Signature")); !errors.Is(err, webhooks.ErrInvalidSignature) {
		t.Errorf("error %v", err)
	}
	if d := b.sim.Deliveries()[0]; !d.Forged || !d.Attempts[0].Forged {
		t.Errorf("delivery %+v", d)
	}
}

func TestRedeliveriesAreTheSameBytes(t *testing.T) {
	r := receive(t)
	b := start(t)
	b.register(r.URL)
	event := b.trigger(webhooks.GeneratedVideoSuccess)
	b.settle()
	b.clock.Advance(time.Hour)
	if err := b.sim.Redeliver(event.Ref); err != nil {
		t.Fatal(err)
	}
	b.settle()
	all := r.all()
	if len(all) != 2 || !bytes.Equal(all[0].body, all[1].body) || all[0].header.Get("X-Webhook-Signature") != all[1].header.Get("X-Webhook-Signature") {
		t.Errorf("arrived: %v", all)
	}
	if d := b.sim.Deliveries(); d[0].Redelivery || !d[1].Redelivery || d[1].Event != event.Ref {
		t.Errorf("deliveries %+v", d)
	}
	if err := b.sim.Redeliver("event-99"); !errors.Is(err, simulator.ErrUnknownEvent) {
		t.Errorf("error %v", err)
	}
}

func TestEventsCanGoToOneURLOnly(t *testing.T) {
	endpoint, other, bare := receive(t), receive(t), receive(t)
	b := start(t)
	_, secret := b.register(endpoint.URL)
	b.register(other.URL)
	account, err := b.sim.AccountSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	b.trigger(webhooks.GeneratedVideoSuccess, simulator.ToURL(endpoint.URL))
	b.trigger(webhooks.GeneratedVideoSuccess, simulator.ToURL(bare.URL))
	b.settle()
	if len(endpoint.all()) != 1 || len(bare.all()) != 1 || len(other.all()) != 0 {
		t.Fatalf("arrived: %d, %d, %d", len(endpoint.all()), len(bare.all()), len(other.all()))
	}
	for receiver, secret := range map[*receiver]string{endpoint: secret, bare: account} {
		if d := receiver.all()[0]; d.header.Get("X-Webhook-Signature") != webhooks.Sign(d.body, secret) {
			t.Error("signed with another secret")
		}
	}
}

func TestBodiesAndHeadersCanBeAnything(t *testing.T) {
	r := receive(t)
	b := start(t)
	_, secret := b.register(r.URL)
	b.trigger(webhooks.GeneratedVideoSuccess, simulator.Body([]byte("{not json")), simulator.EventHeader("create_avatar_failed"))
	b.settle()
	d := r.all()[0]
	if string(d.body) != "{not json" || d.header.Get("X-Webhook-Event") != "create_avatar_failed" || d.header.Get("X-Webhook-Signature") != webhooks.Sign(d.body, secret) {
		t.Errorf("arrived: %s %v", d.body, d.header)
	}
}

func TestInvalidEventIsAViolationAndIsSent(t *testing.T) {
	r := receive(t)
	b := start(t)
	sim, err := simulator.Start(simulator.WithClock(b.clock), simulator.WithLogger(discard))
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	if _, err := sim.Trigger(webhooks.GeneratedVideoSuccess, simulator.Data(map[string]any{"video_id": true}), simulator.ToURL(r.URL)); err != nil {
		t.Fatal(err)
	}
	if err := sim.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	violations := sim.ContractViolations()
	if len(violations) != 1 || violations[0].Operation != "receiveDelivery" || !strings.Contains(violations[0].String(), "data.video_id") {
		t.Errorf("violations %v", violations)
	}
	if len(r.all()) != 1 {
		t.Errorf("%d deliveries arrived", len(r.all()))
	}
}

func TestEventsAreKeptWithoutShowingThePayload(t *testing.T) {
	b := start(t)
	event := b.trigger(webhooks.GeneratedVideoSuccess)
	if event.Deliveries != 0 {
		t.Errorf("%d deliveries without a subscription", event.Deliveries)
	}
	events := b.sim.Events()
	if len(events) != 1 || !bytes.Equal(events[0].Body, event.Body) || events[0].Ref != event.Ref {
		t.Fatalf("events %v", events)
	}
	video := openEvent(t, event.Body).Data["video_id"].(string)
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if printed := fmt.Sprintf(format, events); strings.Contains(printed, video) || strings.Contains(printed, string([]byte(video))) {
			t.Errorf("%s shows the payload: %s", format, printed)
		}
	}
	if _, err := b.sim.Trigger(webhooks.GeneratedVideoSuccess, simulator.Data(map[string]any{"x": func() {}})); err == nil {
		t.Error("data that cannot be encoded were sent")
	}
}

func TestTaskEventsMatchTheStatusOperation(t *testing.T) {
	for kind, want := range map[simulator.TaskKind][]string{
		simulator.KindAvatarVideo: {"generated_avatar_video"}, simulator.KindProductVideo: {"generated_product_video"},
		simulator.KindTemplateVideo: {"generated_template_video"}, simulator.KindTranslation: {"generated_translate_video"},
		simulator.KindLipSync: nil, simulator.KindSpeech: nil, simulator.KindTranscription: nil, simulator.KindProviderImages: nil,
		simulator.KindProviderVideo: nil, simulator.KindScripts: {"generated_script"}, simulator.KindPhoto: {"generated_image"},
		simulator.KindPhotoMotion: {"generated_motion", "generated_photo_avatar"}, simulator.KindProductAvatarImages: {"generated_image"},
		simulator.KindProductAvatarMotion: {"generated_motion", "generated_product_avatar"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			b := start(t)
			for outcome, plan := range map[string]simulator.Plan{"_success": {}, "_failed": {Fail: &simulator.Reason{Code: 7, Message: "out of ideas"}}} {
				id, path := b.begin(kind, plan)
				b.advance(10 * time.Second)
				var got []string
				for _, event := range b.sim.Events() {
					if event.TaskID != id {
						continue
					}
					got = append(got, strings.TrimSuffix(string(event.Type), outcome))
					if !event.Time.Equal(b.clock.Now()) {
						t.Errorf("%s happened at %s", event.Type, event.Time)
					}
					o := openEvent(t, event.Body)
					if outcome == "_failed" && !strings.Contains(string(event.Body), "out of ideas") {
						t.Errorf("no reason in %s", event.Body)
					}
					if url, ok := o.Data["video_url"].(string); ok && !strings.Contains(b.get(path).body, url) {
						t.Errorf("the status operation does not return %s", url)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("events %v, want %v", got, want)
				}
			}
		})
	}
}
