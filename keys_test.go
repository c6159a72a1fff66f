package jogg_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/paths"
	"github.com/jogg-go/jogg/gen"
)

// quiet discards the log of a test server about handshakes that are meant to fail.
var quiet = log.New(io.Discard, "", 0)

func TestAnInvalidKeyIsRejectedAndNotShown(t *testing.T) {
	for _, key := range []string{
		"", " ", "\n", "secretkey\n", "\r\nsecretkey", "secret\tkey", "secret key", " secretkey", "secretkey ", "secret\x00key",
		"secretkey\x7f", "secretkéy", "secretkey\u00a0", "secretkey\xff", "secret\nX-Evil: 1\n\nkey",
	} {
		client, err := jogg.New(key)
		if client != nil || !errors.Is(err, jogg.ErrInvalidAPIKey) {
			t.Errorf("New(%q): client %v, error %v", key, client, err)
			continue
		}
		for _, text := range printed(err) {
			if strings.Contains(text, "secret") || strings.Contains(text, "Evil") {
				t.Errorf("New(%q): the error shows the key: %s", key, text)
			}
		}
	}
	for _, key := range []string{"k", "0123456789abcdef", "sk-proj_A.b~c/d+e=", testKey} {
		if _, err := jogg.New(key); err != nil {
			t.Errorf("New(%q): %v", key, err)
		}
	}
}

func TestPlainHTTPIsForLoopbackOnly(t *testing.T) {
	accepted := []string{
		"https://api.jogg.ai", "https://api.jogg.ai/", "https://gateway.example/jogg", "https://10.0.0.1:8443", "HTTPS://api.jogg.ai",
		"http://localhost", "http://LOCALHOST:8080", "http://127.0.0.1:8080", "http://127.8.9.10", "http://[::1]:8080", "http://127.0.0.1:1/prefix/",
	}
	for _, base := range accepted {
		if _, err := jogg.New(testKey, jogg.WithBaseURL(base)); err != nil {
			t.Errorf("%s: %v", base, err)
		}
	}
	refused := []string{
		"http://api.jogg.ai", "HTTP://api.jogg.ai", "http://10.0.0.1", "http://192.168.1.1:8080", "http://0.0.0.0:8080", "http://[::]:80", "http://[fe80::1]",
		"http://localhost.evil.example", "http://127.0.0.1.evil.example", "http://128.0.0.1", "http://1270.0.1", "http://evil.example#@localhost", "https://api.jogg.ai/#", "https://api.jogg.ai#",
		"ftp://localhost", "file:///etc/passwd", "api.jogg.ai", "//api.jogg.ai", "/v2", "", "https://", "https://:443", "localhost:8080",
		"https://user:hunter2@api.jogg.ai", "https://api.jogg.ai?token=hunter2", "https://api.jogg.ai?", "https://api.jogg.ai/#hunter2",
		"https://api.jogg.ai:hunter2", "https://hunter2 @api.jogg.ai", "https://api.jogg.ai/%zzhunter2", "\nhttps://api.jogg.ai",
	}
	for _, base := range refused {
		client, err := jogg.New(testKey, jogg.WithBaseURL(base))
		if err == nil || client != nil {
			t.Errorf("%q was accepted", base)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), testKey) {
			t.Errorf("%q: the error shows a secret: %v", base, err)
		}
	}
}

func TestAPathOfTheBaseURLIsKept(t *testing.T) {
	for _, base := range []string{"https://gateway.example/jogg", "https://gateway.example/jogg/", "https://gateway.example/jogg//"} {
		transport := responses(okUser)
		if _, err := newClient(t, transport, jogg.WithBaseURL(base)).GetCurrentUser(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := transport.sent[0].URL.String(); got != "https://gateway.example/jogg"+paths.Of("getCurrentUser") {
			t.Errorf("with the base URL %s sent to %s", base, got)
		}
	}
}

// printed returns a value in all printed forms.
func printed(v any) []string {
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, v))
	}
	if encoded, err := json.Marshal(v); err == nil {
		texts = append(texts, string(encoded))
	}
	var record bytes.Buffer
	slog.New(slog.NewTextHandler(&record, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&record, nil)).Info("m", "v", v)
	return append(texts, record.String())
}

func TestAPrintedEndpointDoesNotShowItsSecret(t *testing.T) {
	endpoint := gen.WebhookEndpoint{EndpointID: "wh_1", URL: "https://example.com", Secret: "whsec_hunter2"}
	for _, v := range []any{endpoint, &endpoint} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "hunter2") || !strings.Contains(text, "wh_1") {
				t.Errorf("%s: %s", verb, text)
			}
		}
		var record bytes.Buffer
		slog.New(slog.NewTextHandler(&record, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&record, nil)).Info("m", "v", v)
		if text := record.String(); strings.Contains(text, "hunter2") || strings.Count(text, "wh_1") != 2 {
			t.Errorf("log: %s", text)
		}
	}
	if text := fmt.Sprintf("%+v", []gen.WebhookEndpoint{endpoint}); strings.Contains(text, "hunter2") {
		t.Error(text)
	}
	if encoded, err := json.Marshal(endpoint); err != nil || !strings.Contains(string(encoded), "hunter2") {
		t.Errorf("error %v, JSON %s, want the secret in it", err, encoded)
	}
}

