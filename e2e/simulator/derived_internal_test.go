package simulator

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
	"github.com/jonboulle/clockwork"

	"github.com/jogg-go/jogg/e2e/sample"
)

// A method whose name or signature does not match an operation would never be called.
func TestEveryImplementationBelongsToAnOperation(t *testing.T) {
	operations := map[string]string{}
	for operation := range finders {
		operations[strings.ToLower(operation)] = operation
	}
	s := reflect.TypeFor[server]()
	embedded := reflect.TypeFor[*Simulator]()
	written := 0
	for method := range s.Methods() {
		if _, promoted := embedded.MethodByName(method.Name); promoted {
			continue
		}
		written++
		if find := finders[operations[strings.ToLower(method.Name)]]; find == nil {
			t.Errorf("no operation is named like %s", method.Name)
		} else if find(server{}) == nil {
			t.Errorf("%s has other parameters or results than the client's method", method.Name)
		}
	}
	if written == 0 {
		t.Error("no implementation was checked")
	}
}

// caller calls every operation with requests that are generated from the contract, and with the ids of earlier responses.
type caller struct {
	*testing.T
	sim *Simulator
	ids map[string]string
}

func newCaller(t *testing.T, options ...Option) (*caller, *clockwork.FakeClock) {
	t.Helper()
	clock := clockwork.NewFakeClockAt(time.Unix(1_760_000_000, 0))
	sim, err := New(append([]Option{
		WithClock(clock), WithLogger(slog.New(slog.DiscardHandler)), WithPostLimit(0, time.Minute), WithAPIKey(DefaultAPIKey, 1000),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sim.Close()
		for _, violation := range sim.ContractViolations() {
			t.Errorf("contract violated: %s", violation)
		}
	})
	return &caller{T: t, sim: sim, ids: map[string]string{}}, clock
}

// existing are values that implementations require and that are not in the contract, by property name or place.
var existing = map[string]any{
	"events": []any{"generated_video_success"}, "product_id": "NTIzMzc0NjI5", "template_id": 1234,
	"visual_style": styles[0], "visual_styles": []any{styles[0]}, "output_language": languages[0], "content_type": "image/png", "url": "https://example.com/bottle",
	"file_size": 10, "preview_id": samplePreview,
	"generateVideoAlibaba.model": "happyhorse-1.1-r2v", "generateVideoAlibaba.input.media[0].type": "reference_image",
	"generateVideoAlibaba.input.media[1].type": "reference_image",
}

// call calls an operation and returns the code and the data of its response.
func (c *caller) call(o *operation) (int, any) {
	c.Helper()
	target, query := o.route.Path, url.Values{}
	for _, p := range parametersOf(o) {
		if p.In == "path" || p.Required {
			value := c.parameter(o, p)
			query.Set(p.Name, value)
			target = strings.Replace(target, "{"+p.Name+"}", url.PathEscape(value), 1)
		}
	}
	var body []byte
	if o.request != nil {
		content := o.route.Operation.RequestBody.Value.Content.Get("application/json").Schema
		choose := func(p sample.Property) (any, bool) {
			if id, given := c.ids[p.Name]; given && p.Schema.Type.Is(openapi3.TypeString) {
				return id, true
			}
			if p.Schema.Format == "uri" && strings.HasPrefix(p.Place, "generate") {
				return "https://res.jogg.ai/assets/file", true
			}
			if value, exists := existing[p.Place]; exists {
				return value, true
			}
			value, exists := existing[p.Name]
			return value, exists
		}
		value, err := sample.Maker{Choose: choose}.Make(o.id, content)
		if err != nil {
			c.Fatal(err)
		}
		if body, err = json.Marshal(value); err != nil {
			c.Fatal(err)
		}
	}
	r := httptest.NewRequestWithContext(c.Context(), o.route.Method, target+"?"+query.Encode(), bytes.NewReader(body))
	r.Header.Set("X-Api-Key", DefaultAPIKey)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.sim.ServeHTTP(w, r)
	var envelope struct {
		Code int    `json:"code"`
		Msg  string `json:"msg"`
		Data any    `json:"data"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &envelope); err != nil {
		c.Fatalf("%s returns %d: %s", o.id, w.Code, w.Body)
	}
	if envelope.Code != CodeSuccess {
		c.Logf("%s: %s", o.id, envelope.Msg)
	}
	return envelope.Code, envelope.Data
}

func (c *caller) parameter(o *operation, p *openapi3.Parameter) string {
	c.Helper()
	if p.Name == o.idParam {
		for _, name := range o.names {
			if id := c.ids[name]; id != "" {
				return id
			}
		}
	}
	value, err := sample.Maker{}.Make(o.id+"."+p.Name, p.Schema)
	if err != nil {
		c.Fatal(err)
	}
	return asText(value)
}

// operations returns the operations in an order in which ids are created before they are used: POST, GET, PUT, DELETE.
func (c *caller) operations() []*operation {
	rank := func(o *operation) int {
		return slices.Index([]string{http.MethodPost, http.MethodGet, http.MethodPut, http.MethodDelete}, o.route.Method)
	}
	all := slices.Collect(maps.Values(c.sim.contract.operations))
	slices.SortFunc(all, func(a, b *operation) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a.id, b.id)
	})
	return all
}

// keep stores the ids in a response. If an id can be in several fields, implementations fill only one.
func (c *caller) keep(o *operation, data any) {
	given := ""
	for _, name := range o.creates {
		given = cmp.Or(given, valueOf(data, name))
	}
	for _, name := range o.creates {
		c.ids[name] = cmp.Or(valueOf(data, name), given)
	}
}

// round calls every operation except DELETE. Without create it also leaves out those that create resources.
func (c *caller) round(create bool) map[string]any {
	c.Helper()
	responses := map[string]any{}
	for _, o := range c.operations() {
		if len(o.creates) > 0 && !create || o.route.Method == http.MethodDelete {
			continue
		}
		code, data := c.call(o)
		if code != CodeSuccess {
			c.Errorf("%s returns code %d", o.id, code)
		}
		responses[o.id] = data
		for _, name := range o.creates {
			if valueOf(data, name) == "" {
				c.Errorf("%s returns no %s: %v", o.id, name, data)
			}
		}
		c.keep(o, data)
	}
	return responses
}

func TestEveryOperationCanBeDerived(t *testing.T) {
	c, clock := newCaller(t, withoutImplementations())
	first := c.round(true)
	states := func(want string) {
		t.Helper()
		tracked := 0
		for _, o := range c.operations() {
			if o.tracks {
				_, data := c.call(o)
				if text := fmt.Sprint(data); !strings.Contains(text, "status:"+want) {
					t.Errorf("%s returns no task that is %s: %s", o.id, want, text)
				}
				tracked++
			}
		}
		if tracked == 0 {
			t.Error("there is no status operation")
		}
	}
	states("pending")
	clock.Advance(2 * time.Second)
	states("processing")
	clock.Advance(8 * time.Second)
	c.round(false)
	states("completed")
	for _, task := range c.sim.Tasks() {
		if task.Status != "completed" {
			t.Errorf("task %+v", task)
		}
	}
	for _, o := range c.operations() {
		if o.starts == "" {
			continue
		}
		c.sim.PlanNext(derivedKind(o), Plan{Fail: &Reason{Code: 4711, Message: "the voice went home"}})
		_, data := c.call(o)
		c.keep(o, data)
		if _, before := first[o.id]; !before {
			t.Errorf("%s was not called before", o.id)
		}
	}
	clock.Advance(10 * time.Second)
	states("failed")
	for _, o := range c.operations() {
		if o.route.Method == http.MethodDelete {
			if code, _ := c.call(o); code != CodeSuccess {
				t.Errorf("%s returns code %d", o.id, code)
			}
		}
	}
}

// Derived operations find the resources that implementations have created, and the other way round.
func TestOperationsWorkWithoutTheirImplementation(t *testing.T) {
	for operation := range finders {
		t.Run(operation, func(t *testing.T) {
			c, clock := newCaller(t)
			delete(c.sim.implementations, operation)
			o := c.sim.contract.operations[operation]
			for _, other := range c.operations() {
				if len(other.creates) > 0 && (o.takes(other) || other == o) {
					if code, data := c.call(other); code == CodeSuccess {
						c.keep(other, data)
					} else if other == o {
						t.Errorf("code %d", code)
					}
				}
			}
			clock.Advance(10 * time.Second)
			if o.hasCreator && len(c.ids) == 0 {
				t.Fatal("no resource was created for it")
			}
			if code, _ := c.call(o); code != CodeSuccess {
				t.Errorf("code %d", code)
			}
			for _, reader := range c.operations() {
				if reader.tracks && reader.takes(o) {
					if code, _ := c.call(reader); code != CodeSuccess {
						t.Errorf("%s does not find the task that was started: code %d", reader.id, code)
					}
				}
			}
		})
	}
}

func TestSameSeedMakesTheSameResponses(t *testing.T) {
	responses := func(seed uint64) string {
		c, _ := newCaller(t, withoutImplementations(), WithSeed(seed))
		text, err := json.Marshal(c.round(true), json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), c.sim.mediaKey, "")
	}
	if first, again := responses(7), responses(7); first != again {
		t.Errorf("seed 7 generates\n%s\nthen\n%s", first, again)
	}
	if responses(7) == responses(8) {
		t.Error("seeds 7 and 8 generate the same responses")
	}
}

func TestDerivedOperationsDoNotFindDeletedResources(t *testing.T) {
	c, _ := newCaller(t)
	delete(c.sim.implementations, "updateWebhookEndpoint")
	operation := func(id string) *operation { return c.sim.contract.operations[id] }
	_, data := c.call(operation("createWebhookEndpoint"))
	c.keep(operation("createWebhookEndpoint"), data)
	for _, step := range []struct {
		operation string
		want      int
	}{{"updateWebhookEndpoint", CodeSuccess}, {"deleteWebhookEndpoint", CodeSuccess}, {"updateWebhookEndpoint", CodeNotFound}} {
		if code, _ := c.call(operation(step.operation)); code != step.want {
			t.Errorf("%s returns code %d, want %d", step.operation, code, step.want)
		}
	}
}

// The contract determines which operations are charged, whether implemented or derived.
func TestBilledOperationsCostCreditsAndNoOthersDo(t *testing.T) {
	for name, c := range map[string]struct {
		options []Option
		charged int
	}{
		"implemented": {nil, 23}, // scripts and a motion need resources that no other operation has created
		"derived":     {[]Option{withoutImplementations()}, 25},
	} {
		t.Run(name, func(t *testing.T) {
			want := c.charged
			c, clock := newCaller(t, c.options...)
			a := c.sim.accounts[0]
			charged := 0
			for _, o := range c.operations() {
				billed := o.route.Operation.Extensions[billedKey] == true
				before := a.credits
				code, data := c.call(o)
				c.keep(o, data)
				clock.Advance(10 * time.Second) // some requests use the results of others
				switch {
				case code != CodeSuccess:
					continue // it needs a resource that no other operation has created
				case billed != (a.credits < before):
					t.Errorf("%s: billed %t, %v credits before and %v after", o.id, billed, before, a.credits)
				case billed:
					charged++
				}
				if !billed {
					continue
				}
				rest := a.credits
				a.replays = replays{} // a request with a known idempotency key costs nothing
				a.credits = 0
				if code, _ := c.call(o); code != CodeInsufficientCredit {
					t.Errorf("%s: without credits it returns code %d", o.id, code)
				}
				a.credits = rest
			}
			if charged != want {
				t.Errorf("%d operations were charged, want %d", charged, want)
			}
		})
	}
}
