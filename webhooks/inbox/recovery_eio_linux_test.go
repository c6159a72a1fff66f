package inbox_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// strace attaches strace to this process until detach is called.
func strace(args ...string) (detach func() error, err error) {
	// Yama otherwise lets only ancestors of a process trace it. The call fails without Yama.
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0)
	cmd := exec.Command("strace", append([]string{"-f", "-p", strconv.Itoa(os.Getpid()), "-o", os.DevNull}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said := ""
	lines := bufio.NewScanner(stderr)
	for !strings.Contains(said, " attached") {
		if !lines.Scan() {
			return nil, fmt.Errorf("strace: %s: %w", said, errors.Join(lines.Err(), cmd.Wait()))
		}
		said = lines.Text()
	}
	return func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return err
		}
		for lines.Scan() { // one line per detached thread
		}
		_ = cmd.Wait() // ended by the signal
		return lines.Err()
	}, nil
}

// ioErrors makes system calls of this process fail with EIO, as on a faulty disk, until stop is called. With paths, only calls on those
// files fail.
func ioErrors(t *testing.T, syscalls string, paths ...string) (stop func() error) {
	t.Helper()
	args := []string{"-e", "trace=" + syscalls, "-e", "inject=" + syscalls + ":error=EIO"}
	for _, path := range paths {
		args = append(args, "-P", path)
	}
	stop, err := strace(args...)
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

// inTracedProcess reports whether the test runs in a process of its own. If not, it reruns the test in one. It skips the test if processes
// cannot be traced.
func inTracedProcess(t *testing.T) bool {
	t.Helper()
	const variable = "INBOX_TEST_TRACED"
	if os.Getenv(variable) != "" {
		return true
	}
	detach, err := strace("-e", "trace=none", "-e", "inject=getppid:error=EIO")
	if err == nil {
		err = detach()
	}
	if err != nil {
		t.Skipf("I/O errors cannot be injected, which takes strace and the right to trace this process: %v", err)
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
	g.Eventually(func() int { return len(got.ids()) }).Should(Equal(events))
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Eventually(func() error { return box.Healthy(t.Context()) }).Should(Succeed())
	ids := got.ids()
	slices.Sort(ids)
	g.Expect(slices.Compact(ids)).To(HaveLen(events), "each is handled once")
}
