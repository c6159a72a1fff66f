package jogg_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/paths"
	"github.com/jogg-go/jogg/gen"
)

// account is the part of the service that stores endpoints. Like the service, it does not compare URLs.
type account struct {
	events       []gen.EventType
	endpoints    []gen.WebhookEndpoint
	changes      []string // the requests that changed something, as method and path
	hidesSecrets bool     // in the responses to updates
	silent       bool     // responds to updates with 204
}

func (a *account) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	if req.Method != http.MethodGet {
		a.changes = append(a.changes, req.Method+" "+req.URL.Path)
	}
	var wanted gen.WebhookEndpointRequest
	json.Unmarshal(body, &wanted)
	var data any
	switch id, _ := strings.CutPrefix(req.URL.Path, paths.Of("updateWebhookEndpoint", "")); {
	case req.URL.Path == paths.Of("listWebhookEvents"):
		data = gen.WebhookEventList{Events: a.events}
	case req.URL.Path == paths.Of("listWebhookEndpoints"):
		data = gen.WebhookEndpointList{Endpoints: a.endpoints}
	case req.Method == http.MethodPost:
		n := len(a.endpoints) + 1
		a.endpoints = append(a.endpoints, gen.WebhookEndpoint{
			EndpointID: fmt.Sprintf("wh_%d", n), Secret: fmt.Sprintf("whsec_%d", n), CreatedAt: int64(n), URL: wanted.URL, Events: wanted.Events,
			Status: wanted.Status,
		})
		data = a.endpoints[n-1]
	case req.Method == http.MethodDelete:
		a.endpoints = slices.DeleteFunc(a.endpoints, func(e gen.WebhookEndpoint) bool { return e.EndpointID == id })
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		i := slices.IndexFunc(a.endpoints, func(e gen.WebhookEndpoint) bool { return e.EndpointID == id })
		e := &a.endpoints[i]
		e.URL, e.Events, e.Status = wanted.URL, wanted.Events, wanted.Status
		if a.silent {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		shown := *e
		if a.hidesSecrets {
			shown.Secret = ""
		}
		data = shown
	}
	json.NewEncoder(w).Encode(map[string]any{"code": 0, "msg": "Success", "data": data})
}

const (
	ready   = gen.EventTypeGeneratedAvatarVideoSuccess
	broken  = gen.EventTypeGeneratedAvatarVideoFailed
	written = gen.EventTypeGeneratedScriptSuccess
)

// endpoint returns an endpoint of an account.
func endpoint(id, url string, createdAt int64, status gen.EndpointStatus, events ...gen.EventType) gen.WebhookEndpoint {
	return gen.WebhookEndpoint{EndpointID: id, URL: url, CreatedAt: createdAt, Status: status, Events: events, Secret: "whsec_of_" + id}
}

