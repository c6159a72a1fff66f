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

// Attach opens an existing inbox with its existing settings. It is for tools, which do not know the options of the program that owns the
// inbox. The limits and windows of the streams are not changed. Of opts, it uses Dir, URL, Conn, NATSOptions, Stream and the options that
// concern only this process. With a directory, it also reads Stream from the directory.
//
// It returns ErrNoInbox if there is no inbox, and otherwise the errors of Open.
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

// streamsIn reads the names of the streams of a directory. It does not change the directory.
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
		return nil, fmt.Errorf("%w: the first Open of directory %q was interrupted", ErrNoInbox, path)
	}
	return d.manifest.Streams, nil
}

// adopt replaces the options by the settings of the existing streams.
func (b *Inbox) adopt(ctx context.Context) error {
	js, err := jetstream.New(b.conn)
	if err != nil {
		return fmt.Errorf("inbox: %w", err)
	}
	names := b.opts.streamNames()
	events, err := js.Stream(ctx, names[0])
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%w: no stream %s", ErrNoInbox, names[0])
	}
	if err != nil {
		return fmt.Errorf("inbox: look up stream %s: %w", names[0], err)
	}
	handled, err := js.Stream(ctx, names[2])
	if err != nil {
		return fmt.Errorf("inbox: look up stream %s: %w", names[2], err)
	}
	consumer, err := events.Consumer(ctx, consumerName)
	if err != nil {
		return fmt.Errorf("inbox: look up consumer %s/%s: %w", names[0], consumerName, err)
	}
	config := events.CachedInfo().Config
	o := &b.opts
	o.MaxDeadLetters, o.DeadLetterAge, o.OnDeadLetter = -1, 0, nil // expiring dead letters is left to the owner
	o.MaxEvents, o.MaxBytes, o.Replicas = config.MaxMsgs, config.MaxBytes, config.Replicas
	o.DuplicateWindow = handled.CachedInfo().Config.MaxAge
	o.AckWait = consumer.CachedInfo().Config.AckWait
	if len(config.Subjects) == 1 {
		o.Subject = strings.TrimSuffix(config.Subjects[0], ".events")
	}
	return nil
}

// Options returns the effective options, with defaults filled in. After Attach they include the settings of the streams. MaxEvents and
// MaxBytes are 0 if there is no limit.
func (b *Inbox) Options() Options {
	o := b.opts
	o.MaxEvents, o.MaxBytes = max(o.MaxEvents, 0), max(o.MaxBytes, 0)
	return o
}
