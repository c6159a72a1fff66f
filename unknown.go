package jogg

import (
	"bytes"
	"encoding"
	stdjson "encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
)

// unknownFields returns pointers to the fields of a response that neither the envelope nor the type of its content has. If the type is nil,
// the content is not searched.
func unknownFields(body []byte, content reflect.Type) []string {
	s := fieldSearch{
		dec:   jsontext.NewDecoder(bytes.NewBuffer(trimBOM(body)), lenient),
		types: make(map[reflect.Type]map[string]reflect.Type),
		seen:  make(map[string]bool),
	}
	envelope := map[string]reflect.Type{"data": content}
	for name := range s.fieldsOf(reflect.TypeFor[gen.Envelope]()) {
		if name != "data" {
			envelope[name] = nil
		}
	}
	if s.dec.PeekKind() != jsontext.KindBeginObject || s.object(envelope, "") != nil {
		return nil
	}
	return s.found
}

// fieldSearch compares the names in JSON with the fields of Go types.
type fieldSearch struct {
	dec   *jsontext.Decoder
	types map[reflect.Type]map[string]reflect.Type
	seen  map[string]bool // paths of unknown fields, with * for every index and every map key
	found []string
}

// value searches a value of type t at a path, which has * as in seen.
func (s *fieldSearch) value(t reflect.Type, place string) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	kind := s.dec.PeekKind()
	switch {
	case t == nil || hasUnmarshaler(t):
		return s.dec.SkipValue()
	case t.Kind() == reflect.Struct && kind == jsontext.KindBeginObject:
		return s.object(s.fieldsOf(t), place)
	case t.Kind() == reflect.Map && kind == jsontext.KindBeginObject, t.Kind() == reflect.Slice && kind == jsontext.KindBeginArray:
		return s.items(t.Elem(), place+"/*")
	default:
		return s.dec.SkipValue()
	}
}

// object searches an object with these fields.
func (s *fieldSearch) object(fields map[string]reflect.Type, place string) error {
	_, err := s.dec.ReadToken()
	for err == nil && s.dec.PeekKind() == jsontext.KindString {
		var name jsontext.Token
		if name, err = s.dec.ReadToken(); err != nil {
			return err
		}
		field, known := fields[name.String()]
		inside := place + "/" + name.String()
		if !known && !s.seen[inside] {
			s.seen[inside] = true
			s.found = append(s.found, string(s.dec.StackPointer()))
		}
		err = s.value(field, inside)
	}
	return s.end(err)
}

// items searches the elements of an array, or the values of a map.
func (s *fieldSearch) items(t reflect.Type, place string) error {
	start, err := s.dec.ReadToken()
	for err == nil && s.dec.PeekKind() != jsontext.KindEndArray && s.dec.PeekKind() != jsontext.KindEndObject {
		if start.Kind() == jsontext.KindBeginObject {
			if _, err = s.dec.ReadToken(); err != nil {
				return err
			}
		}
		err = s.value(t, place)
	}
	return s.end(err)
}

func (s *fieldSearch) end(err error) error {
	if err != nil {
		return err
	}
	_, err = s.dec.ReadToken()
	return err
}

// fieldsOf returns the types of a struct's fields by JSON name, and caches them.
func (s *fieldSearch) fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields, ok := s.types[t]
	if !ok {
		fields = jsonFields(t)
		s.types[t] = fields
	}
	return fields
}

// jsonFields returns the types of a struct's fields by JSON name, including those of embedded structs.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for field := range t.Fields() {
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case tag == "-":
		case field.Anonymous && tag == "" && inner.Kind() == reflect.Struct:
			for name, embedded := range jsonFields(inner) {
				if _, shadowed := fields[name]; !shadowed {
					fields[name] = embedded
				}
			}
		case !field.IsExported():
		case tag == "":
			fields[field.Name] = field.Type
		default:
			fields[tag] = field.Type
		}
	}
	return fields
}

// hasUnmarshaler reports whether a type decodes itself, so that its fields say nothing about its JSON form.
func hasUnmarshaler(t reflect.Type) bool {
	return slices.ContainsFunc([]reflect.Type{
		reflect.TypeFor[json.UnmarshalerFrom](), reflect.TypeFor[stdjson.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	}, reflect.PointerTo(t).Implements)
}

// hasField reports whether a type has the field at the path names, which are JSON names.
func hasField(t reflect.Type, names []string) bool {
	for _, name := range names {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Slice:
			t = t.Elem()
		case reflect.Struct:
			field, ok := jsonFields(t)[name]
			if !ok {
				return false
			}
			t = field
		default:
			return false
		}
	}
	return true
}
