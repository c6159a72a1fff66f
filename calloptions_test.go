package jogg_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

func TestWithFieldWritesIntoTheBody(t *testing.T) {
	body := gen.CreateProductRequest{
		Name: "Mug", Description: "A <b>mug</b> & more",
		Media: []gen.ProductMedia{{URL: "https://files.test/a.png"}, {URL: "https://files.test/b.png"}},
	}
	for name, c := range map[string]struct {
		opts []jogg.CallOption
		want string // the fields set in the body, or the whole body
		at   string
	}{
		"a new field":             {[]jogg.CallOption{jogg.WithField("/colour", "red")}, `"red"`, "colour"},
		"a new object":            {[]jogg.CallOption{jogg.WithField("/seo/title/text", "Mug!")}, `{"title":{"text":"Mug!"}}`, "seo"},
		"a field beside another":  {[]jogg.CallOption{jogg.WithField("/a/b", 1), jogg.WithField("/a/c", 2)}, `{"b":1,"c":2}`, "a"},
		"a field that is typed":   {[]jogg.CallOption{jogg.WithField("/name", "Cup")}, `"Cup"`, "name"},
		"a field of an item":      {[]jogg.CallOption{jogg.WithField("/media/1/alt", "a mug")}, `"a mug"`, "media.1.alt"},
		"an item that is added":   {[]jogg.CallOption{jogg.WithField("/tags", []string{"a"}), jogg.WithField("/tags/-", "b")}, `["a","b"]`, "tags"},
		"an object that is added": {[]jogg.CallOption{jogg.WithField("/media/-/alt", "x")}, `{"alt":"x"}`, "media.2"},
		"a name with a slash":     {[]jogg.CallOption{jogg.WithField("/a~1b~0c", true)}, `true`, "a/b~c"},
		"null":                    {[]jogg.CallOption{jogg.WithField("/expires", nil)}, `null`, "expires"},
		"an object in null":       {[]jogg.CallOption{jogg.WithField("/x", nil), jogg.WithField("/x/y", 1)}, `{"y":1}`, "x"},
		"a large number":          {[]jogg.CallOption{jogg.WithField("/n", uint64(math.MaxUint64))}, `18446744073709551615`, "n"},
		"the last one of a place": {[]jogg.CallOption{jogg.WithField("/n", 1), jogg.WithField("/n", 2)}, `2`, "n"},
		"a marshaler's own words": {[]jogg.CallOption{jogg.WithField("/n", json.RawMessage(`{ "raw" : 1.0 }`))}, `{"raw":1.0}`, "n"},
	} {
		t.Run(name, func(t *testing.T) {
			transport := responses(`{"code":0,"data":{"product_id":"p"}}`)
			if _, err := newClient(t, transport).CreateProduct(t.Context(), body, c.opts...); err != nil {
				t.Fatal(err)
			}
			if got := jsonAt(t, transport.bodies[0], c.at); got != c.want {
				t.Errorf("%s is %s, want %s, in %s", c.at, got, c.want, transport.bodies[0])
			}
			if kept := jsonAt(t, transport.bodies[0], "description"); kept != `"A <b>mug</b> & more"` {
				t.Errorf("the description became %s", kept)
			}
			req := transport.sent[0]
			if req.ContentLength != int64(len(transport.bodies[0])) || req.Header.Get("Content-Type") != "application/json" {
				t.Errorf("length %d of %d and type %q", req.ContentLength, len(transport.bodies[0]), req.Header.Get("Content-Type"))
			}
		})
	}
}

// jsonAt returns the value at a path of names with dots between them in a JSON document, as it is written there.
func jsonAt(t *testing.T, document, path string) string {
	t.Helper()
	raw := json.RawMessage(document)
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		var list []json.RawMessage
		switch {
		case json.Unmarshal(raw, &object) == nil:
			raw = object[name]
		case json.Unmarshal(raw, &list) == nil:
			raw = list[int(name[0]-'0')]
		default:
			t.Fatalf("there is nothing at %s in %s", path, document)
		}
	}
	return string(raw)
}

