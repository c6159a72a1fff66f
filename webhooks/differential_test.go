package webhooks_test

import (
	"bytes"
	"cmp"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// agree checks Parse against two generic JSON decoders. Parse must reject what either of them rejects. What Parse accepts, it must decode
// to the same values; and it must decode the event's Raw, and the body as re-encoded by encoding/json/v2, to the same event. agree returns
// the event, if any.
func agree(t testing.TB, body []byte) (ev webhooks.Event, accepted bool) {
	t.Helper()
	ev, err := webhooks.Parse(body)
	if err != nil {
		if payloadErr, ok := errors.AsType[*webhooks.PayloadError](err); !ok || payloadErr.Err == nil {
			t.Errorf("%.200q returned %#v, which is not a complete PayloadError", body, err)
		}
		if !same(ev, webhooks.Event{}) {
			t.Errorf("%.200q was rejected, but returned %+v", body, ev)
		}
		return webhooks.Event{}, false
	}
	if !stdjson.Valid(body) {
		t.Fatalf("%.200q is invalid for encoding/json, but was accepted", body)
	}
	var anything any
	if err := json.Unmarshal(body, &anything); err != nil && !errors.Is(err, strconv.ErrRange) { // 1e999 is valid, but beyond float64
		t.Fatalf("%.200q was accepted, but not by encoding/json/v2: %v", body, err)
	}
	envelope, err := decodeLiterals(body)
	if err != nil {
		t.Fatalf("%.200q was accepted, but not by encoding/json/v2: %v", body, err)
	}
	if !bytes.Equal(ev.Raw, body) {
		t.Errorf("the Raw of %.200q is %.200q", body, ev.Raw)
	}
	checkEnvelope(t, ev, envelope)
	checkReparsed(t, ev, envelope)
	return ev, true
}

// number is the literal of a JSON number.
type number string

func (n number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// decodeLiterals decodes a JSON object strictly, and keeps the literals of its numbers.
func decodeLiterals(body []byte) (map[string]any, error) {
	var object map[string]any
	err := json.Unmarshal(body, &object, json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *any) error {
		if dec.PeekKind() != '0' {
			return errors.ErrUnsupported // use the default
		}
		literal, err := dec.ReadValue()
		*v = number(literal)
		return err
	})))
	return object, err
}

func checkEnvelope(t testing.TB, ev webhooks.Event, envelope map[string]any) {
	t.Helper()
	if want, _ := envelope["event"].(string); string(ev.Type) != want {
		t.Errorf("the event is %q, but was read as %q", want, ev.Type)
	}
	e := &expectation{problems: map[string]bool{}}
	if want := e.value(reflect.TypeFor[string](), envelope["event_id"], "/event_id"); ev.ID != want.Interface() {
		t.Errorf("the id is %q, but was read as %q", want, ev.ID)
	}
	if want := e.value(reflect.TypeFor[time.Time](), envelope["timestamp"], "/timestamp"); !reflect.DeepEqual(ev.Time, want.Interface()) {
		t.Errorf("the timestamp is %v, but was read as %v", want, ev.Time)
	}
	checkData(t, ev, envelope["data"], e)
	reported := map[string]bool{}
	for _, problem := range ev.Problems {
		reported[problem.Field] = true
	}
	if !maps.Equal(reported, e.problems) {
		t.Errorf("the problems are %v, but were reported as %v", e.problems, reported)
	}
}

func checkData(t testing.TB, ev webhooks.Event, data any, e *expectation) {
	t.Helper()
	switch v := ev.Data.(type) {
	case *webhooks.Unknown:
		checkUnknown(t, ev, v, data)
	case *webhooks.Undecodable:
		checkUndecodable(t, ev, v, data, e)
	default:
		object, ok := data.(map[string]any)
		if !ok {
			t.Fatalf("the data is %v, but was read as %+v", data, ev.Data)
		}
		got := reflect.ValueOf(ev.Data).Elem()
		want := e.value(got.Type(), object, "/data")
		if !reflect.DeepEqual(got.Interface(), want.Interface()) {
			t.Errorf("the data of %s is %#v, but was read as %#v", ev.Type, want, got)
		}
	}
}

// identifyingFields are the fields that identify what an event is about.
var identifyingFields = []string{"video_id", "project_id", "avatar_id", "task_id", "photo_id", "motion_id"}

// checkUndecodable checks that the data is not an object, or that its identifying field is zero.
func checkUndecodable(t testing.TB, ev webhooks.Event, undecodable *webhooks.Undecodable, data any, e *expectation) {
	t.Helper()
	if !ev.Type.Known() || undecodable.Err == nil || undecodable.Err.Type != ev.Type || undecodable.Err.Err == nil {
		t.Errorf("%s was read as undecodable for %#v", ev.Type, undecodable.Err)
	}
	object, ok := data.(map[string]any)
	if !ok {
		return
	}
	kind := reflect.TypeOf(document(ev.Type).want.Data).Elem()
	want := e.value(kind, object, "/data")
	name := strings.TrimPrefix(undecodable.Err.Field, "/data/")
	field, ok := kind.FieldByNameFunc(func(n string) bool {
		f, _ := kind.FieldByName(n)
		return jsonName(f) == name
	})
	if !ok || !slices.Contains(identifyingFields, name) || !want.FieldByIndex(field.Index).IsZero() {
		t.Errorf("%s was read as undecodable for %s, where the data is %#v", ev.Type, undecodable.Err.Field, want)
	}
}

