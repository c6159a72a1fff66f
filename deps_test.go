package jogg_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A program that calls and receives stays small: what only the inbox, the suites or the generator need does not come along.
func TestUsingTheLibraryPullsFewModules(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("modules can be listed only with the go command, which is not on the PATH")
	}
	var stderr strings.Builder
	list := exec.CommandContext(t.Context(), goCommand, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".", "./webhooks")
	list.Stderr = &stderr
	output, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", list, err, &stderr)
	}

	const ours, limit = "github.com/jogg-go/jogg", 6
	modules := slices.Compact(slices.Sorted(strings.FieldsSeq(string(output))))
	others := slices.DeleteFunc(modules, func(module string) bool { return module == ours })
	if len(others) == len(modules) {
		t.Fatalf("%s is not among the modules listed:\n%s", ours, output)
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
	} {
		for _, module := range others {
			if strings.HasPrefix(module, kept) {
				t.Errorf("%s comes along", module)
			}
		}
	}
}
