package jogg_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

type hologram struct {
	ID     string          `json:"hologram_id"`
	Depth  int             `json:"depth"`
	Status gen.TaskStatus  `json:"status"`
	Error  gen.TaskFailure `json:"error"`
	Layers []struct {
		URL string `json:"url"`
	} `json:"layers"`
}

func TestCallSendsAndReadsLikeAnOperation(t *testing.T) {
	transport := responses(`{"code":0,"rid":"r1","data":{"hologram_id":"h1","depth":"3","error":"no light","layers":[{"url":"u"}],"glow":1,"status":{}}}`)
	client := newClient(t, transport, jogg.WithBaseURL("https://gateway.test/jogg/"))
	var made hologram
	var response jogg.Response
	in := map[string]any{"size": 2}
	err := client.Call(t.Context(), http.MethodPost, "/v2/create_hologram?draft=1", in, &made,
		jogg.WithField("/light/colour", "blue"), jogg.WithQuery("preview", "1"), jogg.WithHeader("X-Trace", "t"), jogg.WithResponse(&response))
	want := hologram{ID: "h1", Depth: 3, Error: gen.TaskFailure{Message: "no light"}}
	want.Layers = append(want.Layers, struct {
		URL string `json:"url"`
	}{"u"})
	if err != nil || !reflect.DeepEqual(made, want) {
		t.Fatalf("got %+v and error %v, want %+v", made, err, want)
	}
	req := transport.sent[0]
	if req.Method != http.MethodPost || req.URL.String() != "https://gateway.test/jogg/v2/create_hologram?draft=1&preview=1" {
		t.Errorf("sent %s %s", req.Method, req.URL)
	}
	if body := transport.bodies[0]; body != `{"size":2,"light":{"colour":"blue"}}` || req.Header.Get("Content-Type") != "application/json" {
		t.Errorf("sent %s as %q", body, req.Header.Get("Content-Type"))
	}
	if req.Header.Get("X-Api-Key") != testKey || req.Header.Get("X-Trace") != "t" || !strings.HasPrefix(req.UserAgent(), "jogg-go/") {
		t.Errorf("sent the headers %v", req.Header)
	}
	if response.RequestID != "r1" || !slices.Equal(response.Unknown(), []string{"/data/glow"}) {
		t.Errorf("response %v with the unknown fields %q", response, response.Unknown())
	}
	if len(response.Problems) != 1 || response.Problems[0].Pointer != "/data/status" {
		t.Errorf("the problems are %v, want the status", response.Problems)
	}
}

func TestCallTakesContentOfAnyShape(t *testing.T) {
	for data, c := range map[string]struct{ out, want any }{
		`[1,2]`:           {new([]int), []int{1, 2}},
		`"text"`:          {new(string), "text"},
		`{"a":{"b":1.5}}`: {new(any), map[string]any{"a": map[string]any{"b": 1.5}}},
		`{ "raw" : 1 }`:   {new(json.RawMessage), json.RawMessage(`{ "raw" : 1 }`)},
		`{"a":"1"}`:       {&map[string]int{"old": 1}, map[string]int{"a": 1}},
	} {
		err := newClient(t, responses(`{"code":0,"data":`+data+`}`)).Call(t.Context(), http.MethodGet, "/v2/new", nil, c.out)
		if got := reflect.ValueOf(c.out).Elem().Interface(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s gave %v and error %v, want %v", data, got, err, c.want)
		}
	}
}

