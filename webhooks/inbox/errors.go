package inbox

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrClosed reports that the inbox is closed: by Close, or because the connection in Options.Conn was closed.
	ErrClosed = errors.New("inbox: closed")
	// ErrFull reports that a limit is reached: Options.MaxEvents, MaxBytes or Reserve, or a limit of the JetStream account.
	ErrFull = errors.New("inbox: full")
	// ErrForeign reports that a directory has files but is not an inbox.
	ErrForeign = errors.New("inbox: directory does not belong to an inbox")
	// ErrCorrupt reports that the directory of an inbox is damaged. No event in it has been changed.
	ErrCorrupt = errors.New("inbox: directory is corrupt")
	// ErrNoDeadLetter reports that there is no dead letter with that key.
	ErrNoDeadLetter = errors.New("inbox: no such dead letter")
	// ErrNoEvent reports that there is no event with that key.
	ErrNoEvent = errors.New("inbox: no such event")
	// ErrRunning reports that an event is being handled. Only its handler can decide what happens to it.
	ErrRunning = errors.New("inbox: event is being handled")
	// ErrNoInbox reports that Attach found no inbox.
	ErrNoInbox = errors.New("inbox: no such inbox")
)

// LockedError reports that another inbox has the directory open. The operating system releases the lock when the process that holds it
// ends, for whatever reason.
type LockedError struct {
	// Dir is the directory.
	Dir string
	// PID is the process that has the directory open, Host its machine, and Since the time when it opened the directory. They are zero if
	// that process has not recorded them.
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

// ShapeError reports that a stream or consumer exists with other settings than the options require. The inbox does not change the setting
// that differs: adapt either the options or the stream.
type ShapeError struct {
	// Name is the name of the stream, or "stream/consumer".
	Name string
	// Setting is JetStream's name of the setting that differs, for example "num_replicas".
	Setting string
	// Have is the existing value, Want the one that the options require.
	Have, Want any
}

func (e *ShapeError) Error() string {
	return fmt.Sprintf("inbox: %s exists with %s %v, but the options require %v", e.Name, e.Setting, e.Have, e.Want)
}

// joined returns err, joined with the error of the cleanup if that failed too.
func joined(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return errors.Join(err, cleanup)
}
