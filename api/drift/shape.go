package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// shape is what a schema, or a whole operation, asks of a value. Two schemas that ask the same have equal shapes, whichever version of
// OpenAPI they are written in and whatever they refer to.
type shape struct {
	line     int
	types    []string          // of JSON, sorted, without null; none stands for any
	nullable bool              // null may come instead
	listed   bool              // only the values of enum may come
	enum     []string          // sorted
	facts    map[string]string // format, limits, default, …, by the keyword of OpenAPI 3.1
	lines    map[string]int    // of keywords
	children map[string]*child // ".name", "[]" for the items of an array, ".*" for further fields
}

// child is a part of a value.
type child struct {
	*shape
	required bool
}

func newShape(line int) *shape {
	return &shape{line: line, facts: map[string]string{}, lines: map[string]int{}, children: map[string]*child{}}
}

// lineOf returns the line of a keyword, or of the whole.
func (s *shape) lineOf(keyword string) int {
	if line := s.lines[keyword]; line > 0 {
		return line
	}
	return s.line
}

// shaper makes shapes of schemas.
type shaper struct {
	documents
	// strict is set for OpenAPI 3.0, in which what stands beside a $ref does not count.
	strict bool
	// reading holds the schemas that are being read, to find those that contain themselves.
	reading []*yaml.Node
}

// schema makes the shape of a schema.
func (r *shaper) schema(v value) (*shape, error) {
	target, err := r.follow(v)
	if err != nil {
		return nil, err
	}
	s := newShape(v.Line)
	if slices.Contains(r.reading, target.Node) {
		s.facts["contains itself"] = "true"
		return s, nil
	}
	r.reading = append(r.reading, target.Node)
	defer func() { r.reading = r.reading[:len(r.reading)-1] }()
	if err := r.keywords(s, target); err != nil {
		return nil, err
	}
	if target.Node != v.Node && !r.strict {
		if err := r.keywords(s, v); err != nil {
			return nil, err
		}
	}
	s.settle()
	return s, nil
}

// keywords adds the keywords of an object to a shape.
func (r *shaper) keywords(s *shape, v value) error {
	if v.Kind == yaml.ScalarNode && v.Value == "false" {
		s.facts["never"] = "true"
	}
	for key, member := range v.members() {
		s.lines[key.Value] = key.Line
		if err := r.keyword(s, key.Value, member); err != nil {
			return err
		}
	}
	for name := range r.requires(v) {
		if property := s.children["."+name]; property != nil {
			property.required = true
			continue
		}
		// The field can be described in another part of an allOf, or nowhere.
		s.children["."+name] = &child{shape: newShape(s.lineOf("required")), required: true}
	}
	return nil
}

// requires ranges over the names that an object requires.
func (r *shaper) requires(v value) map[string]bool {
	names := map[string]bool{}
	for _, name := range v.get("required").texts() {
		names[name] = true
	}
	return names
}

// numberFormats say how wide a program should make a number, not which numbers may come.
var numberFormats = []string{"int32", "int64", "float", "double"}

func (r *shaper) keyword(s *shape, keyword string, v value) error {
	switch keyword {
	case "type":
		for _, name := range append(v.texts(), scalars(v)...) {
			if name == "null" {
				s.nullable = true
			} else {
				s.types = append(s.types, name)
			}
		}
	case "nullable":
		s.nullable = s.nullable || v.isTrue()
	case "enum":
		s.setEnum(v.items())
	case "const":
		s.setEnum([]value{v})
	case "format":
		if !slices.Contains(numberFormats, v.Value) {
			s.facts[keyword] = v.Value
		}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems",
		"minProperties", "maxProperties":
		s.facts[keyword] = number(v.Value)
	case "pattern", "default":
		s.facts[keyword] = v.text()
	case "uniqueItems":
		if v.isTrue() {
			s.facts[keyword] = "true"
		}
	case "dependentRequired", "not":
		s.facts[keyword] = v.text()
	case "additionalProperties":
		return r.additional(s, v)
	case "properties":
		for key, property := range v.members() {
			if err := r.add(s, "."+key.Value, key.Line, property); err != nil {
				return err
			}
		}
	case "items":
		return r.add(s, "[]", v.Line, v)
	case "allOf":
		return r.allOf(s, v)
	case "oneOf", "anyOf":
		return r.alternatives(s, keyword, v)
	}
	return nil
}

