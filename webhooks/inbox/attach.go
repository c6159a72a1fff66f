package inbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Attach opens an inbox that exists, with the settings that it has: its streams keep their limits and its events their windows, whatever
// the program uses whose inbox it is. That is for tools. Of opts, only Dir, URL, Conn, NATSOptions, Stream and what concerns this process
// alone count; with a directory Stream is found out too.
//
// Errors are those of Open, and ErrNoInbox if there is none.
func Attach(ctx context.Context, opts Options) (*Inbox, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	if opts.Dir != "" {
		streams, err := streamsIn(opts.Dir)
		if err != nil {
			return nil, err
		}
		orDefault(&opts.Stream, streams[0])
	}
	return open(ctx, opts, (*Inbox).adopt)
}

// streamsIn returns the names of the streams of a directory, which is not changed.
func streamsIn(dir string) ([]string, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("inbox: directory: %w", err)
	}
	d := &directory{path: path}
	switch err := d.read(manifestFile, &d.manifest); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: in directory %q", ErrNoInbox, path)
	case err != nil:
		return nil, fmt.Errorf("inbox: read directory: %w", err)
	case len(d.manifest.Streams) == 0 || !d.manifest.Complete:
		return nil, fmt.Errorf("%w: the one in directory %q was never finished", ErrNoInbox, path)
	}
	return d.manifest.Streams, nil
}

// adopt takes the settings over from the streams.
func (b *Inbox) adopt(ctx context.Context) error {
	js, err := jetstream.New(b.conn)
	if err != nil {
		return fmt.Errorf("inbox: %w", err)
	}
	names := b.opts.streamNames()
	events, err := js.Stream(ctx, names[0])
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%w: there is no stream %s", ErrNoInbox, names[0])
	}
	if err != nil {
		return fmt.Errorf("inbox: look at stream %s: %w", names[0], err)
	}
	handled, err := js.Stream(ctx, names[2])
	if err != nil {
		return fmt.Errorf("inbox: look at stream %s: %w", names[2], err)
	}
	consumer, err := events.Consumer(ctx, consumerName)
	if err != nil {
		return fmt.Errorf("inbox: look at consumer %s/%s: %w", names[0], consumerName, err)
	}
	config := events.CachedInfo().Config
	o := &b.opts
	o.MaxDeadLetters, o.DeadLetterAge, o.OnDeadLetter = -1, 0, nil // deleting them is up to the program
	o.MaxEvents, o.MaxBytes, o.Replicas = config.MaxMsgs, config.MaxBytes, config.Replicas
	o.DuplicateWindow = handled.CachedInfo().Config.MaxAge
	o.AckWait = consumer.CachedInfo().Config.AckWait
	if len(config.Subjects) == 1 {
		o.Subject = strings.TrimSuffix(config.Subjects[0], ".events")
	}
	return nil
}

// Options returns the options that the inbox works with, defaults filled in: after Attach, those that its streams have. MaxEvents and MaxBytes
// are 0 where there is no limit.
func (b *Inbox) Options() Options {
	o := b.opts
	o.MaxEvents, o.MaxBytes = max(o.MaxEvents, 0), max(o.MaxBytes, 0)
	return o
}
