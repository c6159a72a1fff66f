// Package console is a web interface for an inbox. It shows the events in the inbox and, if the program allows it, manages them.
//
//	mux.Handle("/admin/jogg/", requireAdmin(console.New(box)))
//
// The overview has counts, health and plots of the last hour. Lists show waiting events, running events and dead letters, filtered by type,
// age, reason and key. The page of an event shows its attempts and their errors. Only its own process can read an embedded inbox, so the
// console is the way to look into a running service.
//
// # Mounting
//
// The console can be mounted at any path, with or without [http.StripPrefix], and behind proxies that rewrite the path. All pages are in
// one directory and link to each other with relative URLs, and requests are routed by the last path segment only.
//
// # Access
//
// The console does not authenticate requests. Wrap it in the program's own authentication. It shows keys, types, times and the texts of
// the errors that handlers return. [WithPayloads] also shows payloads. [WithActions] allows retry, discard, redrive, delete, pause and
// resume, each after a confirmation page.
//
// Actions are accepted only from the console's own pages, see [http.CrossOriginProtection] and [WithTrustedOrigins]. The
// Content-Security-Policy allows only the console's own style sheet, script and images. JavaScript is optional: it only keeps the pages up to
// date and adds a checkbox that selects all rows.
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

// Option configures the handler that New returns.
type Option func(c *console)

// WithActions allows actions that change the inbox. By default the console is read-only. An action on all events of a list runs within its
// HTTP request. If the request is interrupted, the action can be repeated.
func WithActions() Option { return func(c *console) { c.Actions = true } }

// WithPayloads shows the payloads of events, which are hidden by default. They contain data about the videos of the program's users, such
// as links to them.
func WithPayloads() Option { return func(c *console) { c.Payloads = true } }

// WithTitle sets the title of every page. The default is "JoggAI inbox".
func WithTitle(title string) Option { return func(c *console) { c.Title = title } }

// WithTrustedOrigins also accepts actions from pages of these origins, such as "https://admin.example.com". It is needed only if a proxy
// changes the Host header and the browser sends no Sec-Fetch-Site header. New panics if an origin is invalid.
func WithTrustedOrigins(origins ...string) Option {
	return func(c *console) {
		for _, origin := range origins {
			if err := c.protection.AddTrustedOrigin(origin); err != nil {
				panic("console: " + err.Error())
			}
		}
	}
}

// WithLogger sets the logger for actions and for pages that could not be shown. The default is slog.Default().
func WithLogger(logger *slog.Logger) Option { return func(c *console) { c.log = logger } }

// New returns a handler that serves the console of an inbox. Mount it at a path that ends with a slash. It is safe for concurrent use. If
// the inbox is closed, the pages say so.
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
	// maxFormBytes limits the body of a request. A form can contain the keys of all events on a page.
	maxFormBytes = 1 << 20
)

// serve routes a request by the last segment of its path.
func (c *console) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if r.URL.Path == "" { // http.StripPrefix removed the whole path: without a trailing slash, relative links would miss the console
		header.Set("Location", path.Base(r.RequestURI)+"/")
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
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
	c.fail(w, r, &userError{http.StatusNotFound, "Page not found."})
}

func asset(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "max-age=300")
	http.ServeFileFS(w, r, assets, path.Base(r.URL.Path))
	return nil
}

var pages = template.Must(template.New("pages").Funcs(functions).ParseFS(assets, "pages.html"))

// render executes the template into a buffer first, so that an error never follows a partly written page.
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
