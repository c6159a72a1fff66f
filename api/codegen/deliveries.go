package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/types"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// The keys of the contract that tell what deliveries carry. The comment at the top of api/openapi.yaml describes them.
const (
	subjectKey = "x-jogg-subject"
	scalarKey  = "x-jogg-scalar"
	wordKey    = "x-jogg-word"
)

// Deliveries is what package webhooks is generated from.
type Deliveries struct {
	// Events are the event types, in the order of the contract.
	Events []Event
	// Data are the types of the union, in the order of the envelopes.
	Data []Data
	// Decoders are the objects that a delivery can carry, wherever they stand in it.
	Decoders []Decoder
}

// Event is an event type.
type Event struct {
	Name     string // as deliveries spell it
	Constant string // in Go
}

// Data is a type of the union.
type Data struct {
	codegen.TypeDefinition

	// Events are those that it is the data of.
	Events []Event
	// Subject is the field that the events are about, or none.
	Subject *codegen.Property
}

// Zero is what the subject has where it did not arrive.
func (d Data) Zero() (string, error) {
	switch d.Subject.GoTypeDef() {
	case "string":
		return `""`, nil
	case "int", "int32", "int64":
		return "0", nil
	default:
		return "", fault("schema %s, field %s: only a string or an integer can have %s", d.JsonName, d.Subject.JsonFieldName, subjectKey)
	}
}

// Decoder is an object to decode.
type Decoder struct {
	codegen.TypeDefinition

	// Fields are its properties, each with the function that reads its value.
	Fields []Field
	// Rest is the function that reads the values of other properties, where the object takes any: they go into AdditionalProperties.
	Rest string
	// Scalars are the fields that what arrives in place of the object goes to.
	Scalars []Scalar
	// Fallbacks are assignments that come after all fields, for those that did not arrive.
	Fallbacks []string
}

// Field is a property of a decoder.
type Field struct {
	codegen.Property

	read function
}

// Read is the statement that reads the field's value.
func (f Field) Read() string {
	target := "&v." + f.GoFieldName()
	if word := f.Word(); word != "" {
		return "integerOrWord(r, " + target + ", &v." + word + ")"
	}
	return fmt.Sprintf(f.read.call, target)
}

// Scalar is a kind of value that may stand in place of an object.
type Scalar struct {
	First string // the case of a switch on the first byte of the value
	Field Field
}

// deliveries derives from the contract, and from the Go types of its schemas, what is generated into package webhooks. It returns nil for
// another list of types than that of the schemas; oapi-codegen runs the template for several.
func deliveries(document *openapi3.T, types []codegen.TypeDefinition) (*Deliveries, error) {
	envelopes, err := findEnvelopes(document)
	if err != nil {
		return nil, err
	}
	named := make(map[string]codegen.TypeDefinition, len(types))
	for _, t := range types {
		named[t.TypeName] = t
	}
	if _, ok := named[envelopes[0].data]; !ok {
		return nil, nil
	}
	w := &walk{named: named, decoders: map[string]Decoder{}}
	result := &Deliveries{}
	constants := map[string]Event{}
	for _, name := range eventTypes(document) {
		event := Event{Name: name, Constant: codegen.SchemaNameToTypeName(name)}
		constants[name] = event
		result.Events = append(result.Events, event)
	}
	for _, envelope := range envelopes {
		data, err := w.data(envelope)
		if err != nil {
			return nil, err
		}
		for _, name := range envelope.events {
			data.Events = append(data.Events, constants[name])
		}
		if i := slices.IndexFunc(result.Data, func(d Data) bool { return d.TypeName == data.TypeName }); i >= 0 {
			result.Data[i].Events = append(result.Data[i].Events, data.Events...)
			continue
		}
		result.Data = append(result.Data, data)
	}
	for _, name := range slices.Sorted(maps.Keys(w.decoders)) {
		result.Decoders = append(result.Decoders, w.decoders[name])
	}
	return result, nil
}

// walk finds the objects below those that events carry.
type walk struct {
	named    map[string]codegen.TypeDefinition // the Go types of all schemas
	decoders map[string]Decoder                // those found so far
}

// data returns the type of the union that the events of an envelope carry.
func (w *walk) data(e envelope) (Data, error) {
	definition := w.named[e.data]
	if len(definition.Schema.Properties) == 0 {
		return Data{}, fault("schema %s: the data of an event is an object with properties", definition.JsonName)
	}
	if err := w.object(definition); err != nil {
		return Data{}, err
	}
	data := Data{TypeDefinition: definition}
	for _, property := range definition.Schema.Properties {
		if property.Extensions[subjectKey] == true {
			data.Subject = &property
		}
	}
	if data.Subject == nil {
		return data, nil
	}
	_, err := data.Zero()
	return data, err
}