// add adds a part to a shape, or to what is known of it.
func (r *shaper) add(s *shape, name string, line int, v value) error {
	part, err := r.schema(v)
	if err != nil {
		return err
	}
	part.line = line
	if known := s.children[name]; known != nil {
		part.merge(known.shape)
		known.shape = part
		return nil
	}
	s.children[name] = &child{shape: part}
	return nil
}

func (r *shaper) additional(s *shape, v value) error {
	switch {
	case v.Kind == yaml.ScalarNode && v.Value == "false":
		s.facts["additionalProperties"] = "false"
		return nil
	case v.Kind == yaml.ScalarNode:
		return nil // true is what holds without it
	default:
		return r.add(s, ".*", v.Line, v)
	}
}

func (r *shaper) allOf(s *shape, v value) error {
	for _, item := range v.items() {
		part, err := r.schema(item)
		if err != nil {
			return err
		}
		s.merge(part)
	}
	return nil
}

// alternatives adds a oneOf or an anyOf. An alternative for null only makes the value nullable. Where more than one other is left, what
// any of them takes may come.
func (r *shaper) alternatives(s *shape, keyword string, v value) error {
	if isConditions(v) {
		var conditions []string
		for _, item := range v.items() {
			conditions = append(conditions, item.text())
		}
		slices.Sort(conditions)
		s.facts[keyword] = strings.Join(conditions, " | ")
		return nil
	}
	var union *shape
	for _, item := range v.items() {
		part, err := r.schema(item)
		switch {
		case err != nil:
			return err
		case part.nullable && len(part.types) == 0 && len(part.children) == 0 && !part.listed:
			s.nullable = true
		case union == nil:
			union = part
		default:
			union.widen(part)
		}
	}
	if union != nil {
		s.merge(union)
	}
	return nil
}

// isConditions tells whether alternatives say nothing but which fields go together.
func isConditions(v value) bool {
	for _, item := range v.items() {
		for key := range item.members() {
			if key.Value != "required" && key.Value != "not" {
				return false
			}
		}
	}
	return len(v.items()) > 0
}

// merge adds what another schema asks of the same value.
func (s *shape) merge(other *shape) {
	if len(s.types) == 0 {
		s.types = other.types
	} else if len(other.types) > 0 {
		s.types = slices.DeleteFunc(s.types, func(name string) bool { return !slices.Contains(other.types, name) })
	}
	s.nullable = s.nullable || other.nullable
	if other.listed {
		s.listed, s.enum = true, other.enum
	}
	maps.Copy(s.facts, other.facts)
	for keyword, line := range other.lines {
		if s.lines[keyword] == 0 || keyword != "required" {
			s.lines[keyword] = line
		}
	}
	for name, part := range other.children {
		if known := s.children[name]; known != nil {
			known.merge(part.shape)
			known.line = part.line
			known.required = known.required || part.required
			continue
		}
		s.children[name] = part
	}
}

// widen adds what another schema takes beside what s takes.
func (s *shape) widen(other *shape) {
	if len(s.types) == 0 || len(other.types) == 0 {
		s.types = nil
	} else {
		s.types = append(s.types, other.types...)
	}
	s.nullable = s.nullable || other.nullable
	s.listed = s.listed && other.listed
	s.enum = append(s.enum, other.enum...)
	maps.Copy(s.facts, other.facts)
	for name, part := range other.children {
		if s.children[name] == nil {
			s.children[name] = part
		}
	}
}

// settle puts a shape into the one form that equal shapes have.
func (s *shape) settle() {
	if len(s.types) == 0 && slices.ContainsFunc(keys(s.children), func(name string) bool { return strings.HasPrefix(name, ".") }) {
		s.types = []string{"object"}
	}
	slices.Sort(s.types)
	s.types = slices.Compact(s.types)
	slices.Sort(s.enum)
	s.enum = slices.Compact(s.enum)
	// OpenAPI 3.0 has a truth value beside the limit, OpenAPI 3.1 the limit itself.
	for limit, exclusive := range map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"} {
		switch s.facts[exclusive] {
		case "true":
			s.facts[exclusive] = s.facts[limit]
			delete(s.facts, limit)
		case "false":
			delete(s.facts, exclusive)
		}
	}
}

func (s *shape) setEnum(values []value) {
	s.listed = true
	for _, v := range values {
		if v.Tag == "!!null" {
			s.nullable = true
		} else {
			s.enum = append(s.enum, v.text())
		}
	}
}

// scalars returns the text of a scalar.
func scalars(v value) []string {
	if v.Kind != yaml.ScalarNode {
		return nil
	}
	return []string{v.Value}
}

// number puts the spellings of one number into one.
func number(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func keys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