func checkUnknown(t testing.TB, ev webhooks.Event, unknown *webhooks.Unknown, data any) {
	t.Helper()
	if ev.Type.Known() {
		t.Errorf("%s was read as an unknown event", ev.Type)
	}
	if data == nil {
		if unknown.Data != nil {
			t.Errorf("the data is null, but was read as %q", unknown.Data)
		}
		return
	}
	envelope, err := decodeLiterals([]byte(`{"data":` + string(unknown.Data) + `}`))
	if err != nil || !reflect.DeepEqual(envelope["data"], data) {
		t.Errorf("the data is %v, but was read as %q", data, unknown.Data)
	}
}

func checkReparsed(t testing.TB, ev webhooks.Event, envelope map[string]any) {
	t.Helper()
	again, err := webhooks.Parse(ev.Raw)
	if err != nil || !same(again, ev) {
		t.Errorf("parsing Raw again gave %+v, %v instead of %+v", again, err, ev)
	}
	rewritten, err := json.Marshal(envelope) // in varying order
	if err != nil {
		t.Fatal(err)
	}
	again, err = webhooks.Parse(rewritten)
	if err != nil {
		t.Fatalf("%.200q was accepted, but not re-encoded as %.200q: %v", ev.Raw, rewritten, err)
	}
	again.Raw, again.Data = ev.Raw, withoutRaw(again.Data)
	sortProblems(ev.Problems, again.Problems)
	ev.Data = withoutRaw(ev.Data)
	if !same(again, ev) {
		t.Errorf("%.200q\nwas decoded to %+v with %+v, but re-encoded as\n%.200q\nto %+v with %+v", ev.Raw, ev, ev.Data, rewritten, again, again.Data)
	}
}

// same reports whether two events are equal. Their problems are compared as structs, not as errors.
func same(a, b webhooks.Event) bool { return reflect.DeepEqual(any(a), any(b)) }

// withoutRaw returns data without its slices of the body.
func withoutRaw(data webhooks.Data) webhooks.Data {
	switch v := data.(type) {
	case *webhooks.Unknown:
		return &webhooks.Unknown{}
	case *webhooks.Undecodable:
		return &webhooks.Undecodable{Err: v.Err}
	default:
		return data
	}
}

// sortProblems sorts each list, because the order of problems is that of the body.
func sortProblems(lists ...[]*webhooks.PayloadError) {
	for _, problems := range lists {
		slices.SortFunc(problems, func(a, b *webhooks.PayloadError) int { return strings.Compare(a.Field, b.Field) })
	}
}

// expectation is an independent implementation of the decoding rules, driven by the Go types alone.
type expectation struct {
	problems map[string]bool // JSON Pointers of the mismatches
}

// fallbacks maps fields to those that they take their value from if they are missing.
var fallbacks = map[string]string{"video_id": "project_id"}

// value returns the Go value that a JSON value is decoded to.
func (e *expectation) value(t reflect.Type, sent any, pointer string) reflect.Value {
	v := reflect.New(t).Elem()
	if sent == nil || e.set(v, sent, pointer) {
		return v
	}
	e.problems[pointer] = true
	return reflect.Zero(t)
}

// set sets v, or returns false on a mismatch.
func (e *expectation) set(v reflect.Value, sent any, pointer string) bool {
	switch target := v.Addr().Interface().(type) {
	case *time.Time:
		return setTime(target, sent)
	case *gen.WebhookError:
		return e.setFailure(target, sent, pointer)
	}
	object, isObject := sent.(map[string]any)
	array, isArray := sent.([]any)
	if s, ok := sent.(string); ok && (v.CanFloat() || v.CanInt() || v.CanUint()) {
		if s = strings.TrimSpace(s); s == "" {
			return true
		}
		sent = s
	}
	switch v.Kind() {
	case reflect.Struct:
		return isObject && e.setStruct(v, object, pointer)
	case reflect.Slice:
		if s, ok := sent.(string); ok && v.Type().Elem().Kind() == reflect.String {
			array, isArray = []any{s}, true
		}
		for i, element := range array {
			v.Set(reflect.Append(v, e.value(v.Type().Elem(), element, fmt.Sprintf("%s/%d", pointer, i))))
		}
		return isArray
	case reflect.String:
		if _, ok := sent.(bool); ok || isObject || isArray {
			return false
		}
		v.SetString(text(sent))
		return true
	case reflect.Bool:
		b, ok := map[string]bool{"true": true, "1": true, "false": false, "0": false, "": false}[fmt.Sprint(sent)]
		v.SetBool(b)
		return ok
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text(sent), 64)
		if !isNumeral(sent) || err != nil || v.OverflowFloat(f) {
			return false
		}
		v.SetFloat(f)
		return true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := exactly(text(sent))
		if !isNumeral(sent) || !ok || v.OverflowInt(n) {
			return false
		}
		v.SetInt(n)
		return true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := exactly(text(sent))
		if !isNumeral(sent) || !ok || n < 0 || v.OverflowUint(uint64(n)) {
			return false
		}
		v.SetUint(uint64(n))
		return true
	case reflect.Map:
		for name, value := range object {
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			v.SetMapIndex(reflect.ValueOf(name), e.value(v.Type().Elem(), value, pointer+"/"+name))
		}
		return isObject
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		v.Elem().Set(e.value(v.Type().Elem(), sent, pointer))
		return true
	case reflect.Interface:
		encoded, err := json.Marshal(sent)
		return err == nil && json.Unmarshal(encoded, v.Addr().Interface()) == nil
	}
	panic("no rule for " + v.Type().String())
}

