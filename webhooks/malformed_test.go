package webhooks_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
)

// marker stands in payloads, and may stand in no error, log or answer.
const marker = "PAYLOADMARKER"

// checkPayloadError checks that err is a PayloadError with this type and field and, unless reason is "", this reason.
func checkPayloadError(t *testing.T, body string, err error, event webhooks.EventType, field, reason string) {
	t.Helper()
	refused, ok := errors.AsType[*webhooks.PayloadError](err)
	switch {
	case !ok:
		t.Errorf("%.200s\ngave %v, which is no PayloadError", body, err)
	case refused.Type != event || refused.Field != field:
		t.Errorf("%.200s\ngave type %q and field %q, want %q and %q", body, refused.Type, refused.Field, event, field)
	case reason != "" && refused.Err.Error() != reason:
		t.Errorf("%.200s\ngave the reason %q, want %q", body, refused.Err, reason)
	}
}

func TestParseRefusesWhatIsNoJSON(t *testing.T) {
	const (
		early = "JSON that ends too early"
		utf8  = "invalid UTF-8"
	)
	deep := strings.Repeat(`[`, 500_000)
	for _, c := range []struct {
		name, body, reason string
	}{
		{"nothing", ``, early},
		{"white space", " \n\t", early},
		{"a byte order mark", "\ufeff" + `{"event":"generated_motion_failed","data":{}}`, "invalid JSON after byte 0"},
		{"UTF-16", "{\x00\"\x00e\x00", "invalid JSON after byte 1"},
		{"a word", `event`, "invalid JSON after byte 0"},
		{"HTML", `<html>`, "invalid JSON after byte 0"},
		{"single quotes", `{'event':'generated_motion_failed'}`, "invalid JSON after byte 1"},
		{"a name without quotes", `{event:"generated_motion_failed"}`, "invalid JSON after byte 1"},
		{"a name that is a number", `{1:2}`, "invalid JSON after byte 1"},
		{"a missing colon", `{"event" "generated_motion_failed"}`, "invalid JSON after byte 8"},
		{"a missing comma", `{"event":"generated_motion_failed" "data":{}}`, "invalid JSON after byte 34"},
		{"a comma too many", `{"event":"generated_motion_failed","data":{},}`, "invalid JSON after byte 44"},
		{"a comma first", `{,"event":"generated_motion_failed"}`, "invalid JSON after byte 1"},
		{"a comma too many in an array", `{"event":"generated_image_success","data":{"photo_urls":["a",]}}`, ""},
		{"a comment", `{"event":"generated_motion_failed",/* ` + marker + ` */"data":{}}`, ""},
		{"a line comment", "// " + marker + "\n{}", "invalid JSON after byte 0"},
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
		{"a closing bracket too many", `{"event":"generated_motion_failed","data":{}}}`, "invalid JSON after byte 45"},
		{"the wrong closing bracket", `{"event":"generated_motion_failed","data":{]}`, ""},
		{"bytes after the value", `{"event":"generated_motion_failed","data":{}}` + marker, "invalid JSON after byte 45"},
		{"a NUL after the value", `{"event":"generated_motion_failed","data":{}}` + "\x00", "invalid JSON after byte 45"},
		{"a second value", `{"event":"generated_motion_failed","data":{}}{"event":"` + marker + `"}`, "more than one JSON value"},
		{
			"a second value on a line of its own", `{"event":"generated_motion_failed","data":{}}` + "\n1",
			"more than one JSON value",
		},
		{"arrays without end", deep, "is an array, not an object"},
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

func TestParseRefusesDuplicateNames(t *testing.T) {
	for _, c := range []struct {
		name, body string
		eventType  webhooks.EventType
		field      string
	}{
		{"event", `{"event":"generated_motion_failed","event":"generated_motion_failed","data":{}}`, "generated_motion_failed", ""},
		{
			"event, once escaped", `{"event":"generated_motion_failed","\u0065vent":"video_archived","data":{}}`,
			"generated_motion_failed", "",
		},
		{"data", `{"event":"generated_motion_failed","data":{},"data":{}}`, "generated_motion_failed", ""},
		{"data before the event", `{"data":{},"data":{},"event":"generated_motion_failed"}`, "", ""},
		{"timestamp", `{"timestamp":1,"event":"generated_motion_failed","data":{},"timestamp":1}`, "generated_motion_failed", ""},
		{"event_id", `{"event_id":"a","event":"generated_motion_failed","data":{},"event_id":"b"}`, "generated_motion_failed", ""},
		{
			"unknown in the envelope", `{"` + marker + `":1,"event":"generated_motion_failed","data":{},"` + marker + `":1}`,
			"generated_motion_failed", "",
		},
		{
			"field of the data", `{"event":"generated_motion_failed","data":{"error":"a","error":"b"}}`, "generated_motion_failed",
			"/data",
		},
		{"field of the data before the event", `{"data":{"error":"a","error":"b"},"event":"generated_motion_failed"}`, "", "/data"},
		{
			"unknown in the data", `{"event":"generated_motion_failed","data":{"` + marker + `":1,"` + marker + `":2}}`,
			"generated_motion_failed", "/data",
		},
		{
			"code of the error", `{"event":"generated_motion_failed","data":{"error":{"code":1,"code":2}}}`,
			"generated_motion_failed", "/data/error",
		},
		{
			"field of a script", `{"event":"generated_script_success","data":{"scripts":[{},{"script_style":"a","script_style":"b"}]}}`,
			"generated_script_success", "/data/scripts/1",
		},
		{
			"deep in an unknown field", `{"event":"generated_motion_failed","data":{"x":[{"a":{"b":1,"b":2}}]}}`,
			"generated_motion_failed", "/data",
		},
		{"data of an unknown event", `{"event":"video_archived","data":{"a":1,"a":2}}`, "video_archived", "/data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := webhooks.Parse([]byte(c.body))
			checkPayloadError(t, c.body, err, c.eventType, c.field, "")
			if err != nil && !strings.Contains(err.Error(), "duplicate name at byte ") {
				t.Errorf("error is %q", err)
			}
			checkQuotesNothing(t, err)
			agree(t, []byte(c.body))
		})
	}
}

func TestParseRefusesWhatIsNoEvent(t *testing.T) {
	for _, c := range []struct {
		name, body    string
		event         webhooks.EventType
		field, reason string
	}{
		{"an array", `[{"event":"` + marker + `"}]`, "", "", "is an array, not an object"},
		{"a string", `"` + marker + `"`, "", "", "is a string, not an object"},
		{"a number", `12345678`, "", "", "is a number, not an object"},
		{"a boolean", `true`, "", "", "is a boolean, not an object"},
		{"null", `null`, "", "", "is null, not an object"},
		{"no member", `{}`, "", "/event", "missing"},
		{"no event", `{"data":{"video_id":"` + marker + `"}}`, "", "/event", "missing"},
		{"an event in other letters", `{"Event":"` + marker + `","data":{}}`, "", "/event", "missing"},
		{"an empty event", `{"event":"","data":{}}`, "", "/event", "empty"},
		{"an event of null", `{"event":null,"data":{}}`, "", "/event", "is null, not a string"},
		{"an event that is a number", `{"event":12345678,"data":{}}`, "", "/event", "is a number, not a string"},
		{"an event that is an array", `{"event":["` + marker + `"],"data":{}}`, "", "/event", "is an array, not a string"},
		{"an event that is an object", `{"event":{"` + marker + `":1},"data":{}}`, "", "/event", "is an object, not a string"},
		{"an event that is a boolean", `{"event":true,"data":{}}`, "", "/event", "is a boolean, not a string"},
		{"no data", `{"event":"generated_motion_failed"}`, webhooks.GeneratedMotionFailed, "/data", "missing"},
		{
			"data of null", `{"event":"generated_motion_failed","data":null}`, webhooks.GeneratedMotionFailed, "/data",
			"is null, not an object",
		},
		{
			"data of null before the event", `{"data":null,"event":"generated_motion_failed"}`, webhooks.GeneratedMotionFailed,
			"/data", "missing",
		},
		{
			"data that is a string", `{"event":"generated_motion_failed","data":"` + marker + `"}`, webhooks.GeneratedMotionFailed,
			"/data", "is a string, not an object",
		},
		{
			"data that is a string before the event", `{"data":"` + marker + `","event":"generated_motion_failed"}`,
			webhooks.GeneratedMotionFailed, "/data", "is a string, not an object",
		},
		{
			"data that is an array", `{"event":"generated_motion_failed","data":[]}`, webhooks.GeneratedMotionFailed, "/data",
			"is an array, not an object",
		},
		{
			"an id that is an object", `{"event_id":{"` + marker + `":1},"event":"generated_motion_failed","data":{}}`, "",
			"/event_id", "is an object, not a string",
		},
		{
			"an id that is a boolean", `{"event":"generated_motion_failed","event_id":false,"data":{}}`,
			webhooks.GeneratedMotionFailed, "/event_id", "is a boolean, not a string",
		},
		{
			"a timestamp in words", `{"timestamp":"` + marker + `","event":"generated_motion_failed","data":{}}`, "", "/timestamp",
			"not a number",
		},
		{
			"a timestamp that is a date", `{"event":"video_archived","timestamp":"2024-11-28T15:10:31Z"}`, "video_archived",
			"/timestamp", "not a number",
		},
		{
			"a timestamp with a fraction", `{"event":"video_archived","timestamp":1732806631.5}`, "video_archived", "/timestamp",
			"not an integer of 64 bits",
		},
		{
			"a timestamp beyond 64 bits", `{"event":"video_archived","timestamp":1e99}`, "video_archived", "/timestamp",
			"not an integer of 64 bits",
		},
		{
			"a timestamp that is an object", `{"event":"video_archived","timestamp":{}}`, "video_archived", "/timestamp",
			"is an object, not a number",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := webhooks.Parse([]byte(c.body))
			checkPayloadError(t, c.body, err, c.event, c.field, c.reason)
			checkQuotesNothing(t, err)
		})
	}
}

