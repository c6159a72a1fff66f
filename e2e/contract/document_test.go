package contract

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	jsonv2 "github.com/go-json-experiment/json"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/api"
	"github.com/jogg-go/jogg/e2e/sample"
)

// document is the contract.
var document = func() *openapi3.T {
	read, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		panic(err)
	}
	return read
}()

// operation is an operation of the contract, with its method of *jogg.Client.
type operation struct {
	*openapi3.Operation
	verb, path string
	method     reflect.Value // its first parameter is the client; invalid if the client has no such method
}

// documented maps operationIds to the operations of the contract.
var documented = func() map[string]operation {
	methods := map[string]reflect.Value{}
	client := reflect.TypeFor[*jogg.Client]()
	for method := range client.Methods() {
		methods[strings.ToLower(method.Name)] = method.Func
	}
	all := map[string]operation{}
	for path, item := range document.Paths.Map() {
		for verb, spec := range item.Operations() {
			// Method names differ from operationIds in capitalization only, for example of initialisms.
			all[spec.OperationID] = operation{Operation: spec, verb: verb, path: path, method: methods[strings.ToLower(spec.OperationID)]}
		}
	}
	return all
}()

// data returns the schema of the data in the operation's response, or nil if the response is an envelope only. In the allOf, the envelope
// precedes the object with the data.
func (o operation) data() *openapi3.SchemaRef {
	parts := o.Responses.Value("200").Value.Content.Get("application/json").Schema.Value.AllOf
	for _, part := range slices.Backward(parts) {
		if data := part.Value.Properties["data"]; data != nil {
			return withoutNull(data)
		}
	}
	return nil
}

// withoutNull returns the schema's alternative to null.
func withoutNull(schema *openapi3.SchemaRef) *openapi3.SchemaRef {
	for _, option := range schema.Value.AnyOf {
		if !option.Value.Type.Is(openapi3.TypeNull) {
			return option
		}
	}
	return schema
}

// parameters returns the path parameters, in the order of the path, or the query parameters.
func (o operation) parameters(in string) []*openapi3.Parameter {
	var found []*openapi3.Parameter
	for _, parameter := range o.Parameters {
		if parameter.Value.In == in {
			found = append(found, parameter.Value)
		}
	}
	slices.SortFunc(found, func(a, b *openapi3.Parameter) int {
		return strings.Index(o.path, "{"+a.Name+"}") - strings.Index(o.path, "{"+b.Name+"}")
	})
	return found
}

// input is what a call sends, as JSON values.
type input struct {
	path, query map[string]any
	body        any
}

// input makes the input of a call of the operation.
func (o operation) input(maker sample.Maker) (input, error) {
	in := input{path: map[string]any{}, query: map[string]any{}}
	for place, values := range map[string]map[string]any{openapi3.ParameterInPath: in.path, openapi3.ParameterInQuery: in.query} {
		for _, parameter := range o.parameters(place) {
			if maker.RequiredOnly && !parameter.Required {
				continue
			}
			// Made as the property of an object, so that the maker's Choose is called.
			object := &openapi3.Schema{
				Properties: openapi3.Schemas{parameter.Name: parameter.Schema}, Required: []string{parameter.Name},
			}
			made, err := maker.Make(o.OperationID, object.NewRef())
			if err != nil {
				return in, err
			}
			values[parameter.Name] = made.(map[string]any)[parameter.Name]
		}
	}
	if o.RequestBody == nil {
		return in, nil
	}
	var err error
	in.body, err = maker.Make(o.OperationID, o.RequestBody.Value.Content.Get("application/json").Schema)
	return in, err
}

