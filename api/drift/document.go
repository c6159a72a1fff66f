package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxDocument is the maximum size of a document from the network, in bytes.
const maxDocument = 32 << 20

// document is a YAML or JSON document with line numbers.
type document struct {
	name string // path or URL
	root *yaml.Node
}

// readDocument reads a document from a path or URL.
func readDocument(ctx context.Context, name string) (*document, error) {
	text, err := readText(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		if invalid, ok := errors.AsType[*yaml.LoadError](err); ok && invalid.Mark.Line > 0 {
			return nil, fmt.Errorf("cannot read %s: line %d, column %d: %s", name, invalid.Mark.Line, invalid.Mark.Column, invalid.Message)
		}
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	if root.Kind != yaml.DocumentNode || root.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("cannot read %s: line %d, column %d: it does not begin with an object", name, max(root.Line, 1), max(root.Column, 1))
	}
	return &document{name: name, root: root.Content[0]}, nil
}

func readText(ctx context.Context, name string) ([]byte, error) {
	if !isURL(name) {
		return os.ReadFile(name)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the response has status %s", response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err == nil && len(text) > maxDocument {
		return nil, fmt.Errorf("it is longer than %d MiB", maxDocument>>20)
	}
	return text, err
}

func isURL(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

// value is a value in a document. The zero value stands for a missing value.
type value struct {
	*yaml.Node
	in *document
}

// get returns the member of an object that has the name.
func (v value) get(name string) value {
	for key, member := range v.members() {
		if key.Value == name {
			return member
		}
	}
	return value{}
}

// members iterates over the keys and members of an object.
func (v value) members() func(yield func(*yaml.Node, value) bool) {
	return func(yield func(*yaml.Node, value) bool) {
		if v.Node == nil || v.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(v.Content); i += 2 {
			if !yield(v.Content[i], v.at(v.Content[i+1])) {
				return
			}
		}
	}
}

// items returns the items of a list.
func (v value) items() []value {
	if v.Node == nil || v.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]value, 0, len(v.Content))
	for _, item := range v.Content {
		items = append(items, v.at(item))
	}
	return items
}

func (v value) at(n *yaml.Node) value {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return value{n, v.in}
}

// text returns a scalar as it is written, without quotes, and any other value on one line.
func (v value) text() string {
	switch {
	case v.Node == nil:
		return ""
	case v.Kind == yaml.ScalarNode:
		return v.Value
	}
	var parts []string
	for key, member := range v.members() {
		parts = append(parts, key.Value+": "+member.text())
	}
	for _, item := range v.items() {
		parts = append(parts, item.text())
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (v value) texts() []string {
	var texts []string
	for _, item := range v.items() {
		texts = append(texts, item.text())
	}
	return texts
}

func (v value) isTrue() bool { return v.Node != nil && v.Value == "true" }

func (v value) fault(format string, args ...any) error {
	return fmt.Errorf("%s: line %d, column %d: %s", v.in.name, v.Line, v.Column, fmt.Sprintf(format, args...))
}

// documents resolves references and reads each document once.
type documents struct {
	ctx  context.Context //nolint:containedctx // has the lifetime of one comparison
	read map[string]*document
}

func (d *documents) open(name string) (value, error) {
	if d.read[name] == nil {
		read, err := readDocument(d.ctx, name)
		if err != nil {
			return value{}, err
		}
		d.read[name] = read
	}
	return value{d.read[name].root, d.read[name]}, nil
}

// maxReferences is the maximum length of a chain of references.
const maxReferences = 50

// follow resolves v if it is a reference, through any chain of references.
func (d *documents) follow(v value) (value, error) {
	begin := v
	for range maxReferences {
		reference := v.get("$ref")
		if reference.Node == nil {
			return v, nil
		}
		target, err := d.find(reference)
		if err != nil {
			return value{}, err
		}
		v = target
	}
	return value{}, begin.fault("the reference %q does not end within %d steps", begin.get("$ref").Value, maxReferences)
}

// find resolves a single reference: to a place in its own document, or in a document beside it.
func (d *documents) find(reference value) (value, error) {
	name, pointer, _ := strings.Cut(reference.Value, "#")
	target := value{reference.in.root, reference.in}
	if name != "" {
		beside, err := resolve(reference.in.name, name)
		if err != nil {
			return value{}, reference.fault("the reference %q: %v", reference.Value, err)
		}
		if target, err = d.open(beside); err != nil {
			return value{}, err
		}
	}
	pointer, err := url.PathUnescape(pointer)
	if err != nil {
		return value{}, reference.fault("the reference %q: %v", reference.Value, err)
	}
	if pointer == "" {
		return target, nil
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		next := target.get(step)
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(target.items()) {
			next = target.items()[i]
		}
		if next.Node == nil {
			return value{}, reference.fault("the reference %q has no target", reference.Value)
		}
		target = next
	}
	return target, nil
}

// resolve returns the path or URL of a document that another document refers to. A file can only refer to files beside it, and a URL only
// to the same scheme and host.
func resolve(document, name string) (string, error) {
	if !isURL(document) {
		if isURL(name) || filepath.IsAbs(name) {
			return "", errors.New("a file can only refer to files beside it")
		}
		return filepath.Join(filepath.Dir(document), filepath.FromSlash(name)), nil
	}
	base, err := url.Parse(document)
	if err != nil {
		return "", err
	}
	target, err := base.Parse(name)
	if err != nil {
		return "", err
	}
	if target.Host != base.Host || target.Scheme != base.Scheme {
		return "", errors.New("it leads to another host")
	}
	return target.String(), nil
}