func TestCallWithoutContent(t *testing.T) {
	for name, c := range map[string]struct {
		method, answer string
		status         int
		out            any
		err            string
	}{
		"that nobody asks for":         {http.MethodPost, `{"code":0}`, 200, nil, ""},
		"that nobody wants":            {http.MethodPost, `{"code":0,"data":{"a":1}}`, 200, nil, ""},
		"after a deletion":             {http.MethodDelete, `{"code":0}`, 200, new(string), ""},
		"and without an envelope":      {http.MethodDelete, ``, 204, nil, ""},
		"that is asked for":            {http.MethodGet, `{"code":0}`, 200, new(string), "the response has no data"},
		"that is null":                 {http.MethodGet, `{"code":0,"data":null}`, 200, new(string), "the response has no data"},
		"because it is of no use":      {http.MethodGet, `{"code":0,"data":{"a":1}}`, 200, new(string), "does not fit the contract at /data"},
		"because there is no response": {http.MethodGet, ``, 200, nil, "the response is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &script{responses: []func() (*http.Response, error){respond(c.status, c.answer)}}
			err := newClient(t, transport).Call(t.Context(), c.method, "/v2/new", nil, c.out)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestCallFailsLikeAnOperation(t *testing.T) {
	made := hologram{ID: "before"}
	client := newClient(t, responses(`{"code":18020,"msg":"3 credits are missing","rid":"r1","data":{"hologram_id":"h"}}`))
	err := client.Call(t.Context(), http.MethodPost, "/v2/create_hologram?secret=1", nil, &made)
	refused, ok := errors.AsType[*jogg.APIError](err)
	if !errors.Is(err, jogg.ErrInsufficientCredit) || !ok || refused.Operation != "POST /v2/create_hologram" {
		t.Errorf("error %v, want insufficient credit of the operation", err)
	}
	if made.ID != "before" {
		t.Errorf("the value became %+v", made)
	}
}

func TestCallIsRetriedOnlyIfSafe(t *testing.T) {
	for method, repeated := range map[string]bool{
		http.MethodGet: true, http.MethodPut: true, http.MethodDelete: true, http.MethodPost: false, http.MethodPatch: false,
	} {
		for _, c := range []struct {
			status  int
			answer  string
			always  bool
			unknown bool // whether a change may have been made
		}{{503, ``, false, true}, {200, `{"code":50000}`, false, true}, {200, `{"code":429}`, true, false}} {
			transport := &script{responses: []func() (*http.Response, error){respond(c.status, c.answer), respond(200, `{"code":0}`)}}
			err := newClient(t, transport, hastily).Call(t.Context(), method, "/v2/new", map[string]int{"a": 1}, nil)
			want := 1
			if repeated || c.always {
				want = 2
			}
			if len(transport.sent) != want || (err == nil) != (want == 2) {
				t.Errorf("%s after %d %s: %d requests and error %v, want %d", method, c.status, c.answer, len(transport.sent), err, want)
			}
			if err != nil && errors.Is(err, jogg.ErrOutcomeUnknown) != c.unknown {
				t.Errorf("%s after %d %s: error %v, want that the outcome is unknown: %t", method, c.status, c.answer, err, c.unknown)
			}
			if transport.bodies[len(transport.bodies)-1] != `{"a":1}` {
				t.Errorf("%s: the bodies were %q", method, transport.bodies)
			}
		}
	}
}

func TestCallIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, responses(`{"code":0}`), jogg.WithPacing(6))
		began := time.Now()
		for range 3 {
			if err := client.Call(t.Context(), http.MethodPost, "/v2/new", nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		if waited, want := time.Since(began), 2*62*time.Second/6; waited.Round(time.Millisecond) != want.Round(time.Millisecond) {
			t.Errorf("three calls took %v, want %v", waited, want)
		}
	})
}

func TestInvalidCallsSendNothing(t *testing.T) {
	var records bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&records, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for name, c := range map[string]struct {
		method, path string
		in, out      any
		want         string
	}{
		"a path without a slash":          {http.MethodGet, "v2/new", nil, nil, "the path does not begin with a slash"},
		"a path that adds a host":         {http.MethodGet, ".evil.test/v2", nil, nil, "the path does not begin with a slash"},
		"a path that is a user":           {http.MethodGet, "@evil.test/v2", nil, nil, "the path does not begin with a slash"},
		"an empty path":                   {http.MethodGet, "", nil, nil, "the path does not begin with a slash"},
		"a path that climbs":              {http.MethodGet, "/v2/../x", nil, nil, "the path has a dot segment"},
		"a path that hides it":            {http.MethodGet, "/v2/%2E./x", nil, nil, "the path has a dot segment"},
		"a fragment":                      {http.MethodGet, "/v2/new#x", nil, nil, "the path is not valid in a URL"},
		"a broken escape":                 {http.MethodGet, "/v2/%zz", nil, nil, "the path is not valid in a URL"},
		"a control character":             {http.MethodGet, "/v2/a\nb", nil, nil, "the path is not valid in a URL"},
		"another method":                  {"TRACE", "/v2/new", nil, nil, "the method is not one of GET, POST, PUT, PATCH, DELETE"},
		"a method in lower case":          {"get", "/v2/new", nil, nil, "the method is not one of"},
		"a body that cannot be marshaled": {http.MethodPost, "/v2/new", make(chan int), nil, "marshal from Go chan int"},
		"a result without pointer":        {http.MethodGet, "/v2/new", nil, hologram{}, "out is not a pointer to a value"},
		"a result that is nil":            {http.MethodGet, "/v2/new", nil, (*hologram)(nil), "out is not a pointer to a value"},
	} {
		transport := responses(`{"code":0}`)
		err := newClient(t, transport, jogg.WithLogger(logger)).Call(t.Context(), c.method, c.path, c.in, c.out)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if len(transport.sent) != 0 || records.Len() != 0 {
			t.Errorf("%s: %d requests and the log %s, want nothing", name, len(transport.sent), &records)
		}
	}
}
