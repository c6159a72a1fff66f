package webhooks_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// checkCompact checks what Parse made of body against what it makes without the compact reader.
func checkCompact(t testing.TB, body []byte, ev webhooks.Event, err error) {
	t.Helper()
	want, wantErr := webhooks.ParseByJSONText(body)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(ev, want) {
		t.Fatalf("%.300q gave %+v, %v, but without the compact reader %+v, %v", body, ev, err, want, wantErr)
	}
}

// agree checks Parse against two decoders that know nothing of events. What either of them finds invalid, Parse refuses; what Parse
// accepts, it read as they did, and it reads the same from the event's Raw and from the body written anew by encoding/json/v2.
// agree returns the event if there is one.
func agree(t testing.TB, body []byte) (ev webhooks.Event, accepted bool) {
	t.Helper()
	ev, err := webhooks.Parse(body)
	checkCompact(t, body, ev, err)
	if err != nil {
		if refused, ok := errors.AsType[*webhooks.PayloadError](err); !ok || refused.Err == nil {
			t.Errorf("%.200q gave %#v, which is no complete PayloadError", body, err)
		}
		if !reflect.DeepEqual(ev, webhooks.Event{}) {
			t.Errorf("%.200q was refused and yet gave %+v", body, ev)
		}
		return webhooks.Event{}, false
	}
	if !stdjson.Valid(body) {
		t.Fatalf("%.200q is invalid for encoding/json, but was accepted", body)
	}
	var anything any
	if err := json.Unmarshal(body, &anything); err != nil && !errors.Is(err, strconv.ErrRange) { // 1e999 is valid, but no float64
		t.Fatalf("%.200q was accepted, but not by encoding/json/v2: %v", body, err)
	}
	envelope, err := literally(body)
	if err != nil {
		t.Fatalf("%.200q was accepted, but not by encoding/json/v2: %v", body, err)
	}
	if !bytes.Equal(ev.Raw, body) {
		t.Errorf("%.200q became the raw %.200q", body, ev.Raw)
	}
	checkEnvelope(t, ev, envelope)
	checkReparsed(t, ev, envelope)
	return ev, true
}

// number is a JSON number as it is written.
type number string

func (n number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// literally decodes a JSON object strictly, with a number for each number.
func literally(body []byte) (map[string]any, error) {
	var object map[string]any
	err := json.Unmarshal(body, &object, json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *any) error {
		if dec.PeekKind() != '0' {
			return errors.ErrUnsupported // decode it in the usual way
		}
		literal, err := dec.ReadValue()
		*v = number(literal)
		return err
	})))
	return object, err
}

func checkEnvelope(t testing.TB, ev webhooks.Event, envelope map[string]any) {
	t.Helper()
	if want := text(envelope["event"]); string(ev.Type) != want {
		t.Errorf("the event is %q, but was read as %q", want, ev.Type)
	}
	if want := text(envelope["event_id"]); ev.ID != want {
		t.Errorf("the id is %q, but was read as %q", want, ev.ID)
	}
	var seconds int64
	if !ev.Time.IsZero() {
		seconds = ev.Time.Unix()
	}
	if want := integer(envelope["timestamp"]); seconds != want {
		t.Errorf("the timestamp is %d, but was read as %d", want, seconds)
	}
	if unknown, ok := ev.Data.(*webhooks.Unknown); ok {
		checkUnknown(t, ev, unknown, envelope["data"])
		return
	}
	data, ok := envelope["data"].(map[string]any)
	if !ok {
		t.Fatalf("the data is %v, but was read as %+v", envelope["data"], ev.Data)
	}
	for field := range fields(ev.Data) {
		if want := expected(field, data); !reflect.DeepEqual(field.value.Interface(), want) {
			t.Errorf("%s of %s is %#v, but was read as %#v", field.name, ev.Type, want, field.value)
		}
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
	envelope, err := literally([]byte(`{"data":` + string(unknown.Data) + `}`))
	if err != nil || !reflect.DeepEqual(envelope["data"], data) {
		t.Errorf("the data is %v, but was read as %q", data, unknown.Data)
	}
}

func checkReparsed(t testing.TB, ev webhooks.Event, envelope map[string]any) {
	t.Helper()
	again, err := webhooks.Parse(ev.Raw)
	if err != nil || !reflect.DeepEqual(again, ev) {
		t.Errorf("parsing Raw again gave %+v, %v instead of %+v", again, err, ev)
	}
	rewritten, err := json.Marshal(envelope) // in an order that varies
	if err != nil {
		t.Fatal(err)
	}
	again, err = webhooks.Parse(rewritten)
	if err != nil {
		t.Fatalf("%.200q was accepted, but written anew as %.200q it was not: %v", ev.Raw, rewritten, err)
	}
	again.Raw = ev.Raw
	if unknown, ok := ev.Data.(*webhooks.Unknown); ok {
		checkUnknown(t, again, again.Data.(*webhooks.Unknown), envelope["data"])
		again.Data = unknown
	}
	if !reflect.DeepEqual(again, ev) {
		t.Errorf("%.200q\nbecame %+v with %+v, but written anew as\n%.200q\nit became %+v with %+v", ev.Raw, ev, ev.Data, rewritten, again, again.Data)
	}
}

// field is a field of an event's data.
type field struct {
	name  string // in JSON
	value reflect.Value
}

func fields(data webhooks.Data) iter.Seq[field] {
	return func(yield func(field) bool) {
		v := reflect.ValueOf(data).Elem()
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if !yield(field{name, v.Field(i)}) {
				return
			}
		}
	}
}

// expected is what a field is to be, given the members of the data.
func expected(f field, data map[string]any) any {
	sent := data[f.name]
	switch f.value.Interface().(type) {
	case int64:
		return integer(sent)
	case float64:
		s := text(sent)
		if s == "" {
			return 0.0
		}
		v, _ := strconv.ParseFloat(s, 64)
		return v
	case []string:
		return texts(sent)
	case []gen.GeneratedScript:
		return scripts(sent)
	case gen.WebhookError:
		return failure(sent, data["err_msg"])
	case gen.TaskStatus:
		return gen.TaskStatus(text(sent))
	default:
		if f.name == "video_id" && text(sent) == "" {
			return text(data["project_id"])
		}
		return text(sent)
	}
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case number:
		return string(v)
	}
	return ""
}

func integer(v any) int64 {
	s := text(v)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	f, _ := strconv.ParseFloat(s, 64)
	if f != math.Trunc(f) {
		return math.MinInt64 // what no test sends
	}
	return int64(f)
}

func texts(v any) []string {
	var all []string
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, element := range v {
			all = append(all, text(element))
		}
	}
	return all
}

func scripts(v any) []gen.GeneratedScript {
	var all []gen.GeneratedScript
	elements, _ := v.([]any)
	for _, element := range elements {
		script := element.(map[string]any)
		all = append(all, gen.GeneratedScript{ScriptStyle: text(script["script_style"]), ScriptParagraphs: texts(script["script_paragraphs"])})
	}
	return all
}

func failure(v, errMsg any) gen.WebhookError {
	var message string
	code := v
	switch v := v.(type) {
	case string:
		message, code = v, nil
	case map[string]any:
		message, code = text(v["message"]), v["code"]
	}
	if message == "" {
		message = text(errMsg)
	}
	n, err := strconv.Atoi(text(code))
	if err != nil && message == "" {
		message = text(code)
	}
	if err != nil {
		n = 0
	}
	return gen.WebhookError{Code: n, Message: message}
}
