package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/jogg-go/jogg/api"
	"github.com/jogg-go/jogg/gen"
)

// Violation is an answer or a delivery of the simulator's own that does not fit the contract: a bug of the simulator or of the contract.
type Violation struct {
	// Operation is the operationId, or "receiveDelivery" for a delivery.
	Operation string
	// Time is when it happened, on the simulator's clock.
	Time time.Time
	// Problem says what does not fit, and where.
	Problem string
}

func (v Violation) String() string { return v.Operation + ": " + v.Problem }

// contract checks traffic against the OpenAPI document.
//
// Parameters and headers are openapi3filter's work. Bodies are checked by the JSON Schema 2020-12 library that openapi3filter itself uses,
// but directly: openapi3filter compiles a schema anew for every body (about a millisecond), and for a schema that refers to another one it
// then leaves JSON Schema for its older validator, which refuses null where the schema has no type.
type contract struct {
	paths       *http.ServeMux // of pathRoutes
	options     *openapi3filter.Options
	operations  map[string]*operation // by operationId
	events      map[gen.EventType]*eventSchema
	eventTypes  []gen.EventType  // in the order of the document
	taskStatus  *openapi3.Schema // of every state of a task; nil if there is none
	taskFailure *openapi3.Schema // of the reason of a failure; nil if there is none
	storage     string           // the domain under which the service keeps files; "" if it is not known
}

// operation is an operation of the contract.
type operation struct {
	id        string
	route     *routers.Route
	success   int                           // the HTTP status of a success
	request   *jsonschema.Schema            // of the body, or nil
	responses map[string]*jsonschema.Schema // of the body, by "200" or "default"
	identity                                // what can be derived from the above
}

// eventSchema is the schema of the deliveries of an event.
type eventSchema struct {
	compiled *jsonschema.Schema
	envelope *openapi3.SchemaRef
}

// routed is a request and the operation that it is for.
type routed struct {
	operation *operation
	input     *openapi3filter.RequestValidationInput
	body      []byte // once checkRequest has read it
}

const documentURL = "https://jogg.invalid/openapi.json"

// publishedContract reads the contract once for the whole process. It is not changed after that.
var publishedContract = sync.OnceValues(func() (*contract, error) { return loadContract(api.OpenAPI()) })

// loadContract reads an OpenAPI document.
func loadContract(text []byte) (*contract, error) {
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate the contract: %w", err)
	}
	c := &contract{
		paths: http.NewServeMux(),
		options: &openapi3filter.Options{
			AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc, // keys are checked before
			SkipSettingDefaults: true,                                  // a request is not to be changed
			ExcludeRequestBody:  true,
			ExcludeResponseBody: true,
		},
		operations: map[string]*operation{},
		events:     map[gen.EventType]*eventSchema{},
	}
	if err := c.compile(document); err != nil {
		return nil, fmt.Errorf("compile the contract: %w", err)
	}
	c.storage, _ = document.Extensions[storageKey].(string)
	c.identify(document)
	return c, nil
}