// object adds the decoder of an object, and those of all objects in it.
func (w *walk) object(definition codegen.TypeDefinition) error {
	name := definition.TypeName
	if _, found := w.decoders[name]; found {
		return nil
	}
	d := Decoder{TypeDefinition: definition}
	w.decoders[name] = d // before its fields, which can hold such an object again
	for _, property := range definition.Schema.Properties {
		read, err := w.function(property.GoTypeDef())
		if err != nil {
			return located(err, "schema %s, field %s", definition.JsonName, property.JsonFieldName)
		}
		d.Fields = append(d.Fields, Field{property, read})
	}
	if rest := definition.Schema.AdditionalPropertiesType; definition.Schema.HasAdditionalProperties && rest != nil {
		read, err := w.function(rest.TypeDecl())
		if err != nil {
			return located(err, "schema %s, additionalProperties", definition.JsonName)
		}
		d.Rest = read.value
	}
	if err := d.addScalars(); err != nil {
		return err
	}
	if err := d.addFallbacks(w); err != nil {
		return err
	}
	w.decoders[name] = d
	return nil
}

// located makes a fault of an error, unless it is one already: the innermost place is the one to look at.
func located(err error, format string, args ...any) error {
	if deeper := (*contractError)(nil); errors.As(err, &deeper) {
		return err
	}
	return fault("%s: %v", fmt.Sprintf(format, args...), err)
}

// field returns the property with a JSON name.
func (d *Decoder) field(name string) (Field, bool) {
	i := slices.IndexFunc(d.Fields, func(f Field) bool { return f.JsonFieldName == name })
	if i < 0 {
		return Field{}, false
	}
	return d.Fields[i], true
}

// addScalars finds where the contract lets a plain value stand in place of the object.
func (d *Decoder) addScalars() error {
	if d.Schema.OAPISchema == nil {
		return nil
	}
	kinds, _ := d.Schema.OAPISchema.Extensions[scalarKey].(map[string]any)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		first, ok := map[string]string{
			"string": `'"'`, "number": `'-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'`, "boolean": `'t', 'f'`,
		}[kind]
		field, found := d.field(fmt.Sprint(kinds[kind]))
		if !ok || !found {
			return fault("schema %s: %s names a kind, string, number or boolean, and a field of the schema", d.JsonName, scalarKey)
		}
		d.Scalars = append(d.Scalars, Scalar{first, field})
	}
	return nil
}

// addFallbacks finds which fields take their value from another one where they did not arrive.
func (d *Decoder) addFallbacks(w *walk) error {
	for _, f := range d.Fields {
		name, ok := f.Extensions[fallbackKey].(string)
		if !ok {
			continue
		}
		from, found := d.field(name)
		if !found || strings.ContainsAny(from.GoTypeDef(), "[*") {
			return fault("schema %s, field %s: %s names another field of the schema, with one value", d.JsonName, f.JsonFieldName, fallbackKey)
		}
		target, sources, ok := w.fallback(f, from)
		if !ok {
			return fault("schema %s, field %s: %s names a field of another type", d.JsonName, f.JsonFieldName, fallbackKey)
		}
		d.Fallbacks = append(d.Fallbacks, fmt.Sprintf("%s = cmp.Or(%s, %s)", target, target, strings.Join(sources, ", ")))
	}
	return nil
}

// fallback returns what of a field takes the value of another one, and the places to take it from, the first that has one. If the field is an
// object in whose place a plain value can arrive, that is the field of it which such a value goes to.
func (w *walk) fallback(f, from Field) (target string, sources []string, ok bool) {
	target, source := "v."+f.GoFieldName(), "v."+from.GoFieldName()
	if f.GoTypeDef() == from.GoTypeDef() {
		return target, []string{source}, true
	}
	object := w.decoders[f.GoTypeDef()]
	for _, scalar := range object.Scalars {
		if scalar.Field.GoTypeDef() == from.GoTypeDef() {
			return target + "." + scalar.Field.GoFieldName(), append([]string{source}, object.words(target)...), true
		}
	}
	return "", nil, false
}

// words returns the fields that hold a word that arrived in place of a number.
func (d *Decoder) words(object string) []string {
	var words []string
	for _, f := range d.Fields {
		if word := f.Word(); word != "" {
			words = append(words, object+"."+word)
		}
	}
	return words
}

