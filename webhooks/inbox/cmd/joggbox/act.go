package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// operation is a method expression of Inbox that acts on events, such as (*inbox.Inbox).Redrive.
type operation func(b *inbox.Inbox, ctx context.Context, keys ...string) error

// act returns a command that runs an operation on the events with the given keys, or on all events that match the filters.
func act(name string, state inbox.State, do operation) func(*tool, *flag.FlagSet) func(context.Context) error {
	return func(t *tool, flags *flag.FlagSet) func(context.Context) error {
		f := filters{state: string(state)}
		f.add(flags)
		all := flags.Bool("all", false, "act on all events that match the filters, instead of on keys")
		return func(ctx context.Context) error {
			if *all == (flags.NArg() > 0) || !*all && f != (filters{state: string(state)}) {
				return t.usage("%s: either keys or -all is required; filters need -all", name)
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

// each runs an operation on all events that match a query, and returns how many it was done for. It skips events that were received or
// dead-lettered since it began, and events that are gone or being handled.
func (t *tool) each(ctx context.Context, q inbox.Query, do operation) (n int, err error) {
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

// report prints how many events a command was done for.
func (t *tool) report(name string, n int) error {
	if t.json {
		return t.line(map[string]any{"command": name, "events": n})
	}
	_, err := fmt.Fprintf(t.out, "%s: %d\n", name, n)
	return err
}

// deleteAll is an operation that deletes dead letters.
func deleteAll(b *inbox.Inbox, ctx context.Context, keys ...string) error { //nolint:revive // the signature of an operation
	for _, key := range keys {
		if err := b.DeleteDeadLetter(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (t *tool) pause(flags *flag.FlagSet) func(context.Context) error {
	length := flags.Duration("for", 0, "length of the pause; 0 pauses until resume")
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

// move moves all events from a directory to a cluster.
func (t *tool) move(flags *flag.FlagSet) func(context.Context) error {
	to := flags.String("to", "", "comma-separated `URLs` of the cluster's servers")
	stream := flags.String("to-stream", "", "stream `name` in the cluster (default: the same name)")
	create := flags.Bool("create", false, "create the inbox in the cluster if needed, with the settings of the source inbox")
	replicas := flags.Int("replicas", 1, "`number` of replicas for -create")
	return func(ctx context.Context) (err error) {
		if *to == "" || flags.NArg() > 0 {
			return t.usage("move: -to is required, and no arguments are allowed")
		}
		opening, cancel := context.WithTimeout(ctx, t.location.timeout)
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

// moved prints what was moved. It is also called after a partial move.
func (t *tool) moved(m inbox.Moved) error {
	if t.json {
		return t.line(map[string]any{
			"command": "move", "waiting": m.Waiting, "dead": m.Dead, "remembered": m.Remembered, "failures": m.Failures,
		})
	}
	return t.table(func(row func(cells ...any)) {
		row("Waiting events", m.Waiting)
		row("Dead letters", m.Dead)
		row("Deduplication keys", m.Remembered)
		row("Failed attempts", m.Failures)
	})
}
