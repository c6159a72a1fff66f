//go:build unix

package inbox_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// TestAReadOnlyDirectoryIsRejected reruns itself as an unprivileged user, because nothing is read-only for root.
func TestAReadOnlyDirectoryIsRejected(t *testing.T) {
	if dir := os.Getenv("INBOX_TEST_READ_ONLY"); dir != "" {
		_, err := inbox.Open(t.Context(), inbox.Options{Dir: dir})
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) {
			t.Fatalf("Open returned %v", err)
		}
		return
	}
	for _, c := range []struct {
		name string
		dir  func(t testing.TB) string
	}{
		{"empty", func(t testing.TB) string { t.Helper(); return t.TempDir() }},
		{"in use before", filled},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			dir := c.dir(t)
			g.Expect(os.Chmod(dir, 0o555)).To(Succeed())
			t.Cleanup(func() { g.Expect(os.Chmod(dir, 0o755)).To(Succeed()) })
			before := contents(t, dir)

			cmd := exec.Command(testBinary(t), "-test.run=^TestAReadOnlyDirectoryIsRejected$")
			cmd.Env = append(os.Environ(), "INBOX_TEST_READ_ONLY="+dir)
			cmd.Dir = "/"
			if os.Getuid() == 0 {
				for path := dir; path != "/"; path = filepath.Dir(path) { // so that the other user can enter them
					info, err := os.Stat(path)
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(os.Chmod(path, info.Mode()|0o555)).To(Succeed())
				}
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.CombinedOutput()
			g.Expect(err).NotTo(HaveOccurred(), "%s", out)
			g.Expect(string(out)).To(ContainSubstring("PASS"))
			g.Expect(contents(t, dir)).To(Equal(before))
		})
	}
}
