package sample

import (
	"math"
	"reflect"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// demands are schemas that a value must all satisfy. None of them has an allOf.
type demands []*openapi3.Schema

// gather resolves the references, and replaces each allOf with its parts. It returns the schemas and the spot inside them.
func gather(s spot, refs openapi3.SchemaRefs) (demands, spot, error) {
	var all demands
	for _, ref := range refs {
		var err error
		if s, err = s.enter(ref); err != nil {
			return nil, s, err
		}
		if keyword := unknownKeyword(ref.Value); keyword != "" {
			return nil, s, s.fault("unsupported keyword %s", keyword)
		}
		parts, inside, err := gather(s, ref.Value.AllOf)
		if err != nil {
			return nil, s, err
		}
		s = inside
		all = append(append(all, ref.Value), parts...)
	}
	return all, s, nil
}

// unknownKeyword returns a keyword of the schema that Make does not support, or "".
func unknownKeyword(schema *openapi3.Schema) string {
	switch {
	case schema.Always != nil && !*schema.Always:
		return "false"
	case schema.Not != nil:
		return "not"
	case schema.If != nil:
		return "if"
	case schema.Contains != nil:
		return "contains"
	case len(schema.PrefixItems) > 0:
		return "prefixItems"
	case len(schema.PatternProperties) > 0:
		return "patternProperties"
	case schema.PropertyNames != nil:
		return "propertyNames"
	case len(schema.DependentSchemas) > 0:
		return "dependentSchemas"
	case len(schema.DependentRequired) > 0:
		return "dependentRequired"
	}
	return ""
}

// withoutAlternatives returns the schemas, with oneOf and anyOf removed from all[i]. All references are to inline schemas, because the spot
// is already inside the named ones.
func (all demands) withoutAlternatives(i int) openapi3.SchemaRefs {
	refs := make(openapi3.SchemaRefs, 0, len(all)+1)
	for k, schema := range all {
		inline := *schema
		inline.AllOf = nil
		if k == i {
			inline.OneOf, inline.AnyOf = nil, nil
		}
		refs = append(refs, &openapi3.SchemaRef{Value: &inline})
	}
	return refs
}

// listed returns the constants and enumeration values that all schemas allow, and whether any schema has a constant or an enumeration.
func (all demands) listed() (values []any, ok bool) {
	for _, schema := range all {
		list := schema.Enum
		if schema.Const != nil {
			list = []any{schema.Const}
		}
		if list == nil {
			continue
		}
		if !ok {
			values, ok = slices.Clone(list), true
			continue
		}
		values = slices.DeleteFunc(values, func(value any) bool {
			return !slices.ContainsFunc(list, func(other any) bool { return reflect.DeepEqual(value, other) })
		})
	}
	return slices.DeleteFunc(whole(values), func(value any) bool { return !hasTypeOf(value, all.types()) }), ok
}

// shown returns the examples, or the default, of the first schema that has some. Objects and lists are omitted, because Choose must be
// called for what they contain.
func (all demands) shown() []any {
	for _, schema := range all {
		values := slices.Clone(schema.Examples)
		if values == nil && schema.Example != nil {
			values = []any{schema.Example}
		}
		if values == nil && schema.Default != nil {
			values = []any{schema.Default}
		}
		values = slices.DeleteFunc(values, func(value any) bool {
			return typeOf(value) == openapi3.TypeObject || typeOf(value) == openapi3.TypeArray
		})
		if len(values) > 0 {
			return whole(values)
		}
	}
	return nil
}

// types returns the types that all schemas allow, in the order of the first schema that has a type. If none has one, the types are those
// that the other keywords imply.
func (all demands) types() []string {
	var types []string
	for _, schema := range all {
		switch {
		case schema.Type == nil:
		case types == nil:
			types = slices.Clone(schema.Type.Slice())
		default:
			types = slices.DeleteFunc(types, func(t string) bool { return !schema.Type.Includes(t) })
		}
	}
	if types == nil && !slices.ContainsFunc(all, hasType) {
		return all.impliedTypes()
	}
	return types
}

func hasType(schema *openapi3.Schema) bool { return schema.Type != nil }

func (all demands) impliedTypes() []string {
	for _, schema := range all {
		switch {
		case len(schema.Properties) > 0 || len(schema.Required) > 0 || schema.AdditionalProperties.Schema != nil:
			return []string{openapi3.TypeObject}
		case schema.Items != nil || schema.MinItems > 0 || schema.MaxItems != nil:
			return []string{openapi3.TypeArray}
		case schema.Min != nil || schema.Max != nil || schema.MultipleOf != nil:
			return []string{openapi3.TypeNumber}
		}
	}
	return []string{
		openapi3.TypeString, openapi3.TypeNumber, openapi3.TypeInteger, openapi3.TypeBoolean, openapi3.TypeObject, openapi3.TypeArray, openapi3.TypeNull,
	}
}

// typeOf returns the JSON Schema type of a value.
func typeOf(value any) string {
	switch value.(type) {
	case nil:
		return openapi3.TypeNull
	case bool:
		return openapi3.TypeBoolean
	case string:
		return openapi3.TypeString
	case int64:
		return openapi3.TypeInteger
	case float64:
		return openapi3.TypeNumber
	case []any:
		return openapi3.TypeArray
	}
	return openapi3.TypeObject
}

func hasTypeOf(value any, types []string) bool {
	kind := typeOf(value)
	return slices.Contains(types, kind) || kind == openapi3.TypeInteger && slices.Contains(types, openapi3.TypeNumber)
}

// whole converts whole numbers, which are decoded as float64, to int64.
func whole(values []any) []any {
	values = slices.Clone(values)
	for i, value := range values {
		if number, ok := value.(float64); ok && number == math.Trunc(number) && math.Abs(number) < 1<<53 {
			values[i] = int64(number)
		}
	}
	return values
}

func isZero(value any) bool { return value == nil || reflect.ValueOf(value).IsZero() }

// lengths returns the intersection of the bounds that the schemas set for a length.
func (all demands) lengths(bounds func(*openapi3.Schema) (least uint64, most *uint64)) (least, most int) {
	most = math.MaxInt32
	for _, schema := range all {
		low, high := bounds(schema)
		least = max(least, int(min(low, math.MaxInt32)))
		if high != nil {
			most = min(most, int(min(*high, math.MaxInt32)))
		}
	}
	return least, most
}
