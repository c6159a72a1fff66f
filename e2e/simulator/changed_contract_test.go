package simulator_test

import (
	_ "embed"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/jogg-go/jogg/api"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

//go:embed testdata/holograms.yaml
var holograms []byte

// withHolograms serves the contract with additional operations and events, which have no implementation.
func withHolograms(t *testing.T) simulator.Option {
	t.Helper()
	type object = map[string]any
	var document object
	var added struct {
		Paths, Schemas object
		Events         map[string]string
	}
	for target, text := range map[any][]byte{&document: api.OpenAPI(), &added: holograms} {
		if err := yaml.Unmarshal(text, target); err != nil {
			t.Fatal(err)
		}
	}
	schemas := document["components"].(object)["schemas"].(object)
	maps.Copy(document["paths"].(object), added.Paths)
	maps.Copy(schemas, added.Schemas)
	delivery, eventType := schemas["Delivery"].(object), schemas["EventType"].(object)
	for _, event := range slices.Sorted(maps.Keys(added.Events)) {
		reference := "#/components/schemas/" + added.Events[event]
		delivery["oneOf"] = append(delivery["oneOf"].([]any), object{"$ref": reference})
		delivery["discriminator"].(object)["mapping"].(object)[event] = reference
		eventType["enum"] = append(eventType["enum"].([]any), event)
	}
	text, err := yaml.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return simulator.WithContract(text)
}

const kindHologram simulator.TaskKind = "createHologram"

// createHologram starts a task and returns its id and the path of its status operation.
func (b *bench) createHologram() (id, path string) {
	b.Helper()
	id = b.must(b.post("/v2/holograms", `{"script":"Hello there"}`)).text("hologram_id")
	return id, "/v2/hologram?hologram_id=" + url.QueryEscape(id)
}

func TestDerivedTaskGoesThroughItsStates(t *testing.T) {
	b := start(t, withHolograms(t))
	before, _ := b.sim.Credits(key)
	id, path := b.createHologram()
	if other, _ := b.createHologram(); other == id {
		t.Errorf("two holograms have the id %s", id)
	}
	if after, _ := b.sim.Credits(key); after >= before {
		t.Errorf("%v credits before, %v after", before, after)
	}
	begun := b.clock.Now()
	results := []string{"hologram_url", "cover_url", "audio_urls", "subtitle_url", "completed_at"}
	for _, step := range []struct {
		at   time.Duration
		want string
	}{
		{0, "pending"},
		{2*time.Second - 1, "pending"},
		{2 * time.Second, "processing"},
		{10*time.Second - 1, "processing"},
		{10 * time.Second, "completed"},
		{time.Hour, "completed"},
	} {
		b.clock.Advance(begun.Add(step.at).Sub(b.clock.Now()))
		r := b.must(b.get(path))
		if r.text("hologram_id") != id || r.text("id") != id || r.text("status") != step.want || r.data["created_at"] != float64(begun.Unix()) {
			t.Errorf("after %s: %s, want %s", step.at, r.body, step.want)
		}
		for _, field := range results {
			if _, there := r.data[field]; there != (step.want == "completed") {
				t.Errorf("after %s: %s in %s", step.at, field, r.body)
			}
		}
		if _, there := r.data["failure"]; there {
			t.Errorf("unexpected failure reason in %s", r.body)
		}
	}
	record, err := b.sim.WaitTask(t.Context(), id)
	if err != nil || record.Kind != kindHologram || !record.Ended.Equal(begun.Add(10*time.Second)) {
		t.Errorf("task %+v, error %v", record, err)
	}
}

// All parts of the task have its state, and its id is a number.
func TestDerivedTaskWithPartsGoesThroughItsStates(t *testing.T) {
	b := start(t, withHolograms(t))
	created := b.must(b.post("/v2/crew", ""))
	id, _ := created.data["crew_id"].(float64)
	for _, want := range []string{"pending", "completed"} {
		r := b.must(b.get(fmt.Sprintf("/v2/crew/%.0f", id)))
		members := r.data["members"].([]any)
		member := members[0].(map[string]any)
		if _, photo := member["photo_url"]; id == 0 || r.data["crew_id"] != id || member["status"] != want || photo != (want == "completed") {
			t.Errorf("%s, want %s", r.body, want)
		}
		b.advance(10 * time.Second)
	}
}

func TestMediaOfDerivedTaskCanBeDownloaded(t *testing.T) {
	b := start(t, withHolograms(t))
	_, path := b.createHologram()
	b.advance(10 * time.Second)
	r := b.must(b.get(path))
	recording := r.data["audio_urls"].([]any)[0].(string)
	for address, kind := range map[string]string{
		r.text("hologram_url"): "video/mp4", r.text("cover_url"): "image/png", recording: "audio/wav",
		r.text("subtitle_url"): "application/x-subrip",
	} {
		if got := b.fetch(http.MethodGet, address, nil, nil); got.status != http.StatusOK || got.body == "" || got.header.Get("Content-Type") != kind {
			t.Errorf("%s returns %d, %q", address, got.status, got.header.Get("Content-Type"))
		}
	}
	if again := b.must(b.get(path)); again.text("hologram_url") != r.text("hologram_url") {
		t.Errorf("%s, then %s", r.body, again.body)
	}
}

func TestDerivedTaskCanBeControlled(t *testing.T) {
	b := start(t, withHolograms(t), simulator.WithSpelling(simulator.Seen))
	b.sim.PlanNext(kindHologram,
		simulator.Plan{Fail: &simulator.Reason{Code: 4711, Message: "the light went out"}}, simulator.Plan{Hold: "warming_up"})
	failing, failed := b.createHologram()
	holding, held := b.createHologram()
	finishing, finished := b.createHologram()
	if err := b.sim.FinishTask(finishing); err != nil {
		t.Fatal(err)
	}
	b.advance(10 * time.Second)
	r := b.must(b.get(failed))
	if got := asJSON(t, r.data["failure"]); r.text("status") != "fail" || got != `{"code":"4711","message":"the light went out"}` {
		t.Errorf("failed: %s", r.body)
	}
	if strings.Contains(r.body, "_url") {
		t.Errorf("a failed task has media: %s", r.body)
	}
	if r := b.must(b.get(held)); r.text("status") != "warming_up" {
		t.Errorf("held: %s", r.body)
	}
	if r := b.must(b.get(finished)); r.text("status") != "success" {
		t.Errorf("finished: %s", r.body)
	}
	list := b.must(b.get("/v2/holograms"))
	if !strings.Contains(list.body, "the light went out") {
		t.Errorf("no reason in %s", list.body)
	}
	if err := b.sim.FailTask(holding, simulator.Reason{}); err != nil {
		t.Error(err)
	}
	if err := b.sim.FailTask(failing, simulator.Reason{}); err == nil {
		t.Error("a task failed twice")
	}
	if err := b.sim.SetCredits(key, 0); err != nil {
		t.Fatal(err)
	}
	if r := b.post("/v2/holograms", `{"script":"Hello there"}`); r.code != simulator.CodeInsufficientCredit {
		t.Errorf("without credits: %s", r.body)
	}
}

func TestDerivedOperationsReturnNotFoundForUnknownIDs(t *testing.T) {
	b := start(t, withHolograms(t), simulator.WithAPIKey("other-key", 10))
	id, path := b.createHologram()
	const lights = `{"lights":[{"colour":"#ff0000","watts":25}]}`
	for _, c := range []struct{ key, method, path, body string }{
		{key, "GET", "/v2/hologram?hologram_id=nobody", ""},
		{"other-key", "GET", path, ""},
		{key, "PUT", "/v2/holograms/nobody", lights},
		{"other-key", "PUT", "/v2/holograms/" + id, lights},
		{key, "DELETE", "/v2/hologram/nobody", ""},
	} {
		if r := b.call(c.key, c.method, c.path, c.body); r.code != simulator.CodeNotFound {
			t.Errorf("%s %s returns %s", c.method, c.path, r.body)
		}
	}
	if r := b.must(b.call(key, "PUT", "/v2/holograms/"+id, lights)); !strings.Contains(r.body, `"data":null`) {
		t.Errorf("PUT returns %s", r.body)
	}
	b.must(b.call(key, "DELETE", "/v2/hologram/"+id, ""))
	if r := b.get(path); r.code != simulator.CodeNotFound {
		t.Errorf("a deleted hologram returns %s", r.body)
	}
	if r := b.get("/v2/holograms"); len(items(t, r, "holograms")) != 0 {
		t.Errorf("a deleted hologram is listed: %s", r.body)
	}
}

func TestRequestsToDerivedOperationsAreValidated(t *testing.T) {
	b := start(t, withHolograms(t))
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/v2/holograms", `{}`, "missing parameter script"},
		{"POST", "/v2/holograms", `{"script":"Hi"}`, "invalid parameter script"},
		{"POST", "/v2/holograms", `{"script":"Hello","depth":10}`, "invalid parameter depth"},
		{"POST", "/v2/hologram/blink", `{"times":0}`, "invalid parameter times"},
		{"GET", "/v2/hologram", "", "missing parameter hologram_id"},
		{"PUT", "/v2/hologram/stage", `{"name":"roof","size":{"width":1,"height":1}}`, "invalid parameter name"},
		{"GET", "/v2/hologram/a/takes/none", "", "invalid parameter take-no"},
	} {
		if r := b.call(key, c.method, c.path, c.body); r.code != simulator.CodeInvalidParameter || !strings.HasPrefix(r.msg, c.want) {
			t.Errorf("%s %s %s: %s, want %q", c.method, c.path, c.body, r.body, c.want)
		}
	}
}