func TestOptionsStayForEachAttempt(t *testing.T) {
	transport := &script{responses: []func() (*http.Response, error){respond(429, `{"code":429}`), respond(200, anyTask)}}
	var response jogg.Response
	_, err := newClient(t, transport).CreateAvatarVideo(t.Context(), gen.CreateAvatarVideoRequest{},
		jogg.WithField("/draft", true), jogg.WithQuery("preview", "1"), jogg.WithHeader("X-Trace", "t"),
		jogg.WithCallRetry(jogg.RetryPolicy{Attempts: 2, Base: time.Nanosecond}), jogg.WithResponse(&response))
	if err != nil || len(transport.sent) != 2 || response.Attempts != 2 {
		t.Fatalf("error %v after %d requests and %d attempts, want two of each", err, len(transport.sent), response.Attempts)
	}
	for i, req := range transport.sent {
		if !strings.Contains(transport.bodies[i], `"draft":true`) || req.URL.RawQuery != "preview=1" || req.Header.Get("X-Trace") != "t" {
			t.Errorf("attempt %d had the body %s, the query %q and the headers %v", i+1, transport.bodies[i], req.URL.RawQuery, req.Header)
		}
	}
}

func TestWithCallRetryCountsForItsCallOnly(t *testing.T) {
	transport := &script{responses: []func() (*http.Response, error){respond(503, ``)}}
	client := newClient(t, transport, hastily)
	_, _ = client.GetCurrentUser(t.Context(), jogg.WithCallRetry(jogg.RetryPolicy{Attempts: 1}))
	if len(transport.sent) != 1 {
		t.Errorf("%d requests with the call's policy, want 1", len(transport.sent))
	}
	_, _ = client.GetCurrentUser(t.Context())
	if len(transport.sent) != 1+3 {
		t.Errorf("%d requests with the client's policy, want 3", len(transport.sent)-1)
	}
	_, _ = client.GetCurrentUser(t.Context(), jogg.WithCallRetry(jogg.RetryPolicy{Base: time.Nanosecond}))
	if len(transport.sent) != 1+3+4 {
		t.Errorf("%d requests with a policy that leaves their number out, want the default of 4", len(transport.sent)-1-3)
	}
}

func TestWithQueryReplacesAndRepeats(t *testing.T) {
	transport := responses(`{"code":0,"data":{"voices":[]}}`)
	_, err := newClient(t, transport).ListVoices(t.Context(), gen.ListVoicesParams{Language: "english", Page: 2},
		jogg.WithQuery("language", "klingon"), jogg.WithQuery("tag", "a b"), jogg.WithQuery("tag", "c&d"))
	want := url.Values{"language": {"klingon"}, "page": {"2"}, "tag": {"a b", "c&d"}}
	if got := transport.sent[0].URL.Query(); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("sent %v and got %v, want %v", got, err, want)
	}
}

func TestWithHeaderReplacesAndRepeats(t *testing.T) {
	transport := responses(`{"code":0,"data":{}}`)
	_, err := newClient(t, transport).GetCurrentUser(t.Context(),
		jogg.WithHeader("user-agent", "mine/1"), jogg.WithHeader("X-Tag", "a"), jogg.WithHeader("x-tag", "b"),
		jogg.WithHeader("X-AZ-az-09", "a b\tc~"))
	sent := transport.sent[0].Header
	if err != nil || sent.Get("X-AZ-az-09") != "a b\tc~" || sent.Get("User-Agent") != "mine/1" || !slices.Equal(sent["X-Tag"], []string{"a", "b"}) ||
		sent.Get("Accept") != "application/json" || sent.Get("X-Api-Key") != testKey {
		t.Errorf("sent %v and got %v", sent, err)
	}
}

