package jogg_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A program that calls and receives stays small: what only the inbox, the suites or the generator need does not come along.
func TestUsingTheLibraryPullsFewModules(t *testing.T) {
	const limit = 6
	others := modulesOf(t, ".", "./webhooks")
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

// The inbox knows the interfaces of OpenTelemetry; what implements them, and what looks at the console, is up to others.
func TestUsingTheInboxPullsNoImplementationOfTelemetry(t *testing.T) {
	for _, module := range modulesOf(t, "./webhooks/inbox", "./webhooks/inbox/console") {
		for _, kept := range []string{
			"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters", "github.com/prometheus/", "github.com/chromedp/", "github.com/onsi/",
		} {
			if strings.HasPrefix(module, kept) {
				t.Errorf("%s comes along", module)
			}
		}
	}
}

// The console and its pages are for programs that import them.
func TestUsingTheInboxDoesNotPullTheConsole(t *testing.T) {
	if packages := goList(t, "{{.ImportPath}}", "./webhooks/inbox"); slices.Contains(packages, ours+"/webhooks/inbox/console") {
		t.Error("it comes along")
	}
}

const ours = "github.com/jogg-go/jogg"

// modulesOf returns the other modules that packages need.
func modulesOf(t *testing.T, packages ...string) []string {
	t.Helper()
	modules := goList(t, "{{with .Module}}{{.Path}}{{end}}", packages...)
	others := slices.DeleteFunc(slices.Clone(modules), func(module string) bool { return module == ours })
	if len(others) == len(modules) {
		t.Fatalf("%s is not among the modules listed: %q", ours, modules)
	}
	return others
}

// goList lists something of packages and all that they need, each once.
func goList(t *testing.T, format string, packages ...string) []string {
	t.Helper()
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("modules can be listed only with the go command, which is not on the PATH")
	}
	var stderr strings.Builder
	list := exec.CommandContext(t.Context(), goCommand, append([]string{"list", "-deps", "-f", format}, packages...)...)
	list.Stderr = &stderr
	output, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", list, err, &stderr)
	}
	return slices.Compact(slices.Sorted(strings.FieldsSeq(string(output))))
}
