package inbox

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrClosed says that the inbox has been closed, by Close or because the connection that it was given was closed.
	ErrClosed = errors.New("inbox: closed")
	// ErrFull says that the inbox has reached a limit: MaxEvents, MaxBytes, the Reserve of the disk, or what the JetStream account allows.
	ErrFull = errors.New("inbox: full")
	// ErrForeign says that a directory holds something, but no inbox.
	ErrForeign = errors.New("inbox: directory does not belong to an inbox")
	// ErrCorrupt says that an inbox's directory is damaged. No event in it has been changed.
	ErrCorrupt = errors.New("inbox: directory is corrupt")
	// ErrNoDeadLetter says that there is no dead letter with that key.
	ErrNoDeadLetter = errors.New("inbox: no such dead letter")
	// ErrNoEvent says that there is no event with that key.
	ErrNoEvent = errors.New("inbox: no such event")
	// ErrRunning says that an event is being handled, so that only its handler decides what becomes of it.
	ErrRunning = errors.New("inbox: event is being handled")
	// ErrNoInbox says that there is no inbox where Attach looked for one.
	ErrNoInbox = errors.New("inbox: there is no inbox")
)

// LockedError says that another inbox has the directory open. The lock ends with the process that holds it, however that ends.
type LockedError struct {
	// Dir is the directory.
	Dir string
	// PID is the process that has it open, Host the machine it runs on and Since when it opened it. They are zero if it has not
	// said so.
	PID   int
	Host  string
	Since time.Time
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("inbox: directory %q is in use", e.Dir)
	}
	return fmt.Sprintf("inbox: directory %q is in use by process %d on %s since %s", e.Dir, e.PID, e.Host, e.Since.Format(time.RFC3339))
}

// ShapeError says that a stream or consumer exists in the cluster, but not with the settings that the options ask for. The inbox
// does not change what is there: either the options or the stream have to be.
type ShapeError struct {
	// Name is the stream, or stream and consumer with a "/" between them.
	Name string
	// Setting is the setting that differs, by JetStream's name, such as "num_replicas".
	Setting string
	// Have is its value and Want the one that the options ask for.
	Have, Want any
}

func (e *ShapeError) Error() string {
	return fmt.Sprintf("inbox: %s exists with %s %v, but the options ask for %v", e.Name, e.Setting, e.Have, e.Want)
}

// joined returns an error together with one of cleaning up after it, if there is one.
func joined(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return errors.Join(err, cleanup)
}
