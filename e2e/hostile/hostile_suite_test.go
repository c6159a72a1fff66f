// Package hostile sends to a receiver what a JoggAI would not, over real sockets, and looks whether it still serves the real one.
package hostile

import (
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// TestMain is the victim's process if that is what it was started for, so that its memory is its own.
func TestMain(m *testing.M) {
	if deadline, ok := os.LookupEnv(victimDeadline); ok {
		serveVictim(deadline)
		return
	}
	os.Exit(m.Run())
}

func TestHostile(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Hostile Senders Suite")
}
