package webhooks_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// marker is part of payloads. It must not be in any error, log or response.
const marker = "PAYLOADMARKER"

// checkPayloadError checks that err is a PayloadError with this type and field and, unless reason is "", this reason.
func checkPayloadError(t *testing.T, body string, err error, event webhooks.EventType, field, reason string) {
	t.Helper()
	payloadErr, ok := errors.AsType[*webhooks.PayloadError](err)
	switch {
	case !ok:
		t.Errorf("%.200s\nreturned %v, which is not a PayloadError", body, err)
	case payloadErr.Type != event || payloadErr.Field != field:
		t.Errorf("%.200s\nreturned type %q and field %q, want %q and %q", body, payloadErr.Type, payloadErr.Field, event, field)
	case reason != "" && payloadErr.Err.Error() != reason:
		t.Errorf("%.200s\nreturned the reason %q, want %q", body, payloadErr.Err, reason)
	}
}

func TestParseRejectsInvalidJSON(t *testing.T) {
	const (
		early = "unexpected end of JSON"
		utf8  = "invalid UTF-8"
	)
	deep := strings.Repeat(`[`, 500_000)
	for _, c := range []struct {
		name, body, reason string
	}{
		{"nothing", ``, early},
		{"white space", " \n\t", early},
		{"a byte order mark", "\ufeff" + `{"event":"generated_motion_failed","data":{}}`, "invalid JSON at byte 0"},
		{"UTF-16", "{\x00\"\x00e\x00", "invalid JSON at byte 1"},
		{"a word", `event`, "invalid JSON at byte 0"},
		{"HTML", `<html>`, "invalid JSON at byte 0"},
		{"single quotes", `{'event':'generated_motion_failed'}`, "invalid JSON at byte 1"},
		{"a name without quotes", `{event:"generated_motion_failed"}`, "invalid JSON at byte 1"},
		{"a name that is a number", `{1:2}`, "invalid JSON at byte 1"},
		{"a missing colon", `{"event" "generated_motion_failed"}`, "invalid JSON at byte 9"},
		{"a missing comma", `{"event":"generated_motion_failed" "data":{}}`, "invalid JSON at byte 35"},
		{"a comma too many", `{"event":"generated_motion_failed","data":{},}`, "invalid JSON at byte 45"},
		{"a comma first", `{,"event":"generated_motion_failed"}`, "invalid JSON at byte 1"},
		{"a comma too many in an array", `{"event":"generated_image_success","data":{"photo_urls":["a",]}}`, ""},
		{"a comment", `{"event":"generated_motion_failed",/* ` + marker + ` */"data":{}}`, ""},
		{"a line comment", "// " + marker + "\n{}", "invalid JSON at byte 0"},
		{"NaN", `{"event":"generated_video_success","data":{"duration":NaN}}`, ""},
		{"Infinity", `{"event":"generated_video_success","data":{"duration":Infinity}}`, ""},
		{"-Infinity", `{"event":"generated_video_success","data":{"duration":-Infinity}}`, ""},
		{"a plus sign", `{"event":"generated_video_success","data":{"duration":+1}}`, ""},
		{"a leading zero", `{"event":"generated_video_success","data":{"duration":01}}`, ""},
		{"a leading point", `{"event":"generated_video_success","data":{"duration":.1}}`, ""},
		{"a trailing point", `{"event":"generated_video_success","data":{"duration":1.}}`, ""},
		{"hexadecimal", `{"event":"generated_video_success","data":{"duration":0x1}}`, ""},
		{"True", `{"event":True}`, ""},
		{"a number in an unknown field", `{"x":01,"event":"generated_motion_failed","data":{}}`, ""},
		{"a control character in a string", "{\"event\":\"generated_motion_failed\",\"x\":\"a\nb\"}", ""},
		{"a NUL in a string", "{\"event\":\"generated_motion_failed\",\"x\":\"a\x00b\"}", ""},
		{"an unknown escape", `{"event":"generated_motion_failed","data":{"error":"\x41"}}`, ""},
		{"half an escape", `{"event":"generated_motion_failed","data":{"error":"\u12"}}`, ""},
		{"a high surrogate alone", `{"event":"generated_motion_failed","data":{"error":"\ud83d"}}`, ""},
		{"a low surrogate alone", `{"event":"generated_motion_failed","data":{"error":"\ude00"}}`, ""},
		{"surrogates in the wrong order", `{"event":"generated_motion_failed","data":{"error":"\ude00\ud83d"}}`, ""},
		{"a lone surrogate in an unknown field", `{"event":"generated_motion_failed","data":{"x":"\ud83d"}}`, ""},
		{"a lone surrogate in a name", `{"event":"generated_motion_failed","data":{"\ud83d":1}}`, ""},
		{"invalid UTF-8 in a field", "{\"event\":\"generated_motion_failed\",\"data\":{\"error\":\"a\xff\"}}", utf8},
		{"invalid UTF-8 in an unknown field", "{\"event\":\"generated_motion_failed\",\"data\":{\"x\":\"a\xc3\x28\"}}", utf8},
		{"invalid UTF-8 in a name", "{\"event\":\"generated_motion_failed\",\"data\":{\"a\xff\":1}}", utf8},
		{"invalid UTF-8 in the event", "{\"event\":\"a\xff\"}", utf8},
		{"an encoded surrogate", "{\"event\":\"generated_motion_failed\",\"data\":{\"x\":\"\xed\xa0\x80\"}}", utf8},
		{"an overlong slash", "{\"event\":\"generated_motion_failed\",\"data\":{\"x\":\"\xc0\xaf\"}}", utf8},
		{"invalid UTF-8 between values", "{\"event\":\"generated_motion_failed\",\xff\"data\":{}}", utf8},
		{"a closing bracket too many", `{"event":"generated_motion_failed","data":{}}}`, "invalid JSON at byte 45"},
		{"the wrong closing bracket", `{"event":"generated_motion_failed","data":{]}`, ""},
		{"bytes after the value", `{"event":"generated_motion_failed","data":{}}` + marker, "invalid JSON at byte 45"},
		{"a NUL after the value", `{"event":"generated_motion_failed","data":{}}` + "\x00", "invalid JSON at byte 45"},
		{"a second value", `{"event":"generated_motion_failed","data":{}}{"event":"` + marker + `"}`, "more than one JSON value"},
		{
			"a second value on a line of its own", `{"event":"generated_motion_failed","data":{}}` + "\n1",
			"more than one JSON value",
		},
		{"arrays without end", deep, ""},
		{"arrays without end in an unknown field", `{"event":"generated_motion_failed","x":` + deep, ""},
		{"arrays without end in a field", `{"event":"generated_motion_failed","data":{"error":` + deep, ""},
		{"arrays without end before the event", `{"data":` + deep, ""},
		{"objects without end", `{"event":"video_archived","data":` + strings.Repeat(`{"a":`, 100_000), ""},
		{
			"arrays that end, but too deep", `{"event":"generated_motion_failed","data":{},"x":` + strings.Repeat(`[`, 10_001) + strings.Repeat(`]`, 10_001) + `}`,
			"",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := webhooks.Parse([]byte(c.body))
			checkSyntaxError(t, c.body, err, c.reason)
			checkQuotesNothing(t, err)
			agree(t, []byte(c.body))
		})
	}
}

