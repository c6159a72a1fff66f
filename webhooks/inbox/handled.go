package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// wasHandled reports whether a message with that id is remembered as done with.
func (w *worker) wasHandled(id string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.handling), settleTime)
	defer cancel()
	_, err := w.handled.GetLastMsgForSubject(ctx, w.opts.handledSubject(subjectToken(id)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, err
}

// remember remembers a message as done with, for as long as the window for duplicates.
func (w *worker) remember(id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.handling), settleTime)
	defer cancel()
	if _, err := w.publish(ctx, nats.NewMsg(w.opts.handledSubject(subjectToken(id)))); err != nil {
		return fmt.Errorf("inbox: remember what was handled: %w", err)
	}
	return nil
}
