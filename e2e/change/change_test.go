// Package change tests that the library follows its contract: after an addition to api/openapi.yaml, `make generate` alone results in a
// tree that builds and supports the addition. The tests edit a copy of the module, and use the generated code.
package change

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func names[T any](rows map[string]T) []string { return slices.Sorted(maps.Keys(rows)) }

// TestAdditionsNeedNoManualEdits makes all additions at once, because building the library for each would take minutes.
func TestAdditionsNeedNoManualEdits(t *testing.T) {
	copied := copyOfModule(t)
	copied.edit(t, all()...)
	copied.generate(t)
	first := copied.generated(t)
	t.Run("GeneratingTwiceGivesTheSameBytes", func(t *testing.T) {
		copied.generate(t)
		for name, hash := range copied.generated(t) {
			if hash != first[name] {
				t.Errorf("%s differs", name)
			}
		}
	})
	t.Run("TheContractIsClean", func(t *testing.T) { copied.mustRun(t, "run", "./api/lint", "api/lint.yaml", "api/openapi.yaml") })
	t.Run("EverythingBuilds", func(t *testing.T) { copied.mustRun(t, "vet", "./...") })
	t.Run("TheSuitesPass", func(t *testing.T) {
		copied.mustRun(t, "test", "./api", "./api/codegen", ".", "./webhooks", "./e2e/contract", "./e2e/simulator", "./e2e/webhooks")
	})
	keepUndecodable(t)
	copied.use(t)
}

// use runs the tests in testdata/use in the tree, and reports the result for each addition.
func (c tree) use(t *testing.T) {
	t.Helper()
	const there = "e2e/use"
	if err := os.CopyFS(filepath.Join(c.dir, there), os.DirFS("testdata/use")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(filepath.Join(c.dir, there)); err != nil {
			t.Error(err)
		}
	})
	out, _ := c.run(t, "test", "-json", "./"+there+"/...")
	results, output := map[string]string{}, map[string]string{}
	for line := range strings.Lines(out) {
		var event struct{ Action, Test, Output string }
		if json.Unmarshal([]byte(line), &event) != nil {
			output[""] += line
			continue
		}
		output[event.Test] += event.Output
		if event.Action != "output" {
			results[event.Test] = event.Action
		}
	}
	for _, row := range names(additions) {
		t.Run(row, func(t *testing.T) {
			if name := "Test" + row; results[name] != "pass" {
				t.Errorf("%s did not pass: %s%s", name, output[name], output[""])
			}
		})
	}
	for name, result := range results {
		if result == "fail" && !slices.Contains(names(additions), strings.TrimPrefix(name, "Test")) {
			t.Errorf("%s: %s", name, output[name])
		}
	}
}

func TestOnlyCodeThatUsesRemovedNamesFailsToCompile(t *testing.T) {
	copied := copyOfModule(t)
	var edits []edit
	for _, row := range names(breaking) {
		edits = append(edits, breaking[row].edit)
	}
	copied.edit(t, edits...)
	copied.generate(t)
	built, err := copied.run(t, "build", "-gcflags=-e", "./...")
	if err != nil && len(places(built)) == 0 {
		t.Fatalf("%v\n%s", err, built)
	}
	vetted, _ := copied.run(t, "vet", "./...") // tests as well
	for _, place := range places(built + vetted) {
		line := copied.line(t, place.file, place.line)
		named := func(row string) bool { return strings.Contains(strings.ToLower(line), breaking[row].name) }
		if !slices.ContainsFunc(names(breaking), named) {
			t.Errorf("%s:%d does not use a removed name: %s", place.file, place.line, line)
		}
	}
}

type place struct {
	file string
	line int
}

// compileError matches a compiler error, and captures its position.
var compileError = regexp.MustCompile(`^(?:vet: )?(?:\./)?([^\s:]+\.go):(\d+):`)

// places returns the positions of compiler errors, except for imports of packages that failed to compile.
func places(out string) []place {
	var found []place
	for line := range strings.Lines(out) {
		if match := compileError.FindStringSubmatch(line); match != nil && !strings.Contains(line, "could not import") {
			number, _ := strconv.Atoi(match[2]) // the match consists of digits
			found = append(found, place{path.Clean(match[1]), number})
		}
	}
	return found
}

func TestContractErrorsAreReportedInOneLine(t *testing.T) {
	copied := copyOfModule(t)
	for _, row := range names(faults) {
		fault := faults[row]
		t.Run(row, func(t *testing.T) {
			copied.edit(t, fault.edits...)
			out, err := copied.run(t, "generate", "./...")
			if err == nil {
				t.Fatal("code was generated")
			}
			reported := slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
				return !slices.ContainsFunc(fault.words, func(word string) bool { return !strings.Contains(line, word) })
			})
			if !reported {
				t.Errorf("no line contains the words %q:\n%s", fault.words, out)
			}
		})
	}
}
