package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// server implements operations: each method has the name, the parameters and the results of the client's method for the operation.
// server.gen.go has the generated dispatch to them. An operation without a method is derived from its schemas. s.mu is held during a call.
type server struct{ *Simulator }

// findImplementations fills s.implementations with the operations that server implements.
func (s *Simulator) findImplementations() {
	s.implementations = map[string]implementation{}
	if s.config.noImplementations {
		return
	}
	for operation, find := range finders {
		if written := find(server{s}); written != nil {
			s.implementations[operation] = written
		}
	}
}

// implementation implements an operation: it decodes the request, calls the method of server and returns the data of the
// response, which is a pointer to a model, or nil.
type implementation func(*call) (any, error)

// call is a request to an implemented operation, not decoded yet.
type call struct {
	ctx   context.Context //nolint:containedctx // passed on to the implementation at once
	path  map[string]string
	query url.Values
	body  []byte
	err   error // the first decoding error
}

// pathParameter decodes a path parameter.
func pathParameter[T any](c *call, name string) T {
	var value T
	c.parameter(name, reflect.ValueOf(&value).Elem(), []string{c.path[name]})
	return value
}

// queryParameter decodes a query parameter into target, a pointer. It leaves target unchanged if the parameter is missing.
func queryParameter(c *call, name string, target any) {
	if values := c.query[name]; len(values) > 0 {
		c.parameter(name, reflect.ValueOf(target).Elem(), values)
	}
}

func (c *call) parameter(name string, target reflect.Value, values []string) {
	if err := setParameter(target, values); err != nil && c.err == nil {
		c.err = invalid(name, err.Error())
	}
}

// setParameter parses the values of a parameter. Only a slice takes more than one.
func setParameter(target reflect.Value, values []string) (err error) {
	switch target.Kind() {
	case reflect.Pointer:
		target.Set(reflect.New(target.Type().Elem()))
		return setParameter(target.Elem(), values)
	case reflect.Slice:
		list := reflect.MakeSlice(target.Type(), len(values), len(values))
		for i := range values {
			if err := setParameter(list.Index(i), values[i:i+1]); err != nil {
				return err
			}
		}
		target.Set(list)
		return nil
	case reflect.String:
		target.SetString(values[0])
		return nil
	case reflect.Bool:
		return parse(target.SetBool, values[0], strconv.ParseBool)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return parse(target.SetInt, values[0], func(s string) (int64, error) { return strconv.ParseInt(s, 10, target.Type().Bits()) })
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return parse(target.SetUint, values[0], func(s string) (uint64, error) { return strconv.ParseUint(s, 10, target.Type().Bits()) })
	case reflect.Float32, reflect.Float64:
		return parse(target.SetFloat, values[0], func(s string) (float64, error) { return strconv.ParseFloat(s, target.Type().Bits()) })
	default:
		return fmt.Errorf("unsupported parameter type %s", target.Type())
	}
}

func parse[T any](set func(T), text string, parser func(string) (T, error)) error {
	value, err := parser(text)
	if err != nil {
		return fmt.Errorf("not a valid %T", value)
	}
	set(value)
	return nil
}

// requestBody decodes the request body. It returns the zero value for an empty body, which some operations allow.
func requestBody[T any](c *call) T {
	var body T
	if len(c.body) == 0 {
		return body
	}
	if err := json.Unmarshal(c.body, &body, jsontext.AllowDuplicateNames(true)); err != nil && c.err == nil {
		c.err = decodingError(err)
	}
	return body
}

// decodingError names a member of a body that is valid in the contract but does not decode into its Go type, such as 1.0 for an integer.
func decodingError(err error) error {
	place := "body"
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok && semantic.JSONPointer != "" {
		place = strings.ReplaceAll(strings.TrimPrefix(string(semantic.JSONPointer), "/"), "/", ".")
	}
	return invalid(place, "unsupported value")
}
