// Package inbox_test tests the guarantees of the inbox with real processes: it kills receivers, workers and the servers of a cluster.
package inbox_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// roleVariable is the environment variable with the role of a child process. Without it, the process runs the suite.
const roleVariable = "INBOX_E2E_ROLE"

// roles are the main functions of child processes. Each reads its configuration with roleConfig and ends when its standard input is closed.
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
	SetDefaultEventuallyTimeout(30 * time.Second) // generous, so that a slow machine does not fail a spec
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "inbox")
}