// wrongFor has values that a field of the kind cannot be, each with the reason that the error gives.
var wrongFor = map[string]map[string]string{
	"text": {
		`true`: "is a boolean, not a string", `{"` + marker + `":1}`: "is an object, not a string", `["` + marker + `"]`: "is an array, not a string",
	},
	"integer": {
		`false`: "is a boolean, not a number", `{"` + marker + `":1}`: "is an object, not a number", `["` + marker + `"]`: "is an array, not a number",
		`"` + marker + `"`: "not a number", `1.5`: "not an integer of 64 bits", `""`: "not a number", `"1-2"`: "not an integer of 64 bits",
	},
	"number": {
		`false`: "is a boolean, not a number", `{"` + marker + `":1}`: "is an object, not a number", `["` + marker + `"]`: "is an array, not a number",
		`"` + marker + `"`: "not a number", `1e999`: "not a number",
	},
	"error": {`true`: "is a boolean, not a string", `["` + marker + `"]`: "is an array, not a string"},
	"code":  {`true`: "is a boolean, not a string", `{}`: "is an object, not a string"},
	"texts": {
		`true`: "is a boolean, not an array", `{"` + marker + `":1}`: "is an object, not an array", `12345678`: "is a number, not an array",
	},
	"scripts": {
		`true`: "is a boolean, not an array", `{"` + marker + `":1}`: "is an object, not an array", `"` + marker + `"`: "is a string, not an array",
	},
	"script": {`"` + marker + `"`: "is a string, not an object", `null`: "is null, not an object", `[]`: "is an array, not an object"},
}

