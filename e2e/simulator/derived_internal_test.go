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

// A method whose name or signature is not that of an operation would never be called.
func TestEveryWrittenBehaviourBelongsToAnOperation(t *testing.T) {
	operations := map[string]string{}
	for operation := range behaviours {
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
		if find := behaviours[operations[strings.ToLower(method.Name)]]; find == nil {
			t.Errorf("no operation is called like %s", method.Name)
		} else if find(server{}) == nil {
			t.Errorf("%s has other parameters or results than the client's method", method.Name)
		}
	}
	if written == 0 {
		t.Error("no behaviour was looked at")
	}
}

// caller calls every operation with requests made of the contract, and the ids that earlier answers gave.
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

// existing are values that the behaviours which are written know, and the contract does not.
var existing = map[string]any{
	"events": []any{"generated_video_success"}, "product_id": "NTIzMzc0NjI5", "template_id": 1234,
	"visual_style": styles[0], "visual_styles": []any{styles[0]}, "output_language": languages[0], "content_type": "image/png", "url": "https://example.com/bottle",
	"file_size": 10, "preview_id": samplePreview,
	"generateVideoAlibaba.model": "happyhorse-1.1-r2v", "generateVideoAlibaba.input.media[0].type": "reference_image",
	"generateVideoAlibaba.input.media[1].type": "reference_image",
}

// call calls an operation and returns the code and the data of its answer.
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
	var answer struct {
		Code int    `json:"code"`
		Msg  string `json:"msg"`
		Data any    `json:"data"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		c.Fatalf("%s answers %d: %s", o.id, w.Code, w.Body)
	}
	if answer.Code != CodeSuccess {
		c.Logf("%s: %s", o.id, answer.Msg)
	}
	return answer.Code, answer.Data
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

// operations returns the operations in an order in which ids are given before they are asked for: what creates, what reads, what changes,
// what deletes.
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

// keep remembers the ids in an answer. Of several fields for one id, behaviours that are written fill one.
func (c *caller) keep(o *operation, data any) {
	given := ""
	for _, name := range o.creates {
		given = cmp.Or(given, valueOf(data, name))
	}
	for _, name := range o.creates {
		c.ids[name] = cmp.Or(valueOf(data, name), given)
	}
}

// round calls every operation, or all but those that create.
func (c *caller) round(create bool) map[string]any {
	c.Helper()
	answers := map[string]any{}
	for _, o := range c.operations() {
		if len(o.creates) > 0 && !create || o.route.Method == http.MethodDelete {
			continue
		}
		code, data := c.call(o)
		if code != CodeSuccess {
			c.Errorf("%s answers code %d", o.id, code)
		}
		answers[o.id] = data
		for _, name := range o.creates {
			if valueOf(data, name) == "" {
				c.Errorf("%s gives no %s: %v", o.id, name, data)
			}
		}
		c.keep(o, data)
	}
	return answers
}

func TestTheContractAloneServesEveryOperation(t *testing.T) {
	c, clock := newCaller(t, withoutImplementations())
	first := c.round(true)
	states := func(want string) {
		t.Helper()
		tracked := 0
		for _, o := range c.operations() {
			if o.tracks {
				_, data := c.call(o)
				if text := fmt.Sprint(data); !strings.Contains(text, "status:"+want) {
					t.Errorf("%s tells of no task that is %s: %s", o.id, want, text)
				}
				tracked++
			}
		}
		if tracked == 0 {
			t.Error("no operation tells how far a task has got")
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
				t.Errorf("%s answers code %d", o.id, code)
			}
		}
	}
}

// What a behaviour that is written created can be asked about by an operation without one, and the other way round.
func TestDeletingABehaviourLeavesTheOthersAndTheOperation(t *testing.T) {
	for operation := range behaviours {
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
				t.Fatal("nothing was created that it could be asked about")
			}
			if code, _ := c.call(o); code != CodeSuccess {
				t.Errorf("code %d", code)
			}
			for _, reader := range c.operations() {
				if reader.tracks && reader.takes(o) {
					if code, _ := c.call(reader); code != CodeSuccess {
						t.Errorf("%s does not know what it started: code %d", reader.id, code)
					}
				}
			}
		})
	}
}

func TestTheSameSeedMakesTheSameAnswers(t *testing.T) {
	answers := func(seed uint64) string {
		c, _ := newCaller(t, withoutImplementations(), WithSeed(seed))
		text, err := json.Marshal(c.round(true), json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), c.sim.mediaKey, "")
	}
	if first, again := answers(7), answers(7); first != again {
		t.Errorf("seed 7 made\n%s\nthen\n%s", first, again)
	}
	if answers(7) == answers(8) {
		t.Error("seeds 7 and 8 made the same")
	}
}

func TestWhatAWrittenBehaviourDeletesIsUnknownToTheOthers(t *testing.T) {
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
			t.Errorf("%s answers code %d, want %d", step.operation, code, step.want)
		}
	}
}

// The contract says which operations are charged for, whether a behaviour is written for them or not.
func TestBilledOperationsCostCreditsAndNoOthersDo(t *testing.T) {
	for name, c := range map[string]struct {
		options []Option
		charged int
	}{
		"written":                 {nil, 23}, // scripts and a motion are about things that no other operation has created
		"from the contract alone": {[]Option{withoutImplementations()}, 25},
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
				clock.Advance(10 * time.Second) // some orders are for what others made
				switch {
				case code != CodeSuccess:
					continue // it is about something that another operation's id does not name
				case billed != (a.credits < before):
					t.Errorf("%s: billed %t, %v credits before and %v after", o.id, billed, before, a.credits)
				case billed:
					charged++
				}
				if !billed {
					continue
				}
				rest := a.credits
				a.replays = replays{} // an order that comes again with its key costs nothing
				a.credits = 0
				if code, _ := c.call(o); code != CodeInsufficientCredit {
					t.Errorf("%s: without credits it answers code %d", o.id, code)
				}
				a.credits = rest
			}
			if charged != want {
				t.Errorf("%d operations were charged for, want %d", charged, want)
			}
		})
	}
}