func (c *contract) compile(document *openapi3.T) error {
	text, err := document.MarshalJSON()
	if err != nil {
		return err
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource(documentURL, tree); err != nil {
		return err
	}
	schema := func(pointer string) (*jsonschema.Schema, error) {
		return compiler.Compile(documentURL + (&url.URL{Fragment: pointer}).String())
	}
	for path, item := range document.Paths.Map() {
		if err := c.addPath(path, item); err != nil {
			return err
		}
		for method, definition := range item.Operations() {
			at := "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + strings.ToLower(method)
			o := &operation{
				id: definition.OperationID, success: successOf(definition), responses: map[string]*jsonschema.Schema{},
				route: &routers.Route{Spec: document, Path: path, PathItem: item, Method: method, Operation: definition},
			}
			c.operations[o.id] = o
			if err := o.compile(at, schema); err != nil {
				return fmt.Errorf("%s: %w", o.id, err)
			}
		}
	}
	return c.compileEvents(document, schema)
}

// jsonContent is where the schema of a body stands in a request or a response.
const jsonContent = "/content/application~1json/schema"

func (o *operation) compile(at string, schema func(pointer string) (*jsonschema.Schema, error)) (err error) {
	if body := o.route.Operation.RequestBody; body != nil && body.Value.Content.Get("application/json") != nil {
		place := at + "/requestBody"
		if body.Ref != "" {
			place = strings.TrimPrefix(body.Ref, "#")
		}
		if o.request, err = schema(place + jsonContent); err != nil {
			return err
		}
	}
	for status, response := range o.route.Operation.Responses.Map() {
		if response.Value.Content.Get("application/json") == nil {
			continue
		}
		place := at + "/responses/" + status
		if response.Ref != "" {
			place = strings.TrimPrefix(response.Ref, "#")
		}
		if o.responses[status], err = schema(place + jsonContent); err != nil {
			return err
		}
	}
	return nil
}

// successOf returns the first status of success that the operation can answer.
func successOf(definition *openapi3.Operation) int {
	for status := http.StatusOK; status < http.StatusMultipleChoices; status++ {
		if definition.Responses.Status(status) != nil {
			return status
		}
	}
	return http.StatusOK
}

// compileEvents reads the events that can be delivered: those that the discriminator of Delivery maps to a schema.
func (c *contract) compileEvents(document *openapi3.T, schema func(pointer string) (*jsonschema.Schema, error)) error {
	delivery := document.Components.Schemas["Delivery"]
	if delivery == nil || delivery.Value.Discriminator == nil {
		return errors.New("there is no schema Delivery with a discriminator")
	}
	for name, mapped := range delivery.Value.Discriminator.Mapping {
		compiled, err := schema(strings.TrimPrefix(mapped.Ref, "#"))
		if err != nil {
			return fmt.Errorf("event %s: %w", name, err)
		}
		envelope := document.Components.Schemas[mapped.Ref[strings.LastIndexByte(mapped.Ref, '/')+1:]]
		c.events[gen.EventType(name)] = &eventSchema{compiled: compiled, envelope: envelope}
	}
	if types := document.Components.Schemas["EventType"]; types != nil {
		for _, name := range types.Value.Enum {
			if event := gen.EventType(fmt.Sprint(name)); c.events[event] != nil {
				c.eventTypes = append(c.eventTypes, event)
			}
		}
	}
	return nil
}

// operationNames returns every operationId, in alphabetical order.
func (c *contract) operationNames() []string { return slices.Sorted(maps.Keys(c.operations)) }

// pathRoute is a path of the contract. Its handler tells a pathFinder of it.
type pathRoute struct {
	item       *openapi3.PathItem
	parameters []string // their names, in the order of the path
}

// addPath makes a path known to the router. The parameters are p0, p1 and so on there, since not every name can be one of a pattern.
func (c *contract) addPath(path string, item *openapi3.PathItem) (err error) {
	route := &pathRoute{item: item}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") {
			segments[i] = fmt.Sprintf("{p%d}", len(route.parameters))
			route.parameters = append(route.parameters, segment[1:len(segment)-1])
		}
	}
	pattern := strings.Join(segments, "/")
	if strings.HasSuffix(pattern, "/") {
		pattern += "{$}" // that path only, and not what is below it
	}
	defer func() {
		if problem := recover(); problem != nil { // ServeMux refuses in no other way what it cannot tell apart
			err = fmt.Errorf("route %s: %v", path, problem)
		}
	}()
	c.paths.Handle(pattern, route)
	return nil
}

func (p *pathRoute) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found := w.(*pathFinder)
	found.route = p
	found.values = map[string]string{}
	for i, name := range p.parameters {
		found.values[name] = r.PathValue(fmt.Sprintf("p%d", i))
	}
}

// pathFinder stands where the router expects somebody to answer, and learns which path it found.
type pathFinder struct {
	route  *pathRoute
	values map[string]string
}

func (*pathFinder) Header() http.Header         { return http.Header{} }
func (*pathFinder) Write(p []byte) (int, error) { return len(p), nil }
func (*pathFinder) WriteHeader(int)             {}

// route finds the operation that a request is for. The error is routers.ErrPathNotFound or routers.ErrMethodNotAllowed.
func (c *contract) route(r *http.Request) (*routed, error) {
	var found pathFinder
	c.paths.ServeHTTP(&found, r)
	if found.route == nil {
		return nil, routers.ErrPathNotFound
	}
	definition := found.route.item.GetOperation(r.Method)
	if definition == nil {
		return nil, routers.ErrMethodNotAllowed
	}
	o := c.operations[definition.OperationID]
	return &routed{operation: o, input: &openapi3filter.RequestValidationInput{
		Request: r, PathParams: found.values, Route: o.route, Options: c.options,
	}}, nil
}

