package jogg

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jogg-go/jogg/e2e/paths"
	"github.com/jogg-go/jogg/gen"
)

// benchmarkCall is an operation that is called in three ways.
type benchmarkCall struct {
	answer string // what the server sends
	jogg   func(context.Context, *Client) error
	gen    func(context.Context, *gen.Client) (*http.Response, error)
	method string
	path   string
	body   any
	into   func() any
}

var benchmarkRequest = gen.CreateAvatarVideoRequest{
	Avatar:      gen.VideoAvatar{AvatarID: 81},
	Voice:       gen.VideoVoice{Type: gen.VoiceTypeScript, VoiceID: "en-US-ChristopherNeural", Script: "Welcome to the show."},
	AspectRatio: gen.AspectRatioPortrait,
	ScreenStyle: gen.ScreenStyleFullScreen,
	Caption:     Ptr(true),
}

// benchmarkCalls are the operation that a waiting program polls, the one that creates its task, and one with a long response.
var benchmarkCalls = map[string]benchmarkCall{
	"get": {
		answer: `{"code":0,"msg":"Success","rid":"7c1e5fb0","data":{"video_id":"video_123456","status":"completed",` +
			`"video_url":"https://res.jogg.ai/videos/video_123456.mp4","cover_url":"https://res.jogg.ai/covers/video_123456.jpg",` +
			`"duration":30.5,"created_at":1732806631}}`,
		jogg: func(ctx context.Context, c *Client) error {
			_, err := c.GetAvatarVideo(ctx, "video_123456")
			return err
		},
		gen: func(ctx context.Context, c *gen.Client) (*http.Response, error) {
			return c.GetAvatarVideo(ctx, "video_123456")
		},
		method: http.MethodGet, path: paths.Of("getAvatarVideo", "video_123456"),
		into: func() any { return new(plainEnvelope[gen.AvatarVideo]) },
	},
	"create": {
		answer: `{"code":0,"msg":"Success","rid":"7c1e5fb0","data":{"video_id":"video_123456"}}`,
		jogg: func(ctx context.Context, c *Client) error {
			_, err := c.CreateAvatarVideo(ctx, benchmarkRequest)
			return err
		},
		gen: func(ctx context.Context, c *gen.Client) (*http.Response, error) {
			return c.CreateAvatarVideo(ctx, benchmarkRequest)
		},
		method: http.MethodPost, path: paths.Of("createAvatarVideo"), body: benchmarkRequest,
		into: func() any { return new(plainEnvelope[gen.VideoTask]) },
	},
	"list": {
		answer: avatarList(100),
		jogg: func(ctx context.Context, c *Client) error {
			_, err := c.ListPublicAvatars(ctx, gen.ListPublicAvatarsParams{})
			return err
		},
		gen: func(ctx context.Context, c *gen.Client) (*http.Response, error) {
			return c.ListPublicAvatars(ctx, gen.ListPublicAvatarsParams{})
		},
		method: http.MethodGet, path: paths.Of("listPublicAvatars"),
		into: func() any { return new(plainEnvelope[gen.PublicAvatarList]) },
	},
}

// plainEnvelope is the type that a program without this package would decode into.
type plainEnvelope[T any] struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
	RID  string `json:"rid"`
	Data *T     `json:"data"`
}

