package simulator_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.uber.org/goleak"

	"github.com/jogg-go/jogg/e2e/logbuffer"
	"github.com/jogg-go/jogg/e2e/paths"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// pathOf returns the path of an operation of the contract, with the values of its parameters filled in.
var pathOf = paths.Of

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "test-key"

// bench is a simulator that listens, its fake clock and a client of its API.
type bench struct {
	*testing.T
	sim    *simulator.Simulator
	clock  *clockwork.FakeClock
	client *http.Client
	log    *logbuffer.Buffer
}

// start starts a simulator with a fake clock. The test fails if a response or a delivery violates the contract.
func start(t *testing.T, options ...simulator.Option) *bench {
	t.Helper()
	b := &bench{T: t, clock: clockwork.NewFakeClockAt(time.Unix(1_760_000_000, 0)), log: &logbuffer.Buffer{}}
	base := []simulator.Option{
		simulator.WithClock(b.clock),
		simulator.WithAPIKey(key, 1000),
		simulator.WithLogger(slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
	}
	sim, err := simulator.Start(append(base, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	b.sim = sim
	b.client = &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		b.client.CloseIdleConnections()
		sim.Close()
		for _, violation := range sim.ContractViolations() {
			t.Errorf("contract violated: %s", violation)
		}
	})
	return b
}

// reply is a response of the API with its decoded envelope.
type reply struct {
	status int
	header http.Header
	body   string
	code   int
	msg    string
	rid    string
	data   map[string]any
}

func (b *bench) get(path string) reply { b.Helper(); return b.call(key, http.MethodGet, path, "") }

func (b *bench) post(path, body string) reply {
	b.Helper()
	return b.call(key, http.MethodPost, path, body)
}

func (b *bench) call(apiKey, method, path, body string) reply {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), method, b.sim.BaseURL()+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("x-api-key", apiKey)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	return b.open(response)
}

func (b *bench) open(response *http.Response) reply {
	b.Helper()
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.Fatal(err)
	}
	r := reply{status: response.StatusCode, header: response.Header, body: string(text)}
	var envelope struct {
		Code *int
		Msg  string
		RID  string
		Data map[string]any
	}
	if err := json.Unmarshal(text, &envelope); err == nil && envelope.Code != nil {
		r.code, r.msg, r.rid, r.data = *envelope.Code, envelope.Msg, envelope.RID, envelope.Data
	}
	return r
}

// must fails the test if the call failed. It is for calls that set a test up.
func (b *bench) must(r reply) reply {
	b.Helper()
	if r.status != http.StatusOK || r.code != simulator.CodeSuccess {
		b.Fatalf("status %d: %s", r.status, r.body)
	}
	return r
}

func (r reply) text(field string) string {
	text, _ := r.data[field].(string)
	return text
}

func (b *bench) settle() {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	if err := b.sim.Settle(ctx); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) advance(d time.Duration) {
	b.Helper()
	b.clock.Advance(d)
	b.settle()
}

const avatarVideoRequest = `{"avatar":{"avatar_id":81,"avatar_type":0},"voice":{"type":"script","voice_id":"en-US-ChristopherNeural",` +
	`"script":"Hello there"},"aspect_ratio":"portrait","screen_style":1,"caption":true}`

func (b *bench) createAvatarVideo() string {
	b.Helper()
	return b.must(b.post(pathOf("createAvatarVideo"), avatarVideoRequest)).text("video_id")
}

// received is a delivery that a receiver got.
type received struct {
	header http.Header
	body   []byte
}

// receiver is a server for deliveries. It responds with each of its handlers in turn, and then with 200.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	handlers []http.HandlerFunc
	received []received
}

func receive(t *testing.T, handlers ...http.HandlerFunc) *receiver {
	r := &receiver{handlers: handlers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.received = append(r.received, received{q.Header.Clone(), body})
	handler := status(http.StatusOK)
	if len(r.handlers) > 0 {
		handler, r.handlers = r.handlers[0], r.handlers[1:]
	}
	r.mu.Unlock()
	handler(w, q)
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.received...)
}

