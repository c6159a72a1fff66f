package jogg_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/jogg-go/jogg"

// A program that uses the client and receives webhooks stays small: it pulls no module that only the inbox, the suites or the generator
// need.
func TestUsingTheLibraryPullsFewModules(t *testing.T) {
	output := runGo(t, ".", nil, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".", "./webhooks")

	const limit = 6
	modules := slices.Compact(slices.Sorted(strings.FieldsSeq(output)))
	others := slices.DeleteFunc(modules, func(module string) bool { return module == modulePath })
	if len(others) == len(modules) {
		t.Fatalf("%s is not among the modules listed:\n%s", modulePath, output)
	}
	if len(others) > limit {
		t.Errorf("%d other modules, at most %d are promised: %q", len(others), limit, others)
	}
	for _, kept := range []string{
		"github.com/nats-io/",
		"github.com/onsi/",
		"github.com/getkin/kin-openapi",
		"github.com/oapi-codegen/oapi-codegen",
		"github.com/speakeasy-api/",
		"github.com/jonboulle/clockwork",
		"go.opentelemetry.io/",
		"github.com/prometheus/",
		"github.com/chromedp/",
	} {
		for _, module := range others {
			if strings.HasPrefix(module, kept) {
				t.Errorf("%s comes along", module)
			}
		}
	}
}

// The inbox uses the interfaces of OpenTelemetry. The program chooses their implementation, and whether it has a console.
func TestUsingTheInboxPullsNeitherTelemetryNorTheConsole(t *testing.T) {
	for used := range strings.FieldsSeq(runGo(t, ".", nil, "list", "-deps", "./webhooks/inbox")) {
		for _, kept := range []string{
			"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters", "github.com/prometheus/", "github.com/chromedp/",
			"github.com/onsi/", modulePath + "/webhooks/inbox/console",
		} {
			if strings.HasPrefix(used, kept) {
				t.Errorf("%s comes along", used)
			}
		}
	}
}

// The go.mod and go.sum that `go mod tidy` writes for a program are reviewed by its owner and reported by scanners. They list not only the
// modules that are linked, but also those that the tests of the imported packages need, and those that files behind build tags import.
func TestImportingAPackageRecordsFewModules(t *testing.T) {
	for _, c := range []struct {
		imported       string
		requires, sums int // the maximum lines of go.mod, without jogg's own, and of go.sum
	}{
		{modulePath, 3, 62},
		{modulePath + "/webhooks", 2, 6},
		{modulePath + "/webhooks/inbox", 23, 62},
		{modulePath + "/e2e/simulator", 11, 50},
	} {
		t.Run(strings.TrimPrefix(c.imported, modulePath+"/"), func(t *testing.T) {
			t.Parallel()
			dir := programThatImports(t, c.imported)
			tidy(t, dir)

			required := []string{}
			imported := false
			for _, module := range readGoMod(t, dir).Require {
				imported = imported || module.Path == modulePath
				if module.Path != modulePath {
					required = append(required, module.Path)
				}
			}
			if !imported {
				t.Fatalf("the program does not require %s", modulePath)
			}
			if len(required) > c.requires {
				t.Errorf("%d modules are required, at most %d are promised: %q", len(required), c.requires, required)
			}
			sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(sums, []byte("\n")); n > c.sums {
				t.Errorf("go.sum has %d lines, at most %d are promised:\n%s", n, c.sums, sums)
			}
		})
	}
}

// programThatImports returns the directory of a module of three lines that imports the package from this tree.
func programThatImports(t *testing.T, imported string) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":  fmt.Sprintf("module example.com/program\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %[1]s => %q\n", modulePath, here),
		"main.go": fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", imported),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tidy runs `go mod tidy` with the module cache only. If the cache lacks a module, which only the tests of a dependency can need, it runs
// again with the user's settings, which fetches the module.
func tidy(t *testing.T, dir string) {
	t.Helper()
	settings := []string{"GOFLAGS=-mod=mod", "GOSUMDB=off", "GOWORK=off"}
	if _, err := tryGo(t, dir, append(settings, "GOPROXY=off"), "mod", "tidy"); err == nil {
		return
	} else if !strings.Contains(err.Error(), "GOPROXY=off") {
		t.Fatal(err)
	}
	if _, err := tryGo(t, dir, settings, "mod", "tidy"); err != nil {
		t.Skipf("the module cache lacks what go mod tidy wants, and it cannot be fetched: %v", err)
	}
}

// Readers find the tools in tools.go, and the go command finds them in go.mod.
func TestToolsAreListed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "tools.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var listed, pinned []string
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, path)
	}
	for _, tool := range readGoMod(t, ".").Tool {
		pinned = append(pinned, tool.Path)
	}
	slices.Sort(listed)
	slices.Sort(pinned)
	if len(pinned) == 0 || !slices.Equal(listed, pinned) {
		t.Errorf("tools.go lists %q, go.mod pins %q", listed, pinned)
	}
}

type goMod struct {
	Require []struct{ Path string }
	Tool    []struct{ Path string }
}

func readGoMod(t *testing.T, dir string) goMod {
	t.Helper()
	var parsed goMod
	if err := json.Unmarshal([]byte(runGo(t, dir, nil, "mod", "edit", "-json")), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

func runGo(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	output, err := tryGo(t, dir, env, args...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// tryGo runs the go command in dir, with env added to the environment, and returns its standard output.
func tryGo(t *testing.T, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("modules can be listed only with the go command, which is not on the PATH")
	}
	var stderr strings.Builder
	command := exec.CommandContext(t.Context(), goCommand, args...)
	command.Dir = dir
	command.Env = append(command.Environ(), env...)
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%v: %w\n%s", command, err, &stderr)
	}
	return string(output), nil
}