func TestEnsureWebhookEndpoint(t *testing.T) {
	const url = "https://example.com/jogg"
	const enabled, disabled = gen.EndpointStatusEnabled, gen.EndpointStatusDisabled
	other := endpoint("wh_other", "https://example.com/other", 1, enabled, ready)
	cases := map[string]struct {
		endpoints []gen.WebhookEndpoint
		url       string
		events    []gen.EventType
		changes   []string
		want      gen.WebhookEndpoint
	}{
		"creates if there is none": {
			url: url, events: []gen.EventType{ready, broken}, changes: []string{"POST " + paths.Of("createWebhookEndpoint")},
			want: gen.WebhookEndpoint{EndpointID: "wh_1", Secret: "whsec_1", CreatedAt: 1, URL: url, Status: enabled, Events: []gen.EventType{ready, broken}},
		},
		"creates beside one for another URL": {
			endpoints: []gen.WebhookEndpoint{other}, url: url, events: []gen.EventType{ready}, changes: []string{"POST " + paths.Of("createWebhookEndpoint")},
			want: gen.WebhookEndpoint{EndpointID: "wh_2", Secret: "whsec_2", CreatedAt: 2, URL: url, Status: enabled, Events: []gen.EventType{ready}},
		},
		"leaves alone what is as wanted": {
			endpoints: []gen.WebhookEndpoint{other, endpoint("wh_a", url, 5, enabled, ready, broken)}, url: url, events: []gen.EventType{ready, broken},
			want: endpoint("wh_a", url, 5, enabled, ready, broken),
		},
		"compares events as sets": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 5, enabled, ready, broken, ready)}, url: url,
			events: []gen.EventType{broken, ready, broken}, want: endpoint("wh_a", url, 5, enabled, ready, broken, ready),
		},
		"adds an event": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 5, enabled, ready)}, url: url, events: []gen.EventType{ready, broken},
			changes: []string{"PUT " + paths.Of("updateWebhookEndpoint", "wh_a")}, want: endpoint("wh_a", url, 5, enabled, ready, broken),
		},
		"takes an event away": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 5, enabled, ready, broken)}, url: url, events: []gen.EventType{broken},
			changes: []string{"PUT " + paths.Of("updateWebhookEndpoint", "wh_a")}, want: endpoint("wh_a", url, 5, enabled, broken),
		},
		"enables what is disabled": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 5, disabled, ready)}, url: url, events: []gen.EventType{ready},
			changes: []string{"PUT " + paths.Of("updateWebhookEndpoint", "wh_a")}, want: endpoint("wh_a", url, 5, enabled, ready),
		},
		"sends each event once": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 5, enabled)}, url: url, events: []gen.EventType{written, ready, written, ready},
			changes: []string{"PUT " + paths.Of("updateWebhookEndpoint", "wh_a")}, want: endpoint("wh_a", url, 5, enabled, written, ready),
		},
		"subscribes to all where none is named": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 5, enabled, ready)}, url: url,
			changes: []string{"PUT " + paths.Of("updateWebhookEndpoint", "wh_a")}, want: endpoint("wh_a", url, 5, enabled, ready, broken, written, "brand_new"),
		},
		"knows an event that only the service knows": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 5, enabled, "brand_new")}, url: url, events: []gen.EventType{"brand_new"},
			want: endpoint("wh_a", url, 5, enabled, "brand_new"),
		},
		"knows a URL in another spelling": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", "HTTPS://Example.COM:443", 5, enabled, ready)}, url: "https://example.com/",
			events: []gen.EventType{ready}, want: endpoint("wh_a", "HTTPS://Example.COM:443", 5, enabled, ready),
		},
		"tells paths, queries, users and ports apart": {
			endpoints: []gen.WebhookEndpoint{
				endpoint("wh_a", url+"//", 5, enabled, ready), endpoint("wh_b", url+"?t=1", 5, enabled, ready), endpoint("wh_c", "https://example.com:8443/jogg", 5, enabled, ready),
				endpoint("wh_d", "https://u@example.com/jogg", 5, enabled, ready), endpoint("wh_e", "https://example.com/JOGG", 5, enabled, ready),
				endpoint("wh_f", "http://example.com/jogg", 5, enabled, ready), endpoint("wh_g", "%", 5, enabled, ready),
			},
			url: url, events: []gen.EventType{ready}, changes: []string{"POST " + paths.Of("createWebhookEndpoint")},
			want: gen.WebhookEndpoint{EndpointID: "wh_8", Secret: "whsec_8", CreatedAt: 8, URL: url, Status: enabled, Events: []gen.EventType{ready}},
		},
		"knows a URL whose slash the service trimmed": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 5, enabled, ready)}, url: url + "/", events: []gen.EventType{ready},
			want: endpoint("wh_a", url, 5, enabled, ready),
		},
		"knows a URL that the service gave a slash": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url+"/?t=1", 5, enabled, ready)}, url: url + "?t=1", events: []gen.EventType{ready},
			want: endpoint("wh_a", url+"/?t=1", 5, enabled, ready),
		},
		"prefers an equal URL to one with a slash": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url+"/", 1, enabled, broken), endpoint("wh_b", url, 9, disabled, ready)}, url: url,
			events: []gen.EventType{ready}, changes: []string{"PUT /v2/endpoint/wh_b"}, want: endpoint("wh_b", url, 9, enabled, ready),
		},
		"prefers an enabled one": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 1, disabled, ready), endpoint("wh_b", url, 9, enabled, ready)}, url: url,
			events: []gen.EventType{ready}, want: endpoint("wh_b", url, 9, enabled, ready),
		},
		"prefers the oldest of the enabled": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 9, enabled, ready), endpoint("wh_b", url, 3, enabled, broken)}, url: url,
			events: []gen.EventType{ready}, changes: []string{"PUT " + paths.Of("updateWebhookEndpoint", "wh_b")}, want: endpoint("wh_b", url, 3, enabled, ready),
		},
		"prefers the smaller id of the equally old": {
			endpoints: []gen.WebhookEndpoint{endpoint("wh_b", url, 3, enabled, ready), endpoint("wh_a", url, 3, enabled, ready)}, url: url,
			events: []gen.EventType{ready}, want: endpoint("wh_a", url, 3, enabled, ready),
		},
		"updates an account that is full": {
			endpoints: append(slices.Repeat([]gen.WebhookEndpoint{other}, 19), endpoint("wh_a", url, 5, disabled, ready)), url: url,
			events: []gen.EventType{ready}, changes: []string{"PUT " + paths.Of("updateWebhookEndpoint", "wh_a")}, want: endpoint("wh_a", url, 5, enabled, ready),
		},
		"creates the twentieth": {
			endpoints: slices.Repeat([]gen.WebhookEndpoint{other}, 19), url: url, events: []gen.EventType{ready}, changes: []string{"POST " + paths.Of("createWebhookEndpoint")},
			want: gen.WebhookEndpoint{EndpointID: "wh_20", Secret: "whsec_20", CreatedAt: 20, URL: url, Status: enabled, Events: []gen.EventType{ready}},
		},
		"accepts plain http between loopback addresses": {
			url: "http://127.0.0.1:9000/hook", events: []gen.EventType{ready}, changes: []string{"POST " + paths.Of("createWebhookEndpoint")},
			want: gen.WebhookEndpoint{EndpointID: "wh_1", Secret: "whsec_1", CreatedAt: 1, URL: "http://127.0.0.1:9000/hook", Status: enabled, Events: []gen.EventType{ready}},
		},
	}
	for name, test := range cases {
		for _, hides := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, secrets hidden in updates %v", name, hides), func(t *testing.T) {
				service := &account{events: []gen.EventType{ready, broken, written, "brand_new"}, endpoints: slices.Clone(test.endpoints), hidesSecrets: hides}
				client, _ := newServer(t, service.ServeHTTP)
				for range 2 { // the second time, as in the next deployment, nothing is left to change
					got, err := client.EnsureWebhookEndpoint(t.Context(), test.url, test.events...)
					if err != nil {
						t.Fatal(err)
					}
					if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", test.want) {
						t.Errorf("got\n%+v, want\n%+v", *got, test.want)
					}
					if !slices.Equal(service.changes, test.changes) {
						t.Errorf("changed by %v, want %v", service.changes, test.changes)
					}
				}
			})
		}
	}
}

