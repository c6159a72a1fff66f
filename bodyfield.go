package jogg

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// encode marshals a value as package gen marshals request bodies.
func encode(value any) (jsontext.Value, error) {
	return json.Marshal(value, jsontext.AllowInvalidUTF8(true))
}

// bodyOf returns the JSON body that a request will send. For a request without a body it is an empty object.
func bodyOf(req *http.Request) (jsontext.Value, error) {
	if req.GetBody == nil {
		return jsontext.Value("{}"), nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// setBody sets the JSON body of a request.
func setBody(req *http.Request, body []byte) {
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	req.Header.Set("Content-Type", "application/json")
}

// setAt returns a JSON value with the value at the path names replaced by to. at is the pointer to value itself, for errors. All other
// values keep their spelling.
func setAt(value jsontext.Value, at jsontext.Pointer, names []string, to jsontext.Value) (jsontext.Value, error) {
	if len(names) == 0 {
		return to, nil
	}
	switch kind := value.Kind(); kind {
	case jsontext.KindBeginObject:
		return setMember(value, at, names, to)
	case jsontext.KindBeginArray:
		return setElement(value, at, names, to)
	case jsontext.KindInvalid, jsontext.KindNull: // nothing is there yet
		return setMember(jsontext.Value("{}"), at, names, to)
	default:
		return nil, fmt.Errorf("%q is %s, which has no fields", at, kindNames[kind])
	}
}

// setMember is setAt for an object.
func setMember(object jsontext.Value, at jsontext.Pointer, names []string, to jsontext.Value) (jsontext.Value, error) {
	name, result, found := names[0], []byte{'{'}, false
	add := func(name string, value jsontext.Value) {
		if len(result) > 1 {
			result = append(result, ',')
		}
		result, _ = jsontext.AppendQuote(result, name) // invalid UTF-8 becomes U+FFFD, as in encoding/json
		result = slices.Concat(result, []byte{':'}, value)
	}
	for member, value := range members(object) {
		if member == name {
			found = true
			var err error
			if value, err = setAt(value, at.AppendToken(name), names[1:], to); err != nil {
				return nil, err
			}
		}
		add(member, value)
	}
	if !found {
		value, err := setAt(nil, at.AppendToken(name), names[1:], to)
		if err != nil {
			return nil, err
		}
		add(name, value)
	}
	return append(result, '}'), nil
}

// setElement is setAt for an array.
func setElement(array jsontext.Value, at jsontext.Pointer, names []string, to jsontext.Value) (jsontext.Value, error) {
	items := elements(array)
	index, err := strconv.Atoi(names[0])
	switch {
	case names[0] == "-":
		index, items = len(items), append(items, nil)
	case err != nil || strconv.Itoa(index) != names[0] || index < 0 || index >= len(items):
		return nil, fmt.Errorf("the list at %q has %d items and no item %q", at, len(items), names[0])
	}
	if items[index], err = setAt(items[index], at.AppendToken(names[0]), names[1:], to); err != nil {
		return nil, err
	}
	result := []byte{'['}
	for i, item := range items {
		if i > 0 {
			result = append(result, ',')
		}
		result = append(result, item...)
	}
	return append(result, ']'), nil
}

// elements returns the elements of a valid array.
func elements(array jsontext.Value) []jsontext.Value {
	dec := jsontext.NewDecoder(bytes.NewReader(array), lenient)
	_, err := dec.ReadToken()
	var all []jsontext.Value
	for err == nil && dec.PeekKind() != jsontext.KindEndArray {
		var value jsontext.Value
		if value, err = dec.ReadValue(); err == nil {
			all = append(all, value.Clone())
		}
	}
	return all
}
