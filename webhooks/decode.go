package webhooks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
)

// decoder reads one body. It is what the generated decoders in decode.gen.go are made of: one method for each Go type of a field,
// each as tolerant as JoggAI is loose with that type. Strings are cut out of one copy of the body, so that an event costs few
// allocations however many fields it has.
type decoder struct {
	body    []byte
	text    string // the copy of body
	compact bool   // whether the compact reader reads, and not jsontext
	escapes bool   // whether there is a backslash in text
	at      int    // where in text the compact reader is
	word    string // an error code that was no number

	dec   jsontext.Decoder
	input bytes.Buffer
	used  bool // whether dec has read anything since it was reset
	start int  // where in body the input of dec starts
}

// A decoder in the pool is ready to read an input that is yet to come, since resetting one costs as much as reading a field.
var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	d.rewind(nil, 0)
	return d
}}

func newDecoder(body []byte) *decoder {
	d := decoders.Get().(*decoder)
	d.body = body
	d.text = string(body)
	d.escapes = bytes.IndexByte(body, '\\') >= 0
	d.at = 0
	return d
}

// release gives the decoder back, without the body.
func (d *decoder) release() {
	d.body, d.text, d.word = nil, "", ""
	if d.used {
		d.rewind(nil, 0)
		d.used = false
	}
	decoders.Put(d)
}

// begin makes jsontext read the body from its beginning.
func (d *decoder) begin() {
	d.compact, d.word = false, ""
	d.input, d.used = *bytes.NewBuffer(d.body), true
}

// rewind makes the decoder read input, which starts at offset start of the body.
func (d *decoder) rewind(input []byte, start int) {
	// A bytes.Buffer is what jsontext reads in place instead of copying.
	d.input = *bytes.NewBuffer(input)
	d.dec.Reset(&d.input)
	d.start = start
}

