package jogg_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jogg-go/jogg"
)

// A release is made by a tag. Until the tag exists, CHANGELOG.md has to lead up to jogg.Version.
func TestChangelogLeadsToTheVersion(t *testing.T) {
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split("\n"+string(changelog), "\n## ")[1:]
	if len(sections) == 0 || !strings.HasPrefix(sections[0], "[Unreleased]\n") {
		t.Fatal("CHANGELOG.md does not begin with a section [Unreleased]")
	}
	next := version(t, jogg.Version)
	for i, section := range sections[1:] {
		heading, _, _ := strings.Cut(section, "\n")
		parts := regexp.MustCompile(`^\[([0-9.]+)\] - \d{4}-\d{2}-\d{2}$`).FindStringSubmatch(heading)
		if parts == nil {
			t.Fatalf("the heading %q is not of the form [1.2.3] - 2006-01-02", heading)
		}
		released := version(t, parts[1])
		switch order := slices.Compare(released, next); {
		case i == 0 && order > 0:
			t.Errorf("jogg.Version is %s, older than the section %q", jogg.Version, heading)
		case i > 0 && order >= 0:
			t.Errorf("the section %q comes after an older one", heading)
		case !strings.Contains(string(changelog), "\n["+parts[1]+"]: https://"):
			t.Errorf("the version of the section %q is not linked", heading)
		}
		next = released
	}
}

func version(t *testing.T, text string) []int {
	t.Helper()
	var numbers []int
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			t.Fatalf("the version %q has something else than numbers: %v", text, err)
		}
		numbers = append(numbers, n)
	}
	if len(numbers) != 3 {
		t.Fatalf("the version %q has not three numbers", text)
	}
	return numbers
}

func TestReleaseNotes(t *testing.T) {
	bash := findBash(t)
	script, err := os.ReadFile(".ci/release-notes")
	if err != nil {
		t.Fatal(err)
	}
	const changelog = "# Changelog\n\n## [Unreleased]\n\n- Not yet.\n\n## [0.2.0] - 2026-11-01\n\n### Added\n\n- Waits.\n\n" +
		"## [0.1.0] - 2026-10-01\n\n- All.\n\n[0.2.0]: https://example.com/2\n[0.1.0]: https://example.com/1\n"
	for name, c := range map[string]struct{ tag, version, changelog, notes, problem string }{
		"the newest":                         {"v0.2.0", "0.2.0", changelog, "### Added\n\n- Waits.\n", ""},
		"the last of the file":               {"v0.1.0", "0.1.0", changelog, "- All.\n", ""},
		"a tag that is not the version":      {"v0.2.0", "0.1.0", changelog, "", `but jogg.Version requires "v0.1.0"`},
		"a tag without v":                    {"0.2.0", "0.2.0", changelog, "", `requires "v0.2.0"`},
		"no tag":                             {"", "0.2.0", changelog, "", `The tag is ""`},
		"a version that is not in CHANGELOG": {"v0.3.0", "0.3.0", changelog, "", "says nothing under a heading such as: ## [0.3.0] - "},
		"a section that is empty":            {"v0.1.0", "0.1.0", "## [0.1.0] - 2026-10-01\n\n[0.1.0]: https://example.com/1\n", "", "says nothing"},
		"a dot is not a wildcard":            {"v0.2.0", "0.2.0", "## [0x2.0] - 2026-10-01\n\n- Other.\n", "", "says nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for path, content := range map[string]string{
				".ci/release-notes": string(script),
				"jogg.go":           "package jogg\n\nconst Version = \"" + c.version + "\"\n",
				"CHANGELOG.md":      c.changelog,
			} {
				path = filepath.Join(dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var stderr strings.Builder
			command := exec.CommandContext(t.Context(), bash, filepath.Join(dir, ".ci/release-notes"), c.tag)
			command.Stderr = &stderr
			notes, err := command.Output()
			if string(notes) != c.notes || (err == nil) != (c.problem == "") || !strings.Contains(stderr.String(), c.problem) {
				t.Errorf("printed %q and %q, %v", notes, &stderr, err)
			}
		})
	}
}

// findBash returns the shell that runs the scripts of the workflows, which run on Linux only.
func findBash(t *testing.T) string {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("the scripts of the workflows need a Unix with bash on the PATH")
	}
	return bash
}

func TestDriftIssue(t *testing.T) {
	bash := findBash(t)
	// The arguments of gh, and the file that it would send.
	const gh = `#!/bin/sh
echo "$1 $2" >>"$0.calls"
[ "$1 $2" != "issue list" ] || printf '%s' "$EXISTING"
for last; do :; done
[ "$1 $2" != "issue create" ] && [ "$1 $2" != "issue edit" ] || cat "$last" >"$0.body"
`
	const drifted = "api/openapi.yaml:1: ``` @everybody\n"
	for name, c := range map[string]struct{ existing, differences, calls, body string }{
		"nothing differs":           {"", "", "issue list\n", ""},
		"nothing differs any more":  {"7", "", "issue list\nissue close\n", ""},
		"something differs":         {"", drifted, "issue list\nlabel create\nissue create\n", "\n\n    " + drifted},
		"something differs still":   {"7", drifted, "issue list\nissue edit\n", "\n\n    " + drifted},
		"more than an issue has":    {"", strings.Repeat("ä\n", 60_000), "issue list\nlabel create\nissue create\n", "\n\n    ä\n"},
		"one line that is too long": {"", "x" + strings.Repeat("ä", 60_000), "issue list\nlabel create\nissue create\n", "\n\n    xää"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, content := range map[string]string{"gh": gh, "differences": c.differences} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			command := exec.CommandContext(t.Context(), bash, ".ci/drift-issue", filepath.Join(dir, "differences"))
			command.Env = append(command.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"),
				"EXISTING="+c.existing, "DOCUMENT=https://example.com/openapi.yaml", "RUN=https://example.com/run")
			if output, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if calls, err := os.ReadFile(filepath.Join(dir, "gh.calls")); err != nil || string(calls) != c.calls {
				t.Errorf("gh was called for %q, %v", calls, err)
			}
			body, err := os.ReadFile(filepath.Join(dir, "gh.body"))
			if c.body == "" {
				if err == nil {
					t.Errorf("gh would send %q", body)
				}
				return
			}
			if err != nil || !strings.Contains(string(body), c.body) || !utf8.Valid(body) || utf8.RuneCount(body) > 65536 {
				t.Errorf("gh would send %d characters, %v: %.200q", utf8.RuneCount(body), err, body)
			}
		})
	}
}