// call calls the operation's method with the context, the path parameters, a struct of the query parameters, and the body, as far as the
// operation has them. It returns the method's result, or nil if the method returns only an error.
func (o operation) call(ctx context.Context, client *jogg.Client, in input, opts ...jogg.CallOption) (any, error) {
	if !o.method.IsValid() {
		return nil, fmt.Errorf("*jogg.Client has no method for %s", o.OperationID)
	}
	var values []any
	for _, parameter := range o.parameters(openapi3.ParameterInPath) {
		values = append(values, in.path[parameter.Name])
	}
	if len(o.parameters(openapi3.ParameterInQuery)) > 0 {
		values = append(values, in.query)
	}
	if o.RequestBody != nil {
		values = append(values, in.body)
	}
	if o.method.Type().NumIn() != 2+len(values)+1 { // plus the client, the context and the options
		return nil, fmt.Errorf("%s is %s, but the contract has %d values for it", o.OperationID, o.method.Type(), len(values))
	}
	arguments := []reflect.Value{reflect.ValueOf(client), reflect.ValueOf(ctx)}
	for i, value := range values {
		argument := reflect.New(o.method.Type().In(2 + i))
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		if err := jsonv2.Unmarshal(text, argument.Interface(), jsonv2.RejectUnknownMembers(true)); err != nil {
			return nil, fmt.Errorf("%s: %s does not fit %s: %w", o.OperationID, text, argument.Type().Elem(), err)
		}
		arguments = append(arguments, argument.Elem())
	}
	results := o.method.CallSlice(append(arguments, reflect.ValueOf(opts)))
	err, _ := reflect.TypeAssert[error](results[len(results)-1])
	if len(results) == 1 || err != nil {
		return nil, err
	}
	return results[0].Interface(), nil
}

// set replaces the values of that name in the input.
func (in input) set(name string, value any) {
	places := []map[string]any{in.path, in.query}
	if body, ok := in.body.(map[string]any); ok {
		places = append(places, body)
	}
	for _, place := range places {
		if _, ok := place[name]; ok {
			place[name] = value
		}
	}
}

// requiredIDs returns the names of the required parameters and properties that contain an ID which a POST returns.
func (o operation) requiredIDs() []string {
	var names []string
	for _, parameter := range slices.Concat(o.parameters(openapi3.ParameterInPath), o.parameters(openapi3.ParameterInQuery)) {
		if parameter.Required {
			names = append(names, parameter.Name)
		}
	}
	if o.RequestBody != nil {
		names = append(names, o.RequestBody.Value.Content.Get("application/json").Schema.Value.Required...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, "_id") || !returnedByPost(name) })
}

// returnedByPost reports whether the response to a POST has a property of that name.
func returnedByPost(name string) bool {
	for _, o := range documented {
		if o.verb == http.MethodPost && o.returns([]string{name}) {
			return true
		}
	}
	return false
}

// returns reports whether the operation's response has properties of all of the names.
func (o operation) returns(names []string) bool {
	if o.data() == nil {
		return false
	}
	full, err := sample.Maker{}.Make(o.OperationID, o.data())
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(names, func(name string) bool { return valueOf(full, name) == nil })
}

// valueOf returns the value of a property of that name, at any depth of a JSON value, or nil.
func valueOf(value any, name string) any {
	found := leaves(value)
	for _, place := range slices.Sorted(maps.Keys(found)) {
		if strings.HasSuffix(place, "."+name) {
			return found[place]
		}
	}
	return nil
}

// leaves returns the scalar values of a JSON value, by place.
func leaves(value any) map[string]any {
	found := map[string]any{}
	var walk func(place string, value any)
	walk = func(place string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for name, member := range value {
				walk(place+"."+name, member)
			}
		case []any:
			for i, element := range value {
				walk(fmt.Sprintf("%s[%d]", place, i), element)
			}
		default:
			found[place] = value
		}
	}
	walk("", value)
	return found
}

// asJSON converts a value to decoded JSON.
func asJSON(value any) (decoded any, err error) {
	text, ok := value.([]byte)
	if !ok {
		if text, err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	return decoded, json.Unmarshal(text, &decoded)
}

// lost returns the values of one JSON value that another lacks, by place. Values that a Go value omits because they are null, false, zero
// or empty are not lost. Neither are values in another form that the contract allows: a number in a string, a single string instead of a
// list, or a string instead of an object with a message.
func lost(from, to any) map[string]any {
	GinkgoHelper()
	wanted, err := asJSON(from)
	Expect(err).NotTo(HaveOccurred())
	kept, err := asJSON(to)
	Expect(err).NotTo(HaveOccurred())
	missing, found := leaves(wanted), leaves(kept)
	for place, value := range missing {
		forms := []any{found[place], found[place+"[0]"], found[place+".message"]}
		same := func(other any) bool { return other != nil && literal(other) == literal(value) }
		if value == nil || reflect.ValueOf(value).IsZero() || slices.ContainsFunc(forms, same) {
			delete(missing, place)
		}
	}
	return missing
}

// literal returns the value as it is written in a string.
func literal(value any) string {
	if number, ok := value.(float64); ok {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}
