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

// filters are the flags that choose events.
type filters struct {
	state, kind, key, reason string
	newer, older             time.Duration
	newest                   bool
}

func (f *filters) add(flags *flag.FlagSet) {
	flags.StringVar(&f.kind, "type", "", "events of this `type` only; - stands for events that have none")
	flags.StringVar(&f.key, "key", "", "events with this `part` in their key only")
	flags.StringVar(&f.reason, "reason", "", "events with this `part` in their last error only")
	flags.DurationVar(&f.newer, "newer", 0, "events received in this `time` only")
	flags.DurationVar(&f.older, "older", 0, "events received before this `time` only")
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

// event is how JSON lines show an event.
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
		Ended: known(e.Ended), Error: e.Error, Next: known(e.Next), Taken: e.Taken,
	}
}

// known returns nil for a time that is not known.
func known(t time.Time) *time.Time {
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
				"waiting": s.Waiting, "redelivered": s.Redelivered, "dead": s.Dead, "oldest": known(s.OldestWaiting),
				"paused_until": known(s.Paused), "free_bytes": s.FreeBytes,
			})
		}
		return t.table(func(row func(cells ...any)) {
			row("Waiting", s.Waiting)
			row("Tried before", s.Redelivered)
			row("Dead letters", s.Dead)
			row("Oldest", stamp(s.OldestWaiting))
			row("Paused until", stamp(s.Paused))
			row("Free bytes", s.FreeBytes)
		})
	}
}

func (t *tool) list(flags *flag.FlagSet) func(context.Context) error {
	var f filters
	f.add(flags)
	flags.StringVar(&f.state, "state", string(inbox.StateWaiting), "`waiting` or dead")
	flags.BoolVar(&f.newest, "newest", false, "the newest first")
	limit := flags.Int("limit", 50, "at most this many; 0 lists all")
	return func(ctx context.Context) error {
		if flags.NArg() > 0 {
			return t.usage("list takes no argument %q", flags.Arg(0))
		}
		if f.state == string(inbox.StateRunning) {
			return t.usage("only the process that runs events knows them; they are among the waiting ones here")
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

// next says when an event is tried again.
func next(e inbox.Entry) string {
	switch {
	case e.State == inbox.StateDead:
		return "never"
	case !e.Next.IsZero():
		return stamp(e.Next)
	case e.Taken:
		return "taken"
	}
	return "due"
}

func (t *tool) show(flags *flag.FlagSet) func(context.Context) error {
	payload := flags.Bool("payload", false, "show the body, too")
	return func(ctx context.Context) error {
		if flags.NArg() != 1 {
			return t.usage("show takes one key")
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

func detailOf(d inbox.Detail, payload bool) event {
	e := eventOf(d.Entry)
	for _, a := range d.Failures {
		e.Failures = append(e.Failures, attempt{a.Number, known(a.Began), a.Ended.UTC(), a.Error, known(a.Next), a.Worker})
	}
	if payload {
		e.Payload = string(d.Event.Raw)
	}
	return e
}

// line prints a value as a line of JSON.
func (t *tool) line(v any) error { return json.NewEncoder(t.out).Encode(v) }

// table prints rows in columns. Control characters are quoted, since a terminal would obey them.
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

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
