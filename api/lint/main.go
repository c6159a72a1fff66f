// Command lint checks an OpenAPI document against a file of rules. It prints one line for each finding, and exits with status 1 if there is
// any:
//
//	go run ./api/lint api/lint.yaml api/openapi.yaml
//
// It uses another library than the tests that validate the contract and the traffic, so that it is an independent check. It also contains
// this project's own rules.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/speakeasy-api/openapi/linter"
	"github.com/speakeasy-api/openapi/openapi"
	openapilinter "github.com/speakeasy-api/openapi/openapi/linter"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: lint rules.yaml openapi.yaml")
		os.Exit(2)
	}
	findings, err := lint(context.Background(), os.Stdout, os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(2)
	}
	if findings > 0 {
		os.Exit(1)
	}
}

// lint writes the findings in the document at path to out and returns their number.
func lint(ctx context.Context, out io.Writer, rules, path string) (findings int, err error) {
	config, err := linter.LoadConfigFromFile(rules)
	if err != nil {
		return 0, err
	}
	checker, err := openapilinter.NewLinter(config)
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	document, invalid, err := openapi.Unmarshal(ctx, bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	result, err := checker.Lint(ctx, linter.NewDocumentInfo(document, path), invalid, nil)
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Fprint(out, result.FormatText()); err != nil {
		return 0, err
	}
	if len(result.Results) > 0 {
		return len(result.Results), nil // an invalid document cannot be checked further
	}
	missing, err := undescribed(text)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	for _, found := range missing {
		if _, err := fmt.Fprintf(out, "%4d hint    jogg-description                %s\n", found.line, found.problem); err != nil {
			return 0, err
		}
	}
	return len(missing), nil
}
