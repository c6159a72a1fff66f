package sample_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/jogg-go/jogg/api"
	"github.com/jogg-go/jogg/e2e/sample"
)

// document is an OpenAPI document. Its schemas are also compiled by another library than the one that Make uses.
type document struct {
	*openapi3.T
	compiler *jsonschema.Compiler
}

func read(t *testing.T, text []byte) document {
	t.Helper()
	parsed, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := parsed.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("https://jogg.invalid/openapi.json", tree); err != nil {
		t.Fatal(err)
	}
	return document{T: parsed, compiler: compiler}
}

// check validates a value against the schema at a JSON Pointer of the document.
func (d document) check(t *testing.T, pointer string, value any) {
	t.Helper()
	schema, err := d.compiler.Compile("https://jogg.invalid/openapi.json" + (&url.URL{Fragment: pointer}).String())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(tree); err != nil {
		t.Errorf("%s\n%v", text, err)
	}
}

// makers returns makers of all modes with several seeds.
func makers() map[string]sample.Maker {
	all := map[string]sample.Maker{}
	for seed := range uint64(20) {
		for _, required := range []bool{false, true} {
			for _, any := range []bool{false, true} {
				name := fmt.Sprintf("seed %d, required only %t, any form %t", seed, required, any)
				all[name] = sample.Maker{Seed: seed, RequiredOnly: required, AnyForm: any}
			}
		}
	}
	return all
}

func TestValuesConformToTheSchemasOfTheContract(t *testing.T) {
	contract := read(t, api.OpenAPI())
	for pointer, schema := range places(contract.T) {
		t.Run(pointer, func(t *testing.T) {
			for name, maker := range makers() {
				value, err := maker.Make(pointer, schema)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				contract.check(t, pointer, value)
			}
		})
	}
}

// places returns the named schemas and those of parameters, requests and responses, by their JSON Pointers.
func places(document *openapi3.T) map[string]*openapi3.SchemaRef {
	all := map[string]*openapi3.SchemaRef{}
	for name, schema := range document.Components.Schemas {
		all["/components/schemas/"+name] = schema
	}
	for name, parameter := range document.Components.Parameters {
		all["/components/parameters/"+name+"/schema"] = parameter.Value.Schema
	}
	const content = "/content/application~1json/schema"
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			at := "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + strings.ToLower(method)
			for i, parameter := range operation.Parameters {
				if parameter.Ref == "" {
					all[fmt.Sprintf("%s/parameters/%d/schema", at, i)] = parameter.Value.Schema
				}
			}
			if operation.RequestBody != nil {
				all[at+"/requestBody"+content] = operation.RequestBody.Value.Content.Get("application/json").Schema
			}
			for status, response := range operation.Responses.Map() {
				if response.Ref == "" {
					all[at+"/responses/"+status+content] = response.Value.Content.Get("application/json").Schema
				}
			}
		}
	}
	return all
}

// schemas has a schema for each keyword that Make supports. Today's contract does not have all of them.
const schemas = `
openapi: 3.1.0
info: {title: Forms, version: '1'}
paths: {}
components:
  schemas:
    Bounds: {type: integer, minimum: 7, maximum: 9}
    Exclusive: {type: number, exclusiveMinimum: 0, exclusiveMaximum: 1}
    Negative: {type: integer, maximum: -1}
    Narrow: {type: number, minimum: 0.31, maximum: 0.32}
    Steps: {type: integer, multipleOf: 5, minimum: 11}
    Short: {type: string, maxLength: 3}
    Long: {type: string, minLength: 40, maxLength: 41}
    Signature: {type: string, pattern: '^[0-9a-f]{64}$'}
    Choice: {type: string, pattern: '^(id|key)_[a-z]+\d*(-x)?$', minLength: 12}
    Scheme: {type: string, format: uri, pattern: '^https://'}
    Moment: {type: string, format: date-time}
    Day: {type: string, format: date}
    Identifier: {type: string, format: uuid}
    Address: {type: string, format: email}
    Constant: {const: fixed}
    Nothing: {type: 'null'}
    Nullable: {type: [string, 'null']}
    Words: {type: [string, integer]}
    Several: {type: array, minItems: 4, maxItems: 5, uniqueItems: true, items: {type: string}}
    Different: {type: array, minItems: 3, uniqueItems: true, items: {type: integer, minimum: 1, maximum: 3}}
    Map: {type: object, additionalProperties: {type: integer}, minProperties: 3}
    Bag: {type: object}
    Closed: {type: object, properties: {a: {type: boolean}}, additionalProperties: false}
    Anything: {description: What it will.}
    Untyped: {properties: {a: {type: string}}, required: [a, b]}
    All:
      allOf:
      - {type: object, required: [a, kind], properties: {a: {type: [string, integer]}, kind: {type: string}}}
      - {properties: {a: {type: integer, minimum: 5}, kind: {enum: [one, two]}}}
    Either:
      oneOf:
      - {$ref: '#/components/schemas/Cat'}
      - {$ref: '#/components/schemas/Dog'}
      discriminator: {propertyName: kind, mapping: {cat: '#/components/schemas/Cat', dog: '#/components/schemas/Dog'}}
    Cat: {type: object, required: [kind, meows], properties: {kind: {type: string}, meows: {type: boolean}}}
    Dog: {type: object, required: [kind, barks], properties: {kind: {type: string}, barks: {type: boolean}}}
    Tree:
      type: object
      required: [name, left, right, branches]
      properties:
        name: {type: string}
        left: {anyOf: [{$ref: '#/components/schemas/Tree'}, {type: 'null'}]}
        right: {oneOf: [{type: 'null'}, {$ref: '#/components/schemas/Tree'}]}
        branches: {type: array, items: {$ref: '#/components/schemas/Tree'}}
        byName: {type: object, additionalProperties: {$ref: '#/components/schemas/Tree'}}
        next: {$ref: '#/components/schemas/Tree'}
`