func TestEnsureWebhookEndpointCompletesAnUpdateWithoutContent(t *testing.T) {
	const url = "https://example.com/jogg"
	service := &account{events: []gen.EventType{ready}, endpoints: []gen.WebhookEndpoint{endpoint("wh_a", url, 1, gen.EndpointStatusDisabled)}, silent: true}
	client, _ := newServer(t, service.ServeHTTP)
	got, err := client.EnsureWebhookEndpoint(t.Context(), url, ready)
	if want := endpoint("wh_a", url, 1, gen.EndpointStatusEnabled, ready); err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v with the secret %q, error %v, want %+v", got, got.Secret, err, want)
	}
}

// crowd is an account that several programs use concurrently, over connections of unequal latency. Its creation times are whole seconds,
// and its ids are unrelated to them.
type crowd struct {
	account
	mu       sync.Mutex
	chance   *rand.Rand
	creators map[any]bool // the programs that created an endpoint
}

// program is the context key for the number of the calling program.
type program struct{}

func (c *crowd) RoundTrip(req *http.Request) (*http.Response, error) {
	c.travel()
	defer c.travel()
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.endpoints)
	recorder := httptest.NewRecorder()
	arrived := req.Clone(req.Context())
	if arrived.Body == nil {
		arrived.Body = http.NoBody // as a server sees it
	}
	c.ServeHTTP(recorder, arrived)
	if len(c.endpoints) > before {
		c.creators[req.Context().Value(program{})] = true
		created := &c.endpoints[before]
		created.EndpointID, created.CreatedAt = fmt.Sprintf("wh_%x", c.chance.Uint64()), time.Now().Unix()
		created.Secret = "whsec_of_" + created.EndpointID
		recorder = httptest.NewRecorder()
		json.NewEncoder(recorder).Encode(map[string]any{"code": 0, "data": *created})
		c.chance.Shuffle(len(c.endpoints), func(i, j int) { c.endpoints[i], c.endpoints[j] = c.endpoints[j], c.endpoints[i] })
	}
	return recorder.Result(), nil
}

