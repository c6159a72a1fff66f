package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// shape is the normalized form of a schema or of a whole operation. Schemas that accept the same values have equal shapes, whatever their
// version of OpenAPI and their references.
type shape struct {
	line     int
	types    []string          // JSON types, sorted, without null; empty means any
	nullable bool              // null is allowed
	listed   bool              // only the values of enum are allowed
	enum     []string          // sorted
	facts    map[string]string // format, limits, default, …, by the keyword of OpenAPI 3.1
	lines    map[string]int    // line numbers of keywords
	children map[string]*child // ".name", "[]" for the items of an array, ".*" for additional properties
}

// child is a part of a value.
type child struct {
	*shape
	required bool
}

func newShape(line int) *shape {
	return &shape{line: line, facts: map[string]string{}, lines: map[string]int{}, children: map[string]*child{}}
}

// lineOf returns the line of a keyword, or that of the shape if there is no such keyword.
func (s *shape) lineOf(keyword string) int {
	if line := s.lines[keyword]; line > 0 {
		return line
	}
	return s.line
}

// shaper builds the shapes of schemas.
type shaper struct {
	documents
	// strict is set for OpenAPI 3.0, which ignores the keywords beside a $ref.
	strict bool
	// reading is the stack of schemas that are being read. It detects schemas that contain themselves.
	reading []*yaml.Node
}

// schema returns the shape of a schema.
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
		// Another part of an allOf may define the field, or nothing does.
		s.children["."+name] = &child{shape: newShape(s.lineOf("required")), required: true}
	}
	return nil
}

// requires returns the set of required names of an object.
func (r *shaper) requires(v value) map[string]bool {
	names := map[string]bool{}
	for _, name := range v.get("required").texts() {
		names[name] = true
	}
	return names
}

// numberFormats only suggest a number type for programs. They do not restrict the numbers.
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

// add adds a child to a shape, or merges it into an existing child.
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
		return nil // true is the default
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

// alternatives adds a oneOf or an anyOf. An alternative for null only makes the value nullable. If several other alternatives are left, the
// shape accepts what any of them accepts.
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

// isConditions reports whether alternatives only say which fields go together.
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

// merge adds the constraints of another schema on the same value.
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

// widen lets s accept what another schema accepts as well.
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

// settle puts a shape into canonical form.
func (s *shape) settle() {
	if len(s.types) == 0 && slices.ContainsFunc(keys(s.children), func(name string) bool { return strings.HasPrefix(name, ".") }) {
		s.types = []string{"object"}
	}
	slices.Sort(s.types)
	s.types = slices.Compact(s.types)
	slices.Sort(s.enum)
	s.enum = slices.Compact(s.enum)
	// In OpenAPI 3.0, exclusiveMinimum is a boolean beside minimum. In OpenAPI 3.1, it is the limit itself.
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

// scalars returns the text of a scalar, or nil for any other value.
func scalars(v value) []string {
	if v.Kind != yaml.ScalarNode {
		return nil
	}
	return []string{v.Value}
}

// number returns the canonical spelling of a number.
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
