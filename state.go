package jogg

import (
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// State is what a task's status means: the task is running, has succeeded, or has failed.
type State int

// The states of a task.
const (
	// Running means any status that is not known to be final, including the empty one.
	Running State = iota
	// Succeeded means that the result is available.
	Succeeded
	// Failed means that there will be no result.
	Failed
)

// String returns "running", "succeeded" or "failed".
func (s State) String() string {
	switch s {
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	default:
		return "running"
	}
}

// StateOf returns what a status means. The operations of the API use different words, and words that are not documented have been seen:
// completed, success and succeeded mean that a task has succeeded, failed, fail and error that it has failed. Any other word, known or not,
// means that the task is running. Case and surrounding space do not matter.
//
// It is for the status in responses and in webhook deliveries alike.
func StateOf(status gen.TaskStatus) State {
	switch gen.TaskStatus(strings.ToLower(strings.TrimSpace(string(status)))) {
	case gen.TaskStatusCompleted, gen.TaskStatusSuccess, gen.TaskStatusSucceeded:
		return Succeeded
	case gen.TaskStatusFailed, gen.TaskStatusFail, gen.TaskStatusError:
		return Failed
	default:
		return Running
	}
}
