package webhooks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// syntaxError says what is wrong with body, which is not valid JSON without duplicate names, and where. It reads body once more, a
// token at a time, as few deliveries get here.
func syntaxError(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	var event EventType
	for {
		token, err := dec.ReadToken()
		if err == nil && dec.StackDepth() == 0 && dec.InputOffset() > 0 {
			_, err = dec.ReadToken() // the value is complete, and nothing may follow
			if err == nil {
				err = errTrailing
			}
		}
		if err != nil {
			return &PayloadError{Type: event, Field: field(dec), Err: reason(err, dec, body)}
		}
		if _, members := dec.StackIndex(1); dec.StackDepth() == 1 && members%2 == 0 && token.Kind() == '"' && dec.StackPointer() == "/event" {
			event = EventType(token.String())
		}
	}
}

var errTrailing = errors.New("more than one JSON value")

// reason says what err means. The errors of jsontext quote the body, so they are not passed on.
func reason(err error, dec *jsontext.Decoder, body []byte) error {
	switch {
	case errors.Is(err, errTrailing):
		return errTrailing
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("duplicate name at byte %d", dec.InputOffset())
	case !utf8.Valid(body):
		return errors.New("invalid UTF-8")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("JSON that ends too early")
	default:
		return fmt.Errorf("invalid JSON after byte %d", dec.InputOffset())
	}
}

// field returns the JSON Pointer of the innermost documented field that dec is in.
func field(dec *jsontext.Decoder) string {
	pointer := dec.StackPointer()
	// The pointer is to the value that was read last. What comes next is a part of what that is in, unless it was a name.
	if kind, length := dec.StackIndex(dec.StackDepth()); length > 0 && (kind == '[' || length%2 == 0) {
		pointer = pointer.Parent()
	}
	var documented strings.Builder
	depth := 0
	for name := range pointer.Tokens() {
		depth++
		if kind, _ := dec.StackIndex(depth); kind == '{' && !slices.Contains(fields, name) {
			break
		}
		documented.WriteString("/" + name)
	}
	return documented.String()
}
