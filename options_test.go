package jogg_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jogg-go/jogg"
)

func TestAnInvalidOptionIsAnErrorThatNamesIt(t *testing.T) {
	for name, option := range map[string]jogg.Option{
		"WithHTTPClient": jogg.WithHTTPClient(nil),
		"WithLogger":     jogg.WithLogger(nil),
		"WithClock":      jogg.WithClock(nil),
		"WithUserAgent":  jogg.WithUserAgent("agent\r\nX-Evil: 1"),
		"WithBaseURL":    jogg.WithBaseURL("http://api.jogg.ai"),
		"WithPacing":     jogg.WithPacing(0),
		"WithRetry":      jogg.WithRetry(jogg.RetryPolicy{Attempts: -1}),
	} {
		client, err := jogg.New(testKey, option)
		if client != nil || err == nil || !strings.HasPrefix(err.Error(), "jogg: "+name+": ") || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%s: client %v, error %v", name, client, err)
		}
	}
	for _, agent := range []string{"", " ", "caf\u00e9", "a\tb", "a\x00"} {
		if _, err := jogg.New(testKey, jogg.WithUserAgent(agent)); err == nil {
			t.Errorf("the user agent %q was accepted", agent)
		}
	}
}

func TestTheUserAgentCanBeReplaced(t *testing.T) {
	transport := responses(okUser)
	if _, err := newClient(t, transport, jogg.WithUserAgent("studio/2.1 (nightly)")).GetCurrentUser(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := transport.sent[0].Header.Get("User-Agent"); got != "studio/2.1 (nightly)" {
		t.Errorf("the user agent is %q", got)
	}
}

func TestALaterOptionOverridesAnEarlierOne(t *testing.T) {
	first, second := responses(okUser), responses(okUser)
	client := newClient(t, first, jogg.WithHTTPClient(&http.Client{Transport: second}))
	if _, err := client.GetCurrentUser(t.Context()); err != nil || len(first.sent) != 0 || len(second.sent) != 1 {
		t.Errorf("error %v, %d requests through the first transport and %d through the second", err, len(first.sent), len(second.sent))
	}
}

func TestPtrPointsToACopy(t *testing.T) {
	caption := true
	pointer := jogg.Ptr(caption)
	caption = false
	if other := jogg.Ptr(caption); !*pointer || *other || pointer == other {
		t.Error("the pointer does not point to a copy of its own")
	}
}
