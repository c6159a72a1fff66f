package sample

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// property makes the value of a property, an item or an entry, unless Choose returns one.
func (m Maker) property(s spot, refs openapi3.SchemaRefs) (any, error) {
	if len(refs) == 0 {
		refs = openapi3.SchemaRefs{{Value: &openapi3.Schema{}}} // anything
	}
	if m.Choose != nil {
		if value, ok := m.Choose(Property{Name: s.name, Place: s.place, Schema: refs[0].Value}); ok {
			return value, nil
		}
	}
	return m.value(s, refs)
}

func (m Maker) object(s spot, all demands) (any, error) {
	properties, required := all.properties()
	entries, closed := all.entries()
	for name := range required {
		if properties[name] == nil {
			properties[name] = entries
		}
	}
	least, most := all.lengths(func(schema *openapi3.Schema) (uint64, *uint64) { return schema.MinProps, schema.MaxProps })
	names := slices.Sorted(maps.Keys(properties))
	slices.SortStableFunc(names, func(a, b string) int { return before(required[a], required[b]) })
	object := map[string]any{}
	for _, name := range names {
		if !required[name] && (m.RequiredOnly && len(object) >= least || len(object) >= most) {
			break
		}
		value, err := m.property(s.at(name, "."+name), properties[name])
		if err == nil {
			object[name] = value
		} else if required[name] || !errors.Is(err, errEndless) {
			return nil, err
		}
	}
	count := max(least, len(object))
	switch {
	case closed || m.RequiredOnly:
	case len(entries) > 0:
		count += usualItems
	case len(properties) == 0: // a free-form object
		count = max(count, 1)
	}
	if err := m.addEntries(s, object, entries, min(count, most)); err != nil {
		return nil, err
	}
	if len(object) < least || len(object) > most || closed && len(object) > len(properties) {
		return nil, s.fault("no object has at least %d properties, at most %d, and all that are required", least, most)
	}
	return object, nil
}

// addEntries adds entries that are not properties of the schema, until the object has the wanted number.
func (m Maker) addEntries(s spot, object map[string]any, entries openapi3.SchemaRefs, wanted int) error {
	for i := 1; len(object) < wanted; i++ {
		name := fmt.Sprintf("entry_%d", i)
		if _, taken := object[name]; taken {
			continue
		}
		value, err := m.property(s.at(s.name, "."+name), entries)
		if errors.Is(err, errEndless) {
			return nil
		}
		if err != nil {
			return err
		}
		object[name] = value
	}
	return nil
}

// before orders required properties first.
func before(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// properties returns the schemas of each property, and the names of those that are required.
func (all demands) properties() (properties map[string]openapi3.SchemaRefs, required map[string]bool) {
	properties, required = map[string]openapi3.SchemaRefs{}, map[string]bool{}
	for _, schema := range all {
		for name, property := range schema.Properties {
			properties[name] = append(properties[name], property)
		}
		for _, name := range schema.Required {
			required[name] = true
		}
	}
	return properties, required
}

// entries returns the schemas of additional properties, and whether additional properties are forbidden.
func (all demands) entries() (entries openapi3.SchemaRefs, closed bool) {
	for _, schema := range all {
		for _, more := range []openapi3.BoolSchema{schema.AdditionalProperties, schema.UnevaluatedProperties} {
			if more.Schema != nil {
				entries = append(entries, more.Schema)
			}
			closed = closed || more.Has != nil && !*more.Has
		}
	}
	return entries, closed
}

// usualItems is the default number of items of a list, and of entries of a map.
const usualItems = 2

func (m Maker) list(s spot, all demands) (any, error) {
	var items openapi3.SchemaRefs
	unique := false
	for _, schema := range all {
		if schema.Items != nil {
			items = append(items, schema.Items)
		}
		unique = unique || schema.UniqueItems
	}
	least, most := all.lengths(func(schema *openapi3.Schema) (uint64, *uint64) { return schema.MinItems, schema.MaxItems })
	wanted := usualItems
	switch {
	case m.RequiredOnly:
		wanted = 1
	case m.AnyForm:
		wanted = m.chance(s).IntN(usualItems + 1)
	}
	wanted = min(max(wanted, least), most)
	const tries = 100 // attempts to make a unique item
	list := []any{}
	for i := 0; len(list) < wanted && i < wanted+tries; i++ {
		item, err := m.property(s.at(s.name, fmt.Sprintf("[%d]", i)), items)
		if errors.Is(err, errEndless) && len(list) >= least {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if !unique || !slices.ContainsFunc(list, func(other any) bool { return reflect.DeepEqual(item, other) }) {
			list = append(list, item)
		}
	}
	if len(list) < least || least > most {
		return nil, s.fault("no list of at least %d items, all different, and at most %d was found", least, most)
	}
	return list, nil
}
