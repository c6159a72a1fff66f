package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// fallbackKey, on a field, names the field whose value it takes if it did not arrive.
const fallbackKey = "x-jogg-fallback"

// filling is the data of normalize.tmpl for the function that fills the fields of one model.
type filling struct {
	Model string
	// IsResponse reports whether the model is the content of a response. The others are inside one.
	IsResponse bool
	Steps      []string
}

// findFillings returns the fillings of a document.
func findFillings(document *openapi3.T, operations []codegen.OperationDefinition) ([]filling, error) {
	known, err := readModels(document)
	if err != nil {
		return nil, err
	}
	return filler{known, operations}.fillings()
}

// filler finds the response fields that are filled from other fields.
type filler struct {
	models     models
	operations []codegen.OperationDefinition
}

// fillings returns one filling for each model that is part of a response and has such fields, itself or in the models inside it.
func (f filler) fillings() ([]filling, error) {
	responses := make(map[string]bool)
	for _, op := range f.operations {
		if model := f.models.response(op); model != "" {
			responses[model] = true
		}
	}
	reached := f.reached(responses)
	filled := make(map[string]bool)
	for model := range reached {
		for _, field := range f.models[model] {
			if other, err := f.fallback(model, field); err != nil {
				return nil, err
			} else if other != nil {
				filled[model] = true
			}
		}
	}
	for grown := true; grown; { // a model that contains a filled model is filled, too
		grown = false
		for model := range reached {
			for _, field := range f.models[model] {
				if inner := f.inner(field); filled[inner] && !filled[model] {
					filled[model], grown = true, true
				}
			}
		}
	}
	var fillings []filling
	for model := range filled {
		steps, err := f.steps(model, filled)
		if err != nil {
			return nil, err
		}
		fillings = append(fillings, filling{Model: model, IsResponse: responses[model], Steps: steps})
	}
	slices.SortFunc(fillings, func(a, b filling) int { return strings.Compare(a.Model, b.Model) })
	return fillings, nil
}

// reached returns the models that responses consist of.
func (f filler) reached(responses map[string]bool) map[string]bool {
	reached := make(map[string]bool)
	var reach func(model string)
	reach = func(model string) {
		if len(f.models[model]) == 0 || reached[model] {
			return
		}
		reached[model] = true
		for _, field := range f.models[model] {
			reach(f.inner(field))
		}
	}
	for model := range responses {
		reach(model)
	}
	return reached
}

// inner returns the element type of a field that is an object, or a list or a map of objects.
func (f filler) inner(field codegen.Property) string {
	inner := strings.TrimPrefix(field.GoTypeDef(), "*")
	inner = strings.TrimPrefix(inner, "[]")
	return strings.TrimPrefix(inner, "map[string]")
}

// fallback returns the field that the given field is filled from, or nil if there is none.
func (f filler) fallback(model string, field codegen.Property) (*codegen.Property, error) {
	name, ok := field.Extensions[fallbackKey]
	if !ok {
		return nil, nil
	}
	text, _ := name.(string)
	other, ok := f.models.field(model, text)
	switch {
	case !ok:
		return nil, fault("%s.%s: %s names %v, but the object has no such field", model, field.JsonFieldName, fallbackKey, name)
	case other.GoTypeDef() != field.GoTypeDef():
		return nil, nil // needs a conversion, which only the decoders of deliveries do
	}
	return &other, nil
}

// steps returns the Go statements that fill a model.
func (f filler) steps(model string, filled map[string]bool) ([]string, error) {
	var steps []string
	for _, field := range f.models[model] {
		other, err := f.fallback(model, field)
		if err != nil {
			return nil, err
		}
		if other != nil {
			steps = append(steps, f.take(field, *other))
		}
	}
	for _, field := range f.models[model] {
		if inner := f.inner(field); filled[inner] {
			steps = append(steps, f.descend(field, inner))
		}
	}
	return steps, nil
}

// take returns the Go statement that sets a field to the value of another one if it has no value.
func (f filler) take(field, other codegen.Property) string {
	to, from := "v."+field.GoFieldName(), "v."+other.GoFieldName()
	switch goType := field.GoTypeDef(); {
	case strings.HasPrefix(goType, "[]") || strings.HasPrefix(goType, "map["):
		return fmt.Sprintf("if %s == nil {\n %s = %s\n}", to, to, from)
	case len(f.models[goType]) > 0:
		return fmt.Sprintf("if reflect.ValueOf(%s).IsZero() {\n %s = %s\n}", to, to, from)
	default:
		return fmt.Sprintf("%s = cmp.Or(%s, %s)", to, to, from)
	}
}

// descend returns the Go statement that fills the elements of a field.
func (f filler) descend(field codegen.Property, inner string) string {
	held, fill := "v."+field.GoFieldName(), "normalize"+inner
	switch goType := field.GoTypeDef(); {
	case strings.HasPrefix(goType, "*"):
		return fmt.Sprintf("if %s != nil {\n %s(%s)\n}", held, fill, held)
	case strings.HasPrefix(goType, "[]"):
		return fmt.Sprintf("for i := range %s {\n %s(&%s[i])\n}", held, fill, held)
	case strings.HasPrefix(goType, "map["):
		return fmt.Sprintf("for key, value := range %s {\n %s(&value)\n %s[key] = value\n}", held, fill, held)
	default:
		return fmt.Sprintf("%s(&%s)", fill, held)
	}
}