// object reads an object and calls member for each of its members, which reads the value and says whether the name is documented.
func (d *decoder) object(member func(name string) (known bool, err error)) error {
	if d.compact {
		return d.compactObject(member)
	}
	if err := d.open('{', "an object"); err != nil {
		return err
	}
	for d.dec.PeekKind() == '"' {
		literal, err := d.value()
		if err != nil {
			return err
		}
		name, err := d.unquoted(literal)
		if err != nil {
			return err
		}
		known, err := member(name)
		if err != nil && known {
			return under(name, err)
		}
		if err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

// kind returns the kind of the value that comes next.
func (d *decoder) kind() jsontext.Kind {
	if !d.compact {
		return d.dec.PeekKind()
	}
	switch c := d.next(); c {
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return '0'
	default:
		return jsontext.Kind(c)
	}
}

// value reads a value, as it is written.
func (d *decoder) value() (literal string, err error) {
	if d.compact {
		return d.compactValue()
	}
	value, err := d.dec.ReadValue()
	if err != nil {
		return "", err
	}
	end := d.start + int(d.dec.InputOffset())
	return d.text[end-len(value) : end], nil
}

// list reads an array of objects.
func list[T any](d *decoder, p *[]T, element func(*T) error) error {
	return d.array(func() error {
		var zero T
		*p = append(*p, zero)
		return element(&(*p)[len(*p)-1]) // in place: a variable of its own would be allocated for each element
	})
}

// array reads an array, or null, which stands for an empty one.
func (d *decoder) array(element func() error) error {
	if d.kind() == 'n' {
		_, err := d.value()
		return err
	}
	if d.compact {
		return d.compactArray(element)
	}
	if err := d.open('[', "an array"); err != nil {
		return err
	}
	for i := 0; ; i++ {
		switch d.dec.PeekKind() {
		case ']', 0: // 0 stands for a syntax error or the end of the input, which ReadToken reports
			_, err := d.dec.ReadToken()
			return err
		}
		if err := element(); err != nil {
			return under(strconv.Itoa(i), err)
		}
	}
}

// text reads a string. A number is kept as it is written, because ids arrive as either; null is an empty string.
func text[S ~string](d *decoder, p *S) error {
	literal, err := d.value()
	if err != nil {
		return err
	}
	switch literal[0] {
	case 't', 'f', '{', '[':
		return unexpected(literal, "a string")
	}
	s, err := d.unquoted(literal)
	*p = S(s)
	return err
}

// unquoted returns the value of a JSON string, the literal of a JSON number, and "" for null.
func (d *decoder) unquoted(literal string) (string, error) {
	switch {
	case literal[0] == 'n':
		return "", nil
	case literal[0] != '"':
		return literal, nil
	case d.escapes && strings.IndexByte(literal, '\\') >= 0:
		s, err := jsontext.AppendUnquote(nil, literal)
		return string(s), err
	}
	return literal[1 : len(literal)-1], nil
}

// texts reads an array of strings. One string stands for an array with that string.
func (d *decoder) texts(p *[]string) error {
	if d.kind() == '"' {
		var s string
		if err := text(d, &s); err != nil {
			return err
		}
		*p = []string{s}
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
	literal, err := d.value()
	if err != nil {
		return "", err
	}
	switch literal[0] {
	case 't', 'f', '{', '[':
		return "", unexpected(literal, "a number")
	}
	s, err := d.unquoted(literal)
	if literal[0] == '"' && (s == "" || strings.Trim(s, "+-.0123456789Ee") != "") { // strconv knows hexadecimal and infinity too
		return "", errNotANumber
	}
	return s, err
}

// failure reads an error: an object, or words, or a bare code.
func (d *decoder) failure(p *gen.WebhookError) error {
	switch d.kind() {
	case '{':
		return d.webhookError(p)
	case '0':
		return d.code(&p.Code)
	default:
		return text(d, &p.Message)
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

// raw returns the next value as it stands in the body, and where it starts. null is nil.
func (d *decoder) raw() ([]byte, int, error) {
	if d.compact {
		return nil, 0, errNotCompact
	}
	value, err := d.dec.ReadValue()
	if err != nil || value[0] == 'n' {
		return nil, 0, err
	}
	end := d.start + int(d.dec.InputOffset())
	start := end - len(value)
	return d.body[start:end:end], start, nil
}

func (d *decoder) skip() error {
	if d.compact {
		return d.compactSkip(deepest)
	}
	return d.dec.SkipValue()
}

// end makes sure that nothing follows the value that was read.
func (d *decoder) end() error {
	if d.compact {
		if d.at < len(d.text) {
			return errNotCompact
		}
		return nil
	}
	_, err := d.dec.ReadToken()
	switch {
	case err == nil:
		return errTrailing
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

var errTrailing = errors.New("more than one JSON value")

// open reads the beginning of an object or an array.
func (d *decoder) open(kind jsontext.Kind, name string) error {
	token, err := d.dec.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != kind {
		return fmt.Errorf("is %s, not %s", kindNames[token.Kind()], name)
	}
	return nil
}

// unexpected says that a value is not of the kind that is wanted.
func unexpected(literal, wanted string) error {
	return fmt.Errorf("is %s, not %s", kindNames[jsontext.Value(literal[:1]).Kind()], wanted)
}

var kindNames = map[jsontext.Kind]string{
	'n': "null", 't': "a boolean", 'f': "a boolean", '0': "a number", '"': "a string", '{': "an object", '[': "an array",
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

// payloadError makes a PayloadError of what a decoder returned. The errors of jsontext quote the body, so they are not passed on.
func (d *decoder) payloadError(t EventType, err error) error {
	e := &PayloadError{Type: t, Err: err}
	if field, ok := errors.AsType[*fieldError](err); ok {
		e.Field, e.Err = field.pointer, field.err
	}
	if !isJSONError(e.Err) {
		return e
	}
	switch offset := d.start + int(d.dec.InputOffset()); {
	case errors.Is(e.Err, jsontext.ErrDuplicateName):
		e.Err = fmt.Errorf("duplicate name at byte %d", offset)
	case !utf8.Valid(d.body):
		e.Err = errors.New("invalid UTF-8")
	case errors.Is(e.Err, io.ErrUnexpectedEOF), errors.Is(e.Err, io.EOF):
		e.Err = errors.New("JSON that ends too early")
	default:
		e.Err = fmt.Errorf("invalid JSON after byte %d", offset)
	}
	return e
}

func isJSONError(err error) bool {
	_, syntactic := errors.AsType[*jsontext.SyntacticError](err)
	return syntactic || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}