// travel takes up to half a second of the bubble's time.
func (c *crowd) travel() {
	c.mu.Lock()
	length := time.Duration(c.chance.Int64N(int64(500 * time.Millisecond)))
	c.mu.Unlock()
	<-time.After(length)
}

func TestSeveralDeploysAtOnceLeaveOneEndpoint(t *testing.T) {
	const url = "https://example.com/jogg"
	races := 0
	for seed := range uint64(500) {
		synctest.Test(t, func(t *testing.T) {
			service := &crowd{account: account{events: []gen.EventType{ready}}, chance: rand.New(rand.NewPCG(seed, 1)), creators: make(map[any]bool)}
			got := make([]*gen.WebhookEndpoint, 2+seed%4)
			var group sync.WaitGroup
			for i := range got {
				group.Go(func() {
					service.travel()
					var err error
					ctx := context.WithValue(t.Context(), program{}, i)
					if got[i], err = newClient(t, service).EnsureWebhookEndpoint(ctx, url, ready); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			if t.Failed() {
				return
			}
			if len(service.changes) > 1 {
				races++
			}
			if len(service.endpoints) != 1 {
				t.Fatalf("seed %d: %d endpoints are left, after %v", seed, len(service.endpoints), service.changes)
			}
			left := service.endpoints[0]
			for i, endpoint := range got { // a program that only found an endpoint may have found one that was then deleted
				if service.creators[i] && (endpoint.EndpointID != left.EndpointID || endpoint.Secret != left.Secret) {
					t.Errorf("seed %d: a program was given %s, but %s is left", seed, endpoint.EndpointID, left.EndpointID)
				}
			}
		})
	}
	if races < 200 {
		t.Errorf("only %d of the races took place", races)
	}
}

func TestEnsureWebhookEndpointRejectsBeforeAnythingIsChanged(t *testing.T) {
	full := slices.Repeat([]gen.WebhookEndpoint{endpoint("wh_a", "https://example.com/other", 1, gen.EndpointStatusDisabled, ready)}, 20)
	cases := map[string]struct {
		url       string
		events    []gen.EventType
		known     []gen.EventType
		endpoints []gen.WebhookEndpoint
		is        error
		says      string
	}{
		"plain http":                 {url: "http://example.com/hidden", is: jogg.ErrInvalidParameter, says: "not an https URL"},
		"another scheme":             {url: "ftp://example.com/hidden", is: jogg.ErrInvalidParameter, says: "not an https URL"},
		"no scheme":                  {url: "example.com/hidden", is: jogg.ErrInvalidParameter, says: "not an absolute URL"},
		"no host":                    {url: "https:///hidden", is: jogg.ErrInvalidParameter, says: "not an absolute URL"},
		"no URL":                     {url: "", is: jogg.ErrInvalidParameter, says: "not an absolute URL"},
		"a bad URL":                  {url: "https://example.com/%zzhidden", is: jogg.ErrInvalidParameter, says: "not an absolute URL"},
		"an invalid port":            {url: "https://example.com:hidden/", is: jogg.ErrInvalidParameter, says: "not an absolute URL"},
		"a fragment":                 {url: "https://example.com/#hidden", is: jogg.ErrInvalidParameter, says: "fragment"},
		"an unknown event":           {url: "https://hidden@example.com/?hidden", events: []gen.EventType{ready, "no_such_event"}, is: jogg.ErrInvalidParameter, says: `"no_such_event"`},
		"an event without a name":    {url: "https://hidden.example", events: []gen.EventType{""}, is: jogg.ErrInvalidParameter, says: `""`},
		"a service without events":   {url: "https://hidden.example", known: []gen.EventType{}, says: "lists no events"},
		"a twenty-first endpoint":    {url: "https://hidden.example", endpoints: full, is: jogg.ErrEndpointLimit, says: "20 endpoints"},
		"an event the service drops": {url: "https://hidden.example", known: []gen.EventType{broken}, events: []gen.EventType{ready}, is: jogg.ErrInvalidParameter, says: string(ready)},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			service := &account{events: []gen.EventType{ready, broken}, endpoints: test.endpoints}
			if test.known != nil {
				service.events = test.known
			}
			client, _ := newServer(t, service.ServeHTTP)
			got, err := client.EnsureWebhookEndpoint(t.Context(), test.url, test.events...)
			if err == nil || got != nil || len(service.changes) != 0 {
				t.Fatalf("endpoint %v, error %v, changes %v, want an error and no change", got, err, service.changes)
			}
			if test.is != nil && !errors.Is(err, test.is) || !strings.HasPrefix(err.Error(), "jogg: EnsureWebhookEndpoint: ") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %s and is %v", err, test.says, test.is)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error shows the URL: %v", err)
			}
		})
	}
}

