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

// The contract's keys for the data of deliveries. The comment at the top of api/openapi.yaml describes them.
const (
	subjectKey = "x-jogg-subject"
	scalarKey  = "x-jogg-scalar"
	wordKey    = "x-jogg-word"
)

// Deliveries is the template data for package webhooks.
type Deliveries struct {
	// Events are the event types, in the order of the contract.
	Events []Event
	// Data are the types of the union, in the order of the envelopes.
	Data []Data
	// Decoders are the objects that a delivery can contain, at any depth.
	Decoders []Decoder
}

// Event is an event type.
type Event struct {
	Name     string // as in a delivery
	Constant string // in Go
}

// Data is a type of the union.
type Data struct {
	codegen.TypeDefinition

	// Events are the event types that have this data.
	Events []Event
	// Subject is the field that the events are about, or nil.
	Subject *codegen.Property
}

// Zero returns the zero value of the subject, which it has if it did not arrive.
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
	// Rest is the function that reads other properties into AdditionalProperties, or "" if the object takes none.
	Rest string
	// Scalars are the fields that receive a plain value that arrives in place of the object.
	Scalars []Scalar
	// Fallbacks are the assignments, after all fields are read, for those that did not arrive.
	Fallbacks []string
}

// Field is a property of a decoder.
type Field struct {
	codegen.Property

	read function
}

// Read returns the statement that reads the field's value.
func (f Field) Read() string {
	target := "&v." + f.GoFieldName()
	if word := f.Word(); word != "" {
		return "integerOrWord(r, " + target + ", &v." + word + ")"
	}
	return fmt.Sprintf(f.read.call, target)
}

// Scalar is a kind of plain value that can arrive in place of an object.
type Scalar struct {
	First string // the case of a switch on the first byte of the value
	Field Field  // receives the value
}

// deliveries derives the template data for package webhooks from the contract and the Go types of its schemas. It returns nil if types is
// not the list of the schemas' types; oapi-codegen runs the template for several lists.
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

// walk collects the decoders of the events' data and of the objects inside it.
type walk struct {
	named    map[string]codegen.TypeDefinition // the Go types of all schemas
	decoders map[string]Decoder                // found so far
}

// data returns the type of the union for the events of an envelope.
func (w *walk) data(e envelope) (Data, error) {
	definition := w.named[e.data]
	if len(definition.Schema.Properties) == 0 {
		return Data{}, fault("schema %s: the data of an event must be an object with properties", definition.JsonName)
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

// object adds the decoders of an object and of all objects in it.
func (w *walk) object(definition codegen.TypeDefinition) error {
	name := definition.TypeName
	if _, found := w.decoders[name]; found {
		return nil
	}
	d := Decoder{TypeDefinition: definition}
	w.decoders[name] = d // before its fields, because an object can contain itself
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

// located turns an error into a contractError with a location. An error that is one already is returned as it is, because the innermost
// location is the most precise.
func located(err error, format string, args ...any) error {
	if _, ok := errors.AsType[*contractError](err); ok {
		return err
	}
	return fault("%s: %v", fmt.Sprintf(format, args...), err)
}

// field returns the property that has the JSON name.
func (d *Decoder) field(name string) (Field, bool) {
	i := slices.IndexFunc(d.Fields, func(f Field) bool { return f.JsonFieldName == name })
	if i < 0 {
		return Field{}, false
	}
	return d.Fields[i], true
}

// addScalars adds the plain values that can arrive in place of the object.
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
			return fault("schema %s: %s must name a kind (string, number or boolean) and a field of the schema", d.JsonName, scalarKey)
		}
		d.Scalars = append(d.Scalars, Scalar{first, field})
	}
	return nil
}

// addFallbacks adds the assignments to fields that take the value of another field if they did not arrive.
func (d *Decoder) addFallbacks(w *walk) error {
	for _, f := range d.Fields {
		name, ok := f.Extensions[fallbackKey].(string)
		if !ok {
			continue
		}
		from, found := d.field(name)
		if !found || strings.ContainsAny(from.GoTypeDef(), "[*") {
			return fault("schema %s, field %s: %s must name another field of the schema, with a single value", d.JsonName, f.JsonFieldName, fallbackKey)
		}
		target, sources, ok := w.fallback(f, from)
		if !ok {
			return fault("schema %s, field %s: %s names a field of another type", d.JsonName, f.JsonFieldName, fallbackKey)
		}
		d.Fallbacks = append(d.Fallbacks, fmt.Sprintf("%s = cmp.Or(%s, %s)", target, target, strings.Join(sources, ", ")))
	}
	return nil
}

// fallback returns the target of the assignment to f and its sources, of which the first that has a value counts. If f is an object in
// whose place a plain value can arrive, the target is the field of the object that receives such a value.
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

