package console_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
	"github.com/jogg-go/jogg/webhooks/inbox/console"
)

// post sends a form as a browser does from a page of the given origin.
func post(t testing.TB, address, page, origin string, form url.Values) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+page, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	return do(t, r)
}

// origin returns the origin of a URL.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u.Scheme + "://" + u.Host
}

func TestTheConsoleCanBeMountedAnywhere(t *testing.T) {
	box := open(t)
	receive(t, box, "e1")
	handler := console.New(box)
	for name, c := range map[string]struct {
		pattern string
		handler http.Handler
		at      string
	}{
		"at the root":           {"/", handler, "/"},
		"at a path":             {"/a/b/", handler, "/a/b/"},
		"at the name of a page": {"/events/", handler, "/events/"},
		"below a prefix":        {"/a/b/", http.StripPrefix("/a/b", handler), "/a/b/"},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle(c.pattern, c.handler)
			server := httptest.NewServer(mux)
			defer server.Close()
			at, err := url.Parse(server.URL + c.at)
			if err != nil {
				t.Fatal(err)
			}
			for _, link := range []string{"./", "events?state=waiting", "style.css", "live.js", "icon.svg", "event?key=" + url.QueryEscape(keyOf(t, "e1"))} {
				to, err := at.Parse(link)
				if err != nil {
					t.Fatal(err)
				}
				if a := get(t, to.String()); a.status != http.StatusOK {
					t.Errorf("%s: %d", to, a.status)
				}
			}
			if a := get(t, at.String()+"nothing"); a.status != http.StatusNotFound {
				t.Errorf("status %d for an unknown page", a.status)
			}
		})
	}
}

func TestAllLinksAreRelative(t *testing.T) {
	box := open(t)
	receive(t, box, "dead-1")
	run(t, box)
	at := serve(t, box, console.WithActions())
	for _, page := range []string{"", "events?state=dead", "event?key=" + keyOf(t, "dead-1")} {
		body := get(t, at+page).body
		for _, absolute := range []string{`href="/`, `src="/`, `action="/`, `="http`} {
			if strings.Contains(body, absolute) {
				t.Errorf("%q has %s", page, absolute)
			}
		}
	}
}

func TestAPathWithoutATrailingSlashIsRedirected(t *testing.T) {
	server := httptest.NewServer(http.StripPrefix("/admin/jogg", console.New(open(t))))
	defer server.Close()
	a := get(t, server.URL+"/admin/jogg")
	if a.status != http.StatusMovedPermanently || a.header.Get("Location") != "jogg/" {
		t.Errorf("%d to %q", a.status, a.header.Get("Location"))
	}
}

func TestPayloadsAreHiddenByDefault(t *testing.T) {
	box := open(t)
	receive(t, box, "dead-1")
	run(t, box)
	for name, c := range map[string]struct {
		opts  []console.Option
		shown bool
	}{
		"by default":    {nil, false},
		"with actions":  {[]console.Option{console.WithActions()}, false},
		"with payloads": {[]console.Option{console.WithPayloads()}, true},
	} {
		t.Run(name, func(t *testing.T) {
			at := serve(t, box, c.opts...)
			if a := get(t, at+"event?key="+keyOf(t, "dead-1")); a.status != http.StatusOK || strings.Contains(a.body, secretText) != c.shown {
				t.Errorf("status %d, payload shown: %t", a.status, !c.shown)
			}
			for _, page := range []string{"", "events?state=dead"} {
				if strings.Contains(get(t, at+page).body, secretText) {
					t.Errorf("%q shows the payload", page)
				}
			}
		})
	}
}

func TestAConsoleWithoutActionsIsReadOnly(t *testing.T) {
	box := open(t)
	receive(t, box, "dead-1")
	run(t, box)
	at := serve(t, box)
	for _, page := range []string{"", "events?state=dead", "event?key=" + keyOf(t, "dead-1")} {
		if strings.Contains(get(t, at+page).body, `method="post" action="confirm"><button`) || strings.Contains(get(t, at+page).body, `name="do"`) {
			t.Errorf("%q offers an action", page)
		}
	}
	for _, page := range []string{"confirm", "act"} {
		a := post(t, at, page, origin(at), url.Values{"do": {"delete:selected"}, "selected": {keyOf(t, "dead-1")}})
		if a.status != http.StatusForbidden {
			t.Errorf("%s: %d", page, a.status)
		}
	}
	if len(keys(t, box, inbox.StateDead)) != 1 {
		t.Error("the dead letter was deleted")
	}
}