func TestParseRefusesTheWrongTypeInEachField(t *testing.T) {
	const video, failure = webhooks.GeneratedVideoSuccess, webhooks.GeneratedVideoFailed
	for _, c := range []struct {
		event      webhooks.EventType
		field      string // in the data
		kind, data string // %s is the value
	}{
		{video, "/video_id", "text", `{"video_id":%s}`},
		{video, "/project_id", "text", `{"project_id":%s}`},
		{video, "/status", "text", `{"status":%s}`},
		{video, "/video_url", "text", `{"video_url":%s}`},
		{video, "/cover_url", "text", `{"cover_url":%s}`},
		{video, "/duration", "number", `{"duration":%s}`},
		{failure, "/video_id", "text", `{"video_id":%s}`},
		{failure, "/project_id", "text", `{"project_id":%s}`},
		{failure, "/status", "text", `{"status":%s}`},
		{failure, "/error", "error", `{"error":%s}`},
		{failure, "/error/code", "code", `{"error":{"code":%s}}`},
		{failure, "/error/message", "text", `{"error":{"message":%s}}`},
		{failure, "/err_msg", "text", `{"err_msg":%s}`},
		{webhooks.CreateAvatarSuccess, "/avatar_id", "integer", `{"avatar_id":%s}`},
		{webhooks.CreateAvatarSuccess, "/status", "text", `{"status":%s}`},
		{webhooks.CreateAvatarSuccess, "/preview_url", "text", `{"preview_url":%s}`},
		{webhooks.CreateAvatarSuccess, "/cover_url", "text", `{"cover_url":%s}`},
		{webhooks.CreateAvatarFailed, "/avatar_id", "integer", `{"avatar_id":%s}`},
		{webhooks.CreateAvatarFailed, "/status", "text", `{"status":%s}`},
		{webhooks.CreateAvatarFailed, "/error", "error", `{"error":%s}`},
		{webhooks.CreateAvatarFailed, "/err_msg", "text", `{"err_msg":%s}`},
		{webhooks.GeneratedScriptSuccess, "/task_id", "text", `{"task_id":%s}`},
		{webhooks.GeneratedScriptSuccess, "/status", "text", `{"status":%s}`},
		{webhooks.GeneratedScriptSuccess, "/scripts", "scripts", `{"scripts":%s}`},
		{webhooks.GeneratedScriptSuccess, "/scripts/1", "script", `{"scripts":[{},%s]}`},
		{webhooks.GeneratedScriptSuccess, "/scripts/0/script_style", "text", `{"scripts":[{"script_style":%s}]}`},
		{webhooks.GeneratedScriptSuccess, "/scripts/0/script_paragraphs", "texts", `{"scripts":[{"script_paragraphs":%s}]}`},
		{webhooks.GeneratedScriptSuccess, "/scripts/0/script_paragraphs/1", "text", `{"scripts":[{"script_paragraphs":["a",%s]}]}`},
		{webhooks.GeneratedScriptFailed, "/task_id", "text", `{"task_id":%s}`},
		{webhooks.GeneratedScriptFailed, "/status", "text", `{"status":%s}`},
		{webhooks.GeneratedScriptFailed, "/error", "error", `{"error":%s}`},
		{webhooks.GeneratedScriptFailed, "/err_msg", "text", `{"err_msg":%s}`},
		{webhooks.GeneratedImageSuccess, "/photo_id", "text", `{"photo_id":%s}`},
		{webhooks.GeneratedImageSuccess, "/status", "text", `{"status":%s}`},
		{webhooks.GeneratedImageSuccess, "/photo_urls", "texts", `{"photo_urls":%s}`},
		{webhooks.GeneratedImageSuccess, "/photo_urls/0", "text", `{"photo_urls":[%s]}`},
		{webhooks.GeneratedImageFailed, "/photo_id", "text", `{"photo_id":%s}`},
		{webhooks.GeneratedImageFailed, "/status", "text", `{"status":%s}`},
		{webhooks.GeneratedImageFailed, "/error", "error", `{"error":%s}`},
		{webhooks.GeneratedImageFailed, "/err_msg", "text", `{"err_msg":%s}`},
		{webhooks.GeneratedMotionSuccess, "/motion_id", "text", `{"motion_id":%s}`},
		{webhooks.GeneratedMotionSuccess, "/status", "text", `{"status":%s}`},
		{webhooks.GeneratedMotionSuccess, "/motion_url", "text", `{"motion_url":%s}`},
		{webhooks.GeneratedMotionSuccess, "/photo_url", "text", `{"photo_url":%s}`},
		{webhooks.GeneratedMotionFailed, "/motion_id", "text", `{"motion_id":%s}`},
		{webhooks.GeneratedMotionFailed, "/status", "text", `{"status":%s}`},
		{webhooks.GeneratedMotionFailed, "/error", "error", `{"error":%s}`},
		{webhooks.GeneratedMotionFailed, "/err_msg", "text", `{"err_msg":%s}`},
	} {
		for value, reason := range wrongFor[c.kind] {
			data := fmt.Sprintf(c.data, value)
			for _, body := range []string{
				fmt.Sprintf(`{"event":%q,"data":%s}`, c.event, data),
				fmt.Sprintf(`{"x":"é","data":%s,"event":%q}`, data, c.event),
			} {
				_, err := webhooks.Parse([]byte(body))
				checkPayloadError(t, body, err, c.event, "/data"+c.field, reason)
				checkQuotesNothing(t, err)
			}
		}
	}
}