func TestEverySupportedKeywordIsRespected(t *testing.T) {
	forms := read(t, []byte(schemas))
	for name, schema := range forms.Components.Schemas {
		t.Run(name, func(t *testing.T) {
			for mode, maker := range makers() {
				value, err := maker.Make(name, schema)
				if err != nil {
					t.Fatalf("%s: %v", mode, err)
				}
				forms.check(t, "/components/schemas/"+name, value)
			}
		})
	}
}

// makeForm makes a value of a schema in `schemas`.
func makeForm(t *testing.T, maker sample.Maker, place, name string) any {
	t.Helper()
	value, err := maker.Make(place, read(t, []byte(schemas)).Components.Schemas[name])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestValuesAreDeterministicBySeedAndPlace(t *testing.T) {
	const form = "Several"
	one := makeForm(t, sample.Maker{Seed: 1}, "here", form)
	if again := makeForm(t, sample.Maker{Seed: 1}, "here", form); !reflect.DeepEqual(one, again) {
		t.Errorf("first %v, then %v", one, again)
	}
	if other := makeForm(t, sample.Maker{Seed: 2}, "here", form); reflect.DeepEqual(one, other) {
		t.Errorf("two seeds make %v", one)
	}
	if other := makeForm(t, sample.Maker{Seed: 1}, "there", form); reflect.DeepEqual(one, other) {
		t.Errorf("two places have %v", one)
	}
}

func TestAllPropertiesAreFilledOrOnlyTheRequiredOnes(t *testing.T) {
	contract := read(t, api.OpenAPI())
	for name, schema := range contract.Components.Schemas {
		if len(schema.Value.Properties) == 0 || schema.Value.MaxProps != nil || len(schema.Value.AnyOf) > 0 {
			continue // none, or not all at once
		}
		for requiredOnly, want := range map[bool][]string{
			true:  slices.Sorted(slices.Values(schema.Value.Required)),
			false: slices.Sorted(maps.Keys(schema.Value.Properties)),
		} {
			value, err := sample.Maker{RequiredOnly: requiredOnly}.Make(name, schema)
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Sorted(maps.Keys(value.(map[string]any)))
			if schema.Value.AdditionalProperties.Schema != nil {
				got = slices.DeleteFunc(got, func(name string) bool { return schema.Value.Properties[name] == nil })
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, required only %t: properties %q, want %q", name, requiredOnly, got, want)
			}
		}
	}
}

func TestValuesAreNotZeroWithoutAnyForm(t *testing.T) {
	contract := read(t, api.OpenAPI())
	zeros := 0
	for name, schema := range contract.Components.Schemas {
		for seed := range uint64(5) {
			value, err := sample.Maker{Seed: seed}.Make(name, schema)
			if err != nil {
				t.Fatal(err)
			}
			eachLeaf(name, value, func(place string, leaf any) {
				if leaf == nil || reflect.ValueOf(leaf).IsZero() {
					t.Errorf("%s is %#v", place, leaf)
				}
			})
			value, err = sample.Maker{Seed: seed, AnyForm: true}.Make(name, schema)
			if err != nil {
				t.Fatal(err)
			}
			eachLeaf(name, value, func(_ string, leaf any) {
				if leaf == nil || reflect.ValueOf(leaf).IsZero() {
					zeros++
				}
			})
		}
	}
	if zeros == 0 {
		t.Error("nothing is null, false, zero or empty with AnyForm")
	}
}

// eachLeaf visits the values that are neither objects nor lists.
func eachLeaf(place string, value any, visit func(place string, leaf any)) {
	switch value := value.(type) {
	case map[string]any:
		for name, inside := range value {
			eachLeaf(place+"."+name, inside, visit)
		}
	case []any:
		for i, inside := range value {
			eachLeaf(fmt.Sprintf("%s[%d]", place, i), inside, visit)
		}
	default:
		visit(place, value)
	}
}

func TestAnyFormMakesEachTypeAndAlternative(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(100) {
		maker := sample.Maker{Seed: seed, AnyForm: true}
		for _, form := range []string{"Nullable", "Words", "Either", "Anything"} {
			value := makeForm(t, maker, "here", form)
			kind := fmt.Sprintf("%s %T", form, value)
			if object, ok := value.(map[string]any); ok && form == "Either" {
				kind = fmt.Sprintf("%s %v", form, object["kind"])
			}
			seen[kind] = true
		}
	}
	for _, kind := range []string{
		"Nullable <nil>", "Nullable string", "Words string", "Words int64", "Either cat", "Either dog", "Anything <nil>", "Anything bool",
		"Anything string", "Anything float64", "Anything []interface {}", "Anything map[string]interface {}",
	} {
		if !seen[kind] {
			t.Errorf("never made: %s", kind)
		}
	}
}

func TestChooseIsCalledForPropertiesItemsAndEntries(t *testing.T) {
	forms := read(t, []byte(`
openapi: 3.1.0
info: {title: Choices, version: '1'}
paths: {}
components:
  schemas:
    Order:
      type: object
      properties:
        order_id: {type: string, description: Identifies the order.}
        urls: {type: array, items: {type: string, format: uri}}
        sizes: {type: object, additionalProperties: {type: integer}}
        note: {type: string}
`))
	var asked []string
	maker := sample.Maker{Choose: func(p sample.Property) (any, bool) {
		asked = append(asked, p.Place)
		switch {
		case p.Schema.Description == "Identifies the order.":
			return "order_7", true
		case p.Schema.Format == "uri":
			return "https://example.org/" + p.Name, true
		case p.Name == "sizes" && p.Schema.Type.Is(openapi3.TypeInteger):
			return int64(42), true
		}
		return nil, false
	}}
	value, err := maker.Make("order", forms.Components.Schemas["Order"])
	if err != nil {
		t.Fatal(err)
	}
	order := value.(map[string]any)
	note := order["note"]
	delete(order, "note")
	if want := map[string]any{
		"order_id": "order_7", "urls": []any{"https://example.org/urls", "https://example.org/urls"},
		"sizes": map[string]any{"entry_1": int64(42), "entry_2": int64(42)},
	}; !reflect.DeepEqual(order, want) {
		t.Errorf("made %v, want %v", order, want)
	}
	if text, _ := note.(string); !strings.HasPrefix(text, "note ") {
		t.Errorf("the generated note is %v", note)
	}
	if want := []string{
		"order.note", "order.order_id", "order.sizes", "order.sizes.entry_1", "order.sizes.entry_2", "order.urls", "order.urls[0]", "order.urls[1]",
	}; !slices.Equal(asked, want) {
		t.Errorf("Choose was called for %q, want %q", asked, want)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	forms := read(t, []byte(`
openapi: 3.1.0
info: {title: Faults, version: '1'}
paths: {}
components:
  schemas:
    Endless: {type: object, required: [self], properties: {self: {$ref: '#/components/schemas/Endless'}}}
    Inside: {type: object, properties: {list: {type: array, items: {type: object, properties: {code: {$ref: '#/components/schemas/Code'}}}}}}
    Code: {type: string, pattern: '^\b\B$'}
    Not: {type: object, properties: {a: {not: {type: string}}}}
    Empty: {type: object, properties: {a: {type: integer, minimum: 2, maximum: 1}}}
    Torn: {allOf: [{type: string}, {type: integer}]}
    Listed: {type: string, enum: [1, 2]}
    Twice: {type: array, minItems: 3, uniqueItems: true, items: {enum: [a, b]}}
`))
	for name, want := range map[string]string{
		"Endless": "at.self.self.self (in #/components/schemas/Endless): the schema is infinitely recursive",
		"Inside":  `at.list[0].code (in #/components/schemas/Code): no string of`,
		"Not":     "at.a: unsupported keyword not",
		"Empty":   "at.a: no number is at least 2, at most 1",
		"Torn":    "at: no type is allowed by all parts of the schema",
		"Listed":  "at: no value of the enumeration fits the rest of the schema",
		"Twice":   "at: no list of at least 3 items, all different",
	} {
		t.Run(name, func(t *testing.T) {
			value, err := sample.Maker{}.Make("at", forms.Components.Schemas[name])
			if err == nil {
				t.Fatalf("made %v", value)
			}
			if !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %q, want %q", err, want)
			}
		})
	}
}
