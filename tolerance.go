package jogg

import (
	"encoding"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
)

// FieldProblem is a field of an answer that did not fit the contract. The field has its zero value, and everything around it was decoded.
type FieldProblem struct {
	// Pointer says where the field stands in the answer, envelope included, as a JSON Pointer (RFC 6901) such as /data/total_submitted. In a
	// list, the number is the item's index.
	Pointer string
	// Err says which kind of value was expected and which one came. It quotes nothing of the answer.
	Err error
}

// String returns the pointer and what is wrong there.
func (p FieldProblem) String() string { return p.Pointer + ": " + p.Err.Error() }

// maxProblems bounds how many problems of one answer are kept.
const maxProblems = 100

// tolerance decodes answers that do not keep to the contract: what is understood in another form is converted, what is not is left out and
// noted. It serves one answer.
type tolerance struct {
	problems []FieldProblem
}

func (t *tolerance) options() json.Options {
	return json.JoinOptions(asSent, json.WithUnmarshalers(json.UnmarshalFromFunc(t.decode)))
}

// decode decodes the next value into target, a pointer, where their kinds differ. All else is left to the usual rules, which come back here
// for each field of an object and each element of an array, so that a problem costs no more than the field it is in.
func (t *tolerance) decode(dec *jsontext.Decoder, target any) error {
	kind := dec.PeekKind()
	if kind == jsontext.KindNull || kind == jsontext.KindInvalid {
		return errors.ErrUnsupported
	}
	switch target := target.(type) {
	case json.UnmarshalerFrom, *jsontext.Value:
		return errors.ErrUnsupported // they take any value
	case *gen.TaskFailure:
		return t.failure(dec, target)
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return t.salvage(dec, target)
	}
	switch field := reflect.ValueOf(target).Elem(); field.Kind() {
	case reflect.Struct, reflect.Map:
		return t.want(dec, jsontext.KindBeginObject)
	case reflect.Slice:
		return t.list(dec, field)
	case reflect.String:
		return t.text(dec, field)
	case reflect.Bool:
		return t.boolean(dec, field)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return t.integer(dec, field)
	case reflect.Float32, reflect.Float64:
		return t.number(dec, field)
	default:
		return errors.ErrUnsupported
	}
}

// want leaves a value of the kind to the usual rules, and any other out.
func (t *tolerance) want(dec *jsontext.Decoder, kind jsontext.Kind) error {
	if dec.PeekKind() == kind {
		return errors.ErrUnsupported
	}
	return t.leaveOut(dec, kind)
}

func (t *tolerance) leaveOut(dec *jsontext.Decoder, expected jsontext.Kind) error {
	got := dec.PeekKind()
	if err := dec.SkipValue(); err != nil {
		return err
	}
	t.note(dec.StackPointer(), fmt.Errorf("expected %s, got %s", kindNames[expected], kindNames[got]))
	return nil
}

var kindNames = map[jsontext.Kind]string{
	jsontext.KindBeginObject: "an object", jsontext.KindBeginArray: "an array", jsontext.KindString: "a string", jsontext.KindNumber: "a number",
	jsontext.KindTrue: "a boolean", jsontext.KindFalse: "a boolean",
}

// note keeps a problem. Those near the top decide whether the answer is of use, so they are kept however many there are below.
func (t *tolerance) note(at jsontext.Pointer, err error) {
	pointer := string(at)
	if len(t.problems) >= maxProblems && strings.Count(pointer, "/") > 2 || t.lost(pointer) {
		return
	}
	t.problems = append(t.problems, FieldProblem{Pointer: pointer, Err: err})
}

// lost tells whether the field at the pointer did not fit.
func (t *tolerance) lost(pointer string) bool {
	return slices.ContainsFunc(t.problems, func(p FieldProblem) bool { return p.Pointer == pointer })
}

// list accepts one text for a list of texts.
func (t *tolerance) list(dec *jsontext.Decoder, field reflect.Value) error {
	if dec.PeekKind() != jsontext.KindString || field.Type() != reflect.TypeFor[[]string]() {
		return t.want(dec, jsontext.KindBeginArray)
	}
	token, err := dec.ReadToken()
	if err == nil {
		field.Set(reflect.ValueOf([]string{token.String()}))
	}
	return err
}

// text accepts a number or a boolean for a text, and an object or an array where the text is the reason for a failure.
func (t *tolerance) text(dec *jsontext.Decoder, field reflect.Value) error {
	switch dec.PeekKind() {
	case jsontext.KindString:
		return errors.ErrUnsupported
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		got := dec.PeekKind()
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		at := dec.StackPointer()
		if !isReason(at.LastToken()) {
			t.note(at, fmt.Errorf("expected a string, got %s", kindNames[got]))
			return nil
		}
		field.SetString(words(value))
		return nil
	}
	token, err := dec.ReadToken()
	if err == nil {
		field.SetString(token.String())
	}
	return err
}

// isReason tells by the name of a text whether it says why something failed.
func isReason(name string) bool {
	return strings.HasSuffix(name, "msg") || strings.HasSuffix(name, "message") || name == "error" || name == "reason" || name == "detail"
}

// boolean accepts 0, 1 and words for a boolean. An empty text stands for false.
func (t *tolerance) boolean(dec *jsontext.Decoder, field reflect.Value) error {
	return t.scalar(dec, jsontext.KindTrue, func(s string) error {
		if s == "" {
			return nil
		}
		value, err := strconv.ParseBool(strings.ToLower(s))
		field.SetBool(value)
		return err
	})
}

