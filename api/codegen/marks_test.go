package main

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// marked returns a document with one operation that has the keys, and whose request has the fields.
func marked(t *testing.T, keys, fields string) (*openapi3.T, *openapi3.Operation) {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData([]byte(`
openapi: 3.1.0
info: {title: Things, version: '1'}
paths:
  /v2/things:
    post:
      operationId: orderThing
      ` + keys + `
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: '#/components/schemas/ThingOrder'}
      responses:
        default: {description: Done.}
components:
  schemas:
    Word: {type: string, enum: [a]}
    Part: {type: object, properties: {name: {type: string}, size: {type: integer}, word: {$ref: '#/components/schemas/Word'}}}
    ThingOrder:
      type: object
      properties:
        part: {$ref: '#/components/schemas/Part'}
        optional: {$ref: '#/components/schemas/Part', x-go-type-skip-optional-pointer: false}
        parts: {type: array, items: {$ref: '#/components/schemas/Part'}}
        nested: {type: array, items: {type: array, items: {$ref: '#/components/schemas/Part'}}}
        renamed: {type: string, x-go-name: Other}
        key: {type: string}
        count: {type: integer}
` + fields))
	if err != nil {
		t.Fatal(err)
	}
	return document, document.Paths.Value("/v2/things").Post
}

func TestErrorsInKeysOfOperationsAreReported(t *testing.T) {
	for keys, want := range map[string]string{
		"x-jogg-billed: true": "", "x-jogg-hidden: nobody knows": "", "x-jogg-idempotency-key: /key": "", "x-jogg-idempotency-key: /part/name": "",
		"x-jogg-billed: false":                   "x-jogg-billed can only be true",
		"x-jogg-billed: 'yes'":                   "x-jogg-billed can only be true",
		"x-jogg-hidden: true":                    "x-jogg-hidden must give the reason",
		"x-jogg-hidden: ''":                      "x-jogg-hidden must give the reason",
		"x-jogg-idempotency-key: key":            `"key" is not a JSON pointer`,
		"x-jogg-idempotency-key: true":           `"" is not a JSON pointer`,
		"x-jogg-idempotency-key: /kee":           "there is no kee",
		"x-jogg-idempotency-key: /count":         "is not a string",
		"x-jogg-idempotency-key: /part/word":     "is not a string",
		"x-jogg-idempotency-key: /optional/name": "leads to optional, which is a pointer",
		"x-jogg-idempotency-key: /parts/*/name":  "inside a list",
	} {
		document, _ := marked(t, keys, "")
		err := checkMarks(document)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "orderThing")) {
			t.Errorf("%s: error %v, want one with %q that names the operation", keys, err, want)
		}
	}
}

func TestDocCommentsExplainTheKeys(t *testing.T) {
	for keys, want := range map[string][]string{
		"x-a: b":                           nil,
		"x-jogg-billed: true":              {"billed", "rejected before processing"},
		"x-jogg-hidden: nobody knows it":   {"may not be available to every account: nobody knows it."},
		"x-jogg-idempotency-key: /key":     {"idempotency key", "RepeatWithKey"},
		"x-jogg-idempotency-key: /renamed": {"idempotency key"},
	} {
		_, op := marked(t, keys, "")
		text := strings.Join(notes(codegen.OperationDefinition{Spec: op}), "\n")
		if want == nil && text != "" {
			t.Errorf("%s: %s", keys, text)
		}
		for _, words := range want {
			if !strings.Contains(text, words) {
				t.Errorf("%s: %q lacks %q", keys, text, words)
			}
		}
	}
}

func TestKeyFieldHasItsGoName(t *testing.T) {
	for keys, want := range map[string]string{
		"x-a: b": "", "x-jogg-idempotency-key: /key": ".Key", "x-jogg-idempotency-key: /renamed": ".Other", "x-jogg-idempotency-key: /part/name": ".Part.Name",
	} {
		_, op := marked(t, keys, "")
		if field, err := keyField(op); err != nil || field != want {
			t.Errorf("%s: %q, %v, want %q", keys, field, err, want)
		}
	}
}

func TestAliases(t *testing.T) {
	for fields, want := range map[string]alias{
		"        name: {type: string, x-jogg-same-as: /part/name}": {Field: "Name", Pointer: "/name", Other: "/part/name", Inside: ".Part.Name"},
		"        name: {type: string, x-jogg-same-as: /renamed}":   {Field: "Name", Pointer: "/name", Other: "/renamed", Inside: ".Other"},
		"        name: {type: string, x-jogg-same-as: '/parts/*/name'}": {
			Field: "Name", Pointer: "/name", Other: "/parts/%d/name", List: ".Parts", Inside: ".Name",
		},
	} {
		_, op := marked(t, "x-a: b", fields)
		found, err := aliasesOf(op)
		if err != nil || len(found) != 1 || found[0] != want {
			t.Errorf("%s: %+v, %v, want %+v", fields, found, err, want)
		}
	}
	if _, op := marked(t, "x-a: b", ""); hasAliases(codegen.OperationDefinition{Spec: op}) {
		t.Error("a request without the key has aliases")
	}
}

func TestErrorsInAliasesAreReported(t *testing.T) {
	for fields, want := range map[string]string{
		"        name: {type: string, x-jogg-same-as: part}":               "is not a JSON pointer",
		"        name: {type: string, x-jogg-same-as: /part/nam}":          "there is no nam",
		"        name: {type: string, x-jogg-same-as: /parts/0/name}":      "there is no 0",
		"        name: {type: string, x-jogg-same-as: /optional/name}":     "which is a pointer",
		"        name: {type: string, x-jogg-same-as: '/nested/*/*/name'}": "more than one list",
		"        name: {type: string, x-jogg-same-as: /part/size}":         "does not connect two strings",
		"        size: {type: integer, x-jogg-same-as: /part/size}":        "does not connect two strings",
		"        word: {type: string, x-jogg-same-as: /part/word}":         "does not connect two strings",
	} {
		_, op := marked(t, "x-a: b", fields)
		_, err := aliasesOf(op)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "orderThing") {
			t.Errorf("%s: error %v, want one with %q that names the operation", fields, err, want)
		}
	}
}

func TestConditionsAreNotUnions(t *testing.T) {
	for _, test := range []struct {
		schema string
		kept   bool
	}{
		{"{type: object, oneOf: [{required: [a]}, {required: [b]}]}", false},
		{"{type: object, anyOf: [{required: [a]}, {not: {required: [b]}}]}", false},
		{"{oneOf: [{type: string}, {type: integer}]}", true},
		{"{oneOf: [{required: [a]}, {type: object, properties: {a: {type: string}}}]}", true},
		{"{anyOf: [{$ref: '#/components/schemas/Word'}, {type: 'null'}]}", true},
	} {
		document, _ := marked(t, "x-a: b", "    Choice: "+test.schema)
		dropConditions(document)
		choice := document.Components.Schemas["Choice"].Value
		if kept := len(choice.OneOf)+len(choice.AnyOf) > 0; kept != test.kept {
			t.Errorf("%s: kept is %t", test.schema, kept)
		}
	}
}

func TestConstantNamesDropTheNBeforeADigit(t *testing.T) {
	for name, want := range map[string]string{
		"VideoSizeN720X1280": "VideoSize720X1280", "VideoRatioN1X1": "VideoRatio1X1", "VideoNight": "VideoNight", "VideoN": "VideoN",
	} {
		if short := constantName(name); short != want {
			t.Errorf("%s became %s, want %s", name, short, want)
		}
	}
}
