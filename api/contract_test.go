package api_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/jogg-go/jogg/api"
)

func contract(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
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

func TestEveryOperationIsNamedAndDescribed(t *testing.T) {
	doc := contract(t)
	const documented = 65
	count := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			count++
			checkOperation(t, doc, method+" "+path, op)
		}
	}
	if count != documented {
		t.Errorf("%d operations, but the API documents %d", count, documented)
	}
	for name, item := range doc.Webhooks {
		for method, op := range item.Operations() {
			checkOperation(t, doc, "webhook "+method+" "+name, op)
		}
	}
}

func checkOperation(t *testing.T, doc *openapi3.T, where string, op *openapi3.Operation) {
	t.Helper()
	for what, text := range map[string]string{"operationId": op.OperationID, "summary": op.Summary, "description": op.Description} {
		if text == "" {
			t.Errorf("%s has no %s", where, what)
		}
	}
	if len(op.Tags) == 0 {
		t.Errorf("%s has no tag", where)
	}
	for _, tag := range op.Tags {
		if doc.Tags.Get(tag) == nil {
			t.Errorf("%s: tag %s is not declared", where, tag)
		}
	}
}

func TestEverySchemaIsDescribed(t *testing.T) {
	doc := contract(t)
	for name, schema := range doc.Components.Schemas {
		if !described(schema) {
			t.Errorf("schema %s has no description", name)
		}
	}
	walk(t, doc, func(pointer string, schema *openapi3.SchemaRef) {
		for name, property := range schema.Value.Properties {
			// The envelope's content is what its operation describes.
			if !described(property) && !opensEnvelope.MatchString(pointer) {
				t.Errorf("%s: property %s has no description", pointer, name)
			}
		}
	})
}

// described reports whether the schema says what it is, or refers to one that does, be it with null as the alternative.
func described(schema *openapi3.SchemaRef) bool {
	if schema.Ref != "" || schema.Value.Description != "" {
		return true
	}
	alternatives := slices.DeleteFunc(slices.Clone(schema.Value.AnyOf), func(option *openapi3.SchemaRef) bool {
		return option.Value.Type.Is(openapi3.TypeNull)
	})
	return len(alternatives) == 1 && alternatives[0].Ref != ""
}

var (
	named = regexp.MustCompile(`^/components/schemas/[^/]+$`)
	// The answer to a call is the envelope and, beside it, the object that gives `data` its type.
	opensEnvelope = regexp.MustCompile(`^/paths/[^/]+/[a-z]+/responses/200/content/application~1json/schema/allOf/1$`)
)

func TestEveryObjectHasAName(t *testing.T) {
	walk(t, contract(t), func(pointer string, schema *openapi3.SchemaRef) {
		if schema.Ref != "" || len(schema.Value.Properties) == 0 || named.MatchString(pointer) {
			return
		}
		if opensEnvelope.MatchString(pointer) && slices.Equal(slices.Collect(maps.Keys(schema.Value.Properties)), []string{"data"}) {
			return
		}
		t.Errorf("%s is an object without a name", pointer)
	})
}

func walk(t *testing.T, doc *openapi3.T, visit func(pointer string, schema *openapi3.SchemaRef)) {
	t.Helper()
	err := doc.WalkSchemas(func(pointer string, schema *openapi3.SchemaRef) error {
		visit(pointer, schema)
		return nil
	})
	if err != nil {
		t.Fatal(err)
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
		t.Errorf("deliveries are told apart by %q, not by their event", delivery.Discriminator.PropertyName)
	}
	mapped := slices.Sorted(maps.Keys(delivery.Discriminator.Mapping))
	if known := enumeration(t, schemas["EventType"]); !slices.Equal(mapped, known) {
		t.Errorf("mapped are %q, known are %q", mapped, known)
	}

	eventsOf := make(map[string][]string)
	for event, schema := range delivery.Discriminator.Mapping {
		eventsOf[schema.Ref] = append(eventsOf[schema.Ref], event)
	}
	if len(delivery.OneOf) != len(eventsOf) {
		t.Errorf("%d schemas to choose from, %d mapped to", len(delivery.OneOf), len(eventsOf))
	}
	for _, option := range delivery.OneOf {
		want := slices.Sorted(slices.Values(eventsOf[option.Ref]))
		if got := enumeration(t, option.Value.Properties["event"]); !slices.Equal(got, want) {
			t.Errorf("%s takes %q, but what is mapped to it is %q", path.Base(option.Ref), got, want)
		}
	}
}

func TestGeneratedEventTypesAreThoseOfTheContract(t *testing.T) {
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
		t.Errorf("generated are %q, the contract has %q", generated, want)
	}
}

// enumeration returns the sorted values that the schema lists.
func enumeration(t *testing.T, schema *openapi3.SchemaRef) []string {
	t.Helper()
	values := make([]string, 0, len(schema.Value.Enum))
	for _, value := range schema.Value.Enum {
		text, ok := value.(string)
		if !ok {
			t.Fatalf("enumeration has %v, which is no string", value)
		}
		values = append(values, text)
	}
	slices.Sort(values)
	return values
}