// words returns the Go fields that keep words that arrived in place of numbers.
func (d *Decoder) words(object string) []string {
	var words []string
	for _, f := range d.Fields {
		if word := f.Word(); word != "" {
			words = append(words, object+"."+word)
		}
	}
	return words
}

// Word returns the Go field that keeps a word that arrived in place of a number, or "" if there is none.
func (f Field) Word() string { return wordOf(f.Property) }

func wordOf(p codegen.Property) string {
	word, _ := p.Extensions[wordKey].(string)
	return word
}

// structType returns the Go type of a schema, with an additional field for each word that can arrive in place of a number.
func structType(definition codegen.TypeDefinition) string {
	goType := definition.Schema.TypeDecl()
	for _, property := range definition.Schema.Properties {
		word := wordOf(property)
		if word == "" {
			continue
		}
		goType = strings.TrimSuffix(goType, "}") + fmt.Sprintf(
			"\n\n// %[1]s keeps what arrived in place of %[2]s, if that was not an integer of its type.\n%[1]s string `json:\"-\"`\n}",
			word, property.GoFieldName())
	}
	return goType
}

// function is a Go function that reads a value of one type. Its arguments are the reader and a pointer to the target.
type function struct {
	value string // the function as an expression
	call  string // a call of the function, with %s for the pointer
}

func named(name, instance string) function {
	return function{value: name + instance, call: name + "(r, %s)"}
}

// composed returns a function that calls the function part for each element of its value.
func composed(name, goType string, part function) function {
	call := name + "(r, %s, " + part.value + ")"
	return function{value: "func(r *reader, p *" + goType + ") { " + fmt.Sprintf(call, "p") + " }", call: call}
}

// function returns the function that reads a Go type.
func (w *walk) function(goType string) (function, error) {
	expr, err := parser.ParseExpr(goType)
	if err != nil {
		return function{}, fmt.Errorf("there is no decoder for its Go type %s", goType)
	}
	return w.of(expr, w.goType(expr))
}

// of returns the function that reads a Go type, which package webhooks spells as name.
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
		if w.isString(t.Elt) {
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

// ofName returns the function that reads a predeclared type or the type of a schema.
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

// ofSchema returns the function that reads the type of a schema. A schema that is neither an object nor a union is read as its underlying
// type.
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

// isString reports whether the underlying type of a Go type is string.
func (w *walk) isString(expr ast.Expr) bool {
	name, ok := expr.(*ast.Ident)
	if !ok {
		return false
	}
	if definition, found := w.named[name.Name]; found {
		return definition.Schema.GoType == "string"
	}
	return name.Name == "string"
}

// goType returns a Go type as package webhooks spells it, which qualifies the types of schemas with gen.
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

// envelope is one of the schemas of a delivery.
type envelope struct {
	schema string   // name of the schema
	events []string // values of its field event
	data   string   // Go type of its field data
}

// findEnvelopes returns the envelopes of the deliveries. It is an error if they and the list of event types disagree.
func findEnvelopes(document *openapi3.T) ([]envelope, error) {
	name, delivery := deliverySchema(document)
	if delivery == nil || len(delivery.OneOf) == 0 || delivery.Discriminator == nil {
		return nil, fault("webhooks: the body of a delivery must be a oneOf of envelopes with a discriminator")
	}
	var envelopes []envelope
	enveloped := map[string]string{} // envelopes by event
	for _, option := range delivery.OneOf {
		e := envelope{schema: refName(option.Ref)}
		event, data := option.Value.Properties["event"], option.Value.Properties["data"]
		if e.schema == "" || event == nil || len(event.Value.Enum) == 0 || data == nil || refName(data.Ref) == "" {
			return nil, fault("schema %s: an envelope must have a name, an `event` with an enumeration, and `data` that refers to a schema",
				cmp.Or(e.schema, name))
		}
		e.data = codegen.SchemaNameToTypeName(refName(data.Ref))
		for _, value := range event.Value.Enum {
			event := fmt.Sprint(value)
			if other, twice := enveloped[event]; twice {
				return nil, fault("schema %s: event %s is already in the envelope %s", e.schema, event, other)
			}
			enveloped[event] = e.schema
			e.events = append(e.events, event)
		}
		envelopes = append(envelopes, e)
	}
	return envelopes, checkEvents(document, name, delivery.Discriminator, enveloped)
}

// checkEvents checks that the event types, the envelopes and the discriminator's mapping contain the same events.
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

// deliverySchema returns the schema of the body of a delivery.
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

// refName returns the name of the schema that a reference refers to, or "" if it refers to anything else.
func refName(ref string) string {
	name, ok := strings.CutPrefix(ref, "#/components/schemas/")
	if !ok {
		return ""
	}
	return name
}