func TestCrossOriginActionsAreRejected(t *testing.T) {
	box := open(t)
	receive(t, box, "dead-1")
	run(t, box)
	at := serve(t, box, console.WithActions())
	form := url.Values{"do": {"delete:selected"}, "selected": {keyOf(t, "dead-1")}}
	if a := post(t, at, "act", "https://evil.example.com", form); a.status != http.StatusForbidden {
		t.Errorf("status %d for another origin", a.status)
	}
	if a := get(t, at+"act?"+form.Encode()); a.status != http.StatusMethodNotAllowed {
		t.Errorf("status %d for a GET", a.status)
	}
	if len(keys(t, box, inbox.StateDead)) != 1 {
		t.Fatal("the dead letter was deleted")
	}
	trusting := serve(t, box, console.WithActions(), console.WithTrustedOrigins("https://admin.example.com"))
	if a := post(t, trusting, "act", "https://admin.example.com", form); a.status != http.StatusSeeOther {
		t.Errorf("status %d for a trusted origin", a.status)
	}
	if len(keys(t, box, inbox.StateDead)) != 0 {
		t.Error("the dead letter was not deleted")
	}
}

func TestTheContentSecurityPolicyAllowsOnlyOwnResources(t *testing.T) {
	at := serve(t, open(t))
	for _, page := range []string{"", "events", "event?key=none", "style.css"} {
		header := get(t, at+page).header
		policy := header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%q: policy %q has no %s", page, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: %v", page, header)
		}
	}
}

func TestErrorTextsAreEscaped(t *testing.T) {
	box := open(t)
	receive(t, box, "dead-2")
	run(t, box)
	at := serve(t, box)
	for _, page := range []string{"", "events?state=dead", "event?key=" + keyOf(t, "dead-2")} {
		if body := get(t, at+page).body; strings.Contains(body, "<script>") || !strings.Contains(body, "&lt;script&gt;") {
			t.Errorf("%q does not escape the error text", page)
		}
	}
}

