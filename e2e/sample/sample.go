// Package sample generates values that conform to a schema of the contract: for requests in tests, and for responses and deliveries of a
// simulated operation without a handwritten implementation.
package sample

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// Maker generates values. The zero Maker fills every property. A Maker is safe for concurrent use, as long as its fields are not modified.
//
// Values are deterministic: the same Maker makes the same value for the same schema at the same place, and other values at other places.
// Values are meaningful: they have the first type or alternative that the schema lists, and are not null, false, zero or empty if they can
// be something else. AnyForm removes that restriction. Constants, enumerations, examples and defaults of the schema are preferred to
// generated values.
type Maker struct {
	// Seed changes the generated values.
	Seed uint64
	// RequiredOnly omits optional properties.
	RequiredOnly bool
	// AnyForm makes values of any form that a schema allows: any of its types and alternatives, null, false, zero and the empty list.
	AnyForm bool
	// Choose, if not nil, is called for each property, each item of a list and each entry of a map. Its value is used as it is. If it
	// returns false, a value is generated.
	Choose func(Property) (value any, ok bool)
}

// Property is a place that a value is generated for.
type Property struct {
	// Name is the name of the property. Items of a list and entries of a map have the name of the list or the map.
	Name string
	// Place is the path of the value, for example "listVoices.voices[0].name".
	Place string
	// Schema is the property's schema in the contract. It must not be modified.
	Schema *openapi3.Schema
}

// Make returns a value that conforms to the schema: nil, bool, int64, float64, string, []any or map[string]any, or a constant, enumeration
// value, example or default of the contract. The place identifies the value in errors, and distinguishes it from others with the same
// schema.
//
// Make returns an error that names the place if it cannot satisfy a schema: because of an unsupported keyword, contradictory bounds, or an
// object that must contain itself. The alternatives of a oneOf are assumed to exclude each other.
func (m Maker) Make(place string, schema *openapi3.SchemaRef) (any, error) {
	if schema == nil || schema.Value == nil {
		return nil, fmt.Errorf("%s: there is no schema", place)
	}
	return m.value(spot{place: place}, openapi3.SchemaRefs{schema})
}

// errEndless is returned for a schema that requires a value of itself. Optional values with this error are omitted.
var errEndless = errors.New("the schema is infinitely recursive")

// value makes a value that conforms to all of the schemas.
func (m Maker) value(s spot, refs openapi3.SchemaRefs) (any, error) {
	all, s, err := gather(s, refs)
	if err != nil {
		return nil, err
	}
	if values, listed := all.listed(); listed {
		return m.pick(s, values)
	}
	for i, schema := range all {
		if options := slices.Concat(schema.OneOf, schema.AnyOf); len(options) > 0 {
			return m.alternative(s, all, i, options)
		}
	}
	// A zero default, such as false, has the same effect as an omitted value.
	if values := slices.DeleteFunc(all.shown(), isZero); len(values) > 0 && !m.AnyForm {
		return m.pick(s, values)
	}
	types := all.types()
	if len(types) == 0 {
		return nil, s.fault("no type is allowed by all parts of the schema")
	}
	return firstOf(order(m, s, types, func(t string) bool { return t == openapi3.TypeNull }), func(t string) (any, error) {
		return m.ofType(s, all, t)
	})
}

// alternative makes a value that conforms to one of the alternatives of all[i], to the rest of all[i] and to the other schemas.
func (m Maker) alternative(s spot, all demands, i int, options openapi3.SchemaRefs) (any, error) {
	isNull := func(o *openapi3.SchemaRef) bool { return o.Value.Type.Is(openapi3.TypeNull) }
	return firstOf(order(m, s, options, isNull), func(option *openapi3.SchemaRef) (any, error) {
		value, err := m.value(s, append(all.withoutAlternatives(i), option))
		if err != nil {
			return nil, err
		}
		return m.discriminate(s, all[i].Discriminator, option, value), nil
	})
}

