// Command published maintains the list of all operations and event types that the contract ever had. It adds those of the document that are
// missing in the list, and removes none.
//
//	go run ./api/published api/openapi.yaml api/published.txt
//
// A test compares the contract with the list, so that nothing is removed by accident.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const heading = `# All operations and event types that the contract ever had. make generate adds new ones. Each must still be in the contract; to remove one
# on purpose, delete its line.
`

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: published openapi.yaml list")
		os.Exit(2)
	}
	if err := update(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "published:", err)
		os.Exit(1)
	}
}

// update adds the operations and event types of the contract to the list.
func update(contract, list string) error {
	document, err := openapi3.NewLoader().LoadFromFile(contract)
	if err != nil {
		return fmt.Errorf("read %s: %w", contract, err)
	}
	known, err := os.ReadFile(list)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := names(document)
	for line := range strings.Lines(string(known)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	text := heading + strings.Join(slices.Compact(lines), "\n") + "\n"
	if bytes.Equal(known, []byte(text)) {
		return nil
	}
	return os.WriteFile(list, []byte(text), 0o644) //nolint:gosec // a file of the repository may be world-readable
}

// names returns a line for each operation and each event type of the document.
func names(document *openapi3.T) []string {
	var lines []string
	for _, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			lines = append(lines, "operation "+operation.OperationID)
		}
	}
	for _, event := range document.Components.Schemas["EventType"].Value.Enum {
		lines = append(lines, fmt.Sprintf("event %v", event))
	}
	return lines
}
