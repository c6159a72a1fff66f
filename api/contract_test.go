package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/jogg-go/jogg/api"
)

func contract(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatalf("load the contract: %v", err)
	}
	return doc
}

func TestContractIsValidOpenAPI31(t *testing.T) {
	doc := contract(t)
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("openapi is %s, not 3.1", doc.OpenAPI)
	}
	if err := doc.Validate(t.Context(), openapi3.IsOpenAPI31OrLater(), openapi3.EnableMultiError()); err != nil {
		t.Error(err)
	}
}

// Removing an operation or an event type by accident must fail this test.
func TestNothingPublishedIsRemoved(t *testing.T) {
	list, err := os.ReadFile("published.txt")
	if err != nil {
		t.Fatal(err)
	}
	doc := contract(t)
	has := map[string]bool{}
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			has["operation "+operation.OperationID] = true
		}
	}
	for _, event := range enumeration(t, doc.Components.Schemas["EventType"]) {
		has["event "+event] = true
	}
	listed := 0
	for line := range strings.Lines(string(list)) {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		listed++
		if !has[name] {
			t.Errorf("the contract no longer has %s; to remove it on purpose, delete its line in api/published.txt", name)
		}
	}
	if listed != len(has) {
		t.Errorf("%d names are listed, but the contract has %d; make generate lists them", listed, len(has))
	}
}

func TestDeliveryHasItsTwoHeaders(t *testing.T) {
	item := contract(t).Webhooks["delivery"]
	if item == nil || item.Post == nil {
		t.Fatal("the contract has no delivery among its webhooks")
	}
	var required []string
	for _, parameter := range item.Post.Parameters {
		if parameter.Value.In == openapi3.ParameterInHeader && parameter.Value.Required {
			required = append(required, parameter.Value.Name)
		}
	}
	if want := []string{"X-Webhook-Event", "X-Webhook-Signature"}; !slices.Equal(required, want) {
		t.Errorf("required headers are %q, want %q", required, want)
	}
}

func TestEveryEventTypeHasOneEnvelope(t *testing.T) {
	schemas := contract(t).Components.Schemas
	delivery := schemas["Delivery"].Value
	if delivery.Discriminator.PropertyName != "event" {
		t.Errorf("the discriminator of deliveries is %q, not event", delivery.Discriminator.PropertyName)
	}
	mapped := slices.Sorted(maps.Keys(delivery.Discriminator.Mapping))
	if known := enumeration(t, schemas["EventType"]); !slices.Equal(mapped, known) {
		t.Errorf("the mapping has %q, EventType has %q", mapped, known)
	}

	eventsOf := make(map[string][]string)
	for event, schema := range delivery.Discriminator.Mapping {
		eventsOf[schema.Ref] = append(eventsOf[schema.Ref], event)
	}
	if len(delivery.OneOf) != len(eventsOf) {
		t.Errorf("oneOf has %d schemas, the mapping has %d", len(delivery.OneOf), len(eventsOf))
	}
	for _, option := range delivery.OneOf {
		want := slices.Sorted(slices.Values(eventsOf[option.Ref]))
		if got := enumeration(t, option.Value.Properties["event"]); !slices.Equal(got, want) {
			t.Errorf("%s has the events %q, but %q are mapped to it", path.Base(option.Ref), got, want)
		}
	}
}

func TestGeneratedEventTypesMatchTheContract(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../gen/models.gen.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var generated []string
	ast.Inspect(file, func(node ast.Node) bool {
		constant, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := constant.Type.(*ast.Ident); ok && kind.Name == "EventType" {
			value, err := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			generated = append(generated, value)
		}
		return false
	})
	slices.Sort(generated)
	if want := enumeration(t, contract(t).Components.Schemas["EventType"]); !slices.Equal(generated, want) {
		t.Errorf("package gen has %q, the contract has %q", generated, want)
	}
}

// enumeration returns the sorted values of an enumeration.
func enumeration(t *testing.T, schema *openapi3.SchemaRef) []string {
	t.Helper()
	values := make([]string, 0, len(schema.Value.Enum))
	for _, value := range schema.Value.Enum {
		text, ok := value.(string)
		if !ok {
			t.Fatalf("the enumeration has %v, which is not a string", value)
		}
		values = append(values, text)
	}
	slices.Sort(values)
	return values
}