func TestParseRejectsDuplicateNames(t *testing.T) {
	for name, body := range map[string]string{
		"event":                          `{"event":"generated_motion_failed","event":"generated_motion_failed","data":{}}`,
		"event, once escaped":            `{"event":"generated_motion_failed","\u0065vent":"video_archived","data":{}}`,
		"data":                           `{"event":"generated_motion_failed","data":{},"data":{}}`,
		"data before the event":          `{"data":{},"data":{},"event":"generated_motion_failed"}`,
		"timestamp":                      `{"timestamp":1,"event":"generated_motion_failed","data":{},"timestamp":1}`,
		"event_id":                       `{"event_id":"a","event":"generated_motion_failed","data":{},"event_id":"b"}`,
		"unknown in the envelope":        `{"` + marker + `":1,"event":"generated_motion_failed","data":{},"` + marker + `":1}`,
		"field of the data":              `{"event":"generated_motion_failed","data":{"error":"a","error":"b"}}`,
		"field of the data before event": `{"data":{"error":"a","error":"b"},"event":"generated_motion_failed"}`,
		"unknown in the data":            `{"event":"generated_motion_failed","data":{"` + marker + `":1,"` + marker + `":2}}`,
		"code of the error":              `{"event":"generated_motion_failed","data":{"error":{"code":1,"code":2}}}`,
		"field of a script":              `{"event":"generated_script_success","data":{"scripts":[{},{"script_style":"a","script_style":"b"}]}}`,
		"deep in an unknown field":       `{"event":"generated_motion_failed","data":{"x":[{"a":{"b":1,"b":2}}]}}`,
		"data of an unknown event":       `{"event":"video_archived","data":{"a":1,"a":2}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := webhooks.Parse([]byte(body))
			checkPayloadError(t, body, err, "", "", "")
			if err != nil && !strings.Contains(err.Error(), "duplicate name at byte ") {
				t.Errorf("error is %q", err)
			}
			checkQuotesNothing(t, err)
			agree(t, []byte(body))
		})
	}
}

func TestParseRejectsBodiesThatAreNotEvents(t *testing.T) {
	for _, c := range []struct {
		name, body    string
		field, reason string
	}{
		{"an array", `[{"event":"` + marker + `"}]`, "", "is an array, not an object"},
		{"a string", `"` + marker + `"`, "", "is a string, not an object"},
		{"a number", `12345678`, "", "is a number, not an object"},
		{"a boolean", `true`, "", "is a boolean, not an object"},
		{"null", `null`, "", "is null, not an object"},
		{"no member", `{}`, "/event", "missing"},
		{"no event", `{"data":{"video_id":"` + marker + `"}}`, "/event", "missing"},
		{"an event in another case", `{"Event":"` + marker + `","data":{}}`, "/event", "missing"},
		{"an empty event", `{"event":"","data":{}}`, "/event", "empty"},
		{"an event of null", `{"event":null,"data":{}}`, "/event", "is null, not a string"},
		{"an event that is a number", `{"event":12345678,"data":{}}`, "/event", "is a number, not a string"},
		{"an event that is an array", `{"event":["` + marker + `"],"data":{}}`, "/event", "is an array, not a string"},
		{"an event that is an object", `{"event":{"` + marker + `":1},"data":{}}`, "/event", "is an object, not a string"},
		{"an event that is a boolean", `{"event":true,"data":{}}`, "/event", "is a boolean, not a string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev, err := webhooks.Parse([]byte(c.body))
			checkPayloadError(t, c.body, err, "", c.field, c.reason)
			checkQuotesNothing(t, err)
			if !same(ev, webhooks.Event{}) {
				t.Errorf("the event is %+v", ev)
			}
		})
	}
}

// checkProblem checks that the event has exactly one problem, with this field and reason, which does not quote the payload.
func checkProblem(t *testing.T, ev webhooks.Event, field, reason string) {
	t.Helper()
	if len(ev.Problems) != 1 {
		t.Errorf("%.200s\nhas the problems %v, want one at %s", ev.Raw, ev.Problems, field)
		return
	}
	checkPayloadError(t, string(ev.Raw), ev.Problems[0], ev.Type, field, reason)
	checkQuotesNothing(t, ev.Problems[0])
}

func TestEnvelopeFieldWithAnUnexpectedValueIsAProblem(t *testing.T) {
	for _, c := range []struct{ name, field, value, reason string }{
		{"an id that is an object", "event_id", `{"` + marker + `":1}`, "is an object, not a string"},
		{"an id that is a boolean", "event_id", `false`, "is a boolean, not a string"},
		{"an id that is an array", "event_id", `["` + marker + `"]`, "is an array, not a string"},
		{"a timestamp in words", "timestamp", `"` + marker + `"`, "not a time"},
		{"a timestamp that is half a date", "timestamp", `"2024-11-28"`, "not a time"},
		{"a timestamp before 1970", "timestamp", `-12345678`, "not a time"},
		{"a timestamp beyond 64 bits", "timestamp", `1e99`, "not a time"},
		{"a timestamp that is an object", "timestamp", `{}`, "is an object, not a time"},
		{"a timestamp that is a boolean", "timestamp", `true`, "not a time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, body := range []string{
				fmt.Sprintf(`{"event":"generated_motion_failed",%q:%s,"data":{"motion_id":"m"}}`, c.field, c.value),
				fmt.Sprintf(`{%q:%s,"data":{"motion_id":"m"},"event":"generated_motion_failed"}`, c.field, c.value),
			} {
				ev := mustParse(t, body)
				checkProblem(t, ev, "/"+c.field, c.reason)
				if ev.ID != "" || !ev.Time.IsZero() || ev.Data.(*webhooks.MotionFailed).MotionID != "m" {
					t.Errorf("%s\nwas decoded to %+v", body, ev)
				}
				agree(t, []byte(body))
			}
		})
	}
}

func TestUndecodableDataIsKept(t *testing.T) {
	for _, c := range []struct{ name, event, data, field, reason string }{
		{"null", "generated_motion_failed", `null`, "/data", "missing"},
		{"a string", "generated_motion_failed", `"` + marker + `"`, "/data", "is a string, not an object"},
		{"an array", "generated_motion_failed", `[{"motion_id":"` + marker + `"}]`, "/data", "is an array, not an object"},
		{"a number", "generated_motion_failed", `12345678`, "/data", "is a number, not an object"},
		{"nothing", "generated_motion_failed", `{}`, "/data/motion_id", "missing"},
		{"an empty id", "generated_motion_failed", `{"motion_id":""}`, "/data/motion_id", "missing"},
		{"an id of null", "generated_image_success", `{"photo_id":null}`, "/data/photo_id", "missing"},
		{"an id that is an object", "generated_video_success", `{"video_id":{"` + marker + `":1}}`, "/data/video_id", "is an object, not a string"},
		{"an id in words", "create_avatar_success", `{"avatar_id":"` + marker + `"}`, "/data/avatar_id", "not a number"},
		{
			"an id that is a UUID", "create_avatar_success", `{"avatar_id":"12345678-9abc-4def-8123-456789abcdef"}`, "/data/avatar_id", "not a number",
		},
		{"another spelling", "generated_video_success", `{"videoId":"` + marker + `","videoUrl":"https://example.com"}`, "/data/video_id", "missing"},
		{"another nesting", "generated_video_success", `{"video":{"video_id":"` + marker + `"}}`, "/data/video_id", "missing"},
		{"nothing of scripts", "generated_script_failed", `{"error":"` + marker + `"}`, "/data/task_id", "missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, body := range []string{
				fmt.Sprintf(`{"event":%q,"event_id":"evt_1","data":%s}`, c.event, c.data),
				fmt.Sprintf(`{"data":%s,"event_id":"evt_1","event":%q}`, c.data, c.event),
			} {
				ev := mustParse(t, body)
				undecodable, ok := ev.Data.(*webhooks.Undecodable)
				if !ok {
					t.Fatalf("%s\nwas decoded to %+v", body, ev.Data)
				}
				checkPayloadError(t, body, undecodable.Err, webhooks.EventType(c.event), c.field, c.reason)
				checkQuotesNothing(t, undecodable.Err)
				if want := strings.TrimPrefix(c.data, "null"); string(undecodable.Data) != want {
					t.Errorf("the data is kept as %q", undecodable.Data)
				}
				if ev.ID != "evt_1" || string(ev.Type) != c.event || string(ev.Raw) != body {
					t.Errorf("%s\nwas decoded to %+v", body, ev)
				}
				agree(t, []byte(body))
			}
		})
	}
	ev := mustParse(t, `{"event":"generated_motion_failed"}`)
	if undecodable, ok := ev.Data.(*webhooks.Undecodable); !ok || undecodable.Err.Field != "/data" || undecodable.Data != nil {
		t.Errorf("without data it was decoded to %+v", ev.Data)
	}
}

// mismatched returns values that cannot be decoded into a Go type, and the reason of each.
func mismatched(t reflect.Type) map[string]string {
	notA := func(wanted string, values ...string) map[string]string {
		reasons := map[string]string{}
		for _, value := range values {
			kind := map[byte]string{'t': "a boolean", 'f': "a boolean", '{': "an object", '[': "an array", '"': "a string"}[value[0]]
			reasons[value] = "is " + cmp.Or(kind, "a number") + ", not " + wanted
		}
		return reasons
	}
	and := func(reasons map[string]string, reason string, values ...string) map[string]string {
		for _, value := range values {
			reasons[value] = reason
		}
		return reasons
	}
	const object, array, words = `{"` + marker + `":1}`, `["` + marker + `"]`, `"` + marker + `"`
	switch t {
	case reflect.TypeFor[gen.WebhookError]():
		return notA("an object", `true`, array)
	case reflect.TypeFor[time.Time]():
		return and(notA("a time", object, array), "not a time", `true`, words)
	case reflect.TypeFor[[]string]():
		return notA("an array", `true`, object, `12345678`)
	case reflect.TypeFor[[]byte]():
		return and(notA("a string", object, array), "not base64", `12345678`, `"?"`)
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil // a union accepts any value, for the caller to decode
	}
	switch t.Kind() {
	case reflect.String:
		return notA("a string", `true`, object, array)
	case reflect.Bool:
		return and(notA("a boolean", object, array), "not a boolean", words, `12345678`, `"yes"`)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		reasons := and(notA("a number", `false`, object, array), "not a number", words, `"1-2"`, `"0x10"`, `"1_0"`)
		return and(reasons, fmt.Sprintf("not an integer that fits %v", t), `1.5`, `18446744073709551616`)
	case reflect.Float32, reflect.Float64:
		return and(notA("a number", `false`, object, array), "not a number", words, `1e999`, `"12.5s"`, `"0x10p0"`, `"Inf"`)
	case reflect.Slice:
		return notA("an array", `true`, object, words)
	case reflect.Struct, reflect.Map:
		return notA("an object", words, `[]`, `12345678`)
	case reflect.Pointer:
		return mismatched(t.Elem())
	default:
		return nil // accepts any value
	}
}

// TestFieldWithAnUnexpectedValueIsAProblem tries each mismatched value in each field of each event. The field stays zero and is reported,
// and the rest is decoded, unless it is the identifying field.
func TestFieldWithAnUnexpectedValueIsAProblem(t *testing.T) {
	tried := 0
	for _, d := range documented() {
		kind := reflect.TypeOf(d.want.Data).Elem()
		for i := range kind.NumField() {
			field := jsonName(kind.Field(i))
			for value, reason := range mismatched(kind.Field(i).Type) {
				tried++
				checkMismatch(t, d, field, value, reason)
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d values were tried", tried)
	}
}

func checkMismatch(t *testing.T, d delivery, field, value, reason string) {
	t.Helper()
	var envelope struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal([]byte(d.body), &envelope); err != nil {
		t.Fatal(err)
	}
	envelope.Data[field] = json.RawMessage(value)
	data, err := json.Marshal(envelope.Data)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		fmt.Sprintf(`{"event":%q,"data":%s}`, d.want.Type, data),
		fmt.Sprintf(`{"x":"é","data":%s,"event":%q}`, data, d.want.Type),
	} {
		ev := mustParse(t, body)
		checkProblem(t, ev, "/data/"+field, reason)
		identifying := slices.Contains(identifyingFields, field) && field != "project_id"
		undecodable, ok := ev.Data.(*webhooks.Undecodable)
		if ok != identifying {
			t.Errorf("%s\nwas decoded to %+v", body, ev.Data)
		}
		if ok {
			checkPayloadError(t, body, undecodable.Err, d.want.Type, "/data/"+field, reason)
		}
		agree(t, []byte(body))
	}
}

func TestMismatchInAListDoesNotAffectOtherElements(t *testing.T) {
	for _, c := range []struct{ scripts, field, reason string }{
		{`[{"script_style":"a"},"` + marker + `",{"script_style":"c"}]`, "/data/scripts/1", "is a string, not an object"},
		{`[{"script_style":"a"},{"script_style":{}},{"script_style":"c"}]`, "/data/scripts/1/script_style", "is an object, not a string"},
		{`[{"script_style":"a"},{"script_paragraphs":[{},"x"]},{"script_style":"c"}]`, "/data/scripts/1/script_paragraphs/0", "is an object, not a string"},
		{`[{"script_style":"a"},{"script_paragraphs":["x",{}]},{"script_style":"c"}]`, "/data/scripts/1/script_paragraphs/1", "is an object, not a string"},
	} {
		ev := mustParse(t, `{"event":"generated_script_success","data":{"task_id":"t","scripts":`+c.scripts+`}}`)
		checkProblem(t, ev, c.field, c.reason)
		scripts := ev.Data.(*webhooks.ScriptSucceeded).Scripts
		if len(scripts) != 3 || scripts[0].ScriptStyle != "a" || scripts[2].ScriptStyle != "c" {
			t.Errorf("%s\nwas decoded to %+v", c.scripts, scripts)
		}
		agree(t, ev.Raw)
	}
}

func TestParseRejectsTruncatedBodies(t *testing.T) {
	for _, d := range documented() {
		for n := range len(d.body) {
			truncated := d.body[:n]
			_, err := webhooks.Parse([]byte(truncated))
			payloadErr, ok := errors.AsType[*webhooks.PayloadError](err)
			if !ok {
				t.Fatalf("%s\nreturned %v", truncated, err)
			}
			if payloadErr.Err.Error() != "unexpected end of JSON" {
				t.Errorf("%s\nreturned the reason %q", truncated, payloadErr.Err)
			}
			if payloadErr.Type != "" || payloadErr.Field != "" {
				t.Errorf("%s\nreturned the type %q and the field %q", truncated, payloadErr.Type, payloadErr.Field)
			}
		}
	}
}

// Errors contain nothing from the body except the event type.
func TestErrorsDoNotQuoteThePayload(t *testing.T) {
	tried := make(map[reflect.Type]bool)
	for _, d := range documented() {
		kind := reflect.TypeOf(d.want.Data)
		if tried[kind] {
			continue
		}
		tried[kind] = true
		body := markedBody(t, d)
		if _, err := webhooks.Parse(body); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		rejected := 0
		for i := range body {
			for _, bad := range []byte("\x00\"\\{}[]:,1tn\xff") {
				damaged := slices.Clone(body)
				damaged[i] = bad
				ev, err := webhooks.Parse(damaged)
				if err != nil {
					rejected++
				}
				checkQuotesNothing(t, err)
				for _, problem := range ev.Problems {
					checkQuotesNothing(t, problem)
				}
			}
			for _, damaged := range [][]byte{body[:i], slices.Delete(slices.Clone(body), i, i+1), slices.Concat(body[:i], body[i:i+1], body[i:])} {
				_, err := webhooks.Parse(damaged)
				checkQuotesNothing(t, err)
			}
		}
		if rejected < len(body) {
			t.Errorf("%s: only %d damaged bodies were rejected", d.want.Type, rejected)
		}
	}
}

// markedBody returns the delivery with the marker in every string, and in undocumented fields and their names.
func markedBody(t *testing.T, d delivery) []byte {
	t.Helper()
	var envelope map[string]any
	if err := json.Unmarshal([]byte(d.body), &envelope); err != nil {
		t.Fatal(err)
	}
	envelope["data"] = mark(envelope["data"])
	envelope["event_id"] = marker
	envelope[marker] = marker
	body, err := json.Marshal(envelope)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func mark(value any) any {
	switch v := value.(type) {
	case string:
		return marker
	case []any:
		for i := range v {
			v[i] = mark(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = mark(v[name])
		}
		v[marker] = marker
	}
	return value
}

// checkQuotesNothing checks that err, printed with any verb, contains no part of the marker and not the number used as one.
func checkQuotesNothing(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for unwrapped := err; unwrapped != nil; unwrapped = errors.Unwrap(unwrapped) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			text := fmt.Sprintf(verb, unwrapped)
			if strings.Contains(text, marker[:6]) || strings.Contains(text, marker[7:]) || bytes.Contains([]byte(text), []byte("12345678")) {
				t.Errorf("%s of the error shows the payload: %s", verb, text)
			}
		}
	}
}

// checkSyntaxError checks that err gives the reason why body is not JSON, unless reason is "". The error must not have an event type or a
// field, because nothing of an invalid body is used.
func checkSyntaxError(t *testing.T, body string, err error, reason string) {
	t.Helper()
	checkPayloadError(t, body, err, "", "", reason)
}
