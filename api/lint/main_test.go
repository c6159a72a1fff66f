package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	rules = "../lint.yaml"
	clean = "testdata/clean.yaml"
)

func TestCleanDocumentHasNoFindings(t *testing.T) {
	var out bytes.Buffer
	findings, err := lint(t.Context(), &out, rules, clean)
	if err != nil {
		t.Fatal(err)
	}
	if findings > 0 {
		t.Errorf("%d findings:\n%s", findings, &out)
	}
}

func TestErrorsAreFound(t *testing.T) {
	document, err := os.ReadFile(clean)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"path without its parameter", "/v2/song/{id}:", "/v2/song/{song}:", "semantic-path-params"},
		{"dangling reference", "'#/components/schemas/Cover'", "'#/components/schemas/Nowhere'", "resolution-json-schema"},
		{"undeclared tag", "tags: [Song]", "tags: [Sing]", "style-operation-tag-defined"},
		{"operation without a tag", "      tags: [Song]\n", "", "style-operation-tags"},
		{"operation without a name", "      operationId: getSong\n", "", "semantic-operation-operation-id"},
		{"unused schema", "  schemas:\n", "  schemas:\n    Lost: {description: Lost., type: string}\n", "semantic-unused-component"},
		{"schema without a description", "      description: A song.\n", "", "`schemas` component `Song` is missing a description"},
		{"API key over plain HTTP", "https://api.songs.invalid", "http://api.songs.invalid", "owasp-security-hosts-https-oas3"},
		{"operation without a summary", "      summary: Read a song\n", "", "  20 hint    jogg-description                operation GET /v2/song/{id} has no summary"},
		{
			"operation without a description", "      description: >-\n        Returns a song.\n", "",
			"  20 hint    jogg-description                operation GET /v2/song/{id} has no description",
		},
		{
			"property without a description", "{type: string, description: The title of the song.}", "{type: string}",
			"  53 hint    jogg-description                property `title` of /components/schemas/Song has no description",
		},
		{
			"property of an inline object without a description", "{type: integer, description: The number of verses.}", "{type: integer}",
			"  59 hint    jogg-description                property `verses` of /components/schemas/Song/properties/size has no description",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			broken := strings.Replace(string(document), test.old, test.new, 1)
			if broken == string(document) {
				t.Fatalf("the document has no %q to break", test.old)
			}
			path := filepath.Join(t.TempDir(), "openapi.yaml")
			if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			findings, err := lint(t.Context(), &out, rules, path)
			if err != nil {
				t.Fatal(err)
			}
			if findings == 0 || !strings.Contains(out.String(), test.want) {
				t.Errorf("%d findings, none is %q:\n%s", findings, test.want, &out)
			}
		})
	}
}
