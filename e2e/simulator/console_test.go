package simulator_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/webhooks"
)

func (b *bench) page() string {
	b.Helper()
	r := b.get("/_console/")
	if r.status != http.StatusOK || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		b.Fatalf("the console returns %d %v", r.status, r.header)
	}
	return r.body
}

// submit sends a form like a browser that shows the console.
func (b *bench) submit(action string, fields ...string) reply {
	b.Helper()
	return b.submitFrom(b.sim.BaseURL(), action, fields...)
}

func (b *bench) submitFrom(origin, action string, fields ...string) reply {
	b.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.fetch(http.MethodPost, b.sim.BaseURL()+"/_console/"+action, http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {origin},
	}, strings.NewReader(form.Encode()))
}

func TestTheConsoleShowsActivity(t *testing.T) {
	r := receive(t, status(http.StatusInternalServerError))
	b := start(t)
	endpoint, secret := b.register(r.URL)
	requestBody := strings.Replace(avatarVideoRequest, `"caption":true`, `"video_name":"<script>alert(1)</script>"`, 1)
	video := b.must(b.post(pathOf("createAvatarVideo"), requestBody)).text("video_id")
	b.get(pathOf("getAvatarVideo", "nobody"))
	b.advance(10 * time.Second)
	b.advance(5 * time.Second)
	page := b.page()
	for _, want := range []string{
		video, endpoint, "generated_avatar_video_success", "completed", "accepted", ">500<", ">200<", ">10104<", "createAvatarVideo", b.sim.BaseURL(),
		"&lt;script&gt;alert(1)&lt;/script&gt;", `value="999"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "src=") || strings.Contains(page, "<link") {
		t.Error("the page has a script or an external resource")
	}
	before, _, found := strings.Cut(page, secret)
	if !found || strings.LastIndex(before, "<details>") < strings.LastIndex(before, "</details>") || strings.Contains(before, "<details open") {
		t.Error("the endpoint's secret is not hidden behind a closed details element")
	}
	if csp := b.get("/_console/").header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
	if r := b.get("/_console/?follow"); !strings.Contains(r.body, `http-equiv="refresh"`) || strings.Contains(page, `http-equiv="refresh"`) {
		t.Error("the page refreshes itself without follow, or not with it")
	}
	if r := b.get("/"); r.status != http.StatusOK || !strings.Contains(r.body, "<title>JoggAI simulator</title>") {
		t.Errorf("/ returns %d", r.status)
	}
}

func TestTheConsoleControlsTheSimulator(t *testing.T) {
	r := receive(t)
	b := start(t)
	b.register(r.URL)
	finish, fail := b.createAvatarVideo(), b.createAvatarVideo()
	done := func(r reply) {
		t.Helper()
		if r.status != http.StatusOK || !strings.Contains(r.body, "<title>") || strings.Contains(r.body, `role="alert"`) {
			t.Fatalf("returns %d: %s", r.status, r.body)
		}
	}
	done(b.submit("task", "id", finish, "action", "finish"))
	done(b.submit("task", "id", fail, "action", "fail"))
	for id, want := range map[string]string{finish: "completed", fail: "failed"} {
		if got := b.state(pathOf("getAvatarVideo", id)); got != want {
			t.Errorf("the state is %q, want %q", got, want)
		}
	}
	done(b.submit("trigger", "event", "generated_video_failed", "key", key, "vary", "string", "vary", "noid"))
	done(b.submit("trigger", "event", "generated_video_failed", "other", "generated_hologram_success", "key", key, "url", r.URL))
	b.settle()
	events := b.sim.Events()
	if o := openEvent(t, events[2].Body); o.EventID != nil || o.Data["error"] == nil || events[2].Deliveries != 1 {
		t.Errorf("event %s", events[2].Body)
	}
	if events[3].Type != "generated_hologram_success" {
		t.Errorf("event %s", events[3])
	}
	done(b.submit("redeliver", "ref", events[2].Ref))
	b.settle()
	if got := len(r.all()); got != 5 {
		t.Errorf("%d deliveries arrived", got)
	}
	done(b.submit("account", "key", key, "action", "credits", "credits", "12.5"))
	if credits, err := b.sim.Credits(key); credits != 12.5 || err != nil {
		t.Errorf("%v credits, error %v", credits, err)
	}
	done(b.submit("account", "key", key, "action", "deny"))
	if r := b.get(pathOf("listWebhookEvents")); r.code != simulator.CodeNoPermission {
		t.Errorf("denied: %s", r.body)
	}
	done(b.submit("account", "key", key, "action", "allow"))
	done(b.submit("fault", "operation", "createAvatarVideo", "fault", "18020", "effect", "on"))
	if r := b.post(pathOf("createAvatarVideo"), avatarVideoRequest); r.code != simulator.CodeInsufficientCredit || len(b.sim.Tasks()) != 3 {
		t.Errorf("response %s, %d tasks", r.body, len(b.sim.Tasks()))
	}
}

func TestTheConsoleReportsErrors(t *testing.T) {
	b := start(t)
	for _, fields := range [][]string{
		{"task", "id", "nobody", "action", "finish"},
		{"task", "id", "nobody", "action", "paint"},
		{"redeliver", "ref", "event-9"},
		{"trigger", "key", key},
		{"trigger", "key", "nobody", "event", "generated_video_failed"},
		{"trigger", "key", key, "event", "generated_video_failed", "url", "http://example.com"},
		{"account", "key", key, "action", "credits", "credits", "many"},
		{"account", "key", key, "action", "credits", "credits", "-1"},
		{"account", "key", "nobody", "action", "deny"},
		{"account", "key", key, "action", "paint"},
		{"fault", "operation", "nothing", "fault", "502"},
		{"fault", "operation", "*", "fault", "nothing"},
	} {
		if r := b.submit(fields[0], fields[1:]...); r.status != http.StatusBadRequest || !strings.Contains(r.body, "That did not work") {
			t.Errorf("%v returns %d", fields, r.status)
		}
	}
	if len(b.sim.Events()) != 0 {
		t.Errorf("events %v", b.sim.Events())
	}
}

func TestTheConsoleRejectsOtherOriginsAndHosts(t *testing.T) {
	b := start(t)
	for name, origin := range map[string]string{"another site": "https://evil.example", "another port": b.sim.MediaURL(), "no site": "null"} {
		if r := b.submitFrom(origin, "trigger", "event", string(webhooks.GeneratedVideoSuccess), "key", key); r.status != http.StatusForbidden {
			t.Errorf("%s: returns %d", name, r.status)
		}
	}
	if len(b.sim.Events()) != 0 {
		t.Errorf("events %v", b.sim.Events())
	}
	if r := b.get("/_console/trigger"); r.status != http.StatusMethodNotAllowed {
		t.Errorf("GET of a form's action returns %d", r.status)
	}
	for host, want := range map[string]int{"rebound.example": http.StatusForbidden, "localhost:80": http.StatusOK, "[::1]:80": http.StatusOK, "10.0.0.1": http.StatusOK} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.sim.BaseURL()+"/_console/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := b.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if r := b.open(response); r.status != want {
			t.Errorf("as %s it returns %d", host, r.status)
		}
	}
}

func TestTheConsoleShowsViolations(t *testing.T) {
	sim, err := simulator.Start(simulator.WithLogger(discard))
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	b := &bench{T: t, sim: sim, client: &http.Client{}}
	defer b.client.CloseIdleConnections()
	if _, err := sim.Trigger(webhooks.GeneratedVideoSuccess, simulator.Data(map[string]any{"video_id": true})); err != nil {
		t.Fatal(err)
	}
	if page := b.page(); !strings.Contains(page, strconv.Itoa(1)+" of the simulator") || !strings.Contains(page, "receiveDelivery") {
		t.Error("the page does not show the violation")
	}
}
