package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	rules    = "../lint.yaml"
	contract = "../openapi.yaml"
)

func TestContractKeepsTheRules(t *testing.T) {
	var out bytes.Buffer
	findings, err := lint(t.Context(), &out, rules, contract)
	if err != nil {
		t.Fatal(err)
	}
	if findings > 0 {
		t.Errorf("%d findings:\n%s", findings, &out)
	}
}

func TestBrokenContractsAreFound(t *testing.T) {
	document, err := os.ReadFile(contract)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, new, rule string }{
		{"path without its parameter", "/v2/avatar_video/{id}:", "/v2/avatar_video/{video}:", "semantic-path-params"},
		{"reference to nowhere", "'#/components/schemas/VideoTask'", "'#/components/schemas/Nowhere'", "resolution-json-schema"},
		{"tag never declared", "tags: [Voice]", "tags: [Song]", "style-operation-tag-defined"},
		{"schema never used", "  schemas:\n", "  schemas:\n    Lost: {description: Lost., type: string}\n", "semantic-unused-component"},
		{"key for a plain-text service", "https://api.jogg.ai", "http://api.jogg.ai", "owasp-security-hosts-https-oas3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			broken := strings.Replace(string(document), test.old, test.new, 1)
			if broken == string(document) {
				t.Fatalf("the contract has no %q to break", test.old)
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
			if findings == 0 || !strings.Contains(out.String(), test.rule) {
				t.Errorf("%d findings, none by %s:\n%s", findings, test.rule, &out)
			}
		})
	}
}
