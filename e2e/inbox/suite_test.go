// Package inbox_test holds the inbox to its promises with real processes: receivers and workers that are killed, and a cluster whose
// servers are killed.
package inbox_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// roleVariable tells a process which part of a suite it is. Without it, it is the one that runs the suites.
const roleVariable = "INBOX_E2E_ROLE"

// roles are what processes can be besides. Each gets its configuration from roleConfig and ends with its standard input.
var roles = map[string]func() error{
	"node":        runNode,
	"nats-server": runServer,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestInbox(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second) // a condition that is never met is a failure, however slow the machine
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "inbox")
}
