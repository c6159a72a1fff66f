package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// deed is what is done with events. It has the form of a method of Inbox.
type deed func(b *inbox.Inbox, ctx context.Context, keys ...string) error

// act returns a command that does something with events.
func act(name string, state inbox.State, do deed) func(*tool, *flag.FlagSet) func(context.Context) error {
	return func(t *tool, flags *flag.FlagSet) func(context.Context) error {
		f := filters{state: string(state)}
		f.add(flags)
		all := flags.Bool("all", false, "all events that the filters choose, in place of keys")
		return func(ctx context.Context) error {
			if *all == (flags.NArg() > 0) || !*all && f != (filters{state: string(state)}) {
				return t.usage("%s takes either keys or -all, which filters may follow", name)
			}
			n, err := 0, error(nil)
			if *all {
				n, err = t.each(ctx, f.query(time.Now()), do)
			} else {
				for _, key := range flags.Args() {
					if err = do(t.box, ctx, key); err != nil {
						break
					}
					n++
				}
			}
			return errors.Join(t.report(name, n), err)
		}
	}
}

// each does something with all events that a query asks for, but for those that come meanwhile and those that are gone by then.
func (t *tool) each(ctx context.Context, q inbox.Query, do deed) (n int, err error) {
	begin := time.Now()
	for e, err := range t.box.Entries(ctx, q) {
		if err != nil {
			return n, err
		}
		if e.Ended.After(begin) || e.Received.After(begin) {
			continue
		}
		err := do(t.box, ctx, e.Key)
		switch {
		case err == nil:
			n++
		case errors.Is(err, inbox.ErrNoEvent), errors.Is(err, inbox.ErrNoDeadLetter), errors.Is(err, inbox.ErrRunning):
		default:
			return n, err
		}
	}
	return n, nil
}

// report prints how many events something was done with.
func (t *tool) report(name string, n int) error {
	if t.json {
		return t.line(map[string]any{"command": name, "events": n})
	}
	_, err := fmt.Fprintf(t.out, "%s: %d\n", name, n)
	return err
}

func deleteAll(b *inbox.Inbox, ctx context.Context, keys ...string) error { //nolint:revive // a deed
	for _, key := range keys {
		if err := b.DeleteDeadLetter(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (t *tool) pause(flags *flag.FlagSet) func(context.Context) error {
	length := flags.Duration("for", 0, "for this `time`; without it, until somebody resumes")
	return func(ctx context.Context) error {
		until := time.Time{}
		if *length > 0 {
			until = time.Now().Add(*length)
		}
		return t.box.Pause(ctx, until)
	}
}

func (t *tool) resume(*flag.FlagSet) func(context.Context) error {
	return func(ctx context.Context) error { return t.box.Resume(ctx) }
}

// move moves all events of a directory to a cluster.
func (t *tool) move(flags *flag.FlagSet) func(context.Context) error {
	to := flags.String("to", "", "the cluster's servers, separated by commas")
	stream := flags.String("to-stream", "", "the `name` of the stream there, if it is not the same")
	create := flags.Bool("create", false, "create the inbox there, with the settings of this one")
	replicas := flags.Int("replicas", 1, "create it with this `number` of replicas")
	return func(ctx context.Context) (err error) {
		if *to == "" || flags.NArg() > 0 {
			return t.usage("move takes -to, and no other argument")
		}
		opening, cancel := context.WithTimeout(ctx, t.place.wait)
		defer cancel()
		options := t.options(*to)
		options.Stream = t.box.Options().Stream
		if *stream != "" {
			options.Stream = *stream
		}
		target, err := inbox.Attach(opening, options)
		if errors.Is(err, inbox.ErrNoInbox) && *create {
			have := t.box.Options()
			options.Replicas, options.Subject = *replicas, have.Subject
			options.MaxEvents, options.MaxBytes = have.MaxEvents, have.MaxBytes
			options.DuplicateWindow, options.AckWait = have.DuplicateWindow, have.AckWait
			target, err = inbox.Open(opening, options)
		}
		if errors.Is(err, inbox.ErrNoInbox) {
			return fmt.Errorf("%w; start the program with the cluster first, or use -create", err)
		}
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, target.Close()) }()
		moved, err := t.box.MoveTo(ctx, target)
		return errors.Join(err, t.moved(moved))
	}
}

// moved prints what was moved, also if that was not all.
func (t *tool) moved(m inbox.Moved) error {
	if t.json {
		return t.line(map[string]any{
			"command": "move", "waiting": m.Waiting, "dead": m.Dead, "remembered": m.Remembered, "failures": m.Failures,
		})
	}
	return t.table(func(row func(cells ...any)) {
		row("Moved, waiting", m.Waiting)
		row("Moved, dead letters", m.Dead)
		row("Remembered as handled", m.Remembered)
		row("Notes of failed attempts", m.Failures)
	})
}