// start checks that the values are valid.
func TestResourcesWithoutCreatorAreGenerated(t *testing.T) {
	b := start(t, withHolograms(t))
	stage := b.must(b.get("/v2/hologram/stage"))
	if stage.text("name") == "" || stage.data["size"] == nil || stage.text("opened_on") == "" {
		t.Errorf("stage %s", stage.body)
	}
	if again := b.get("/v2/hologram/stage"); asJSON(t, again.data) != asJSON(t, stage.data) {
		t.Errorf("%s, then %s", stage.body, again.body)
	}
	b.must(b.call(key, http.MethodPut, "/v2/hologram/stage", `{"name":"floor","size":{"width":1,"height":2}}`))
	if echo := b.must(b.get("/v2/echoes/17")); echo.data["echo_id"] != 17.0 || echo.text("status") != "completed" || echo.data["reason"] != nil {
		t.Errorf("echo %s", echo.body)
	}
	b.must(b.post("/v2/hologram/blink", ""))
	b.must(b.post("/v2/hologram/blink", `{"times":2}`))
	if take := b.must(b.get("/v2/hologram/a%2Fb/takes/3")); take.text("colour") == "" {
		t.Errorf("take %s", take.body)
	}
}

// The name id is ambiguous, so the path determines what it identifies.
func TestParameterNamedIDIsMatchedByPath(t *testing.T) {
	b := start(t, withHolograms(t), simulator.WithoutImplementations())
	lantern := b.must(b.post("/v2/create_lantern", ""))
	if r := b.must(b.get("/v2/lanterns/" + lantern.text("id"))); lantern.text("id") == "" || r.text("id") != lantern.text("id") {
		t.Errorf("created %s, read %s", lantern.body, r.body)
	}
	if r := b.get("/v2/lanterns/nobody"); r.code != simulator.CodeNotFound {
		t.Errorf("a lantern that was not created: %s", r.body)
	}
	if r := b.must(b.get("/v2/template/custom/5")); r.data["id"] != 5.0 {
		t.Errorf("template %s", r.body)
	}
}