// checkRequest returns what the contract refuses, naming the parameter, or nil. The body is read and put back.
func (c *contract) checkRequest(ctx context.Context, request *routed) error {
	input := request.input
	if err := openapi3filter.ValidateRequest(ctx, input); err != nil {
		return parameterProblem(err)
	}
	if request.operation.request == nil {
		return nil
	}
	body, err := io.ReadAll(input.Request.Body)
	if err != nil {
		return fmt.Errorf("invalid request body: %w", err)
	}
	request.body = body
	input.Request.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) == 0 && !input.Route.Operation.RequestBody.Value.Required {
		return nil
	}
	return checkRequestBody(request.operation.request, input.Request.Header.Get("Content-Type"), body)
}

func checkRequestBody(schema *jsonschema.Schema, contentType string, body []byte) error {
	if len(body) == 0 {
		return errors.New("missing request body")
	}
	if mediaType, _, err := mime.ParseMediaType(contentType); err != nil || mediaType != "application/json" {
		return errors.New("invalid header Content-Type: it must be application/json")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return errors.New("invalid request body: it is not JSON")
	}
	if err := schema.Validate(value); err != nil {
		return errors.New(schemaProblem("parameter", err))
	}
	return nil
}

// checkResponse returns what in an answer of the simulator's own does not fit the contract.
func (c *contract) checkResponse(ctx context.Context, request *routed, resp response) error {
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request.input, Status: resp.status, Header: resp.header, Options: c.options,
	}
	if err := openapi3filter.ValidateResponse(ctx, response); err != nil {
		return err
	}
	schema := request.operation.responses[strconv.Itoa(resp.status)]
	if schema == nil {
		schema = request.operation.responses["default"]
	}
	if schema == nil {
		return fmt.Errorf("the operation does not answer status %d with JSON", resp.status)
	}
	if mediaType, _, err := mime.ParseMediaType(resp.header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return errors.New("header Content-Type is not application/json")
	}
	return checkBody(schema, resp.body)
}

// checkDelivery returns what in the body of a delivery does not fit the contract: the schema that the discriminator maps the event to.
// Unknown event types are outside it.
func (c *contract) checkDelivery(event gen.EventType, body []byte) error {
	schema := c.events[event]
	if schema == nil {
		return nil
	}
	return checkBody(schema.compiled, body)
}

func checkBody(schema *jsonschema.Schema, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("body is not JSON: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		return errors.New(schemaProblem("field", err))
	}
	return nil
}

// parameterProblem says in one line which parameter a RequestError is about and what is wrong with it.
func parameterProblem(err error) error {
	refused, ok := errors.AsType[*openapi3filter.RequestError](err)
	if !ok || refused.Parameter == nil {
		return err
	}
	if errors.Is(err, openapi3filter.ErrInvalidRequired) {
		return fmt.Errorf("missing parameter %s", refused.Parameter.Name)
	}
	if violated, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return fmt.Errorf("invalid parameter %s: %s", refused.Parameter.Name, keywordProblem(deepest(violated)))
	}
	return fmt.Errorf("invalid parameter %s: %w", refused.Parameter.Name, refused.Err)
}

// schemaProblem says in one line where a body does not fit and why. Nested objects are named with dots.
func schemaProblem(what string, err error) string {
	violated, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err.Error()
	}
	leaf := deepest(violated)
	path := leaf.InstanceLocation
	if required, ok := leaf.ErrorKind.(*kind.Required); ok {
		return fmt.Sprintf("missing %s %s", what, strings.Join(append(slices.Clip(path), required.Missing[0]), "."))
	}
	if more, ok := leaf.ErrorKind.(*kind.AdditionalProperties); ok {
		return fmt.Sprintf("invalid %s %s: it is unknown", what, strings.Join(append(slices.Clip(path), more.Properties[0]), "."))
	}
	name := "at the top of the body"
	if len(path) > 0 {
		name = strings.Join(path, ".")
	}
	return fmt.Sprintf("invalid %s %s: %s", what, name, keywordProblem(leaf))
}

// deepest follows the causes to the one that lies deepest in the value, which among alternatives is the one that was meant.
func deepest(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	best := e
	for _, cause := range e.Causes {
		if leaf := deepest(cause); best == e || len(leaf.InstanceLocation) > len(best.InstanceLocation) {
			best = leaf
		}
	}
	return best
}

// keywordProblem is what a leaf says about itself, without the place, which is named elsewhere.
func keywordProblem(leaf *jsonschema.ValidationError) string {
	_, problem, found := strings.Cut(leaf.Error(), ": ")
	if !found {
		return leaf.Error()
	}
	return problem
}
