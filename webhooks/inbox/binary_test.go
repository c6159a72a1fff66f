package inbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// testBinary returns the path of a copy of the test binary that any user can run.
func testBinary(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		return path
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	//nolint:usetesting // other users may not be able to enter the parents of t.TempDir
	dir, err := os.MkdirTemp("/tmp", "inbox-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	copied := filepath.Join(dir, "test")
	if err := errors.Join(os.WriteFile(copied, data, 0o700), os.Chmod(copied, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return copied
}