func (e *expectation) setStruct(v reflect.Value, object map[string]any, pointer string) bool {
	for i := range v.NumField() {
		if name := jsonName(v.Type().Field(i)); name != "-" {
			v.Field(i).Set(e.value(v.Field(i).Type(), object[name], pointer+"/"+name))
		}
	}
	for i := range v.NumField() {
		field, name := v.Field(i), jsonName(v.Type().Field(i))
		if from, ok := fallbacks[name]; ok && field.IsZero() {
			field.Set(fieldNamed(v, from))
		}
		if failure, ok := reflect.TypeAssert[*gen.WebhookError](field.Addr()); ok {
			failure.Message = cmp.Or(failure.Message, fieldNamed(v, "err_msg").String(), failure.CodeWord)
		}
	}
	return true
}

// setFailure accepts an object, a message, or a code.
func (e *expectation) setFailure(failure *gen.WebhookError, sent any, pointer string) bool {
	setCode := func(sent any) {
		if n, ok := exactly(text(sent)); ok {
			failure.Code = int(n)
		} else {
			failure.CodeWord = text(sent)
		}
	}
	switch sent := sent.(type) {
	case string:
		failure.Message = sent
	case number:
		setCode(sent)
	case map[string]any:
		failure.Message = e.value(reflect.TypeFor[string](), sent["message"], pointer+"/message").String()
		e.value(reflect.TypeFor[string](), sent["code"], pointer+"/code") // to record a mismatch
		setCode(sent["code"])
	default:
		return false
	}
	return true
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

func fieldNamed(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if jsonName(v.Type().Field(i)) == name {
			return v.Field(i)
		}
	}
	panic("no field " + name)
}

// text returns a string, or the literal of a number.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case number:
		return string(v)
	}
	return ""
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// isNumeral reports whether a value is a number, or a string that contains one.
func isNumeral(v any) bool { return jsonNumber.MatchString(text(v)) }

// exactly returns the value of a number in any notation, if it is a 64-bit integer.
func exactly(number string) (int64, bool) {
	if !jsonNumber.MatchString(number) || len(number) > 400 || hugeExponent.MatchString(number) {
		n, err := strconv.ParseInt(number, 10, 64)
		return n, err == nil
	}
	n, ok := new(big.Rat).SetString(number)
	if !ok || !n.IsInt() || !n.Num().IsInt64() {
		return 0, false
	}
	return n.Num().Int64(), true
}

// hugeExponent matches numbers that would take math/big a lot of memory. None of them is a 64-bit integer.
var hugeExponent = regexp.MustCompile(`[1-9].*[eE][+-]?0*[1-9][0-9]{3,}$`)

// setTime accepts Unix time in seconds, milliseconds, microseconds or nanoseconds, as a number or in a string, and RFC 3339.
func setTime(t *time.Time, sent any) bool {
	s := text(sent)
	if s == "" {
		_, ok := sent.(string)
		return ok
	}
	n, ok := exactly(s)
	if !ok || !isNumeral(sent) {
		return setUnusualTime(t, sent)
	}
	for unit, from := time.Second, int64(1e11); n > 0; unit, from = unit/1000, from*1000 {
		if n < from || unit == time.Nanosecond {
			*t = time.Unix(0, 0).Add(time.Duration(n%int64(time.Second/unit)) * unit).UTC()
			*t = time.Unix(n/int64(time.Second/unit), int64(t.Nanosecond())).UTC()
			return true
		}
	}
	return n == 0
}

// setUnusualTime accepts Unix seconds with a fraction, and RFC 3339.
func setUnusualTime(t *time.Time, sent any) bool {
	s := text(sent)
	if isNumeral(sent) {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f <= 0 || f >= 1e11 {
			return false
		}
		*t = time.UnixMicro(int64(math.Round(f * 1e6))).UTC()
		return true
	}
	var err error
	*t, err = time.Parse(time.RFC3339, s)
	return err == nil
}
