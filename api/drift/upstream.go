package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// record is the content of api/upstream.yaml: the document that the contract was last compared with, and the intentional differences.
type record struct {
	Document struct {
		Source     string `yaml:"source"`
		Date       string `yaml:"date"`
		Operations int    `yaml:"operations"`
		SHA256     string `yaml:"sha256"`
	} `yaml:"document"`
	Paths       []pathRule `yaml:"paths"`
	Differences []entry    `yaml:"differences"`
}

// pathRule maps a prefix of published paths to the prefix that the contract uses.
type pathRule struct {
	Published string `yaml:"published"`
	Contract  string `yaml:"contract"`
	Reason    string `yaml:"reason"`
}

func (p pathRule) apply(path string) string {
	if rest, ok := strings.CutPrefix(path, p.Published); ok {
		return p.Contract + rest
	}
	return path
}

// entry is an intentional difference, or several differences with the same reason.
type entry struct {
	Where  string `yaml:"where"`  // operation and place; * is a wildcard
	What   string `yaml:"what"`   // the difference in the words of drift; * is a wildcard
	Reason string `yaml:"reason"` // why the difference is intentional
	line   int
}

// UnmarshalYAML implements yaml.Unmarshaler. It records the line, and rejects unknown keys and missing values.
func (e *entry) UnmarshalYAML(n *yaml.Node) error {
	type plain entry // without methods
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; key.Value != "where" && key.Value != "what" && key.Value != "reason" {
			return fmt.Errorf("line %d: unknown key %s; the keys are where, what and reason", key.Line, key.Value)
		}
	}
	if err := n.Decode((*plain)(e)); err != nil {
		return err
	}
	e.line = n.Line
	if e.Where == "" || e.What == "" || e.Reason == "" {
		return fmt.Errorf("line %d: an entry needs where, what and reason", n.Line)
	}
	return nil
}

// pattern returns the regular expression for a text in which * is a wildcard.
func pattern(text string) *regexp.Regexp {
	parts := strings.Split(text, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
}

func readRecord(path string) (*record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r record
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&r); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if r.Document.Date == "" || r.Document.Operations == 0 || len(r.Document.SHA256) != 64 {
		return nil, fmt.Errorf("cannot read %s: %w", path, errors.New("the document needs a date, a number of operations and a sha256"))
	}
	return &r, nil
}

// explain returns the differences that no entry matches, and the entries that match no difference. It ignores entries about the running
// service if asked is false.
func (r *record) explain(differences []difference, asked bool) (unexplained []difference, obsolete []*entry) {
	explained := make([]bool, len(differences))
	for i := range r.Differences {
		e := &r.Differences[i]
		where, what, applies := pattern(e.Where), pattern(e.What), false
		for j, d := range differences {
			if what.MatchString(d.what) && where.MatchString(d.where()) {
				explained[j], applies = true, true
			}
		}
		if !applies && (asked || !isAboutEvents(e.Where)) {
			obsolete = append(obsolete, e)
		}
	}
	for j, d := range differences {
		if !explained[j] {
			unexplained = append(unexplained, d)
		}
	}
	return unexplained, obsolete
}