// Word is the Go field that holds what arrived in place of a number, or "" where nothing is kept.
func (f Field) Word() string { return wordOf(f.Property) }

func wordOf(p codegen.Property) string {
	word, _ := p.Extensions[wordKey].(string)
	return word
}

// structType is the Go type of a schema, with a field more for each word that can arrive in place of a number.
func structType(definition codegen.TypeDefinition) string {
	goType := definition.Schema.TypeDecl()
	for _, property := range definition.Schema.Properties {
		word := wordOf(property)
		if word == "" {
			continue
		}
		goType = strings.TrimSuffix(goType, "}") + fmt.Sprintf(
			"\n\n// What arrived in place of %s where that was no integer of its type.\n%s string `json:\"-\"`\n}", property.GoFieldName(), word)
	}
	return goType
}

// function reads a value of one Go type. It is called with the reader and a pointer to where the value goes.
type function struct {
	value string // as an expression
	call  string // a call of it, with %s for the pointer
}

func named(name, instance string) function {
	return function{value: name + instance, call: name + "(r, %s)"}
}

// composed returns a function that calls another one for each value in its own.
func composed(name, goType string, part function) function {
	call := name + "(r, %s, " + part.value + ")"
	return function{value: "func(r *reader, p *" + goType + ") { " + fmt.Sprintf(call, "p") + " }", call: call}
}

// function returns the function for a Go type.
func (w *walk) function(goType string) (function, error) {
	expr, err := parser.ParseExpr(goType)
	if err != nil {
		return function{}, fmt.Errorf("there is no decoder for its Go type %s", goType)
	}
	return w.of(expr, w.goType(expr))
}

// of returns the function for a Go type, which is spelled as name.
func (w *walk) of(expr ast.Expr, name string) (function, error) {
	switch t := expr.(type) {
	case *ast.Ident:
		return w.ofName(t.Name, name)
	case *ast.SelectorExpr:
		switch types.ExprString(t) {
		case "time.Time":
			return named("moment", ""), nil
		case "json.RawMessage":
			return named("rawValue", "["+name+"]"), nil
		}
	case *ast.InterfaceType:
		return named("anything", "["+name+"]"), nil
	case *ast.StarExpr:
		part, err := w.of(t.X, w.goType(t.X))
		return composed("pointer", name, part), err
	case *ast.ArrayType:
		if types.ExprString(t.Elt) == "byte" {
			return named("base64Bytes", "["+name+"]"), nil
		}
		if w.isText(t.Elt) {
			return named("texts", "["+name+"]"), nil
		}
		part, err := w.of(t.Elt, w.goType(t.Elt))
		return composed("list", name, part), err
	case *ast.MapType:
		part, err := w.of(t.Value, w.goType(t.Value))
		return composed("dictionary", name, part), err
	}
	return function{}, fmt.Errorf("there is no decoder for its Go type %s", types.ExprString(expr))
}

// ofName returns the function for a type that has a name: Go's own, or that of a schema.
func (w *walk) ofName(name, spelled string) (function, error) {
	if definition, ok := w.named[name]; ok {
		return w.ofSchema(definition, spelled)
	}
	switch name {
	case "string":
		return named("text", "["+spelled+"]"), nil
	case "bool":
		return named("boolean", "["+spelled+"]"), nil
	case "float32", "float64":
		return named("number", "["+spelled+"]"), nil
	case "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64":
		return named("integer", "["+spelled+"]"), nil
	case "any":
		return named("anything", "["+spelled+"]"), nil
	}
	return function{}, fmt.Errorf("there is no decoder for its Go type %s", name)
}

// ofSchema returns the function for the type of a schema: that of what it is made of, unless it is an object or a union.
func (w *walk) ofSchema(definition codegen.TypeDefinition, spelled string) (function, error) {
	schema := definition.Schema
	switch {
	case len(schema.UnionElements) > 0:
		return named("union", "["+spelled+"]"), nil
	case len(schema.Properties) > 0 || strings.HasPrefix(schema.GoType, "struct"):
		return named("decode"+definition.TypeName, ""), w.object(definition)
	}
	expr, err := parser.ParseExpr(schema.TypeDecl())
	if err != nil {
		return function{}, fmt.Errorf("there is no decoder for its Go type %s", schema.TypeDecl())
	}
	return w.of(expr, spelled)
}