func TestALoopbackEndpointIsRejectedForTheRealService(t *testing.T) {
	transport := responses(`{"code":0,"data":{}}`)
	for _, url := range []string{"http://127.0.0.1:9000/hook", "http://localhost/hook"} {
		_, err := newClient(t, transport).EnsureWebhookEndpoint(t.Context(), url, ready)
		if !errors.Is(err, jogg.ErrInvalidParameter) || len(transport.sent) != 0 {
			t.Errorf("error %v after %d requests, want an error and no request", err, len(transport.sent))
		}
	}
}

func TestEnsureWebhookEndpointReturnsErrorResponses(t *testing.T) {
	const events, none = `{"code":0,"data":{"events":["generated_avatar_video_success"]}}`, `{"code":0,"data":{"endpoints":null}}`
	const one = `{"code":0,"data":{"endpoints":[{"endpoint_id":"wh_a","url":"https://example.com/","status":"disabled"}]}}`
	const refusal = `{"code":10105,"msg":"m"}`
	for operation, script := range map[string]*script{
		"ListWebhookEvents": responses(refusal), "ListWebhookEndpoints": responses(events, refusal),
		"CreateWebhookEndpoint": responses(events, none, refusal), "UpdateWebhookEndpoint": responses(events, one, refusal),
	} {
		_, err := newClient(t, script).EnsureWebhookEndpoint(t.Context(), "https://example.com/", ready)
		refused, ok := errors.AsType[*jogg.APIError](err)
		if !ok || refused.Operation != operation {
			t.Errorf("error %v, want one of the operation %s", err, operation)
		}
	}
}
