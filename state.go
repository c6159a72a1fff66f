package jogg

import (
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// State is what a task's status means: it goes on, or it has ended well or badly.
type State int

// The states of a task.
const (
	// Running stands for every status that is not known to be an end, the empty one included.
	Running State = iota
	// Succeeded means that the result can be used.
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

// StateOf tells what a status means. The operations of the API do not agree on the words, and words that the documentation does not
// have were seen: completed, success and succeeded are one end, failed, fail and error the other. Any other word, known or not,
// means that the task goes on. Case and surrounding space do not matter.
//
// It reads the status of answers and of webhook deliveries alike.
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
