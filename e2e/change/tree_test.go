package change

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree is a copy of the module.
type tree struct {
	dir      string
	contract []byte // before any edit
}

// copied is the copy that all tests share and change in turn, to reuse the build cache.
var copied tree

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "jogg-change-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	copied.dir = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// copyOfModule returns the copy of the module. It excludes this suite, which would otherwise copy itself again.
func copyOfModule(t *testing.T) tree {
	t.Helper()
	if copied.contract != nil {
		return copied
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files(t, root) {
		if strings.HasPrefix(name, "e2e/change/") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(copied.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if name == contractFile {
			copied.contract = content
		}
	}
	return copied
}

const contractFile = "api/openapi.yaml"

// edit applies the edits to the original contract, and discards earlier ones.
func (c tree) edit(t *testing.T, edits ...edit) {
	t.Helper()
	contract := c.contract
	for _, change := range edits {
		var err error
		if contract, err = change(contract); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(c.dir, contractFile), contract, 0o600); err != nil {
		t.Fatal(err)
	}
}

// files returns the names of the module's files at root: those that git tracks or does not ignore, or without git, all outside hidden
// directories.
func files(t *testing.T, root string) []string {
	t.Helper()
	listed := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	listed.Dir = root
	var names []string
	if out, err := listed.Output(); err == nil {
		names = strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		// git lists deleted files until the deletion is staged.
		return slices.DeleteFunc(names, func(name string) bool {
			info, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
			return err != nil || !info.Mode().IsRegular()
		})
	}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// run runs the go command in the tree and returns its combined output.
func (c tree) run(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", arguments...)
	command.Dir = c.dir
	out, err := command.CombinedOutput()
	return string(out), err
}

// mustRun runs the go command in the tree, and fails the test if the command fails.
func (c tree) mustRun(t *testing.T, arguments ...string) {
	t.Helper()
	if out, err := c.run(t, arguments...); err != nil {
		const maxOutput = 4_000 // the first errors are the most useful
		t.Errorf("go %s: %v\n%s", strings.Join(arguments, " "), err, out[:min(len(out), maxOutput)])
	}
}

// generate runs what `make generate` runs.
func (c tree) generate(t *testing.T) {
	t.Helper()
	if out, err := c.run(t, "generate", "./..."); err != nil {
		t.Fatalf("go generate: %v\n%s", err, out)
	}
}

// generated returns the hashes of the generated files, by name.
func (c tree) generated(t *testing.T) map[string]string {
	t.Helper()
	hashes := map[string]string{}
	err := fs.WalkDir(os.DirFS(c.dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".gen.go") {
			return err
		}
		content, err := os.ReadFile(filepath.Join(c.dir, name))
		hashes[name] = fmt.Sprintf("%x", sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hashes
}

// line returns a line of a file of the tree, counted from 1.
func (c tree) line(t *testing.T, name string, number int) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.Split(content, []byte("\n"))[number-1])
}
