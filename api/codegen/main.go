// Command codegen runs oapi-codegen with what the templates of this repository need in addition: template functions that use the whole
// contract, errors in the contract reported in one sentence, and tidy comments.
//
//	go run ./api/codegen -config api/models.config.yaml -o gen/models.gen.go api/openapi.yaml
//
// The config is an oapi-codegen config. The settings that all configs share are in shared.config.yaml in the same directory.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/util"
	"go.yaml.in/yaml/v3"
)

func main() {
	config := flag.String("config", "", "the config `file` of the output")
	output := flag.String("o", "", "the Go `file` to write")
	flag.Parse()
	if *config == "" || *output == "" || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: codegen -config file -o file openapi.yaml")
		os.Exit(2)
	}
	code, err := generate(*config, flag.Arg(0), filepath.Dir(*output))
	if err == nil {
		err = os.WriteFile(*output, code, 0o644) //nolint:gosec // source code may be world-readable
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "codegen: %s: %v\n", *output, err)
		os.Exit(1)
	}
}

// generate returns the Go source that oapi-codegen generates from a contract with a config, for a file in dir.
func generate(config, contract, dir string) ([]byte, error) {
	options, err := readConfig(config)
	if err != nil {
		return nil, err
	}
	document, err := util.LoadSwaggerWithOverlay(contract, util.LoadSwaggerWithOverlayOpts{Strict: true})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", contract, err)
	}
	if err := check(document); err != nil {
		return nil, fmt.Errorf("%s: %w", contract, err)
	}
	if err := nameInlineObjects(document); err != nil {
		return nil, fmt.Errorf("%s: %w", contract, err)
	}
	if err := omitZeroValues(document); err != nil {
		return nil, fmt.Errorf("%s: %w", contract, err)
	}
	dropConditions(document)
	ids := operationIDs(document)
	failed := addFunctions(document, dir)
	code, err := codegen.Generate(document, options)
	// An error in the contract is reported without the template that found it.
	if fault, ok := errors.AsType[*contractError](failed()); ok {
		return nil, fmt.Errorf("%s: %w", contract, fault)
	}
	if err != nil {
		return nil, err
	}
	return tidyComments([]byte(code), ids), nil
}

// readConfig reads the shared settings and overlays the settings of one output.
func readConfig(path string) (codegen.Configuration, error) {
	var options codegen.Configuration
	for _, file := range []string{filepath.Join(filepath.Dir(path), "shared.config.yaml"), path} {
		text, err := os.ReadFile(file)
		if err != nil {
			return options, err
		}
		if err := yaml.Unmarshal(text, &options); err != nil {
			return options, fmt.Errorf("read %s: %w", file, err)
		}
	}
	options = options.UpdateDefaults()
	options.NoVCSVersionOverride = generatorVersion()
	return options, options.Validate()
}

// generatorVersion returns the version of oapi-codegen, read from the build information of this program.
func generatorVersion() *string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == "github.com/oapi-codegen/oapi-codegen/v2" {
			return &module.Version
		}
	}
	return nil
}

// contractError is an error in the contract. Its text is a sentence that says where the error is and how to fix it.
type contractError struct{ text string }

func (e *contractError) Error() string { return e.text }

func fault(format string, args ...any) error { return &contractError{fmt.Sprintf(format, args...)} }

// addFunctions adds the template functions that need the whole document. dir is the directory of the output. The returned function returns
// the first error of a template function, because oapi-codegen passes on only its text.
func addFunctions(document *openapi3.T, dir string) (failed func() error) {
	var first error
	note := func(err error) error {
		first = cmp.Or(first, err)
		return err
	}
	functions := codegen.TemplateFunctions
	functions["inGen"] = inGen
	functions["structType"] = structType
	functions["deliveries"] = func(types []codegen.TypeDefinition) (*Deliveries, error) {
		found, err := deliveries(document, types)
		return found, note(err)
	}
	maps.Copy(functions, markFunctions)
	functions["essentials"] = func(operations []codegen.OperationDefinition) ([]essentials, error) {
		found, err := findEssentials(document, operations)
		return found, note(err)
	}
	functions["storage"] = func([]codegen.OperationDefinition) string { return text(document.Extensions[storageKey]) }
	functions["waits"] = func(operations []codegen.OperationDefinition) ([]waitMethod, error) {
		waits, _, err := extraMethods(document, dir, operations)
		return waits, note(err)
	}
	functions["lists"] = func(operations []codegen.OperationDefinition) ([]listMethod, error) {
		_, lists, err := extraMethods(document, dir, operations)
		return lists, note(err)
	}
	functions["fallbacks"] = func(operations []codegen.OperationDefinition) ([]filling, error) {
		fillings, err := findFillings(document, operations)
		return fillings, note(err)
	}
	return func() error { return first }
}

// check finds the errors in the contract that no template would find.
func check(document *openapi3.T) error {
	if err := checkMarks(document); err != nil {
		return err
	}
	if len(document.Webhooks) == 0 {
		return nil
	}
	_, err := findEnvelopes(document)
	return err
}
