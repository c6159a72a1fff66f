// Package sample makes values that fit a schema of the contract, for requests that nobody wrote and for answers and deliveries of which
// no behaviour is known.
package sample

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// Maker makes values. The zero Maker fills every property. Its fields are not to be changed while it is used; then several goroutines
// can use it at once.
//
// The same Maker makes the same value of the same schema at the same place, and other values at other places. A value says something:
// it is in the first form that the schema lists, and is not null, false, zero or empty where it may be something else; AnyForm lifts
// that. A constant, an enumeration, an example or a default of the schema is preferred to what is made up.
type Maker struct {
	// Seed leads to other values.
	Seed uint64
	// RequiredOnly leaves out the properties that are not required.
	RequiredOnly bool
	// AnyForm makes each of the forms that a schema allows: any of its types and alternatives, null, false, zero and the empty list.
	AnyForm bool
	// Choose, if it is not nil, is asked for the value of each property, each item of a list and each entry of a map. What it returns
	// is used as it is; Choose returns false to have a value made.
	Choose func(Property) (value any, ok bool)
}

// Property is a place that a value is made for.
type Property struct {
	// Name is the property's name in its object. An item of a list and an entry of a map have the name of the list or the map.
	Name string
	// Place is where the value stands, for example "listVoices.voices[0].name".
	Place string
	// Schema is the property's schema, as it stands in the contract. It is not to be changed.
	Schema *openapi3.Schema
}

// Make returns a value that fits the schema: nil, bool, int64, float64, string, []any or map[string]any, and what the contract has as
// a constant, an enumeration, an example or a default. The place names the value in errors and tells it from others of the same schema.
//
// The error names the place of a schema that demands what Make cannot do: a keyword that it does not know, bounds that exclude each
// other, or an object that must hold itself. Alternatives of a oneOf are taken to exclude each other.
func (m Maker) Make(place string, schema *openapi3.SchemaRef) (any, error) {
	if schema == nil || schema.Value == nil {
		return nil, fmt.Errorf("%s: there is no schema", place)
	}
	return m.value(spot{place: place}, openapi3.SchemaRefs{schema})
}

// errEndless says that a schema holds itself. Whoever can do without the value does.
var errEndless = errors.New("the schema holds itself without end")

// value makes a value that fits all of the schemas.
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
	// A default that says nothing, such as false, is what happens without the value anyway.
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

// alternative makes a value of one of the alternatives of all[i], which fits what else all[i] and the others demand.
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

// discriminate has an object say which alternative it is, where that is left to the discriminator.
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

// pick chooses one of the values, rather one that says something.
func (m Maker) pick(s spot, values []any) (any, error) {
	if len(values) == 0 {
		return nil, s.fault("no value of the enumeration fits the rest of the schema")
	}
	if telling := slices.DeleteFunc(slices.Clone(values), isZero); len(telling) > 0 && !m.AnyForm {
		values = telling
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

// chance returns the source of what is left to chance at a place.
func (m Maker) chance(s spot) *rand.Rand {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(s.place))
	return rand.New(rand.NewPCG(m.Seed, hash.Sum64()))
}

// order returns the options in the order to try them: as they are listed, but those of last resort at the end; with AnyForm beginning
// with any of them.
func order[T any](m Maker, s spot, options []T, lastResort func(T) bool) []T {
	if m.AnyForm {
		start := m.chance(s).IntN(len(options))
		return slices.Concat(options[start:], options[:start])
	}
	first := slices.DeleteFunc(slices.Clone(options), lastResort)
	return slices.Concat(first, slices.DeleteFunc(slices.Clone(options), func(o T) bool { return !lastResort(o) }))
}

// firstOf returns the first value that can be made of one of the options. The error is about the first option that could not be used for
// another reason than errEndless.
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
	schema      string             // the reference to the schema that the place is in, or ""
	open        []*openapi3.Schema // the named schemas that the place is inside of, outermost first
}

// at returns the spot of a value inside.
func (s spot) at(name, step string) spot {
	s.name, s.place = name, s.place+step
	return s
}

// enter returns the spot inside of the schema that the reference leads to.
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
	if nested == deepest {
		return s, s.fault("%w", errEndless)
	}
	s.open = append(slices.Clip(s.open), ref.Value)
	return s, nil
}

// deepest is how often a schema may be inside of itself.
const deepest = 2

func (s spot) fault(format string, args ...any) error {
	where := s.place
	if s.schema != "" {
		where += " (in " + s.schema + ")"
	}
	return fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...))
}