func TestNothingThatIsPrintedShowsTheKey(t *testing.T) {
	options := []jogg.Option{
		jogg.WithBaseURL("https://api.jogg.ai"), jogg.WithHTTPClient(&http.Client{Transport: responses(okUser)}), jogg.WithUserAgent("agent"),
		jogg.WithLogger(slog.Default()), jogg.WithRetry(jogg.RetryPolicy{Attempts: 2}), jogg.WithPacing(20),
	}
	client, err := jogg.New(testKey, options...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.GetCurrentUser(t.Context()); err != nil { // so that the state after a call is checked, too
		t.Fatal(err)
	}
	// The ways in which an error response, a transport or a redirect could contain the key.
	var failures []error
	for _, answer := range []func() (*http.Response, error){
		respond(200, `{"code":10105,"msg":"Invalid API key: `+testKey+`","rid":"`+testKey+`"}`),
		respond(401, "the key "+testKey+" is unknown"),
		respond(401, `{"error":"`+testKey+`"}`),
		respond(200, `{"code":0,"data":{"username":"`+testKey),
		respond(200, `{"code":0,"data":["`+testKey+`"]}`),
		respond(302, "", "Location", "https://evil.example/?key="+testKey),
		failed(errors.New("cannot write X-Api-Key: " + testKey)),
	} {
		transport := &script{responses: []func() (*http.Response, error){answer}}
		_, err := newClient(t, transport).GetCurrentUser(t.Context())
		if err == nil {
			t.Fatal("a failure succeeded")
		}
		failures = append(failures, err)
	}
	values := map[string]any{
		"a pointer to the client": client, "the client": *client, "the client in a struct": struct{ C *jogg.Client }{client},
		"the client in a slice": []jogg.Client{*client}, "options": options, "an option": options[0], "a policy": jogg.RetryPolicy{Attempts: 2},
		"a pointer to a policy": &jogg.RetryPolicy{},
	}
	for i, failure := range failures {
		values[fmt.Sprintf("failure %d", i)] = failure
		if refused, ok := errors.AsType[*jogg.APIError](failure); ok {
			values[fmt.Sprintf("failure %d by value", i)] = *refused
		}
	}
	hex := fmt.Sprintf("%x", testKey)
	for name, value := range values {
		for _, text := range printed(value) {
			if strings.Contains(text, testKey) || strings.Contains(text, hex) {
				t.Errorf("%s shows the key: %s", name, text)
			}
		}
	}
}

func TestTheLogShowsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var record bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&record, &slog.HandlerOptions{Level: slog.LevelDebug}))
		const hidden = "hidden-value"
		for _, answer := range []func() (*http.Response, error){
			respond(200, `{"code":0,"data":{"secret":"`+hidden+`"}}`),
			respond(200, `{"code":40000,"msg":"the url https://`+hidden+` is not valid","rid":"r1"}`),
			respond(200, `{"code":0,"data":{"secret":"`+hidden),
			respond(503, hidden),
			respond(302, "", "Location", "https://api.jogg.ai.example/"+hidden),
			failed(errors.New("cannot write X-Api-Key: " + testKey)),
		} {
			transport := &script{responses: []func() (*http.Response, error){answer}}
			client := newClient(t, transport, jogg.WithLogger(logger), jogg.WithRetry(jogg.RetryPolicy{}))
			client.CreateWebhookEndpoint(t.Context(), gen.WebhookEndpointRequest{URL: "https://u:" + hidden + "@example.com/?token=" + hidden})
			client.ListVoices(t.Context(), gen.ListVoicesParams{Language: hidden})
		}
		if record.Len() == 0 {
			t.Fatal("nothing was logged")
		}
		for _, secret := range []string{testKey, hidden} {
			if strings.Contains(record.String(), secret) {
				t.Errorf("the log shows %s:\n%s", secret, record.String())
			}
		}
	})
}

// The key is sent to the host of the base URL only, whichever way a request takes: see also the tests of redirects.
func TestTheKeyTravelsInItsHeaderAlone(t *testing.T) {
	var wrong atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		carried := req.Header.Get("X-Api-Key") == testKey
		req.Header.Del("X-Api-Key")
		if !carried || strings.Contains(fmt.Sprint(req.Header, req.URL, string(body)), testKey) {
			wrong.Add(1)
		}
		io.WriteString(w, anyTask)
	}))
	defer server.Close()
	client := newClient(t, server.Client().Transport, jogg.WithBaseURL(server.URL))
	for method, call := range methods {
		if err := call(t.Context(), client); err != nil || wrong.Load() != 0 {
			t.Errorf("%s: error %v, or the key was not in its header alone", method, err)
		}
	}
}
