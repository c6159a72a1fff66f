// Package console shows people what an inbox holds, in a browser, and lets them manage it where the program allows that.
//
//	mux.Handle("/admin/jogg/", requireAdmin(console.New(box)))
//
// It has counts and health, plots of the last hour, and lists of the events that wait, run or are dead letters, with filters by type, age,
// reason and key; and of each event its attempts with their errors. An embedded inbox can be seen by its own process alone, so this is the
// way to look into a service that is running.
//
// # Where it can be mounted
//
// Anywhere, with or without [http.StripPrefix], and behind proxies that change the path: all pages lie side by side in one directory and
// link to each other relatively, so the console does not need to know where it is. It only looks at the last part of a request's path.
//
// # Who may see it
//
// The console does not authenticate anybody; the program wraps it in what does. It shows keys, types, times and the text of the errors
// that handlers have returned. [WithPayloads] shows payloads too, and [WithActions] lets people change something: retry, discard, redrive,
// delete, pause and resume, each after a page that asks whether they are sure.
//
// Changes are accepted from the console's own pages alone, see [http.CrossOriginProtection]. A Content-Security-Policy allows nothing but
// the console's own style and script. No page needs the script: with it, what a page shows is kept up to date.
package console

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"path"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// Option changes what New makes.
type Option func(c *console)

// WithActions lets people manage the inbox. Without it the console only shows. An action on all events of a list goes on for as long as its
// request does, and can be repeated if that was cut short.
func WithActions() Option { return func(c *console) { c.Actions = true } }

// WithPayloads shows the bodies of events. They hold what JoggAI knows about the program's users' videos, such as links to them.
func WithPayloads() Option { return func(c *console) { c.Payloads = true } }

// WithTitle names the inbox on each page. The default is "JoggAI inbox".
func WithTitle(title string) Option { return func(c *console) { c.Title = title } }

// WithTrustedOrigins accepts changes from pages of these origins too, such as "https://admin.example.com". That is needed only where a
// proxy changes the Host header and a browser sends no Sec-Fetch-Site header. New panics if one is not an origin.
func WithTrustedOrigins(origins ...string) Option {
	return func(c *console) {
		for _, origin := range origins {
			if err := c.protection.AddTrustedOrigin(origin); err != nil {
				panic("console: " + err.Error())
			}
		}
	}
}

// WithLogger gets what people do, and what could not be shown. The default is slog.Default().
func WithLogger(logger *slog.Logger) Option { return func(c *console) { c.log = logger } }

// New returns a handler of the console's pages, to be mounted at a path that ends with a slash. It is safe for concurrent use. While the
// inbox is closed, pages say so.
func New(box *inbox.Inbox, opts ...Option) http.Handler {
	c := &console{box: box, Title: "JoggAI inbox", log: slog.Default(), protection: http.NewCrossOriginProtection()}
	for _, o := range opts {
		o(c)
	}
	return c.protection.Handler(http.HandlerFunc(c.serve))
}

type console struct {
	box               *inbox.Inbox
	Title             string
	Actions, Payloads bool
	log               *slog.Logger
	protection        *http.CrossOriginProtection
}

//go:embed pages.html style.css live.js icon.svg
var assets embed.FS

const (
	policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'"
	// largestForm limits a form, which can hold the keys of a page.
	largestForm = 1 << 20
)

// serve chooses the page.
func (c *console) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if r.URL.Path == "" { // http.StripPrefix has left nothing, and relative links would lead next to the console
		header.Set("Location", path.Base(r.RequestURI)+"/")
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, largestForm)
	_, page := path.Split(r.URL.Path)
	for _, route := range []struct {
		page, method string
		serve        func(http.ResponseWriter, *http.Request) error
	}{
		{"", http.MethodGet, c.overview},
		{"events", http.MethodGet, c.events},
		{"event", http.MethodGet, c.event},
		{"confirm", http.MethodPost, c.confirm},
		{"act", http.MethodPost, c.act},
		{"style.css", http.MethodGet, asset},
		{"live.js", http.MethodGet, asset},
		{"icon.svg", http.MethodGet, asset},
	} {
		if route.page != page {
			continue
		}
		if r.Method != route.method && (r.Method != http.MethodHead || route.method != http.MethodGet) {
			header.Set("Allow", route.method)
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		if err := route.serve(w, r); err != nil {
			c.fail(w, r, err)
		}
		return
	}
	c.fail(w, r, &refusal{http.StatusNotFound, "There is no such page."})
}

func asset(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeFileFS(w, r, assets, path.Base(r.URL.Path))
	return nil
}

var pages = template.Must(template.New("pages").Funcs(functions).ParseFS(assets, "pages.html"))

// render shows a page once it is all there, so that an error does not come after half of it.
func (c *console) render(w http.ResponseWriter, status int, page string, data any) error {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, page, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	if err != nil {
		c.log.Debug("console: page not sent", "error", err)
	}
	return nil
}