// isText reports whether a Go type is a kind of string.
func (w *walk) isText(expr ast.Expr) bool {
	name, ok := expr.(*ast.Ident)
	if !ok {
		return false
	}
	if definition, found := w.named[name.Name]; found {
		return definition.Schema.GoType == "string"
	}
	return name.Name == "string"
}

// goType spells a Go type for package webhooks, where the schemas' types are those of package gen.
func (w *walk) goType(expr ast.Expr) string {
	switch t := expr.(type) {
	case *ast.Ident:
		if _, ok := w.named[t.Name]; ok {
			return "gen." + t.Name
		}
		return t.Name
	case *ast.StarExpr:
		return "*" + w.goType(t.X)
	case *ast.ArrayType:
		return "[]" + w.goType(t.Elt)
	case *ast.MapType:
		return "map[string]" + w.goType(t.Value)
	case *ast.InterfaceType:
		return "any"
	default:
		return types.ExprString(expr)
	}
}

// envelope is a schema that the deliveries are told apart to.
type envelope struct {
	schema string   // its name
	events []string // what its event can be
	data   string   // the Go type of its data
}

// findEnvelopes reads the envelopes of the deliveries, and makes sure that they and the list of event types agree.
func findEnvelopes(document *openapi3.T) ([]envelope, error) {
	name, delivery := deliverySchema(document)
	if delivery == nil || len(delivery.OneOf) == 0 || delivery.Discriminator == nil {
		return nil, fault("webhooks: the body of a delivery is a oneOf of envelopes with a discriminator")
	}
	var envelopes []envelope
	enveloped := map[string]string{} // the envelope of an event
	for _, option := range delivery.OneOf {
		e := envelope{schema: refName(option.Ref)}
		event, data := option.Value.Properties["event"], option.Value.Properties["data"]
		if e.schema == "" || event == nil || len(event.Value.Enum) == 0 || data == nil || refName(data.Ref) == "" {
			return nil, fault("schema %s: an envelope has a name, an `event` with an enumeration, and `data` that refers to a schema", cmp.Or(e.schema, name))
		}
		e.data = codegen.SchemaNameToTypeName(refName(data.Ref))
		for _, value := range event.Value.Enum {
			event := fmt.Sprint(value)
			if other, twice := enveloped[event]; twice {
				return nil, fault("schema %s: event %s has an envelope already, %s", e.schema, event, other)
			}
			enveloped[event] = e.schema
			e.events = append(e.events, event)
		}
		envelopes = append(envelopes, e)
	}
	return envelopes, checkEvents(document, name, delivery.Discriminator, enveloped)
}

// checkEvents makes sure that the event types, the envelopes and the discriminator's mapping are about the same events.
func checkEvents(document *openapi3.T, name string, discriminator *openapi3.Discriminator, enveloped map[string]string) error {
	known := eventTypes(document)
	for _, event := range known {
		schema, ok := enveloped[event]
		if !ok {
			return fault("schema EventType: event %s is in no envelope; add it to the `event` of one that %s lists, or to a new one", event, name)
		}
		if mapped := refName(discriminator.Mapping[event].Ref); mapped != schema {
			return fault("schema %s: the discriminator maps event %s to %q, but its envelope is %s", name, event, mapped, schema)
		}
	}
	for event, schema := range enveloped {
		if !slices.Contains(known, event) {
			return fault("schema %s: event %s is not in the enumeration EventType; add it there", schema, event)
		}
	}
	for event := range discriminator.Mapping {
		if !slices.Contains(known, event) {
			return fault("schema %s: the discriminator maps event %s, which is in no envelope", name, event)
		}
	}
	return nil
}

// deliverySchema returns the schema of what arrives by webhook.
func deliverySchema(document *openapi3.T) (name string, schema *openapi3.Schema) {
	for _, item := range document.Webhooks {
		for _, operation := range item.Operations() {
			if operation.RequestBody == nil {
				continue
			}
			if content := operation.RequestBody.Value.Content["application/json"]; content != nil {
				return refName(content.Schema.Ref), content.Schema.Value
			}
		}
	}
	return "", nil
}

// eventTypes returns the event types in the order of the contract.
func eventTypes(document *openapi3.T) []string {
	schema := document.Components.Schemas["EventType"]
	if schema == nil {
		return nil
	}
	names := make([]string, len(schema.Value.Enum))
	for i, value := range schema.Value.Enum {
		names[i] = fmt.Sprint(value)
	}
	return names
}

// refName returns the name of the schema that a reference leads to.
func refName(ref string) string {
	name, ok := strings.CutPrefix(ref, "#/components/schemas/")
	if !ok {
		return ""
	}
	return name
}
