//go:build unix

package inbox_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// TestTheStoreRecoversFromTooFewDescriptors reruns itself in a process with a low limit of file descriptors.
func TestTheStoreRecoversFromTooFewDescriptors(t *testing.T) {
	const variable = "INBOX_TEST_DESCRIPTORS"
	if os.Getenv(variable) == "" {
		rerun(t, variable, "1", 0)
		return
	}
	g := NewWithT(t)
	g.Expect(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 256, Max: 256})).To(Succeed())
	box := open(t, inbox.Options{AckWait: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	var hoard []*os.File
	expectRecovery(t, box, 200_000, fault{
		restart: true,
		start: func() error {
			for {
				f, err := os.Open(os.DevNull)
				if errors.Is(err, syscall.EMFILE) {
					return nil
				}
				if err != nil {
					return err
				}
				hoard = append(hoard, f)
			}
		},
		end: func() (err error) {
			for _, f := range hoard {
				err = errors.Join(err, f.Close())
			}
			return err
		},
	})
}

// TestTheStoreRecoversFromAnUnwritableDirectory reruns itself as an unprivileged user, because root can write everywhere.
func TestTheStoreRecoversFromAnUnwritableDirectory(t *testing.T) {
	const variable = "INBOX_TEST_UNWRITABLE"
	if os.Getenv(variable) == "" {
		//nolint:usetesting // other users may not be able to enter the parents of t.TempDir
		dir, err := os.MkdirTemp("/tmp", "inbox-test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		rerun(t, variable, dir, nobody)
		return
	}
	dir := filepath.Join(os.Getenv(variable), "inbox")
	box := open(t, inbox.Options{Dir: dir, AckWait: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	directories := func(mode fs.FileMode) func() error {
		return func() error {
			var all []string
			err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					all = append(all, path)
				}
				return err
			})
			for _, path := range all {
				err = errors.Join(err, os.Chmod(path, mode))
			}
			return err
		}
	}
	expectRecovery(t, box, 200_000, fault{restart: true, start: directories(0o555), end: directories(0o755)})
}

// nobody is the ID of an unprivileged user.
const nobody = 65534

// rerun reruns the test in a process of its own. If uid is not 0 and this process runs as root, it switches to that user.
func rerun(t *testing.T, variable, value string, uid uint32) {
	t.Helper()
	cmd := exec.Command(testBinary(t), "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+value)
	cmd.Dir = "/"
	if uid != 0 && os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatal(err)
	}
}
