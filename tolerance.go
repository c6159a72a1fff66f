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

// FieldProblem is a field of a response that did not fit the contract. The field has its zero value, and everything around it was decoded.
type FieldProblem struct {
	// Pointer is the location of the field in the response, envelope included, as a JSON Pointer (RFC 6901) such as /data/total_submitted.
	// In a list, the number is the item's index.
	Pointer string
	// Err says which kind of value was expected and which one arrived. It quotes nothing of the response.
	Err error
}

// String returns the pointer and the problem.
func (p FieldProblem) String() string { return p.Pointer + ": " + p.Err.Error() }

// maxProblems bounds how many problems of one response are kept.
const maxProblems = 100

// tolerance decodes a response that does not keep to the contract. It converts values that arrive in another form, and skips and records
// those that it cannot convert. It is used for one response.
type tolerance struct {
	problems []FieldProblem
}

func (t *tolerance) options() json.Options {
	return json.JoinOptions(lenient, json.WithUnmarshalers(json.UnmarshalFromFunc(t.decode)))
}

// decode decodes the next value into target, a pointer, if their kinds differ. Everything else is left to the default rules, which call
// decode again for each field of an object and each element of an array. A problem therefore costs no more than the field it is in.
func (t *tolerance) decode(dec *jsontext.Decoder, target any) error {
	kind := dec.PeekKind()
	if kind == jsontext.KindNull || kind == jsontext.KindInvalid {
		return errors.ErrUnsupported
	}
	switch target := target.(type) {
	case json.UnmarshalerFrom, *jsontext.Value:
		return errors.ErrUnsupported // they accept any value
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

// want leaves a value of the kind to the default rules, and skips any other.
func (t *tolerance) want(dec *jsontext.Decoder, kind jsontext.Kind) error {
	if dec.PeekKind() == kind {
		return errors.ErrUnsupported
	}
	return t.skip(dec, kind)
}

func (t *tolerance) skip(dec *jsontext.Decoder, expected jsontext.Kind) error {
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

// note records a problem. Problems near the top decide whether the response is usable, so they are kept however many there are below.
func (t *tolerance) note(at jsontext.Pointer, err error) {
	pointer := string(at)
	if len(t.problems) >= maxProblems && strings.Count(pointer, "/") > 2 || t.lost(pointer) {
		return
	}
	t.problems = append(t.problems, FieldProblem{Pointer: pointer, Err: err})
}

// lost reports whether the field at the pointer did not fit.
func (t *tolerance) lost(pointer string) bool {
	return slices.ContainsFunc(t.problems, func(p FieldProblem) bool { return p.Pointer == pointer })
}

// list accepts one string for a list of strings.
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

// text accepts a number or a boolean for a string, and an object or an array if the string is a failure reason.
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

// isReason reports whether a string is a failure reason, judging by its name.
func isReason(name string) bool {
	return strings.HasSuffix(name, "msg") || strings.HasSuffix(name, "message") || name == "error" || name == "reason" || name == "detail"
}

// boolean accepts 0, 1 and words for a boolean. An empty string means false.
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

// integer accepts a string for an integer, and RFC 3339 for a time in Unix seconds.
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

// number accepts a string for a number.
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

// scalar passes a string or a number to take, as text. A boolean is left to the default rules if one is expected. Other kinds, and values
// for which take returns an error, are skipped and recorded.
func (t *tolerance) scalar(dec *jsontext.Decoder, expected jsontext.Kind, take func(string) error) error {
	got := dec.PeekKind()
	switch {
	case got == jsontext.KindString || got == jsontext.KindNumber:
	case kindNames[got] == kindNames[expected]: // a boolean where one is expected
		return errors.ErrUnsupported
	default:
		return t.skip(dec, expected)
	}
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if take(strings.TrimSpace(token.String())) != nil {
		t.note(dec.StackPointer(), fmt.Errorf("expected %s, got %s that cannot be converted", kindNames[expected], kindNames[got]))
	}
	return nil
}

// failure decodes a failure reason in whatever form it comes.
func (t *tolerance) failure(dec *jsontext.Decoder, target *gen.TaskFailure) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	var failure gen.TaskFailure
	switch value.Kind() {
	case jsontext.KindBeginObject:
		type plain gen.TaskFailure // a type for which decode does not call failure again
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

// salvage decodes a type with its own unmarshaler. If that rejects an object, the members are tried one by one, and those at fault are
// skipped.
func (t *tolerance) salvage(dec *jsontext.Decoder, target any) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if json.Unmarshal(value, target, lenient) == nil {
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
		if json.Unmarshal(slices.Concat([]byte{'{'}, pair, []byte{'}'}), reflect.New(field.Type()).Interface(), lenient) != nil {
			t.note(at.AppendToken(name), fmt.Errorf("%s is not accepted", kindNames[member.Kind()]))
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(kept, pair...)
	}
	if json.Unmarshal(append(kept, '}'), target, lenient) != nil {
		field.SetZero()
		t.note(at, errors.New("the object is not accepted"))
	}
	return nil
}

// members iterates over the members of a valid object.
func members(object jsontext.Value) func(yield func(string, jsontext.Value) bool) {
	return func(yield func(string, jsontext.Value) bool) {
		dec := jsontext.NewDecoder(strings.NewReader(string(object)), lenient)
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

// parseInteger parses an integer in any spelling that JSON has for it, exactly. An empty string means 0.
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
	// Like 1.0 or 1e3. Longer exponents than three digits only cost memory: no such number is a 64-bit integer, unless it is zero.
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	if strings.Trim(mantissa, "-0.") == "" {
		return 0, nil
	}
	if len(exponent) > len("+123") {
		return 0, errNotANumber
	}
	exact, ok := new(big.Rat).SetString(number)
	if !ok || !exact.IsInt() || !exact.Num().IsInt64() {
		return 0, errNotANumber
	}
	return exact.Num().Int64(), nil
}

// isNumber reports whether a text is a JSON number. strconv accepts more: hexadecimal, underscores and infinity.
func isNumber(text string) bool {
	value := jsontext.Value(text)
	return value.Kind() == jsontext.KindNumber && value.IsValid()
}

// parseFloat parses a finite number. An empty string means 0.
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