// discriminate sets the discriminator of an object, unless its schema already did.
func (m Maker) discriminate(s spot, by *openapi3.Discriminator, option *openapi3.SchemaRef, value any) any {
	object, ok := value.(map[string]any)
	if !ok || by == nil {
		return value
	}
	var names []string
	for name, mapped := range by.Mapping {
		if mapped.Ref == option.Ref {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if said, _ := object[by.PropertyName].(string); len(names) > 0 && !slices.Contains(names, said) {
		object[by.PropertyName] = names[m.chance(s).IntN(len(names))]
	}
	return object
}

// pick chooses one of the values, preferably a non-zero one.
func (m Maker) pick(s spot, values []any) (any, error) {
	if len(values) == 0 {
		return nil, s.fault("no value of the enumeration fits the rest of the schema")
	}
	if nonZero := slices.DeleteFunc(slices.Clone(values), isZero); len(nonZero) > 0 && !m.AnyForm {
		values = nonZero
	}
	return values[m.chance(s).IntN(len(values))], nil
}

func (m Maker) ofType(s spot, all demands, kind string) (any, error) {
	switch kind {
	case openapi3.TypeNull:
		return nil, nil
	case openapi3.TypeBoolean:
		return !m.AnyForm || m.chance(s).IntN(2) == 0, nil
	case openapi3.TypeInteger:
		return m.integer(s, all)
	case openapi3.TypeNumber:
		return m.number(s, all)
	case openapi3.TypeString:
		return m.text(s, all)
	case openapi3.TypeArray:
		return m.list(s, all)
	case openapi3.TypeObject:
		return m.object(s, all)
	}
	return nil, s.fault("the type %q is not known", kind)
}

// chance returns the random number generator of a place.
func (m Maker) chance(s spot) *rand.Rand {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(s.place))
	return rand.New(rand.NewPCG(m.Seed, hash.Sum64()))
}

// order returns the options in the order to try them: as listed, with those of last resort at the end; or with AnyForm, beginning with a
// random one.
func order[T any](m Maker, s spot, options []T, lastResort func(T) bool) []T {
	if m.AnyForm {
		start := m.chance(s).IntN(len(options))
		return slices.Concat(options[start:], options[:start])
	}
	first := slices.DeleteFunc(slices.Clone(options), lastResort)
	return slices.Concat(first, slices.DeleteFunc(slices.Clone(options), func(o T) bool { return !lastResort(o) }))
}

// firstOf returns a value of the first option for which one can be made. The error is that of the first option that failed for another
// reason than errEndless, if there is one.
func firstOf[T any](options []T, value func(T) (any, error)) (any, error) {
	var first error
	for _, option := range options {
		made, err := value(option)
		if err == nil {
			return made, nil
		}
		if first == nil || errors.Is(first, errEndless) {
			first = err
		}
	}
	return nil, first
}

// spot is a place that a value is being made for.
type spot struct {
	name, place string
	schema      string             // reference to the schema that contains the place, or ""
	open        []*openapi3.Schema // named schemas that contain the place, outermost first
}

// at returns the spot of a nested value.
func (s spot) at(name, step string) spot {
	s.name, s.place = name, s.place+step
	return s
}

// enter returns the spot inside the referenced schema.
func (s spot) enter(ref *openapi3.SchemaRef) (spot, error) {
	if ref.Ref == "" {
		return s, nil
	}
	s.schema = ref.Ref
	nested := 0
	for _, schema := range s.open {
		if schema == ref.Value {
			nested++
		}
	}
	if nested == maxNesting {
		return s, s.fault("%w", errEndless)
	}
	s.open = append(slices.Clip(s.open), ref.Value)
	return s, nil
}

// maxNesting is how often a schema can be nested in itself.
const maxNesting = 2

func (s spot) fault(format string, args ...any) error {
	where := s.place
	if s.schema != "" {
		where += " (in " + s.schema + ")"
	}
	return fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...))
}