// The table above has every field that a delivery can have.
func TestEveryFieldOfTheDataIsCovered(t *testing.T) {
	for _, d := range documented() {
		for field := range fields(d.want.Data) {
			body := fmt.Sprintf(`{"event":%q,"data":{%q:true}}`, d.want.Type, field.name)
			_, err := webhooks.Parse([]byte(body))
			checkPayloadError(t, body, err, d.want.Type, "/data/"+field.name, "")
		}
	}
}

func TestParseRefusesEveryBeginningOfABody(t *testing.T) {
	for _, d := range documented() {
		for n := range len(d.body) {
			beginning := d.body[:n]
			_, err := webhooks.Parse([]byte(beginning))
			refused, ok := errors.AsType[*webhooks.PayloadError](err)
			if !ok {
				t.Fatalf("%s\ngave %v", beginning, err)
			}
			if refused.Err.Error() != "JSON that ends too early" {
				t.Errorf("%s\ngave the reason %q", beginning, refused.Err)
			}
			if refused.Type != "" && refused.Type != d.want.Type {
				t.Errorf("%s\ngave the type %q", beginning, refused.Type)
			}
		}
	}
}

// Whatever is wrong with a body, and wherever, the error tells nothing that stood in it but the event's name.
func TestErrorsQuoteNothingOfThePayload(t *testing.T) {
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
		refusals := 0
		for i := range body {
			for _, bad := range []byte("\x00\"\\{}[]:,1tn\xff") {
				damaged := slices.Clone(body)
				damaged[i] = bad
				_, err := webhooks.Parse(damaged)
				if err != nil {
					refusals++
				}
				checkQuotesNothing(t, err)
			}
			for _, damaged := range [][]byte{body[:i], slices.Delete(slices.Clone(body), i, i+1), slices.Concat(body[:i], body[i:i+1], body[i:])} {
				_, err := webhooks.Parse(damaged)
				checkQuotesNothing(t, err)
			}
		}
		if refusals < len(body) {
			t.Errorf("%s: only %d damaged bodies were refused", d.want.Type, refusals)
		}
	}
}

// markedBody returns the delivery with markers in every string, unknown names and fields that nobody documented.
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

// checkQuotesNothing checks that no text of err, however it is printed, has a part of the marker, or the numbers used as such.
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

// checkSyntaxError makes sure that err says why body is no JSON, or "" for whatever reason. How far it was read decides which event and which
// field the error can name: it names none that the body does not have.
func checkSyntaxError(t *testing.T, body string, err error, reason string) {
	t.Helper()
	refused, ok := errors.AsType[*webhooks.PayloadError](err)
	if !ok {
		t.Fatalf("%.200s\ngave %v", body, err)
	}
	if reason != "" && refused.Err.Error() != reason {
		t.Errorf("%.200s\ngave the reason %q, want %q", body, refused.Err, reason)
	}
	if refused.Type != "" && !strings.Contains(body, strconv.Quote(string(refused.Type))) {
		t.Errorf("%.200s\ngave the type %q", body, refused.Type)
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(refused.Field, "/"), "/") {
		if _, notAnIndex := strconv.Atoi(name); name != "" && notAnIndex != nil && !strings.Contains(body, strconv.Quote(name)) {
			t.Errorf("%.200s\ngave the field %q", body, refused.Field)
		}
	}
}
