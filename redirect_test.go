package jogg_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jogg-go/jogg"
)

var redirectStatuses = []int{301, 302, 303, 307, 308}

func TestARedirectToAnotherHostIsRefused(t *testing.T) {
	var leaked atomic.Int32
	elsewhere := func(w http.ResponseWriter, req *http.Request) {
		leaked.Add(1)
		io.WriteString(w, okUser)
	}
	plain := httptest.NewServer(http.HandlerFunc(elsewhere))
	defer plain.Close()
	encrypted := httptest.NewTLSServer(http.HandlerFunc(elsewhere))
	defer encrypted.Close()
	targets := map[string]string{
		"another port":                plain.URL,
		"another scheme":              encrypted.URL,
		"another name of the machine": strings.Replace(plain.URL, "127.0.0.1", "localhost", 1),
	}
	for what, target := range targets {
		for _, status := range redirectStatuses {
			for method, call := range methods {
				t.Run(fmt.Sprintf("%s %d %s", what, status, method), func(t *testing.T) {
					leaked.Store(0)
					var asked atomic.Int32
					client, server := newServer(t, func(w http.ResponseWriter, req *http.Request) {
						asked.Add(1)
						http.Redirect(w, req, target+"/steal?key=1", status)
					}, hastily)
					if what == "another name of the machine" {
						target = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
					}
					err := call(t.Context(), client)
					if !errors.Is(err, jogg.ErrRedirectRefused) || leaked.Load() != 0 || asked.Load() != 1 {
						t.Errorf("error %v after %d requests, %d of them elsewhere", err, asked.Load(), leaked.Load())
					}
					if strings.Contains(fmt.Sprint(err), "steal") {
						t.Errorf("error %v repeats more of the target than its host", err)
					}
				})
			}
		}
	}
}

func TestARedirectToLessEncryptionIsRefused(t *testing.T) {
	var leaked atomic.Int32
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	defer plain.Close()
	encrypted := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusTemporaryRedirect))
	defer encrypted.Close()
	client := newClient(t, encrypted.Client().Transport, jogg.WithBaseURL(encrypted.URL))
	if _, err := client.GetCurrentUser(t.Context()); !errors.Is(err, jogg.ErrRedirectRefused) || leaked.Load() != 0 {
		t.Errorf("error %v after %d requests without encryption", err, leaked.Load())
	}
}

func TestARedirectThatComesBackIsRefusedAllTheSame(t *testing.T) {
	transport := &script{responses: []func() (*http.Response, error){
		respond(307, "", "Location", "/elsewhere"), respond(307, "", "Location", "https://evil.example/"), respond(200, okUser),
	}}
	if _, err := newClient(t, transport).GetCurrentUser(t.Context()); !errors.Is(err, jogg.ErrRedirectRefused) || len(transport.sent) != 2 {
		t.Errorf("error %v after %d requests, want an error after 2", err, len(transport.sent))
	}
}

func TestARedirectOnTheSameHostIsFollowed(t *testing.T) {
	for _, location := range []string{"/moved", "https://api.jogg.ai/moved", "HTTPS://API.jogg.ai:443/moved"} {
		for _, status := range redirectStatuses {
			transport := &script{responses: []func() (*http.Response, error){respond(status, "", "Location", location), respond(200, okUser)}}
			_, err := newClient(t, transport).GetCurrentUser(t.Context())
			if err != nil || len(transport.sent) != 2 || transport.sent[1].URL.Path != "/moved" || transport.sent[1].Header.Get("X-Api-Key") != testKey {
				t.Errorf("%d to %s: error %v after %d requests", status, location, err, len(transport.sent))
			}
		}
	}
}

func TestAPostKeepsItsBodyOnARedirectThatKeepsTheMethod(t *testing.T) {
	for _, status := range []int{307, 308} {
		transport := &script{responses: []func() (*http.Response, error){respond(status, "", "Location", "/moved"), okVideo}}
		err := create(t.Context(), newClient(t, transport))
		if err != nil || transport.sent[1].Method != http.MethodPost || transport.bodies[1] == "" || transport.bodies[1] != transport.bodies[0] {
			t.Errorf("%d: error %v, sent %v with %q", status, err, transport.sent[1].Method, transport.bodies)
		}
	}
}

func TestARedirectThatChangesTheMethodIsRefused(t *testing.T) {
	for method, call := range methods {
		for _, status := range []int{301, 302, 303} {
			transport := &script{responses: []func() (*http.Response, error){respond(status, "", "Location", "/moved"), respond(200, anyTask)}}
			err := call(t.Context(), newClient(t, transport))
			if method == http.MethodGet {
				if err != nil || len(transport.sent) != 2 {
					t.Errorf("%d to a GET: error %v after %d requests, want it to be followed", status, err, len(transport.sent))
				}
				continue
			}
			if !errors.Is(err, jogg.ErrRedirectRefused) || len(transport.sent) != 1 || !strings.Contains(err.Error(), "turn "+method+" into GET") {
				t.Errorf("%d to a %s: error %v after %d requests, want an error after one", status, method, err, len(transport.sent))
			}
		}
	}
}

func TestRedirectsWithoutEndAreStopped(t *testing.T) {
	transport := &script{responses: []func() (*http.Response, error){respond(302, "", "Location", "/again")}}
	_, err := newClient(t, transport, hastily).GetCurrentUser(t.Context())
	if err == nil || !strings.Contains(err.Error(), "10 redirects") || len(transport.sent) != 10 {
		t.Errorf("error %v after %d requests, want an error after 10", err, len(transport.sent))
	}
}

func TestARedirectWithoutATargetIsAnAPIError(t *testing.T) {
	transport := &script{responses: []func() (*http.Response, error){respond(300, "")}}
	_, err := newClient(t, transport).GetCurrentUser(t.Context())
	refused, ok := errors.AsType[*jogg.APIError](err)
	if !ok || refused.HTTPStatus != 300 {
		t.Errorf("error %v, want an APIError with status 300", err)
	}
}

func TestTheInjectedClientIsAskedAboutRedirectsAndLeftAsItIs(t *testing.T) {
	transport := &script{responses: []func() (*http.Response, error){respond(302, "", "Location", "/login"), respond(200, okUser)}}
	asked := 0
	injected := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		asked++
		return http.ErrUseLastResponse
	}}
	client, err := jogg.New(testKey, jogg.WithHTTPClient(injected), hastily)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.GetCurrentUser(t.Context())
	refused, ok := errors.AsType[*jogg.APIError](err)
	if !ok || refused.HTTPStatus != 302 || asked != 1 || len(transport.sent) != 1 {
		t.Errorf("error %v after %d requests and %d questions, want an APIError with status 302 after one of each", err, len(transport.sent), asked)
	}

	// Used on its own, it still follows redirects without the library's policy.
	injected.CheckRedirect = nil
	transport.sent, transport.responses = nil, []func() (*http.Response, error){respond(302, "", "Location", "https://other.example/"), respond(200, okUser)}
	resp, err := injected.Get("https://api.jogg.ai/")
	if err != nil || len(transport.sent) != 2 {
		t.Fatalf("error %v after %d requests of the injected client", err, len(transport.sent))
	}
	resp.Body.Close()

	// Changes to the original do not affect the copy either.
	transport.sent = nil
	if _, err := client.GetCurrentUser(t.Context()); !errors.Is(err, jogg.ErrRedirectRefused) {
		t.Errorf("error %v, want the redirect to be refused", err)
	}
}
