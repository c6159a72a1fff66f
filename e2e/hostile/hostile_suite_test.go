// Package hostile attacks a receiver over real sockets, and tests that it still serves valid deliveries.
package hostile

import (
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// TestMain also runs the victim, in a process of its own, so that its memory can be measured.
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
