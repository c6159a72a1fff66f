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

// frame is what every page has.
type frame struct {
	*console
	Now     time.Time
	Page    string // which of the links in the head is the current one
	Stats   inbox.Stats
	Problem string // why the inbox is not healthy
	Done    string // what the last action has done
}

func (c *console) frame(ctx context.Context, page string) frame {
	f := frame{console: c, Now: time.Now(), Page: page}
	var err error
	if f.Stats, err = c.box.Stats(ctx); err == nil { // and otherwise what the process knows by itself
		err = c.box.Healthy(ctx)
	}
	if err != nil {
		f.Problem = err.Error()
	}
	return f
}

// Paused tells how long the inbox is paused, "" if it is not.
func (f frame) Paused() string {
	switch until := f.Stats.Paused; {
	case until.IsZero():
		return ""
	case until.Sub(f.Now) > 365*24*time.Hour:
		return "until somebody resumes it"
	default:
		return "until " + until.UTC().Format("2006-01-02 15:04:05 UTC")
	}
}

// recent is how many events of each kind the overview shows.
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

// filter is a list as it is asked for, by the names that its fields have in forms and addresses.
type filter struct {
	State            inbox.State
	Type, Key, Error string
	Age, Order       string
	After            string
}

// untyped stands in a filter for events without a type.
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

// ages are the choices of a filter. Those with a "-" before them are younger, the others older.
var ages = []struct {
	Value, Label string
	younger      bool
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
		if a.younger {
			q.From = now.Add(-a.age)
		} else {
			q.Until = now.Add(-a.age)
		}
	}
	return q
}

// Link returns the address of the list, from that event on.
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

// Narrow reports whether the list leaves anything out.
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
		return &refusal{http.StatusNotFound, "There is no event with the key " + key + ". It was handled or deleted, or never received."}
	}
	if err != nil {
		return err
	}
	view := struct {
		frame
		inbox.Detail
		Payload string
		Cut     bool
	}{frame: c.frame(r.Context(), string(d.State)), Detail: d}
	view.Done = done(r.URL.Query())
	if c.Payloads {
		view.Payload, view.Cut = payload(d.Event.Raw)
	}
	return c.render(w, http.StatusOK, "event", view)
}

// longestPayload is how many bytes of a payload are shown.
const longestPayload = 64 << 10

// payload returns a body for people to read.
func payload(raw []byte) (text string, cut bool) {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err == nil {
		raw = b.Bytes()
	}
	if cut = len(raw) > longestPayload; cut {
		raw = raw[:longestPayload]
		for len(raw) > 0 && !utf8.RuneStart(raw[len(raw)-1]) {
			raw = raw[:len(raw)-1]
		}
	}
	if text = string(raw); !utf8.ValidString(text) {
		text = fmt.Sprintf("%q", text)
	}
	return text, cut
}

// refusal is an error for the reader.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

// fail shows what went wrong.
func (c *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	view := struct {
		frame
		Text string
	}{frame: c.frame(r.Context(), "")}
	status := http.StatusServiceUnavailable
	wrong, isQuery := errors.AsType[*inbox.QueryError](err)
	known, isRefusal := errors.AsType[*refusal](err)
	switch {
	case isRefusal:
		status, view.Text = known.status, known.text
	case isQuery:
		status, view.Text = http.StatusBadRequest, wrong.Error()
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

// span writes a duration with one or two units.
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