// register creates an endpoint for the events, or for all events if there are none.
func (b *bench) register(address string, events ...gen.EventType) (id, secret string) {
	b.Helper()
	if len(events) == 0 {
		events = webhooks.EventTypes()
	}
	r := b.must(b.post(pathOf("createWebhookEndpoint"), asJSON(b.T, map[string]any{"url": address, "status": "enabled", "events": events})))
	return r.text("endpoint_id"), r.text("secret")
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSimulatorServesTheAPIAndMediaOnTwoHosts(t *testing.T) {
	b := start(t)
	if b.sim.BaseURL() == b.sim.MediaURL() {
		t.Fatalf("API and media are both at %s", b.sim.BaseURL())
	}
	who := b.must(b.get(pathOf("getCurrentUser")))
	if who.text("email") == "" || who.msg == "" || who.rid == "" {
		t.Errorf("response is incomplete: %s", who.body)
	}
	if again := b.get(pathOf("getCurrentUser")); again.rid == who.rid {
		t.Errorf("two responses have the rid %q", who.rid)
	}
}

func TestSimulatorIsAHandlerWithoutListening(t *testing.T) {
	sim, err := simulator.New(simulator.WithMediaURL("https://media.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	request := httptest.NewRequest(http.MethodGet, pathOf("listVoices")+"?page_size=1", nil)
	request.Header.Set("x-api-key", simulator.DefaultAPIKey)
	recorder := httptest.NewRecorder()
	sim.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), `"https://media.example/voices/`) {
		t.Errorf("status %d: %s", recorder.Code, recorder.Body)
	}
}

func TestInvalidOptionsAreRejected(t *testing.T) {
	for name, option := range map[string]simulator.Option{
		"nil clock":         simulator.WithClock(nil),
		"nil logger":        simulator.WithLogger(nil),
		"empty key":         simulator.WithAPIKey("", 1),
		"negative duration": simulator.WithDurations(-1, 0),
		"negative limit":    simulator.WithPostLimit(-1, time.Minute),
		"no answer limit":   simulator.WithResponseTimeout(0),
		"negative retries":  simulator.WithRetries(-1, 0),
		"no log":            simulator.WithLogSize(0),
		"no such list":      simulator.WithPages(simulator.PagesIgnored, "getCurrentUser"),
	} {
		if _, err := simulator.New(option); err == nil || !strings.HasPrefix(err.Error(), "simulator: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	twice := simulator.WithAPIKey("same", 1)
	if _, err := simulator.New(twice, twice); err == nil || strings.Contains(err.Error(), "same") {
		t.Errorf("a key given twice: error %v", err)
	}
}

func TestSameSeedMakesTheSameIDs(t *testing.T) {
	ids := func(seed uint64) []string {
		b := start(t, simulator.WithSeed(seed))
		b.get(pathOf("listWebhookEvents"))
		return []string{b.createAvatarVideo(), b.must(b.post(pathOf("createLipSyncVideo"),
			`{"video_url":"https://example.com/v.mp4","audio_url":"https://example.com/a.mp3"}`)).text("task_id")}
	}
	first, again, other := ids(7), ids(7), ids(8)
	if first[0] != again[0] || first[1] != again[1] {
		t.Errorf("seed 7 generates %v, then %v", first, again)
	}
	if first[0] == other[0] {
		t.Errorf("seeds 7 and 8 both generate %s", first[0])
	}
}

func TestListenFailsWhereTheAddressIsTaken(t *testing.T) {
	b := start(t)
	address := strings.TrimPrefix(b.sim.BaseURL(), "http://")
	if _, err := simulator.Start(simulator.WithAddr(address)); err == nil {
		t.Error("two simulators listen at one address")
	}
	if err := b.sim.Listen(); err == nil {
		t.Error("a simulator listens twice")
	}
}

func TestCloseDropsUnfinishedDeliveries(t *testing.T) {
	arrived := make(chan struct{})
	hang := func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}
	slow := receive(t, hang)
	b := start(t)
	b.register(slow.URL, webhooks.GeneratedVideoSuccess)
	b.createAvatarVideo()
	if _, err := b.sim.Trigger(webhooks.GeneratedVideoSuccess); err != nil {
		t.Fatal(err)
	}
	<-arrived
	b.sim.Close()
	b.sim.Close()
	if d := b.sim.Deliveries(); len(d) != 1 || d[0].State != simulator.DeliveryDropped || len(d[0].Attempts) != 0 {
		t.Errorf("deliveries after closing: %+v", d)
	}
	if err := b.sim.Settle(t.Context()); err != nil {
		return
	}
	if _, err := b.sim.WaitAttempts(t.Context(), 1); err == nil {
		t.Error("WaitAttempts succeeded after Close")
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	r := receive(t, status(http.StatusInternalServerError))
	b := start(t)
	_, secret := b.register(r.URL)
	video := b.createAvatarVideo()
	b.call("wrong-key", http.MethodGet, pathOf("listWebhookEvents"), "")
	b.advance(10 * time.Second)
	b.advance(5 * time.Second)
	account, err := b.sim.AccountSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	log := b.log.String()
	if !strings.Contains(log, "generated_avatar_video_success") {
		t.Errorf("the log does not have the delivery:\n%s", log)
	}
	for _, secret := range []string{key, "wrong-key", secret, account, video, r.all()[0].header.Get("X-Webhook-Signature")} {
		if strings.Contains(log, secret) {
			t.Errorf("the log shows %q:\n%s", secret, log)
		}
	}
}
