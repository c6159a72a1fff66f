// Command codegen is oapi-codegen with what the templates of this repository need beside it: functions that know the contract as a whole,
// faults of the contract told in a sentence, and comments that wrap.
//
//	go run ./api/codegen -config api/models.config.yaml -o gen/models.gen.go api/openapi.yaml
//
// The config is one of oapi-codegen's. What all configs share stands in shared.config.yaml beside it.
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
	config := flag.String("config", "", "the `file` with the settings of the output")
	output := flag.String("o", "", "the Go `file` to write")
	flag.Parse()
	if *config == "" || *output == "" || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: codegen -config file -o file openapi.yaml")
		os.Exit(2)
	}
	code, err := generate(*config, flag.Arg(0), filepath.Dir(*output))
	if err == nil {
		err = os.WriteFile(*output, code, 0o644) //nolint:gosec // source code is for everybody to read
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "codegen: %s: %v\n", *output, err)
		os.Exit(1)
	}
}

// generate returns the Go source that a config makes of a contract, for a file in dir.
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
	failed := addFunctions(document, dir)
	code, err := codegen.Generate(document, options)
	// A fault of the contract is told as it is, without the templates that came upon it.
	if fault := (*contractError)(nil); errors.As(failed(), &fault) {
		return nil, fmt.Errorf("%s: %w", contract, fault)
	}
	if err != nil {
		return nil, err
	}
	return tidyComments([]byte(code)), nil
}

// readConfig reads the shared settings and, over them, those of one output.
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

// generatorVersion returns the version of oapi-codegen, which it looks for in the program's own version.
func generatorVersion() *string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == "github.com/oapi-codegen/oapi-codegen/v2" {
			return &module.Version
		}
	}
	return nil
}

// contractError is a fault of the contract, in a sentence that says where it is and what to do.
type contractError struct{ text string }

func (e *contractError) Error() string { return e.text }

func fault(format string, args ...any) error { return &contractError{fmt.Sprintf(format, args...)} }

// addFunctions gives the templates the functions that need the whole document. dir is where their output goes. It returns what tells the
// first error of one of them, because oapi-codegen passes on its text only.
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

// check finds the faults of the contract that no template would come upon.
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
