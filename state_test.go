package jogg

import (
	"testing"

	"github.com/jogg-go/jogg/gen"
)

func TestStateOfKnowsEverySpelling(t *testing.T) {
	cases := map[State][]gen.TaskStatus{
		Succeeded: {"completed", "success", "succeeded", "SUCCESS", "Completed", " success\n", "\tSucceeded "},
		Failed:    {"failed", "fail", "error", "FAIL", "Error", " failed "},
		Running: {
			"pending", "processing", "in_progress", "queued", "running", "", " ", "rendering", "successful", "not failed",
			"completed!", "failing", "0",
		},
	}
	for want, statuses := range cases {
		for _, status := range statuses {
			if got := StateOf(status); got != want {
				t.Errorf("StateOf(%q) = %v, want %v", status, got, want)
			}
		}
	}
}

func TestStateOfClassifiesEveryStatusOfTheContract(t *testing.T) {
	ends := map[gen.TaskStatus]State{
		gen.TaskStatusCompleted: Succeeded, gen.TaskStatusSuccess: Succeeded, gen.TaskStatusSucceeded: Succeeded,
		gen.TaskStatusFailed: Failed, gen.TaskStatusFail: Failed, gen.TaskStatusError: Failed,
		gen.TaskStatusPending: Running, gen.TaskStatusProcessing: Running, gen.TaskStatusInProgress: Running,
		gen.TaskStatusQueued: Running, gen.TaskStatusRunning: Running,
	}
	for status, want := range ends {
		if got := StateOf(status); got != want || !status.Known() {
			t.Errorf("StateOf(%q) = %v, want %v; known %v", status, got, want, status.Known())
		}
	}
}

func TestStateString(t *testing.T) {
	for state, want := range map[State]string{Running: "running", Succeeded: "succeeded", Failed: "failed", State(9): "running"} {
		if got := state.String(); got != want {
			t.Errorf("State(%d).String() = %q, want %q", int(state), got, want)
		}
	}
}
