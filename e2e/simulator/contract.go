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

// Violation is a request, response or delivery that does not conform to the contract. Those of a Simulator are its own responses and
// deliveries, and so bugs in the simulator or in the contract. Those of a CheckedTransport are requests and responses.
type Violation struct {
	// Operation is the operationId, or "receiveDelivery" for a delivery. A CheckedTransport leaves it empty for a request that matches no
	// operation.
	Operation string
	// Time is when it was found, on the simulator's clock; for a CheckedTransport, in real time.
	Time time.Time
	// Problem describes what is invalid, and where.
	Problem string
}

func (v Violation) String() string { return v.Operation + ": " + v.Problem }

// contract validates requests, responses and deliveries against the OpenAPI document.
//
// openapi3filter validates parameters and headers. Bodies are validated directly with the JSON Schema 2020-12 library that openapi3filter
// uses. openapi3filter itself would compile the schema again for every body, which takes about a millisecond. For a schema with a $ref it
// would also fall back to its older validator, which rejects null where the schema has no type.
type contract struct {
	paths       *http.ServeMux // its handlers are *pathRoute
	options     *openapi3filter.Options
	operations  map[string]*operation // by operationId
	events      map[gen.EventType]*eventSchema
	eventTypes  []gen.EventType  // in document order
	taskStatus  *openapi3.Schema // schema TaskStatus; nil if there is none
	taskFailure *openapi3.Schema // schema TaskFailure; nil if there is none
	storage     string           // the domain of the service's file storage; "" if unknown
}

// operation is an operation of the contract.
type operation struct {
	id        string
	route     *routers.Route
	success   int                           // HTTP status of a successful response
	request   *jsonschema.Schema            // of the request body; nil if it has none
	responses map[string]*jsonschema.Schema // of the response body, by "200" or "default"
	identity                                // inferred from the contract
}

// eventSchema is the schema of the delivery body of an event type.
type eventSchema struct {
	compiled *jsonschema.Schema
	envelope *openapi3.SchemaRef
}

// routed is a request and its operation.
type routed struct {
	operation *operation
	input     *openapi3filter.RequestValidationInput
	body      []byte // set by checkRequest
}

const documentURL = "https://jogg.invalid/openapi.json"

// publishedContract loads the embedded contract once per process. The result is read-only.
var publishedContract = sync.OnceValues(func() (*contract, error) { return loadContract(api.OpenAPI()) })

// loadContract parses, validates and compiles an OpenAPI document.
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
			AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc, // the simulator checks keys itself
			SkipSettingDefaults: true,                                  // do not modify requests
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

// jsonContent is the JSON Pointer from a requestBody or response to its JSON schema.
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

// successOf returns the lowest 2xx status of the operation's responses, or 200 if it declares none.
func successOf(definition *openapi3.Operation) int {
	for status := http.StatusOK; status < http.StatusMultipleChoices; status++ {
		if definition.Responses.Status(status) != nil {
			return status
		}
	}
	return http.StatusOK
}

// compileEvents compiles the schemas of the events that can be delivered: those in the discriminator mapping of Delivery.
func (c *contract) compileEvents(document *openapi3.T, schema func(pointer string) (*jsonschema.Schema, error)) error {
	delivery := document.Components.Schemas["Delivery"]
	if delivery == nil || delivery.Value.Discriminator == nil {
		return errors.New("no schema Delivery with a discriminator")
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

// operationNames returns every operationId, sorted.
func (c *contract) operationNames() []string { return slices.Sorted(maps.Keys(c.operations)) }

// pathRoute is a path of the contract. Its ServeHTTP reports it to the pathFinder that it gets as the ResponseWriter.
type pathRoute struct {
	item       *openapi3.PathItem
	parameters []string // names, in path order
}

// addPath adds a path to the router. Its parameters are named p0, p1 and so on in the pattern, because ServeMux does not accept every name.
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
		pattern += "{$}" // this path only, not its subtree
	}
	defer func() {
		if problem := recover(); problem != nil { // ServeMux panics on conflicting patterns
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

// pathFinder is an http.ResponseWriter that records the path that the router matched.
type pathFinder struct {
	route  *pathRoute
	values map[string]string
}

func (*pathFinder) Header() http.Header         { return http.Header{} }
func (*pathFinder) Write(p []byte) (int, error) { return len(p), nil }
func (*pathFinder) WriteHeader(int)             {}

// route finds the operation of a request. The error is routers.ErrPathNotFound or routers.ErrMethodNotAllowed.
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

// checkRequest validates a request. The error names the invalid parameter. The body is read and replaced by a copy.
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
		return errors.New("invalid header Content-Type: must be application/json")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return errors.New("invalid request body: not JSON")
	}
	if err := schema.Validate(value); err != nil {
		return errors.New(schemaProblem("parameter", err))
	}
	return nil
}

// checkResponse validates a response. The error names the invalid header or field.
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
		return fmt.Errorf("operation has no JSON response for status %d", resp.status)
	}
	if mediaType, _, err := mime.ParseMediaType(resp.header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return errors.New("header Content-Type is not application/json")
	}
	return checkBody(schema, resp.body)
}

// checkDelivery validates the body of a delivery against the schema that the discriminator maps the event to. Unknown event types pass.
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

// parameterProblem describes in one line which parameter a RequestError is about, and why it is invalid.
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

// schemaProblem describes in one line which member of a body is invalid, and why. Names of nested members are joined with dots.
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
		return fmt.Sprintf("invalid %s %s: unknown field", what, strings.Join(append(slices.Clip(path), more.Properties[0]), "."))
	}
	name := "body"
	if len(path) > 0 {
		name = strings.Join(path, ".")
	}
	return fmt.Sprintf("invalid %s %s: %s", what, name, keywordProblem(leaf))
}

// deepest returns the cause that is deepest in the value. Among the alternatives of a oneOf or anyOf that is most likely the intended one.
func deepest(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	best := e
	for _, cause := range e.Causes {
		if leaf := deepest(cause); best == e || len(leaf.InstanceLocation) > len(best.InstanceLocation) {
			best = leaf
		}
	}
	return best
}

// keywordProblem returns the message of a leaf without its location, which schemaProblem names.
func keywordProblem(leaf *jsonschema.ValidationError) string {
	_, problem, found := strings.Cut(leaf.Error(), ": ")
	if !found {
		return leaf.Error()
	}
	return problem
}
