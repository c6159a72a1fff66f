package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/getkin/kin-openapi/routers/gorillamux"
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
// Routes, parameters and headers are openapi3filter's work. Bodies are checked by the JSON Schema 2020-12 library that openapi3filter
// itself uses, but directly: openapi3filter compiles a schema anew for every body (about a millisecond), and for a schema that
// refers to another one it then leaves JSON Schema for its older validator, which refuses null where the schema has no type.
type contract struct {
	router   routers.Router
	options  *openapi3filter.Options
	requests map[string]*jsonschema.Schema // by operationId
	answers  map[string]*jsonschema.Schema // by operationId and "200" or "default"
	events   map[gen.EventType]*jsonschema.Schema
}

const documentURL = "https://jogg.invalid/openapi.json"

// loadContract reads the document once for the whole process. A contract is not changed after that.
var loadContract = sync.OnceValues(func() (*contract, error) {
	document, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	if err := document.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate the contract: %w", err)
	}
	document.Servers = nil // the router would serve the documented host only
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		return nil, fmt.Errorf("route the contract: %w", err)
	}
	c := &contract{
		router: router,
		options: &openapi3filter.Options{
			AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc, // keys are checked before
			SkipSettingDefaults: true,                                  // a request is not to be changed
			ExcludeRequestBody:  true,
			ExcludeResponseBody: true,
		},
		requests: map[string]*jsonschema.Schema{},
		answers:  map[string]*jsonschema.Schema{},
		events:   map[gen.EventType]*jsonschema.Schema{},
	}
	if err := c.compile(document); err != nil {
		return nil, fmt.Errorf("compile the contract: %w", err)
	}
	return c, nil
})

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
	const content = "/content/application~1json/schema"
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			at := "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + strings.ToLower(method)
			if operation.RequestBody != nil {
				if c.requests[operation.OperationID], err = schema(at + "/requestBody" + content); err != nil {
					return err
				}
			}
			for status, response := range operation.Responses.Map() {
				place := at + "/responses/" + status
				if response.Ref != "" {
					place = strings.TrimPrefix(response.Ref, "#")
				}
				if c.answers[operation.OperationID+" "+status], err = schema(place + content); err != nil {
					return err
				}
			}
		}
	}
	for event, mapped := range document.Components.Schemas["Delivery"].Value.Discriminator.Mapping {
		if c.events[gen.EventType(event)], err = schema(strings.TrimPrefix(mapped.Ref, "#")); err != nil {
			return err
		}
	}
	return nil
}

// route finds the operation that a request is for. The error is routers.ErrPathNotFound or routers.ErrMethodNotAllowed.
func (c *contract) route(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	route, parameters, err := c.router.FindRoute(r)
	if err != nil {
		return nil, err
	}
	return &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route, Options: c.options}, nil
}

// checkRequest returns what the contract refuses, naming the parameter, or nil. The body is read and put back.
func (c *contract) checkRequest(ctx context.Context, input *openapi3filter.RequestValidationInput) error {
	if err := openapi3filter.ValidateRequest(ctx, input); err != nil {
		return parameterProblem(err)
	}
	schema := c.requests[input.Route.Operation.OperationID]
	if schema == nil {
		return nil
	}
	body, err := io.ReadAll(input.Request.Body)
	if err != nil {
		return fmt.Errorf("invalid request body: %w", err)
	}
	input.Request.Body = io.NopCloser(bytes.NewReader(body))
	return checkRequestBody(schema, input.Request.Header.Get("Content-Type"), body)
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

// checkAnswer returns what in an answer of the simulator's own does not fit the contract.
func (c *contract) checkAnswer(ctx context.Context, input *openapi3filter.RequestValidationInput, a answer) error {
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.status, Header: a.header, Options: c.options,
	}
	if err := openapi3filter.ValidateResponse(ctx, response); err != nil {
		return err
	}
	operation := input.Route.Operation.OperationID
	schema := c.answers[operation+" "+strconv.Itoa(a.status)]
	if schema == nil {
		schema = c.answers[operation+" default"]
	}
	if mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return errors.New("header Content-Type is not application/json")
	}
	return checkBody(schema, a.body)
}

// checkDelivery returns what in the body of a delivery does not fit the contract: the schema that the discriminator maps the event to.
// Unknown event types are outside it.
func (c *contract) checkDelivery(event gen.EventType, body []byte) error {
	schema := c.events[event]
	if schema == nil {
		return nil
	}
	return checkBody(schema, body)
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
