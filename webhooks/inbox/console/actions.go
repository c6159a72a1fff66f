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

// action is an action of the console. An action without a State applies to the whole inbox.
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
		Name: "retry", Verb: "Retry now", Past: "will be retried as soon as a worker is free", State: inbox.StateWaiting,
		Explanation: "The next attempt starts as soon as a worker is free, not at its scheduled time. It counts like any other attempt.",
		each:        (*inbox.Inbox).RetryNow,
	},
	{
		Name: "discard", Verb: "Discard", Past: "discarded and moved to the dead letters", State: inbox.StateWaiting, Destroys: true,
		Explanation: "Discarded events become dead letters without another attempt. Dead letters can be redriven.",
		each:        (*inbox.Inbox).Discard,
	},
	{
		Name: "redrive", Verb: "Redrive", Past: "redriven", State: inbox.StateDead,
		Explanation: "Redriven events go back into the queue, with as many attempts as new events.",
		each:        (*inbox.Inbox).Redrive,
	},
	{
		Name: "delete", Verb: "Delete", Past: "permanently deleted", State: inbox.StateDead, Destroys: true,
		Explanation: "Deleted events are gone permanently. This cannot be undone.",
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
		Explanation: "Workers get no more events, in any process, until somebody resumes the inbox. Running handlers continue, and events are still received.",
		whole:       func(b *inbox.Inbox, ctx context.Context) error { return b.Pause(ctx, time.Time{}) },
	},
	{
		Name: "resume", Verb: "Resume", Past: "Resumed",
		Explanation: "Workers get events again, in all processes.",
		whole:       (*inbox.Inbox).Resume,
	},
}

// actionRequest is an action and the events it applies to: those with the keys, or all events that match the filter.
type actionRequest struct {
	action
	filter
	All  bool
	Keys []string
}

// actionRequestOf parses the form of a list or of a confirmation page. The value of the button is "action", "action:selected" or
// "action:all".
func (c *console) actionRequestOf(r *http.Request) (actionRequest, error) {
	if !c.Actions {
		return actionRequest{}, &userError{http.StatusForbidden, "This console is read-only. The program that serves it does not allow actions."}
	}
	if err := r.ParseForm(); err != nil {
		return actionRequest{}, &userError{http.StatusBadRequest, "The form could not be parsed."}
	}
	name, scope, _ := strings.Cut(r.PostForm.Get("do"), ":")
	req := actionRequest{filter: filterOf(r.PostForm), Keys: r.PostForm["selected"], All: scope == "all"}
	for _, a := range actions {
		if a.Name == name {
			req.action = a
		}
	}
	switch {
	case req.Name == "":
		return actionRequest{}, &userError{http.StatusBadRequest, "Unknown action."}
	case req.whole == nil && !req.All && len(req.Keys) == 0:
		return actionRequest{}, &userError{http.StatusBadRequest, "No events selected."}
	}
	req.filter.State, req.filter.After = req.action.State, ""
	if req.All {
		req.Keys = nil
	}
	return req, nil
}

// Whole reports whether the action applies to the whole inbox, not to events.
func (req actionRequest) Whole() bool { return req.whole != nil }

// Filter returns the filter of the list that the action was chosen on.
func (req actionRequest) Filter() filter { return req.filter }

// Back returns the relative URL of the Cancel link.
func (req actionRequest) Back() string {
	if req.Whole() {
		return "./"
	}
	return req.Link("")
}

const (
	// maxKeysShown limits the keys on a confirmation page.
	maxKeysShown = 12
	// maxCounted limits how many events a confirmation page counts.
	maxCounted = 10_000
)

func (c *console) confirm(w http.ResponseWriter, r *http.Request) error {
	req, err := c.actionRequestOf(r)
	if err != nil {
		return err
	}
	view := struct {
		frame
		Request actionRequest
		Count   int
		More    bool // there are more than Count
		Shown   []string
	}{frame: c.frame(r.Context(), string(req.action.State)), Request: req, Count: len(req.Keys), Shown: req.Keys}
	if req.All {
		q := req.query(time.Now())
		q.Limit = 1000
		for e, err := range c.box.Entries(r.Context(), q) {
			if err != nil {
				return err
			}
			if view.Count == maxCounted {
				view.More = true
				break
			}
			view.Count++
			if len(view.Shown) < maxKeysShown {
				view.Shown = append(view.Shown, e.Key)
			}
		}
	}
	view.Shown = view.Shown[:min(len(view.Shown), maxKeysShown)]
	return c.render(w, http.StatusOK, "confirm", view)
}

// act performs a confirmed action and redirects to the page that it was chosen on.
func (c *console) act(w http.ResponseWriter, r *http.Request) error {
	req, err := c.actionRequestOf(r)
	if err != nil {
		return err
	}
	n, skipped, err := c.perform(r.Context(), req)
	c.log.InfoContext(r.Context(), "console: action", "action", req.Name, "done", n, "skipped", skipped, "error", err)
	switch {
	case err != nil && req.Whole():
		return fmt.Errorf("%s failed: %w", req.Name, err)
	case err != nil:
		return fmt.Errorf("%s failed after %s: %w", req.Name, eventCount(n), err)
	}
	values := url.Values{"done": {req.Name}, "n": {strconv.Itoa(n)}, "skipped": {strconv.Itoa(skipped)}}
	back := "./?" + values.Encode()
	if req.whole == nil {
		back = req.Link("") + "&" + values.Encode()
	}
	w.Header().Set("Location", back) // relative, because http.Redirect would make it absolute without the prefix
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// perform applies the action to each event. Events that no longer exist, or that are being handled, are counted as skipped.
func (c *console) perform(ctx context.Context, req actionRequest) (n, skipped int, err error) {
	if req.whole != nil {
		return 0, 0, req.whole(c.box, ctx)
	}
	one := func(key string) error {
		err := req.each(c.box, ctx, key)
		switch {
		case err == nil:
			n++
		case errors.Is(err, inbox.ErrNoEvent), errors.Is(err, inbox.ErrNoDeadLetter), errors.Is(err, inbox.ErrRunning):
			skipped++
		default:
			return err
		}
		return nil
	}
	for _, key := range req.Keys {
		if err := one(key); err != nil {
			return n, skipped, err
		}
	}
	if !req.All {
		return n, skipped, nil
	}
	begin := time.Now()
	q := req.query(begin)
	q.Newest = false // events that are added meanwhile come last
	q.Limit = 1000
	for e, err := range c.box.Entries(ctx, q) {
		if err != nil {
			return n, skipped, err
		}
		if e.Ended.After(begin) || e.Received.After(begin) {
			continue
		}
		if err := one(e.Key); err != nil {
			return n, skipped, err
		}
	}
	return n, skipped, nil
}

// done returns the result of an action as text, from the query parameters that act added to the URL.
func done(values url.Values) string {
	n, _ := strconv.Atoi(values.Get("n"))
	skipped, _ := strconv.Atoi(values.Get("skipped"))
	for _, a := range actions {
		switch {
		case a.Name != values.Get("done"):
		case a.whole != nil:
			return a.Past + "."
		case skipped > 0:
			return fmt.Sprintf("%s %s. %s skipped: no longer there, or being handled.", eventCount(n), a.Past, eventCount(skipped))
		default:
			return fmt.Sprintf("%s %s.", eventCount(n), a.Past)
		}
	}
	return ""
}

// eventCount formats a number of events, such as "1 event" or "2 events".
func eventCount(n int) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}
