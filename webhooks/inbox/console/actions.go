package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// action is something that people may do. Those without a state concern the whole inbox.
type action struct {
	Name, Verb, Past string
	State            inbox.State
	Destroys         bool
	Explanation      string
	each             func(b *inbox.Inbox, ctx context.Context, keys ...string) error
	whole            func(b *inbox.Inbox, ctx context.Context) error
}

var actions = []action{
	{
		Name: "retry", Verb: "Retry now", Past: "will be tried as soon as a worker is free", State: inbox.StateWaiting,
		Explanation: "They are tried as soon as a worker is free, and do not wait for their time. The attempt counts.",
		each:        (*inbox.Inbox).RetryNow,
	},
	{
		Name: "discard", Verb: "Discard", Past: "discarded; now among the dead letters", State: inbox.StateWaiting, Destroys: true,
		Explanation: "They become dead letters without another attempt. Dead letters can be redriven.",
		each:        (*inbox.Inbox).Discard,
	},
	{
		Name: "redrive", Verb: "Redrive", Past: "redriven", State: inbox.StateDead,
		Explanation: "They go back into the queue, and are tried as often as new ones.",
		each:        (*inbox.Inbox).Redrive,
	},
	{
		Name: "delete", Verb: "Delete", Past: "deleted for good", State: inbox.StateDead, Destroys: true,
		Explanation: "They are gone for good. Nothing brings them back.",
		each: func(b *inbox.Inbox, ctx context.Context, keys ...string) error {
			for _, key := range keys {
				if err := b.DeleteDeadLetter(ctx, key); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		Name: "pause", Verb: "Pause", Past: "Paused",
		Explanation: "No worker is handed another event, in any process, until somebody resumes. What runs goes on, and events are still received.",
		whole:       func(b *inbox.Inbox, ctx context.Context) error { return b.Pause(ctx, time.Time{}) },
	},
	{
		Name: "resume", Verb: "Resume", Past: "Resumed",
		Explanation: "Workers are handed events again.",
		whole:       (*inbox.Inbox).Resume,
	},
}

// order is an action and what it is for: the keys, or all events of a list.
type order struct {
	action
	filter
	All  bool
	Keys []string
}

// orderOf reads the form of a list or of a confirmation. The button says what is to be done, and with which events.
func (c *console) orderOf(r *http.Request) (order, error) {
	if !c.Actions {
		return order{}, &refusal{http.StatusForbidden, "This console only shows. The program that serves it does not allow any action."}
	}
	if err := r.ParseForm(); err != nil {
		return order{}, &refusal{http.StatusBadRequest, "The form cannot be read."}
	}
	name, scope, _ := strings.Cut(r.PostForm.Get("do"), ":")
	o := order{filter: filterOf(r.PostForm), Keys: r.PostForm["selected"], All: scope == "all"}
	for _, a := range actions {
		if a.Name == name {
			o.action = a
		}
	}
	switch {
	case o.Name == "":
		return order{}, &refusal{http.StatusBadRequest, "There is no such action."}
	case o.whole == nil && !o.All && len(o.Keys) == 0:
		return order{}, &refusal{http.StatusBadRequest, "No event was selected."}
	}
	o.filter.State, o.filter.After = o.action.State, ""
	if o.All {
		o.Keys = nil
	}
	return o, nil
}

// Whole reports whether the action is about the inbox and not about events.
func (o order) Whole() bool { return o.whole != nil }

// Filter returns the list that the action began at.
func (o order) Filter() filter { return o.filter }

// Back returns where to go when the action is not wanted.
func (o order) Back() string {
	if o.Whole() {
		return "./"
	}
	return o.Link("")
}

const (
	// keysShown is how many keys a confirmation names.
	keysShown = 12
	// mostCounted limits what a confirmation counts.
	mostCounted = 10_000
)

func (c *console) confirm(w http.ResponseWriter, r *http.Request) error {
	o, err := c.orderOf(r)
	if err != nil {
		return err
	}
	view := struct {
		frame
		Order order
		Count int
		More  bool // than were counted
		Shown []string
	}{frame: c.frame(r.Context(), string(o.action.State)), Order: o, Count: len(o.Keys), Shown: o.Keys}
	if o.All {
		q := o.query(time.Now())
		q.Limit = 1000
		for e, err := range c.box.Entries(r.Context(), q) {
			if err != nil {
				return err
			}
			if view.Count == mostCounted {
				view.More = true
				break
			}
			view.Count++
			if len(view.Shown) < keysShown {
				view.Shown = append(view.Shown, e.Key)
			}
		}
	}
	view.Shown = view.Shown[:min(len(view.Shown), keysShown)]
	return c.render(w, http.StatusOK, "confirm", view)
}

// act does what was confirmed, and goes back to where it came from.
func (c *console) act(w http.ResponseWriter, r *http.Request) error {
	o, err := c.orderOf(r)
	if err != nil {
		return err
	}
	n, gone, err := c.perform(r.Context(), o)
	c.log.InfoContext(r.Context(), "console: action", "action", o.Name, "done", n, "gone", gone, "error", err)
	if err != nil {
		return fmt.Errorf("%d of the events were %s, then: %w", n, o.Past, err)
	}
	values := url.Values{"done": {o.Name}, "n": {strconv.Itoa(n)}, "gone": {strconv.Itoa(gone)}}
	back := "./?" + values.Encode()
	if o.whole == nil {
		back = o.Link("") + "&" + values.Encode()
	}
	w.Header().Set("Location", back) // relative to the request, which http.Redirect would make absolute without the prefix
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// perform carries an order out. Events that are not there any more, or are being handled, are counted as gone.
func (c *console) perform(ctx context.Context, o order) (n, gone int, err error) {
	if o.whole != nil {
		return 0, 0, o.whole(c.box, ctx)
	}
	one := func(key string) error {
		err := o.each(c.box, ctx, key)
		switch {
		case err == nil:
			n++
		case errors.Is(err, inbox.ErrNoEvent), errors.Is(err, inbox.ErrNoDeadLetter), errors.Is(err, inbox.ErrRunning):
			gone++
		default:
			return err
		}
		return nil
	}
	for _, key := range o.Keys {
		if err := one(key); err != nil {
			return n, gone, err
		}
	}
	if !o.All {
		return n, gone, nil
	}
	begin := time.Now()
	q := o.query(begin)
	q.Newest = false // what is added meanwhile comes last
	q.Limit = 1000
	for e, err := range c.box.Entries(ctx, q) {
		if err != nil {
			return n, gone, err
		}
		if e.Ended.After(begin) || e.Received.After(begin) {
			continue
		}
		if err := one(e.Key); err != nil {
			return n, gone, err
		}
	}
	return n, gone, nil
}

// done tells what an action has done, from the address that it has led to.
func done(values url.Values) string {
	n, _ := strconv.Atoi(values.Get("n"))
	gone, _ := strconv.Atoi(values.Get("gone"))
	for _, a := range actions {
		switch {
		case a.Name != values.Get("done"):
		case a.whole != nil:
			return a.Past + "."
		case gone > 0:
			return fmt.Sprintf("%s %s. %s not there any more, or being handled.", counted(n, "event"), a.Past, counted(gone, "event"))
		default:
			return fmt.Sprintf("%s %s.", counted(n, "event"), a.Past)
		}
	}
	return ""
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
