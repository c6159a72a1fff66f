package jogg_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jogg-go/jogg"
)

// A release is made by a tag. Until there is one, CHANGELOG.md has to lead up to jogg.Version.
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
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("the script of a release needs bash, which is not on the PATH")
	}
	script, err := os.ReadFile(".ci/release-notes")
	if err != nil {
		t.Fatal(err)
	}
	const changelog = "# Changelog\n\n## [Unreleased]\n\n- Not yet.\n\n## [0.2.0] - 2026-11-01\n\n### Added\n\n- Waits.\n\n" +
		"## [0.1.0] - 2026-10-01\n\n- All.\n\n[0.2.0]: https://example.com/2\n[0.1.0]: https://example.com/1\n"
	for name, c := range map[string]struct{ tag, version, changelog, notes, problem string }{
		"the newest":                       {"v0.2.0", "0.2.0", changelog, "### Added\n\n- Waits.\n", ""},
		"the last of the file":             {"v0.1.0", "0.1.0", changelog, "- All.\n", ""},
		"a tag that is not the version":    {"v0.2.0", "0.1.0", changelog, "", `but jogg.Version asks for "v0.1.0"`},
		"a tag without v":                  {"0.2.0", "0.2.0", changelog, "", `asks for "v0.2.0"`},
		"no tag":                           {"", "0.2.0", changelog, "", `The tag is ""`},
		"a version that CHANGELOG has not": {"v0.3.0", "0.3.0", changelog, "", "says nothing under a heading such as: ## [0.3.0] - "},
		"a section that is empty":          {"v0.1.0", "0.1.0", "## [0.1.0] - 2026-10-01\n\n[0.1.0]: https://example.com/1\n", "", "says nothing"},
		"a dot is no wildcard":             {"v0.2.0", "0.2.0", "## [0x2.0] - 2026-10-01\n\n- Other.\n", "", "says nothing"},
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
