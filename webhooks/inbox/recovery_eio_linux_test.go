package inbox_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// ioErrors makes system calls of this process fail with EIO, as on a faulty disk, until stop is called. With paths, only calls on those
// files fail. It attaches strace to the process.
func ioErrors(t *testing.T, syscalls string, paths ...string) (stop func() error) {
	t.Helper()
	cmd := exec.Command("strace", "-f", "-p", strconv.Itoa(os.Getpid()), "-o", os.DevNull,
		"-e", "trace="+syscalls, "-e", "inject="+syscalls+":error=EIO")
	for _, path := range paths {
		cmd.Args = append(cmd.Args, "-P", path)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for attached := false; !attached; {
		if !lines.Scan() {
			t.Fatalf("strace cannot attach to the test: %v", errors.Join(lines.Err(), cmd.Wait()))
		}
		attached = strings.Contains(lines.Text(), " attached")
	}
	return func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return err
		}
		for lines.Scan() { // one line per detached thread
		}
		_ = cmd.Wait() // ended by the signal
		return lines.Err()
	}
}

// inTracedProcess reports whether the test runs in a process of its own. If not, it reruns the test in one. It skips the test if processes
// cannot be traced.
func inTracedProcess(t *testing.T) bool {
	t.Helper()
	const variable = "INBOX_TEST_TRACED"
	if os.Getenv(variable) != "" {
		return true
	}
	if out, err := exec.Command("strace", "-f", "-o", os.DevNull, "-e", "inject=getpid:error=EIO", "true").CombinedOutput(); err != nil {
		t.Skipf("I/O errors cannot be injected, which takes strace and the right to trace: %v: %s", err, out)
	}
	rerun(t, variable, "1", 0)
	return false
}

func TestTheStoreRecoversFromIOErrors(t *testing.T) {
	for _, c := range []struct{ name, syscalls string }{
		{"in writing", "pwrite64"},
		{"in syncing", "fsync"},
		{"in both", "pwrite64,fsync,ftruncate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !inTracedProcess(t) {
				return
			}
			box := open(t, inbox.Options{AckWait: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(os.Stdout, nil))})
			var end func() error
			expectRecovery(t, box, 100, fault{
				restart: true,
				start:   func() error { end = ioErrors(t, c.syscalls); return nil },
				end:     func() error { return end() },
			})
		})
	}
}

// A server that cannot read an event for a consumer does not retry until something else happens, which may be never.
func TestUnreadableEventsAreDeliveredOnceTheyCanBeRead(t *testing.T) {
	if !inTracedProcess(t) {
		return
	}
	const events, padding = 100, 200_000 // several message blocks
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), AckWait: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(os.Stdout, nil))}
	box := open(t, opts)
	for i := range events {
		g.Expect(box.Receive(t.Context(), bigEvent(t, fmt.Sprintf("e%d", i), padding))).To(Succeed())
	}
	g.Expect(box.Close()).To(Succeed())
	box = open(t, opts) // its server has nothing cached
	files, err := filepath.Glob(filepath.Join(streamDir(opts.Dir, "JOGG"), "msgs", "*.blk"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(len(files)).To(BeNumerically(">", 1))

	end := ioErrors(t, "read,pread64", files...)
	got := &tally{}
	run(t, box, got.handle)
	g.Eventually(func() bool {
		_, failed := errors.AsType[*inbox.StoreError](box.Healthy(t.Context()))
		return failed
	}).Should(BeTrue())
	g.Expect(end()).To(Succeed())
	g.Eventually(func() int { return len(got.attempts()) }).WithTimeout(10 * time.Second).Should(Equal(events))
	g.Expect(got.attempts()).To(HaveEach(1))
	g.Eventually(func() error { return box.Healthy(t.Context()) }).Should(Succeed())
}
