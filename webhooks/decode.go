package webhooks

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
)

// decoder reads a body that jsontext has found to be valid JSON. So it looks for no fault in the syntax and never meets the end of
// the body before the end of the value. It is what the generated decoders in decode.gen.go are made of: one method for each Go type
// of a field, each as tolerant as JoggAI is loose with that type.
//
// Strings are cut out of one copy of the body, so that an event costs few allocations however many fields it has.
type decoder struct {
	json    string // the copy
	pos     int    // where in json the decoder is
	escapes bool   // whether there is a backslash anywhere in json, so that strings are looked through for one
	word    string // an error code that was no number
}

// next moves to the next token and returns its first byte. Commas and colons are passed like white space: they are where they belong.
func (d *decoder) next() byte {
	for {
		switch c := d.json[d.pos]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			d.pos++
		default:
			return c
		}
	}
}

// open enters an object.
func (d *decoder) open() error {
	if d.next() != '{' {
		return d.unexpected("an object")
	}
	d.pos++
	return nil
}

// more moves to the next name of the object that it is in. If there is none, it leaves the object.
func (d *decoder) more() bool {
	if d.next() != '}' {
		return true
	}
	d.pos++
	return false
}

// list reads an array of objects.
func list[T any](d *decoder, p *[]T, element func(*T) error) error {
	return d.array(func() error {
		var v T
		if err := element(&v); err != nil {
			return err
		}
		*p = append(*p, v)
		return nil
	})
}

// array reads an array, or null, which stands for an empty one.
func (d *decoder) array(element func() error) error {
	switch d.next() {
	case 'n':
		d.literal()
		return nil
	case '[':
		d.pos++
	default:
		return d.unexpected("an array")
	}
	for i := 0; d.next() != ']'; i++ {
		if err := element(); err != nil {
			return under(strconv.Itoa(i), err)
		}
	}
	d.pos++
	return nil
}

// text reads a string. A number is kept as it is written, because ids arrive as either; null is an empty string.
func text[S ~string](d *decoder, p *S) error {
	switch d.next() {
	case '"':
		*p = S(d.quoted())
	case 'n':
		d.literal()
	case 't', 'f', '{', '[':
		return d.unexpected("a string")
	default:
		*p = S(d.literal())
	}
	return nil
}

// quoted reads the string that starts here.
func (d *decoder) quoted() string {
	start := d.pos + 1
	end := start + strings.IndexByte(d.json[start:], '"')
	if d.escapes && strings.IndexByte(d.json[start:end], '\\') >= 0 {
		d.skipQuoted()
		s, _ := jsontext.AppendUnquote(nil, d.json[start-1:d.pos]) // the error would be that it is no JSON string
		return string(s)
	}
	d.pos = end + 1
	return d.json[start:end]
}

// skipQuoted passes over the string that starts here.
func (d *decoder) skipQuoted() {
	for d.pos++; d.json[d.pos] != '"'; d.pos++ {
		if d.json[d.pos] == '\\' {
			d.pos++
		}
	}
	d.pos++
}

// literal reads the number, the boolean or the null that starts here.
func (d *decoder) literal() string {
	start := d.pos
	for d.pos < len(d.json) {
		switch d.json[d.pos] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return d.json[start:d.pos]
		}
		d.pos++
	}
	return d.json[start:]
}

// texts reads an array of strings. One string stands for an array with that string.
func (d *decoder) texts(p *[]string) error {
	if d.next() == '"' {
		*p = []string{d.quoted()}
		return nil
	}
	return d.array(func() error {
		var s string
		err := text(d, &s)
		*p = append(*p, s)
		return err
	})
}

var (
	errNotAnInteger = errors.New("not an integer of 64 bits")
	errNotANumber   = errors.New("not a number")
)

// integer reads an integer, also out of a string. null is 0.
func (d *decoder) integer(p *int64) error {
	literal, err := d.numeral()
	if err != nil || literal == "" {
		return err
	}
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
		*p = n
		return nil
	}
	// JSON may also write an integer as 1.0 or 1e3. From 2^53 on, where a float64 can stand for a neighbor too, it must not.
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return errNotAnInteger
	}
	*p = int64(f)
	return nil
}

// number reads a number, also out of a string. null is 0.
func (d *decoder) number(p *float64) error {
	literal, err := d.numeral()
	if err != nil || literal == "" {
		return err
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return errNotANumber
	}
	*p = f
	return nil
}

// numeral returns the literal of a number or the content of a string, and "" for null.
func (d *decoder) numeral() (string, error) {
	switch d.next() {
	case '"':
		s := d.quoted()
		if s == "" || strings.Trim(s, "+-.0123456789Ee") != "" { // strconv knows hexadecimal and infinity too
			return "", errNotANumber
		}
		return s, nil
	case 'n':
		d.literal()
		return "", nil
	case 't', 'f', '{', '[':
		return "", d.unexpected("a number")
	default:
		return d.literal(), nil
	}
}

// failure reads an error: an object, or words, or a bare code.
func (d *decoder) failure(p *gen.WebhookError) error {
	switch d.next() {
	case '{':
		return d.webhookError(p)
	case '"', 'n', 't', 'f', '[':
		return text(d, &p.Message)
	default:
		return d.code(&p.Code)
	}
}

// code reads the code of an error. One that is no integer is kept as the decoder's word, which complete finds a place for.
func (d *decoder) code(p *int) error {
	var s string
	if err := text(d, &s); err != nil {
		return err
	}
	if n, err := strconv.Atoi(s); err == nil {
		*p = n
	} else {
		d.word = s
	}
	return nil
}

// skip reads a value of any kind.
func (d *decoder) skip() {
	for depth := 0; ; {
		switch d.next() {
		case '{', '[':
			depth++
			d.pos++
		case '}', ']':
			depth--
			d.pos++
		case '"':
			d.skipQuoted()
		default:
			d.literal()
		}
		if depth == 0 {
			return
		}
	}
}

// unexpected says that the next value is not of the kind that is wanted.
func (d *decoder) unexpected(wanted string) error {
	var kind string
	switch d.next() {
	case 'n':
		kind = "null"
	case 't', 'f':
		kind = "a boolean"
	case '"':
		kind = "a string"
	case '{':
		kind = "an object"
	case '[':
		kind = "an array"
	default:
		kind = "a number"
	}
	return fmt.Errorf("is %s, not %s", kind, wanted)
}

// fieldError is an error in a documented field.
type fieldError struct {
	pointer string
	err     error
}

func (e *fieldError) Error() string { return e.pointer + ": " + e.err.Error() }

// under puts an error into the field name.
func under(name string, err error) error {
	if e, ok := errors.AsType[*fieldError](err); ok {
		return &fieldError{"/" + name + e.pointer, e.err}
	}
	return &fieldError{"/" + name, err}
}