func TestListsWithoutCreatorAreGenerated(t *testing.T) {
	b := start(t, withHolograms(t))
	seen := map[string]bool{}
	for page, want := range []int{10, 10, 5, 0} {
		r := b.must(b.get(fmt.Sprintf("/v2/hologram/takes?hologram_id=nobody&page=%d", page+1)))
		got := items(t, r, "takes")
		for _, item := range got {
			seen[item] = true
		}
		if len(got) != want || r.data["total_count"] != 25.0 {
			t.Errorf("page %d has %d: %s", page+1, len(got), r.body)
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d different items", len(seen))
	}
}

func TestDerivedListsHoldCreatedResources(t *testing.T) {
	b := start(t, withHolograms(t), simulator.WithPostLimit(0, time.Minute))
	if r := b.must(b.get("/v2/holograms")); len(items(t, r, "holograms")) != 0 || r.data["has_more"] != false {
		t.Errorf("without holograms: %s", r.body)
	}
	var ordered []string
	for range 5 {
		id, _ := b.createHologram()
		ordered = append(ordered, id)
		b.clock.Advance(time.Second)
	}
	ids := func(query string) []string {
		t.Helper()
		var got []string
		for _, item := range b.must(b.get("/v2/holograms?" + query)).data["holograms"].([]any) {
			got = append(got, item.(map[string]any)["hologram_id"].(string))
		}
		return got
	}
	if got := ids("sort_order=asc"); !slices.Equal(got, ordered) {
		t.Errorf("listed %v, created %v", got, ordered)
	}
	slices.Reverse(ordered)
	var playlist []string
	for _, item := range b.must(b.get("/v2/playlist")).data["holograms"].([]any) {
		playlist = append(playlist, item.(map[string]any)["id"].(string))
	}
	if !slices.Equal(playlist, ordered) {
		t.Errorf("the playlist has %v, created %v", playlist, ordered)
	}
	if got := slices.Concat(ids("page=1&page_size=2"), ids("page=2&page_size=2"), ids("page=3&page_size=2"), ids("page=4&page_size=2")); !slices.Equal(got, ordered) {
		t.Errorf("page by page %v, created %v", got, ordered)
	}
	last := b.get("/v2/holograms?page=3&page_size=2")
	if got := asJSON(t, last.data["pagination"]); last.data["has_more"] != false || got != `{"page":3,"page_size":2,"total_items":5,"total_pages":3}` {
		t.Errorf("the last page: %s", last.body)
	}
	if err := b.sim.SetPages(simulator.PagesIgnored, "listHolograms"); err != nil {
		t.Fatal(err)
	}
	if got := ids("page=7&page_size=2"); !slices.Equal(got, ordered) {
		t.Errorf("with pages ignored %v", got)
	}
	if err := b.sim.SetPages(simulator.PagesEndless); err != nil {
		t.Fatal(err)
	}
	if r := b.get("/v2/holograms?page=70&page_size=2"); len(items(t, r, "holograms")) != 0 || r.data["has_more"] != true {
		t.Errorf("endless: %s", r.body)
	}
	if err := b.sim.SetPages(simulator.PagesClamped, "listHolograms"); err != nil {
		t.Fatal(err)
	}
	if got := ids("page_size=5000"); !slices.Equal(got, ordered) {
		t.Errorf("clamped %v", got)
	}
}

func TestOldDerivedTasksAreDropped(t *testing.T) {
	b := start(t, withHolograms(t), simulator.WithLogSize(4), simulator.WithPostLimit(0, time.Minute))
	_, first := b.createHologram()
	for range 20 {
		b.advance(10 * time.Second)
		b.createHologram()
	}
	_, last := b.createHologram()
	if r := b.get(first); r.code != simulator.CodeNotFound {
		t.Errorf("the oldest hologram returns %s", r.body)
	}
	b.must(b.get(last))
	if listed := items(t, b.get("/v2/holograms?page_size=100"), "holograms"); len(listed) < 4 || len(listed) > 6 {
		t.Errorf("%d are listed", len(listed))
	}
}

func TestDerivedEventsCanBeTriggered(t *testing.T) {
	r := receive(t)
	b := start(t, withHolograms(t))
	_, secret := b.register(r.URL, "generated_hologram_success", "generated_hologram_failed")
	listed := b.must(b.get("/v2/events")).data["events"].([]any)
	for _, event := range []gen.EventType{"generated_hologram_success", "generated_hologram_failed"} {
		if !slices.Contains(listed, any(string(event))) {
			t.Errorf("listWebhookEvents does not name %s: %v", event, listed)
		}
		b.trigger(event)
	}
	b.settle()
	all := r.all()
	if len(all) != 2 {
		t.Fatalf("%d deliveries", len(all))
	}
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, delivery := range all {
		event, err := verifier.Unwrap(delivery.body, delivery.header)
		if err != nil {
			t.Errorf("%v: %s", err, delivery.body)
		}
		data := openEvent(t, delivery.body).Data
		switch event.Type {
		case "generated_hologram_success":
			scene := data["scene"].(map[string]any)
			if event.ID == "" || data["status"] != "completed" || len(scene["lights"].([]any)) < 2 || scene["anchor"] == nil || data["tags"] == nil {
				t.Errorf("success: %s", delivery.body)
			}
			if got := b.fetch(http.MethodGet, data["hologram_url"].(string), nil, nil); got.status != http.StatusOK {
				t.Errorf("%s returns %d", data["hologram_url"], got.status)
			}
		case "generated_hologram_failed":
			reason, _ := data["error"].(map[string]any)
			if data["status"] != "failed" || reason["message"] == "" || reason["code"] == nil || data["hologram_url"] != nil {
				t.Errorf("failure: %s", delivery.body)
			}
		}
	}
	varied := b.trigger("generated_hologram_success", simulator.ExtraFields(), simulator.WholeDuration())
	if o := openEvent(t, varied.Body); o.Data["render_engine"] == nil || openTop(t, varied.Body)["region"] == nil {
		t.Errorf("varied: %s", varied.Body)
	}
}

func TestTheConsoleListsDerivedAndExtraOperations(t *testing.T) {
	b := start(t, withHolograms(t), simulator.WithExtraOperation(http.MethodPost, "/v2/sing", func(*http.Request) (any, error) { return nil, nil }))
	b.createHologram()
	page := b.page()
	for _, want := range []string{
		"<option>generated_hologram_success</option>", "<option>deleteHologram</option>", "<option>POST /v2/sing</option>", "createHologram",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
}

func TestExtraOperationIsServed(t *testing.T) {
	const name = "POST /v2/choirs/{id}/sing"
	serve := func(r *http.Request) (any, error) {
		switch id := r.PathValue("id"); id {
		case "none":
			return nil, simulator.Refuse(simulator.CodeNotFound, "record not found: choir")
		case "broken":
			return make(chan int), nil
		default:
			return map[string]any{"choir_id": id, "voices": 4}, nil
		}
	}
	b := start(t, simulator.WithExtraOperation(http.MethodPost, "/v2/choirs/{id}/sing", serve), simulator.WithPostLimit(5, time.Minute))
	r := b.must(b.post("/v2/choirs/7/sing", `{}`))
	if r.text("choir_id") != "7" || r.data["voices"] != 4.0 || r.rid == "" || r.header.Get("X-RateLimit-Remaining") != "4" {
		t.Errorf("response %s, header %v", r.body, r.header)
	}
	if r := b.call("wrong-key", http.MethodPost, "/v2/choirs/7/sing", ""); r.code != simulator.CodeInvalidAPIKey {
		t.Errorf("with a wrong key: %s", r.body)
	}
	if r := b.post("/v2/choirs/none/sing", ""); r.code != simulator.CodeNotFound || r.msg != "record not found: choir" {
		t.Errorf("rejected: %s", r.body)
	}
	if r := b.post("/v2/choirs/broken/sing", ""); r.code != simulator.CodeSystem {
		t.Errorf("data that cannot be encoded: %s", r.body)
	}
	b.sim.FailNext(name, simulator.ProxyPage(http.StatusBadGateway))
	if r := b.post("/v2/choirs/7/sing", ""); r.status != http.StatusBadGateway {
		t.Errorf("with a fault: %d", r.status)
	}
	b.must(b.post("/v2/choirs/8/sing", ""))
	b.must(b.post("/v2/choirs/9/sing", ""))
	if r := b.post("/v2/choirs/7/sing", ""); r.code != simulator.CodeRateLimited {
		t.Errorf("beyond the limit: %s", r.body)
	}
	if r := b.get("/v2/choirs/7/sing"); r.status != http.StatusNotFound {
		t.Errorf("another method returns %d", r.status)
	}
	if requests := b.sim.Requests(); requests[0].Operation != name || requests[0].Status != http.StatusOK {
		t.Errorf("the log has %+v", requests[0])
	}
}

func TestInvalidExtraOperationsAreRejected(t *testing.T) {
	serve := func(*http.Request) (any, error) { return nil, nil }
	for name, c := range map[string]struct {
		options []simulator.Option
		want    string
	}{
		"of the contract": {[]simulator.Option{simulator.WithExtraOperation(http.MethodPost, "/v2/product", serve)}, "createProduct"},
		"no path":         {[]simulator.Option{simulator.WithExtraOperation(http.MethodGet, "", serve)}, "needs a method"},
		"no function":     {[]simulator.Option{simulator.WithExtraOperation(http.MethodGet, "/v2/sing", nil)}, "needs a method"},
		"no pattern":      {[]simulator.Option{simulator.WithExtraOperation(http.MethodGet, "/v2/{", serve)}, "GET /v2/{"},
		"twice": {
			[]simulator.Option{simulator.WithExtraOperation(http.MethodGet, "/v2/sing", serve), simulator.WithExtraOperation(http.MethodGet, "/v2/sing", serve)},
			"GET /v2/sing",
		},
	} {
		if _, err := simulator.New(c.options...); err == nil || !strings.HasPrefix(err.Error(), "simulator: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestInvalidContractsAreRejected(t *testing.T) {
	contract := string(api.OpenAPI())
	for name, c := range map[string]struct{ text, want string }{
		"not YAML":      {"openapi: [", "load the contract"},
		"no OpenAPI":    {"openapi: 3.1.0", "validate the contract"},
		"no deliveries": {strings.Replace(contract, "      discriminator:\n        propertyName: event\n", "      x-discriminator:\n", 1), "discriminator"},
		"paths that cannot be told apart": {
			strings.NewReplacer("/v2/endpoint/{endpoint_id}:", "/v2/{endpoint_id}/public:", "/v2/avatar_video/{id}:", "/v2/avatars/{id}:").Replace(contract),
			"/v2/",
		},
	} {
		if _, err := simulator.New(simulator.WithContract([]byte(c.text))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