func avatarList(n int) string {
	var list bytes.Buffer
	list.WriteString(`{"code":0,"msg":"Success","data":{"avatars":[`)
	for i := range n {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"id":%d,"name":"Avatar %[1]d","cover_url":"https://res.jogg.ai/avatars/cover_%[1]d.jpg",`+
			`"video_url":"https://res.jogg.ai/avatars/%[1]d.mp4","aspect_ratio":1,"gender":"female","style":"professional","age":"adult"}`, i+1)
	}
	list.WriteString(`],"has_more":true}}`)
	return list.String()
}

// BenchmarkCall compares a call with what a program would write by hand: the low-level client with encoding/json, and net/http
// alone. All three talk to one server over loopback, in turns, so that other load on the machine slows them alike. The
// metrics are ratios of medians.
func BenchmarkCall(b *testing.B) {
	for name, call := range benchmarkCalls {
		b.Run(name, func(b *testing.B) { compareCalls(b, call) })
	}
}

func compareCalls(b *testing.B, call benchmarkCall) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, call.answer)
	}))
	defer server.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	defer transport.CloseIdleConnections()
	plain := &http.Client{Transport: transport}
	front, err := New("benchmark-key", WithBaseURL(server.URL), WithHTTPClient(plain))
	if err != nil {
		b.Fatal(err)
	}
	low, err := gen.NewClient(server.URL, gen.WithHTTPClient(plain))
	if err != nil {
		b.Fatal(err)
	}
	ways := []func() error{
		func() error { return call.jogg(b.Context(), front) },
		func() error { return readPlainly(call.into())(call.gen(b.Context(), low)) },
		func() error { return readPlainly(call.into())(call.sendPlainly(b.Context(), plain, server.URL)) },
	}
	spent := make([][]time.Duration, len(ways))
	for round := 0; b.Loop(); round++ {
		for i := range ways {
			way := (i + round) % len(ways) // so that none always runs after the same one
			begin := time.Now()
			if err := ways[way](); err != nil {
				b.Fatal(err)
			}
			spent[way] = append(spent[way], time.Since(begin))
		}
	}
	b.ReportMetric(0, "ns/op") // the sum of the three means nothing
	b.ReportMetric(median(spent[0]), "jogg-ns/op")
	b.ReportMetric(median(spent[0])/median(spent[1]), "×gen")
	b.ReportMetric(median(spent[0])/median(spent[2]), "×net/http")
}

// median returns the median duration in nanoseconds. Other load on the machine makes some durations far too long, and none too short.
func median(durations []time.Duration) float64 {
	slices.Sort(durations)
	return float64(durations[len(durations)/2])
}

// sendPlainly sends the request of a call with net/http alone.
func (call benchmarkCall) sendPlainly(ctx context.Context, client *http.Client, server string) (*http.Response, error) {
	var body io.Reader
	if call.body != nil {
		encoded, err := stdjson.Marshal(call.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, call.method, server+call.path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Api-Key", "benchmark-key")
	return client.Do(req)
}

// readPlainly returns a function that reads a response into v.
func readPlainly(v any) func(*http.Response, error) error {
	return func(resp *http.Response, err error) error {
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		return stdjson.Unmarshal(body, v)
	}
}

// BenchmarkOpen compares the ways to decode an envelope, without a network. "tolerant" is what every response would cost if all were
// decoded with tolerance. "second pass" is the cost of a response that needs it.
func BenchmarkOpen(b *testing.B) {
	for name, call := range benchmarkCalls {
		body := []byte(call.answer)
		open := map[string]func([]byte) error{
			"get":    openerOf[gen.AvatarVideo]("GetAvatarVideo", http.MethodGet),
			"create": openerOf[gen.VideoTask]("CreateAvatarVideo", http.MethodPost),
			"list":   openerOf[gen.PublicAvatarList]("ListPublicAvatars", http.MethodGet),
		}[name]
		misfit := bytes.Replace(body, []byte(`"code":0`), []byte(`"rid":1,"code":0`), 1)
		ways := map[string]func() error{
			"as-sent":       func() error { return open(body) },
			"second-pass":   func() error { return open(misfit) },
			"tolerant":      func() error { return json.Unmarshal(body, call.into(), new(tolerance).options()) },
			"encoding-json": func() error { return stdjson.Unmarshal(body, call.into()) },
		}
		for way, open := range ways {
			b.Run(name+"/"+way, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := open(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// openerOf returns a function that decodes the response of an operation.
func openerOf[T any](operation, method string) func([]byte) error {
	x := &exchange{ctx: callContext{operation: operation}, request: &http.Request{Method: method}, status: http.StatusOK}
	return func(body []byte) error {
		x.body = body
		return new(envelope[T]).open(x)
	}
}

func TestACallWithoutOptionsHasNoneOfTheirCost(t *testing.T) {
	client, err := New("benchmark-key")
	if err != nil {
		t.Fatal(err)
	}
	var x *exchange
	allocations := testing.AllocsPerRun(100, func() {
		x = client.begin(t.Context(), "CreateAvatarVideo", (*gen.CreateAvatarVideoRequest)(nil), nil)
		if OperationName(x.context()) != "CreateAvatarVideo" || x.options != nil {
			t.Fatal("the call is not what it was begun as")
		}
	})
	if allocations > 2 { // the exchange, and the name that is requested here
		t.Errorf("%v allocations, want those of the exchange alone", allocations)
	}
}
