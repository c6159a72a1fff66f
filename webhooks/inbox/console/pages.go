package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// frame is the data that all pages share.
type frame struct {
	*console
	Now     time.Time
	Page    string // the current link of the navigation
	Stats   inbox.Stats
	Problem string // the error of Stats or Healthy, or ""
	Done    string // the result of the last action, or ""
}

func (c *console) frame(ctx context.Context, page string) frame {
	f := frame{console: c, Now: time.Now(), Page: page}
	var err error
	if f.Stats, err = c.box.Stats(ctx); err == nil { // after an error, f.Stats has what is known without the store
		err = c.box.Healthy(ctx)
	}
	if err != nil {
		f.Problem = err.Error()
	}
	return f
}

// Paused returns the end of the pause in words, or "" if the inbox is not paused.
func (f frame) Paused() string {
	switch until := f.Stats.Paused; {
	case until.IsZero():
		return ""
	case until.Sub(f.Now) > 365*24*time.Hour:
		return "until it is resumed"
	default:
		return "until " + until.UTC().Format("2006-01-02 15:04:05 UTC")
	}
}

// recent is the length of the two lists in the overview: running events and dead letters.
const recent = 5

func (c *console) overview(w http.ResponseWriter, r *http.Request) error {
	view := struct {
		frame
		Counts        inbox.Counts
		Flow, Times   plot
		Running, Dead []inbox.Entry
	}{frame: c.frame(r.Context(), "overview")}
	view.Done = done(r.URL.Query())
	view.Counts = c.box.Counts()
	minutes := c.box.History()
	view.Flow, view.Times = flowPlot(minutes), timesPlot(minutes)
	for state, entries := range map[inbox.State]*[]inbox.Entry{inbox.StateRunning: &view.Running, inbox.StateDead: &view.Dead} {
		page, err := c.box.List(r.Context(), inbox.Query{State: state, Limit: recent, Newest: state == inbox.StateDead})
		if err != nil && view.Problem == "" {
			return err
		}
		*entries = page.Entries
	}
	return c.render(w, http.StatusOK, "overview", view)
}

// filter holds the filter and sort order of a list. Form fields and query parameters have the same names, in lower case.
type filter struct {
	State            inbox.State
	Type, Key, Error string
	Age, Order       string
	After            string
}

// untyped is the filter value for events without a type.
const untyped = "-"

func filterOf(values url.Values) filter {
	f := filter{
		State: inbox.State(values.Get("state")), Type: values.Get("type"), Key: values.Get("key"), Error: values.Get("error"),
		Age: values.Get("age"), Order: values.Get("order"), After: values.Get("after"),
	}
	if f.State == "" {
		f.State = inbox.StateWaiting
	}
	if f.Order == "" {
		f.Order = "oldest"
		if f.State == inbox.StateDead {
			f.Order = "newest"
		}
	}
	return f
}

// ages are the options of the age filter. A leading "-" selects events received within that time, no "-" those received before it.
var ages = []struct {
	Value, Label string
	within       bool
	age          time.Duration
}{
	{"", "any age", false, 0},
	{"-5m", "last 5 minutes", true, 5 * time.Minute},
	{"-1h", "last hour", true, time.Hour},
	{"-24h", "last 24 hours", true, 24 * time.Hour},
	{"5m", "over 5 minutes ago", false, 5 * time.Minute},
	{"1h", "over an hour ago", false, time.Hour},
	{"24h", "over 24 hours ago", false, 24 * time.Hour},
	{"168h", "over 7 days ago", false, 7 * 24 * time.Hour},
}

func (f filter) query(now time.Time) inbox.Query {
	q := inbox.Query{State: f.State, Key: f.Key, Reason: f.Error, Newest: f.Order == "newest", After: f.After}
	switch f.Type {
	case "":
	case untyped:
		q.Types = []webhooks.EventType{""}
	default:
		q.Types = []webhooks.EventType{webhooks.EventType(f.Type)}
	}
	for _, a := range ages {
		if a.Value != f.Age || f.Age == "" {
			continue
		}
		if a.within {
			q.From = now.Add(-a.age)
		} else {
			q.Until = now.Add(-a.age)
		}
	}
	return q
}