// integer accepts a text for a whole number, and RFC 3339 for a time in Unix seconds.
func (t *tolerance) integer(dec *jsontext.Decoder, field reflect.Value) error {
	return t.scalar(dec, jsontext.KindNumber, func(s string) error {
		n, err := parseInteger(s)
		if err != nil && field.Kind() == reflect.Int64 {
			var at time.Time
			if at, err = time.Parse(time.RFC3339, s); err == nil {
				n = at.Unix()
			}
		}
		if err != nil || field.OverflowInt(n) {
			return errNotANumber
		}
		field.SetInt(n)
		return nil
	})
}

// number accepts a text for a number.
func (t *tolerance) number(dec *jsontext.Decoder, field reflect.Value) error {
	return t.scalar(dec, jsontext.KindNumber, func(s string) error {
		f, err := parseFloat(s)
		if err != nil || field.OverflowFloat(f) {
			return errNotANumber
		}
		field.SetFloat(f)
		return nil
	})
}

// scalar reads a string, a number or, where that is expected, a boolean, and hands it on as a text. A value that is not taken is left out.
func (t *tolerance) scalar(dec *jsontext.Decoder, expected jsontext.Kind, take func(string) error) error {
	got := dec.PeekKind()
	switch {
	case got == jsontext.KindString || got == jsontext.KindNumber:
	case kindNames[got] == kindNames[expected]: // a boolean where one is expected
		return errors.ErrUnsupported
	default:
		return t.leaveOut(dec, expected)
	}
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if take(strings.TrimSpace(token.String())) != nil {
		t.note(dec.StackPointer(), fmt.Errorf("expected %s, got %s that stands for none of its kind", kindNames[expected], kindNames[got]))
	}
	return nil
}

// failure decodes the reason of a failure, in whatever form it comes.
func (t *tolerance) failure(dec *jsontext.Decoder, target *gen.TaskFailure) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var failure gen.TaskFailure
	switch value.Kind() {
	case jsontext.KindBeginObject:
		type plain gen.TaskFailure // which does not come back here
		_ = json.Unmarshal(value, (*plain)(&failure), new(tolerance).options())
		if failure.Message == "" {
			failure.Message = words(value)
		}
	case jsontext.KindNumber:
		failure.Code = text(value)
	case jsontext.KindTrue:
		failure.Message = "true"
	default:
		failure.Message = words(value)
	}
	*target = failure
	return nil
}

// salvage decodes a type that has rules of its own. Where they refuse an object, its members are tried one by one, and those that are at
// fault left out.
func (t *tolerance) salvage(dec *jsontext.Decoder, target any) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if json.Unmarshal(value, target, asSent) == nil {
		return nil
	}
	at, field := dec.StackPointer(), reflect.ValueOf(target).Elem()
	field.SetZero()
	if value.Kind() != jsontext.KindBeginObject {
		t.note(at, fmt.Errorf("%s is not accepted", kindNames[value.Kind()]))
		return nil
	}
	kept := []byte{'{'}
	for name, member := range members(value) {
		quoted, _ := jsontext.AppendQuote(nil, name)
		pair := slices.Concat(quoted, []byte{':'}, member)
		if json.Unmarshal(slices.Concat([]byte{'{'}, pair, []byte{'}'}), reflect.New(field.Type()).Interface(), asSent) != nil {
			t.note(at.AppendToken(name), fmt.Errorf("%s is not accepted", kindNames[member.Kind()]))
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(kept, pair...)
	}
	if json.Unmarshal(append(kept, '}'), target, asSent) != nil {
		field.SetZero()
		t.note(at, errors.New("the object is not accepted"))
	}
	return nil
}

// members ranges over the members of a valid object.
func members(object jsontext.Value) func(yield func(string, jsontext.Value) bool) {
	return func(yield func(string, jsontext.Value) bool) {
		dec := jsontext.NewDecoder(strings.NewReader(string(object)), asSent)
		_, err := dec.ReadToken()
		for err == nil && dec.PeekKind() == jsontext.KindString {
			name, _ := dec.ReadToken()
			text := name.String()
			var value jsontext.Value
			if value, err = dec.ReadValue(); err == nil && !yield(text, value) {
				return
			}
		}
	}
}

var errNotANumber = errors.New("not a number of this kind")

// parseInteger reads a whole number in any spelling that JSON has for it, exactly. An empty text stands for none.
func parseInteger(number string) (int64, error) {
	if number == "" {
		return 0, nil
	}
	if !isNumber(number) {
		return 0, errNotANumber
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return n, nil
	}
	// Like 1.0 or 1e3. More than three digits of an exponent only cost memory: no such number is an integer of 64 bits, unless it is zero.
	if _, exponent, _ := strings.Cut(strings.ToLower(number), "e"); len(exponent) > len("+123") {
		return 0, errNotANumber
	}
	exact, ok := new(big.Rat).SetString(number)
	if !ok || !exact.IsInt() || !exact.Num().IsInt64() {
		return 0, errNotANumber
	}
	return exact.Num().Int64(), nil
}

// isNumber reports whether a text is a number as JSON writes it. strconv knows more: hexadecimal, underscores and infinity.
func isNumber(text string) bool {
	value := jsontext.Value(text)
	return value.Kind() == jsontext.KindNumber && value.IsValid()
}

// parseFloat reads a finite number. An empty text stands for none.
func parseFloat(number string) (float64, error) {
	if number == "" {
		return 0, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !isNumber(number) {
		return 0, errNotANumber
	}
	return f, nil
}
