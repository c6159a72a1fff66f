package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// filters are the flags that select events.
type filters struct {
	state, kind, key, reason string
	newer, older             time.Duration
	newest                   bool
}

func (f *filters) add(flags *flag.FlagSet) {
	flags.StringVar(&f.kind, "type", "", "only events of this `type`; - selects events without a type")
	flags.StringVar(&f.key, "key", "", "only events whose key contains this `text`")
	flags.StringVar(&f.reason, "reason", "", "only events whose last error contains this `text`")
	flags.DurationVar(&f.newer, "newer", 0, "only events received within this `duration`")
	flags.DurationVar(&f.older, "older", 0, "only events received longer ago than this `duration`")
}

func (f *filters) query(now time.Time) inbox.Query {
	q := inbox.Query{State: inbox.State(f.state), Key: f.key, Reason: f.reason, Newest: f.newest}
	switch f.kind {
	case "":
	case "-":
		q.Types = []webhooks.EventType{""}
	default:
		q.Types = []webhooks.EventType{webhooks.EventType(f.kind)}
	}
	if f.newer > 0 {
		q.From = now.Add(-f.newer)
	}
	if f.older > 0 {
		q.Until = now.Add(-f.older)
	}
	return q
}

// event is the JSON form of an event.
type event struct {
	Key      string     `json:"key"`
	Type     string     `json:"type"`
	State    string     `json:"state"`
	Received time.Time  `json:"received"`
	Bytes    int        `json:"bytes"`
	Attempts int        `json:"attempts"`
	Ended    *time.Time `json:"ended,omitempty"`
	Error    string     `json:"error,omitempty"`
	Next     *time.Time `json:"next,omitempty"`
	Taken    bool       `json:"taken,omitempty"`

	Failures []attempt `json:"failures,omitempty"`
	Payload  string    `json:"payload,omitempty"`
}

// attempt is the JSON form of a failed attempt.
type attempt struct {
	Number int        `json:"number"`
	Began  *time.Time `json:"began,omitempty"`
	Ended  time.Time  `json:"ended"`
	Error  string     `json:"error"`
	Next   *time.Time `json:"next,omitempty"`
	Worker string     `json:"worker"`
}

func eventOf(e inbox.Entry) event {
	return event{
		Key: e.Key, Type: string(e.Type), State: string(e.State), Received: e.Received.UTC(), Bytes: e.Size, Attempts: e.Attempts,
		Ended: optional(e.Ended), Error: e.Error, Next: optional(e.Next), Taken: e.Taken,
	}
}

// optional returns a pointer to t in UTC, or nil if t is zero.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (t *tool) stats(*flag.FlagSet) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := t.box.Stats(ctx)
		if err != nil {
			return err
		}
		if t.json {
			return t.line(map[string]any{
				"waiting": s.Waiting, "redelivered": s.Redelivered, "dead": s.Dead, "oldest": optional(s.OldestWaiting),
				"paused_until": optional(s.Paused), "free_bytes": s.FreeBytes,
			})
		}
		return t.table(func(row func(cells ...any)) {
			row("Waiting", s.Waiting)
			row("Redelivered", s.Redelivered)
			row("Dead letters", s.Dead)
			row("Oldest event", stamp(s.OldestWaiting))
			row("Paused until", stamp(s.Paused))
			row("Free bytes", s.FreeBytes)
		})
	}
}

func (t *tool) list(flags *flag.FlagSet) func(context.Context) error {
	var f filters
	f.add(flags)
	flags.StringVar(&f.state, "state", string(inbox.StateWaiting), "`state` of the events: waiting or dead")
	flags.BoolVar(&f.newest, "newest", false, "list the newest first")
	limit := flags.Int("limit", 50, "list at most this many events; 0 lists all")
	return func(ctx context.Context) error {
		if flags.NArg() > 0 {
			return t.usage("list: unexpected argument %q", flags.Arg(0))
		}
		if f.state == string(inbox.StateRunning) {
			return t.usage("list: running events are known only to the process that runs them; list them with -state waiting")
		}
		var failed error
		n := 0
		table := t.table
		if t.json {
			table = func(fill func(row func(cells ...any))) error {
				fill(nil)
				return nil
			}
		}
		err := table(func(row func(cells ...any)) {
			if row != nil {
				row("KEY", "TYPE", "RECEIVED", "ATTEMPTS", "NEXT", "ERROR")
			}
			for e, err := range t.box.Entries(ctx, f.query(time.Now())) {
				if err != nil {
					failed = err
					return
				}
				if row == nil {
					failed = t.line(eventOf(e))
				} else {
					row(e.Key, cmp.Or(string(e.Type), "-"), stamp(e.Received), e.Attempts, next(e), firstLine(e.Error))
				}
				if n++; n == *limit || failed != nil {
					return
				}
			}
		})
		return cmp.Or(failed, err)
	}
}

// next describes when the event is attempted next.
func next(e inbox.Entry) string {
	switch {
	case e.State == inbox.StateDead:
		return "never"
	case !e.Next.IsZero():
		return stamp(e.Next)
	case e.Taken:
		return "held by a worker"
	}
	return "due"
}

func (t *tool) show(flags *flag.FlagSet) func(context.Context) error {
	payload := flags.Bool("payload", false, "also print the payload")
	return func(ctx context.Context) error {
		if flags.NArg() != 1 {
			return t.usage("show: exactly one key is required")
		}
		d, err := t.box.Find(ctx, flags.Arg(0))
		if err != nil {
			return err
		}
		if t.json {
			return t.line(detailOf(d, *payload))
		}
		err = t.table(func(row func(cells ...any)) {
			row("Key", d.Key)
			row("Type", cmp.Or(string(d.Type), "-"))
			row("State", d.State)
			row("Received", stamp(d.Received))
			row("Bytes", d.Size)
			row("Attempts", d.Attempts)
			row("Next attempt", next(d.Entry))
			row("Error", d.Error)
		})
		if err == nil && len(d.Failures) > 0 {
			fmt.Fprintln(t.out)
			err = t.table(func(row func(cells ...any)) {
				row("ATTEMPT", "ENDED", "NEXT", "WORKER", "ERROR")
				for _, a := range d.Failures {
					row(a.Number, stamp(a.Ended), stamp(a.Next), a.Worker, firstLine(a.Error))
				}
			})
		}
		if err == nil && *payload {
			_, err = fmt.Fprintf(t.out, "\n%s\n", d.Event.Raw)
		}
		return err
	}
}

// detailOf returns the JSON form of an event with its failed attempts, and its payload if wanted.
func detailOf(d inbox.Detail, payload bool) event {
	e := eventOf(d.Entry)
	for _, a := range d.Failures {
		e.Failures = append(e.Failures, attempt{a.Number, optional(a.Began), a.Ended.UTC(), a.Error, optional(a.Next), a.Worker})
	}
	if payload {
		e.Payload = string(d.Event.Raw)
	}
	return e
}

// line prints v as one line of JSON.
func (t *tool) line(v any) error { return json.NewEncoder(t.out).Encode(v) }

// table prints rows in aligned columns. It replaces control characters with spaces, because a terminal would interpret them.
func (t *tool) table(fill func(row func(cells ...any))) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fill(func(cells ...any) {
		texts := make([]string, len(cells))
		for i, cell := range cells {
			texts[i] = strings.Map(printable, fmt.Sprint(cell))
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(texts, "\t"), "\t"))
	})
	return w.Flush()
}

func printable(r rune) rune {
	if r < ' ' || r >= 0x7f && r < 0xa0 {
		return ' '
	}
	return r
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// stamp formats a time in UTC, or "-" if it is zero.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