func TestOptionsThatAreNotValidSendNothing(t *testing.T) {
	post := func(opt jogg.CallOption) func(context.Context, *jogg.Client, ...jogg.CallOption) error {
		return func(ctx context.Context, c *jogg.Client, opts ...jogg.CallOption) error {
			_, err := c.CreateProduct(ctx, gen.CreateProductRequest{Name: "Mug", Media: []gen.ProductMedia{{URL: "https://files.test/a.png"}}}, append(opts, opt)...)
			return err
		}
	}
	get := func(opt jogg.CallOption) func(context.Context, *jogg.Client, ...jogg.CallOption) error {
		return func(ctx context.Context, c *jogg.Client, opts ...jogg.CallOption) error {
			_, err := c.GetCurrentUser(ctx, append(opts, opt)...)
			return err
		}
	}
	for want, call := range map[string]func(context.Context, *jogg.Client, ...jogg.CallOption) error{
		`WithField: "colour" is not a JSON pointer`:                                 post(jogg.WithField("colour", 1)),
		`WithField: "" is not a JSON pointer`:                                       post(jogg.WithField("", 1)),
		`WithField: "/a~2" is not a JSON pointer`:                                   post(jogg.WithField("/a~2", 1)),
		`WithField: /f: the value cannot be written as JSON`:                        post(jogg.WithField("/f", func() {})),
		`WithField: /name/first: "/name" is a string`:                               post(jogg.WithField("/name/first", 1)),
		`WithField: a GET has no body`:                                              get(jogg.WithField("/name", 1)),
		`WithQuery: the name is empty`:                                              get(jogg.WithQuery("", "1")),
		`WithHeader: "X Trace" is not the name of a header`:                         get(jogg.WithHeader("X Trace", "1")),
		`WithHeader: "" is not the name of a header`:                                get(jogg.WithHeader("", "1")),
		`WithHeader: X-Api-Key cannot be set`:                                       get(jogg.WithHeader("x-api-KEY", "other-key")),
		`WithHeader: Host cannot be set`:                                            get(jogg.WithHeader("host", "evil.test")),
		`WithHeader: Content-Length cannot be set`:                                  get(jogg.WithHeader("Content-Length", "3")),
		`WithHeader: the value of X-Trace has a control character`:                  get(jogg.WithHeader("X-Trace", "a\r\nX-Api-Key: other-key")),
		`WithCallRetry: a field of the policy is negative`:                          get(jogg.WithCallRetry(jogg.RetryPolicy{Attempts: -1})),
		`WithResponse: the response is nil`:                                         get(jogg.WithResponse(nil)),
		`WithField: /media/1/alt: the list at "/media" has 1 items and no item "1"`: post(jogg.WithField("/media/1/alt", 1)),
		`WithField: /media/-1: the list at "/media" has 1 items and no item "-1"`:   post(jogg.WithField("/media/-1", 1)),
		`WithField: /media/00: the list at "/media" has 1 items and no item "00"`:   post(jogg.WithField("/media/00", 1)),
	} {
		transport := responses(`{"code":0,"data":{"product_id":"p"}}`)
		response := jogg.Response{HTTPStatus: 200, Body: []byte("of another call")}
		err := call(t.Context(), newClient(t, transport), jogg.WithResponse(&response))
		if err == nil || !strings.HasPrefix(err.Error(), "jogg: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "other-key") {
			t.Errorf("error %v, want %s", err, want)
		}
		if len(transport.sent) != 0 || response.HTTPStatus != 0 || response.Body != nil || response.Attempts != 0 {
			t.Errorf("%s: %d requests and the response %v, want nothing", want, len(transport.sent), response)
		}
	}
}

func TestAFieldThatBecameTypedIsLogged(t *testing.T) {
	var records bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&records, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client := newClient(t, responses(`{"code":0,"data":{"product_id":"p"}}`), jogg.WithLogger(logger))
	const said = "WithField sets a field that the contract has"
	for pointer, typed := range map[string]bool{
		"/name": true, "/media": true, "/media/-/url": true, "/colour": false, "/media/-/alt": false, "/name/first": false, "/-": false,
	} {
		records.Reset()
		_, _ = client.CreateProduct(t.Context(), gen.CreateProductRequest{}, jogg.WithField(pointer, "a secret"))
		if got := records.String(); strings.Contains(got, said) != typed || strings.Contains(got, "a secret") {
			t.Errorf("%s: said %t, want %t: %s", pointer, !typed, typed, got)
		}
		if line := fmt.Sprintf("operation=CreateProduct field=%s type=gen.CreateProductRequest", pointer); typed && !strings.Contains(records.String(), line) {
			t.Errorf("%s: no %q in %s", pointer, line, &records)
		}
	}
}