func TestActionsRunAfterConfirmation(t *testing.T) {
	for name, c := range map[string]struct {
		do       string
		selected []string
		filter   url.Values
		asks     string
		done     string
		left     []string // IDs of the dead letters
	}{
		"redrive one":              {"redrive:selected", []string{"dead-1"}, nil, "Redrive 1 event?", "1 event redriven", []string{"dead-2", "dead-3", "dead-11"}},
		"redrive all":              {"redrive:all", nil, nil, "Redrive 4 events?", "4 events redriven", nil},
		"redrive matching":         {"redrive:all", nil, url.Values{"key": {"-1"}}, "Redrive 2 events?", "2 events redriven", []string{"dead-2", "dead-3"}},
		"delete matching":          {"delete:all", nil, url.Values{"error": {"alert"}}, "Delete 1 event?", "1 event permanently deleted", []string{"dead-1", "dead-3", "dead-11"}},
		"delete some":              {"delete:selected", []string{"dead-3", "dead-2"}, nil, "Delete 2 events?", "2 events permanently deleted", []string{"dead-1", "dead-11"}},
		"delete a missing event":   {"delete:selected", []string{"nobody-9"}, nil, "Delete 1 event?", "0 events permanently deleted. 1 event skipped", []string{"dead-1", "dead-2", "dead-3", "dead-11"}},
		"discard waiting":          {"discard:all", nil, nil, "Discard 1 event?", "1 event discarded", []string{"dead-1", "dead-2", "dead-3", "dead-11", "fail-1"}},
		"delete all, none matches": {"delete:all", nil, url.Values{"age": {"1h"}}, "There is nothing to delete", "0 events", []string{"dead-1", "dead-2", "dead-3", "dead-11"}},
	} {
		t.Run(name, func(t *testing.T) {
			box := open(t)
			receive(t, box, "dead-1", "dead-2", "dead-3", "dead-11", "fail-1")
			run(t, box)
			if err := box.Pause(t.Context(), time.Time{}); err != nil { // so that redriven events are not dead-lettered again
				t.Fatal(err)
			}
			at := serve(t, box, console.WithActions())
			form := url.Values{"do": {c.do}}
			maps.Copy(form, c.filter)
			for _, id := range c.selected {
				form.Add("selected", keyOf(t, id))
			}
			before := len(keys(t, box, inbox.StateDead))
			if a := post(t, at, "confirm", origin(at), form); a.status != http.StatusOK || !strings.Contains(a.body, c.asks) {
				t.Errorf("status %d, no %q in %s", a.status, c.asks, a.body)
			}
			if after := len(keys(t, box, inbox.StateDead)); after != before {
				t.Error("the action ran before it was confirmed")
			}
			a := post(t, at, "act", origin(at), form)
			if a.status != http.StatusSeeOther {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			if body := get(t, at+a.header.Get("Location")).body; !strings.Contains(body, c.done) {
				t.Errorf("no %q in %s", c.done, body)
			}
			var want []string
			for _, id := range c.left {
				want = append(want, keyOf(t, id))
			}
			if left := keys(t, box, inbox.StateDead); !sameSet(left, want) {
				t.Errorf("dead letters left: %q", left)
			}
		})
	}
}

func sameSet(a, b []string) bool {
	have := map[string]bool{}
	for _, key := range a {
		have[key] = true
	}
	for _, key := range b {
		if !have[key] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestTheInboxIsPausedAndResumed(t *testing.T) {
	box := open(t)
	at := serve(t, box, console.WithActions())
	for _, c := range []struct {
		do     string
		paused bool
	}{{"pause", true}, {"resume", false}} {
		if a := post(t, at, "act", origin(at), url.Values{"do": {c.do}}); a.status != http.StatusSeeOther {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		if shown := strings.Contains(get(t, at).body, "<b>Paused</b>"); shown != c.paused {
			t.Errorf("after %s, shown as paused: %t", c.do, shown)
		}
	}
}

func TestTheFilterFormKeepsItsValues(t *testing.T) {
	at := serve(t, open(t))
	body := get(t, at+"events?state=dead&type=generated_script_failed&age=-1h&error=broken&key=abc&order=oldest").body
	for _, part := range []string{
		`<option selected>generated_script_failed</option>`, `<option value="-1h" selected>`, `value="broken"`, `value="abc"`,
		`<option value="oldest" selected>`,
	} {
		if !strings.Contains(body, part) {
			t.Errorf("no %s", part)
		}
	}
}

func TestListsHavePages(t *testing.T) {
	box := open(t)
	for _, prefix := range []string{"a", "b", "c"} {
		for i := range 20 {
			receive(t, box, prefix+strings.Repeat("x", i)+"-1")
		}
	}
	at := serve(t, box)
	_, rest, found := strings.Cut(get(t, at+"events?state=waiting&key=-1").body, `<p class="pages"><a href="`)
	if !found {
		t.Fatal("no link to the next page")
	}
	link, _, _ := strings.Cut(rest, `"`)
	body := get(t, at+strings.ReplaceAll(link, "&amp;", "&")).body
	if n := strings.Count(body, `data-label="Key"`); n != 10 {
		t.Errorf("%d events on the second page", n)
	}
}

func TestErrorsAreShownAsPages(t *testing.T) {
	box := open(t)
	at := serve(t, box, console.WithActions())
	for page, status := range map[string]int{
		"events?state=wrong": http.StatusBadRequest, "event?key=nobody": http.StatusNotFound, "none": http.StatusNotFound,
	} {
		if a := get(t, at+page); a.status != status || !strings.Contains(a.body, "</html>") {
			t.Errorf("%s: %d", page, a.status)
		}
	}
	for _, form := range []url.Values{{}, {"do": {"explode"}}, {"do": {"delete:selected"}}} {
		if a := post(t, at, "act", origin(at), form); a.status != http.StatusBadRequest {
			t.Errorf("%v: %d", form, a.status)
		}
	}
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
	if a := get(t, at); a.status != http.StatusOK || !strings.Contains(a.body, "closed") {
		t.Errorf("status %d for the overview of a closed inbox", a.status)
	}
	if a := get(t, at+"events?state=dead"); a.status != http.StatusServiceUnavailable {
		t.Errorf("status %d for a list of a closed inbox", a.status)
	}
}

func TestPagesHaveTheTitle(t *testing.T) {
	box := open(t)
	for title, at := range map[string]string{
		"JoggAI inbox":          serve(t, box),
		"Staging &lt;b&gt; box": serve(t, box, console.WithTitle("Staging <b> box")),
	} {
		for _, page := range []string{"", "events?state=dead"} {
			body := get(t, at+page).body
			for _, want := range []string{"<title>" + title + "</title>", `<a class="name" href="./">` + title + "</a>"} {
				if !strings.Contains(body, want) {
					t.Errorf("%q has no %s", page, want)
				}
			}
		}
	}
}

func TestABinaryPayloadIsShown(t *testing.T) {
	box := open(t)
	ev := webhooks.Event{Raw: []byte("\xff\x00<b>")}
	if err := box.Receive(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	at := serve(t, box, console.WithPayloads())
	if body := get(t, at+"event?key="+ev.Key()).body; !strings.Contains(body, `\xff\x00&lt;b&gt;`) || !strings.Contains(body, "undecodable") {
		t.Error(body)
	}
}