// Link returns the relative URL of the page of the list that starts after the given cursor, or of the first page if it is "".
func (f filter) Link(after string) string {
	values := url.Values{"state": {string(f.State)}}
	for name, value := range map[string]string{
		"type": f.Type, "key": f.Key, "error": f.Error, "age": f.Age, "order": f.Order, "after": after,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return "events?" + values.Encode()
}

// Narrow reports whether the list is filtered by anything but the state.
func (f filter) Narrow() bool { return f.Type+f.Key+f.Error+f.Age != "" }

func (c *console) events(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	f := filterOf(values)
	page, err := c.box.List(r.Context(), f.query(time.Now()))
	if err != nil {
		return err
	}
	view := struct {
		frame
		filter
		Entries []inbox.Entry
		Next    string
		Types   []webhooks.EventType
		Ages    any
	}{
		frame: c.frame(r.Context(), string(f.State)), filter: f, Entries: page.Entries, Types: webhooks.EventTypes(), Ages: ages,
	}
	view.Done = done(values)
	if page.Next != "" {
		view.Next = f.Link(page.Next)
	}
	if t := webhooks.EventType(f.Type); t != "" && t != untyped && !slices.Contains(view.Types, t) {
		view.Types = append(view.Types, t)
	}
	return c.render(w, http.StatusOK, "events", view)
}

func (c *console) event(w http.ResponseWriter, r *http.Request) error {
	key := r.URL.Query().Get("key")
	d, err := c.box.Find(r.Context(), key)
	if errors.Is(err, inbox.ErrNoEvent) {
		return &userError{http.StatusNotFound, "No event with the key " + key + ". It was handled, deleted or never received."}
	}
	if err != nil {
		return err
	}
	view := struct {
		frame
		inbox.Detail
		Payload   string
		Truncated bool
	}{frame: c.frame(r.Context(), string(d.State)), Detail: d}
	view.Done = done(r.URL.Query())
	if c.Payloads {
		view.Payload, view.Truncated = payload(d.Event.Raw)
	}
	return c.render(w, http.StatusOK, "event", view)
}

// maxPayloadBytes limits the payload on the page of an event, measured after indentation.
const maxPayloadBytes = 64 << 10

// payload returns the body of an event as text: indented if it is JSON, and quoted if it is not valid UTF-8.
func payload(raw []byte) (text string, truncated bool) {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err == nil {
		raw = b.Bytes()
	}
	if truncated = len(raw) > maxPayloadBytes; truncated {
		raw = raw[:maxPayloadBytes]
		for len(raw) > 0 && !utf8.RuneStart(raw[len(raw)-1]) {
			raw = raw[:len(raw)-1]
		}
	}
	if text = string(raw); !utf8.ValidString(text) {
		text = fmt.Sprintf("%q", text)
	}
	return text, truncated
}

// userError is an error that the request caused. Its text is shown on the page, and it is not logged.
type userError struct {
	status int
	text   string
}

func (e *userError) Error() string { return e.text }

// fail shows an error page. Errors that the request did not cause are logged, too.
func (c *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	view := struct {
		frame
		Text string
	}{frame: c.frame(r.Context(), "")}
	status := http.StatusServiceUnavailable
	queryErr, isQuery := errors.AsType[*inbox.QueryError](err)
	userErr, isUser := errors.AsType[*userError](err)
	switch {
	case isUser:
		status, view.Text = userErr.status, userErr.text
	case isQuery:
		status, view.Text = http.StatusBadRequest, queryErr.Error()
	default:
		view.Text = err.Error()
		c.log.WarnContext(r.Context(), "console: page not shown", "error", err)
	}
	if err := c.render(w, status, "failure", view); err != nil {
		c.log.ErrorContext(r.Context(), "console: page not shown", "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}

var functions = template.FuncMap{
	"ago":      func(now, t time.Time) string { return span(now.Sub(t)) },
	"until":    func(now, t time.Time) string { return span(t.Sub(now)) },
	"duration": span,
	"between":  func(a, b time.Time) string { return span(b.Sub(a)) },
	"utc":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	"machine":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"bytes":    size,
	"eventURL": func(key string) string { return "event?" + url.Values{"key": {key}}.Encode() },
	"line":     func(text string) string { first, _, _ := strings.Cut(text, "\n"); return first },
	"untyped":  func() string { return untyped },
	"waiting": func(now time.Time, e inbox.Entry) any {
		return struct {
			Now   time.Time
			Entry inbox.Entry
		}{now, e}
	},
}

// span formats a duration with one or two units. A negative one is "0 s".
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// size formats a number of bytes, an int or an int64.
func size(n any) string {
	value := 0.0
	switch n := n.(type) {
	case int:
		value = float64(n)
	case int64:
		value = float64(n)
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; value >= 1024 && i < len(units)-1; i++ {
		value /= 1024
	}
	if i == 0 || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, units[i])
	}
	return fmt.Sprintf("%.1f %s", value, units[i])
}