func TestOptionsReachEachPollOfAWait(t *testing.T) {
	transport := responses(`{"code":0,"data":{"status":"pending"}}`, `{"code":0,"rid":"last","data":{"status":"success"}}`)
	var response jogg.Response
	_, err := newClient(t, transport).WaitPhotoAvatarPhoto(t.Context(), "p1", jogg.WithPollInterval(jogg.Every(time.Nanosecond)),
		jogg.WithCall(jogg.WithHeader("X-Trace", "t")), jogg.WithCall(jogg.WithQuery("verbose", "1"), jogg.WithResponse(&response)))
	if err != nil || len(transport.sent) != 2 || response.RequestID != "last" {
		t.Fatalf("error %v after %d polls with the response %v", err, len(transport.sent), response)
	}
	for _, req := range transport.sent {
		if req.Header.Get("X-Trace") != "t" || req.URL.RawQuery != "photo_id=p1&verbose=1" {
			t.Errorf("polled with the query %q and the headers %v", req.URL.RawQuery, req.Header)
		}
	}
}

func TestOptionsReachEachPageOfAList(t *testing.T) {
	transport := responses(`{"code":0,"data":{"voices":[{"voice_id":"a"}],"has_more":true}}`,
		`{"code":0,"rid":"last","data":{"voices":[{"voice_id":"b"}],"has_more":false}}`)
	var response jogg.Response
	var ids []string
	opts := make([]jogg.CallOption, 0, 4) // with spare capacity that the iterator must not write to
	opts = append(opts, jogg.WithHeader("X-Trace", "t"), jogg.WithResponse(&response))
	for voice, err := range newClient(t, transport).Voices(t.Context(), gen.ListVoicesParams{}, opts...) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, voice.VoiceID)
	}
	if !slices.Equal(ids, []string{"a", "b"}) || response.RequestID != "last" || !strings.Contains(string(response.Body), `"b"`) {
		t.Errorf("got %v and the response %v", ids, response)
	}
	if transport.sent[0].Header.Get("X-Trace") != "t" || transport.sent[1].Header.Get("X-Trace") != "t" {
		t.Errorf("the headers were %v and %v", transport.sent[0].Header, transport.sent[1].Header)
	}
	if opts[:3][2] != nil {
		t.Error("the iterator wrote into the caller's options")
	}
}

func TestARequestHasTheNameOfItsOperation(t *testing.T) {
	var names []string
	transport := roundTripper(func(req *http.Request) (*http.Response, error) {
		names = append(names, jogg.OperationName(req.Context()))
		if req.Context().Value(callersKey{}) != "the caller's" {
			t.Error("the caller's value is not in the context")
		}
		return respond(200, anyTask)()
	})
	client := newClient(t, transport)
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), callersKey{}, "the caller's"))
	_, _ = client.CreateAvatarVideo(ctx, gen.CreateAvatarVideoRequest{})
	_, _ = client.GetAvatarVideo(ctx, "v")
	_ = client.Call(ctx, http.MethodPut, "/v2/new/thing?secret=1", nil, nil)
	if want := []string{"CreateAvatarVideo", "GetAvatarVideo", "PUT /v2/new/thing"}; !slices.Equal(names, want) {
		t.Errorf("the operations were %q, want %q", names, want)
	}
	if name := jogg.OperationName(ctx); name != "" {
		t.Errorf("%q outside of a request, want nothing", name)
	}
	cancel()
	if _, err := client.GetAvatarVideo(ctx, "v"); !errors.Is(err, context.Canceled) || len(names) != 3 {
		t.Errorf("error %v after the context ended, want its own", err)
	}
	if _, err := client.GetAvatarVideo(nil, "v"); err == nil { //nolint:staticcheck // the nil context is what is tested
		t.Error("no error without a context")
	}
}

type callersKey struct{}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestTheTransferOfAFileIsNamedUpload(t *testing.T) {
	var names []string
	transport := roundTripper(func(req *http.Request) (*http.Response, error) {
		names = append(names, jogg.OperationName(req.Context()))
		if req.Body != nil {
			_, _ = io.Copy(io.Discard, req.Body)
		}
		return respond(200, anyTask)()
	})
	_, err := newClient(t, transport).Upload(t.Context(), "a.png", strings.NewReader("png"))
	if want := []string{"CreateAssetUpload", "Upload"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("the operations were %q, want %q; error %v", names, want, err)
	}
}

func TestCloseIdleConnections(t *testing.T) {
	transport := &closer{script: responses(okUser)}
	newClient(t, transport).CloseIdleConnections()
	if transport.closed != 1 {
		t.Errorf("the transport was asked %d times to close, want once", transport.closed)
	}
}

type closer struct {
	*script

	closed int
}

func (c *closer) CloseIdleConnections() { c.closed++ }
