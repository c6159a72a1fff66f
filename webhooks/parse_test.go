package webhooks_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// mustParse parses body, which must be an event.
func mustParse(t *testing.T, body string) webhooks.Event {
	t.Helper()
	ev, err := webhooks.Parse([]byte(body))
	if err != nil {
		t.Fatalf("Parse(%s): %v", body, err)
	}
	return ev
}

func TestParseDecodesEveryDocumentedEvent(t *testing.T) {
	deliveries := documented()
	for _, d := range deliveries {
		t.Run(string(d.want.Type), func(t *testing.T) {
			if ev, want := mustParse(t, d.body), d.event(); !same(ev, want) {
				t.Errorf("got\n%+v with %+v, want\n%+v with %+v", ev, ev.Data, want, want.Data)
			}
			agree(t, []byte(d.body))
		})
	}
}

func TestParseAcceptsPayloadVariants(t *testing.T) {
	const url = "https://cdn.example.com/1.mp4"
	for _, c := range []struct {
		name  string
		event webhooks.EventType
		data  string
		want  webhooks.Data
	}{
		{
			"error as an object on an image event", webhooks.GeneratedImageFailed, `{"photo_id":"p","error":{"code":7,"message":"m"}}`,
			&webhooks.ImageFailed{PhotoID: "p", Error: gen.WebhookError{Code: 7, Message: "m"}},
		},
		{
			"error as a string on a video event", webhooks.GeneratedVideoFailed, `{"video_id":"v","error":"m"}`,
			&webhooks.VideoFailed{VideoID: "v", Error: gen.WebhookError{Message: "m"}},
		},
		{
			"error as a bare code", webhooks.GeneratedMotionFailed, `{"motion_id":"x","error":404}`,
			&webhooks.MotionFailed{MotionID: "x", Error: gen.WebhookError{Code: 404}},
		},
		{
			"error as a bare code that is no integer", webhooks.GeneratedMotionFailed, `{"motion_id":"x","error":1.5}`,
			&webhooks.MotionFailed{MotionID: "x", Error: gen.WebhookError{Message: "1.5", CodeWord: "1.5"}},
		},
		{
			"error code in a string", webhooks.GeneratedMotionFailed, `{"error":{"code":"404","message":"m"}}`,
			&webhooks.MotionFailed{Error: gen.WebhookError{Code: 404, Message: "m"}},
		},
		{
			"error code in words beside a message", webhooks.GeneratedMotionFailed, `{"error":{"code":"E_DARK","message":"m"}}`,
			&webhooks.MotionFailed{Error: gen.WebhookError{Message: "m", CodeWord: "E_DARK"}},
		},
		{
			"error code beyond an int", webhooks.GeneratedMotionFailed, `{"error":{"code":99999999999999999999,"message":"m"}}`,
			&webhooks.MotionFailed{Error: gen.WebhookError{Message: "m", CodeWord: "99999999999999999999"}},
		},
		{
			"error code in words alone", webhooks.GeneratedMotionFailed, `{"error":{"code":"E_DARK"}}`,
			&webhooks.MotionFailed{Error: gen.WebhookError{Message: "E_DARK", CodeWord: "E_DARK"}},
		},
		{
			"error code in words beside err_msg", webhooks.GeneratedMotionFailed, `{"error":{"code":"E_DARK"},"err_msg":"too dark"}`,
			&webhooks.MotionFailed{ErrMsg: "too dark", Error: gen.WebhookError{Message: "too dark", CodeWord: "E_DARK"}},
		},
		{
			"error of null", webhooks.GeneratedScriptFailed, `{"task_id":"t","error":null}`, &webhooks.ScriptFailed{TaskID: "t"},
		},
		{
			"error as an object of nulls", webhooks.GeneratedScriptFailed, `{"error":{"code":null,"message":null}}`, &webhooks.ScriptFailed{},
		},
		{
			"err_msg on a video event", webhooks.GeneratedProductVideoFailed, `{"video_id":"v","err_msg":"m"}`,
			&webhooks.VideoFailed{VideoID: "v", ErrMsg: "m", Error: gen.WebhookError{Message: "m"}},
		},
		{
			"err_msg on an avatar event", webhooks.CreateAvatarFailed, `{"avatar_id":1,"err_msg":"m"}`,
			&webhooks.AvatarFailed{AvatarID: 1, ErrMsg: "m", Error: gen.WebhookError{Message: "m"}},
		},
		{
			"err_msg on a script event", webhooks.GeneratedScriptFailed, `{"task_id":"t","err_msg":"m"}`,
			&webhooks.ScriptFailed{TaskID: "t", ErrMsg: "m", Error: gen.WebhookError{Message: "m"}},
		},
		{
			"err_msg on an image event", webhooks.GeneratedImageFailed, `{"photo_id":"p","err_msg":"m"}`,
			&webhooks.ImageFailed{PhotoID: "p", ErrMsg: "m", Error: gen.WebhookError{Message: "m"}},
		},
		{
			"err_msg on a motion event", webhooks.GeneratedMotionFailed, `{"motion_id":"x","err_msg":"m"}`,
			&webhooks.MotionFailed{MotionID: "x", ErrMsg: "m", Error: gen.WebhookError{Message: "m"}},
		},
		{
			"err_msg beside an error", webhooks.GeneratedVideoFailed, `{"err_msg":"old","error":{"code":1,"message":"new"}}`,
			&webhooks.VideoFailed{ErrMsg: "old", Error: gen.WebhookError{Code: 1, Message: "new"}},
		},
		{
			"project_id on a finished video", webhooks.GeneratedAvatarVideoSuccess, `{"project_id":"v","video_url":"` + url + `"}`,
			&webhooks.VideoSucceeded{VideoID: "v", ProjectID: "v", VideoURL: url},
		},
		{
			"project_id on a failed video", webhooks.GeneratedAvatarVideoFailed, `{"project_id":"v"}`,
			&webhooks.VideoFailed{VideoID: "v", ProjectID: "v"},
		},
		{
			"project_id beside video_id", webhooks.GeneratedVideoSuccess, `{"project_id":"p","video_id":"v"}`,
			&webhooks.VideoSucceeded{VideoID: "v", ProjectID: "p"},
		},
		{
			"project_id beside a video_id of null", webhooks.GeneratedVideoSuccess, `{"video_id":null,"project_id":"p"}`,
			&webhooks.VideoSucceeded{VideoID: "p", ProjectID: "p"},
		},
		{
			"script paragraphs as an array", webhooks.GeneratedScriptSuccess, `{"scripts":[{"script_paragraphs":["a","b"]}]}`,
			&webhooks.ScriptSucceeded{Scripts: []gen.GeneratedScript{{ScriptParagraphs: []string{"a", "b"}}}},
		},
		{
			"script paragraphs as one string", webhooks.GeneratedScriptSuccess, `{"scripts":[{"script_paragraphs":"a\nb"}]}`,
			&webhooks.ScriptSucceeded{Scripts: []gen.GeneratedScript{{ScriptParagraphs: []string{"a\nb"}}}},
		},
		{
			"script paragraphs of null", webhooks.GeneratedScriptSuccess, `{"scripts":[{"script_paragraphs":null}]}`,
			&webhooks.ScriptSucceeded{Scripts: []gen.GeneratedScript{{}}},
		},
		{
			"scripts of null", webhooks.GeneratedScriptSuccess, `{"scripts":null}`, &webhooks.ScriptSucceeded{},
		},
		{
			"no scripts", webhooks.GeneratedScriptSuccess, `{"scripts":[]}`, &webhooks.ScriptSucceeded{},
		},
		{
			"one photo as a string", webhooks.GeneratedImageSuccess, `{"photo_urls":"https://cdn.example.com/1.png"}`,
			&webhooks.ImageSucceeded{PhotoURLs: []string{"https://cdn.example.com/1.png"}},
		},
		{
			"duration as an integer", webhooks.GeneratedVideoSuccess, `{"duration":12}`, &webhooks.VideoSucceeded{Duration: 12},
		},
		{
			"duration in a string", webhooks.GeneratedVideoSuccess, `{"duration":"12.25"}`, &webhooks.VideoSucceeded{Duration: 12.25},
		},
		{
			"video id as an integer", webhooks.GeneratedVideoSuccess, `{"video_id":81}`, &webhooks.VideoSucceeded{VideoID: "81"},
		},
		{
			"video id as an integer beyond 64 bits", webhooks.GeneratedVideoSuccess, `{"video_id":18446744073709551616}`,
			&webhooks.VideoSucceeded{VideoID: "18446744073709551616"},
		},
		{
			"project id as an integer", webhooks.GeneratedVideoSuccess, `{"project_id":81}`, &webhooks.VideoSucceeded{VideoID: "81", ProjectID: "81"},
		},
		{
			"avatar id in a string", webhooks.CreateAvatarSuccess, `{"avatar_id":"412"}`, &webhooks.AvatarSucceeded{AvatarID: 412},
		},
		{
			"task id as an integer", webhooks.GeneratedScriptSuccess, `{"task_id":7}`, &webhooks.ScriptSucceeded{TaskID: "7"},
		},
		{
			"photo id as an integer", webhooks.GeneratedImageSuccess, `{"photo_id":5}`, &webhooks.ImageSucceeded{PhotoID: "5"},
		},
		{
			"motion id as an integer", webhooks.GeneratedMotionSuccess, `{"motion_id":3}`, &webhooks.MotionSucceeded{MotionID: "3"},
		},
		{
			"no cover", webhooks.GeneratedPhotoAvatarSuccess, `{"avatar_id":1,"status":"completed"}`,
			&webhooks.AvatarSucceeded{AvatarID: 1, Status: "completed"},
		},
		{
			"an undocumented status", webhooks.GeneratedVideoSuccess, `{"status":"succeeded"}`,
			&webhooks.VideoSucceeded{Status: "succeeded"},
		},
		{
			"undocumented fields", webhooks.GeneratedVideoSuccess, `{"a":{"video_id":"no"},"video_id":"v","b":[1,{"c":null}],"d":1e999}`,
			&webhooks.VideoSucceeded{VideoID: "v"},
		},
		{
			"names are case-sensitive", webhooks.GeneratedVideoSuccess, `{"VIDEO_ID":"no","video_id":"v","Video_Id":"no"}`,
			&webhooks.VideoSucceeded{VideoID: "v"},
		},
		{
			"no field but the identifying one", webhooks.GeneratedVideoSuccess, `{}`, &webhooks.VideoSucceeded{},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := withIdentifyingField(c.event, c.data, c.want)
			early := fmt.Sprintf(`{"event":%q,"data":%s}`, c.event, data)
			late := fmt.Sprintf(`{"data":%s,"event":%q}`, data, c.event)
			for _, body := range []string{early, late} {
				if ev := mustParse(t, body); !reflect.DeepEqual(ev.Data, c.want) {
					t.Errorf("%s\ngot  %+v\nwant %+v", body, ev.Data, c.want)
				}
				agree(t, []byte(body))
			}
		})
	}
}

// withIdentifyingField adds the identifying field to data and to want, unless they have it.
func withIdentifyingField(event webhooks.EventType, data string, want webhooks.Data) string {
	v, documented := reflect.ValueOf(want).Elem(), reflect.ValueOf(document(event).want.Data).Elem()
	for i := range v.NumField() {
		name := jsonName(v.Type().Field(i))
		if name == "project_id" || !slices.Contains(identifyingFields, name) || !v.Field(i).IsZero() {
			continue
		}
		v.Field(i).Set(documented.Field(i))
		value, _ := json.Marshal(documented.Field(i).Interface())
		data = strings.Replace(data, "{", fmt.Sprintf("{%q:%s,", name, value), 1)
		data = strings.Replace(data, ",}", "}", 1)
	}
	return data
}

func TestParseAcceptsEnvelopeVariants(t *testing.T) {
	const data = `"data":{"task_id":"t"}`
	at := time.Unix(1732806631, 0).UTC()
	for _, c := range []struct {
		name, body string
		id         string
		time       time.Time
	}{
		{"event_id missing", `{"event":"generated_script_failed","timestamp":1732806631,` + data + `}`, "", at},
		{"event_id of null", `{"event":"generated_script_failed","event_id":null,"timestamp":1732806631,` + data + `}`, "", at},
		{"event_id empty", `{"event":"generated_script_failed","event_id":"","timestamp":1732806631,` + data + `}`, "", at},
		{
			"event_id as an integer", `{"event":"generated_script_failed","event_id":42,"timestamp":1732806631,` + data + `}`, "42",
			at,
		},
		{"timestamp missing", `{"event":"generated_script_failed",` + data + `}`, "", time.Time{}},
		{"timestamp of null", `{"event":"generated_script_failed","timestamp":null,` + data + `}`, "", time.Time{}},
		{"timestamp of zero", `{"event":"generated_script_failed","timestamp":0,` + data + `}`, "", time.Time{}},
		{"timestamp in a string", `{"event":"generated_script_failed","timestamp":"1732806631",` + data + `}`, "", at},
		{"timestamp with a fraction of zero", `{"event":"generated_script_failed","timestamp":1732806631.0,` + data + `}`, "", at},
		{"timestamp empty", `{"event":"generated_script_failed","timestamp":"",` + data + `}`, "", time.Time{}},
		{"timestamp with a fraction", `{"event":"generated_script_failed","timestamp":1732806631.25,` + data + `}`, "", at.Add(time.Second / 4)},
		{"timestamp in milliseconds", `{"event":"generated_script_failed","timestamp":1732806631250,` + data + `}`, "", at.Add(time.Second / 4)},
		{"timestamp in microseconds", `{"event":"generated_script_failed","timestamp":"1732806631250000",` + data + `}`, "", at.Add(time.Second / 4)},
		{"timestamp in nanoseconds", `{"event":"generated_script_failed","timestamp":1732806631250000000,` + data + `}`, "", at.Add(time.Second / 4)},
		{"timestamp of RFC 3339", `{"event":"generated_script_failed","timestamp":"2024-11-28T15:10:31Z",` + data + `}`, "", at},
		{"the last second", `{"event":"generated_script_failed","timestamp":99999999999,` + data + `}`, "", time.Unix(99999999999, 0).UTC()},
		{"the first millisecond", `{"event":"generated_script_failed","timestamp":100000000000,` + data + `}`, "", time.Unix(1e8, 0).UTC()},
		{
			"undocumented fields",
			`{"version":[2],"event":"generated_script_failed","timestamp":1732806631,` + data + `,"x":{"event":1}}`, "", at,
		},
		{
			"white space", " \r\n\t{ \"event\" : \"generated_script_failed\" ,\n\"timestamp\" : 1732806631 , " + data + " } \n", "",
			at,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := webhooks.Event{
				ID: c.id, Type: webhooks.GeneratedScriptFailed, Time: c.time,
				Data: &webhooks.ScriptFailed{TaskID: "t"}, Raw: []byte(c.body),
			}
			if ev := mustParse(t, c.body); !same(ev, want) {
				t.Errorf("got\n%+v with %+v, want\n%+v with %+v", ev, ev.Data, want, want.Data)
			}
			agree(t, []byte(c.body))
		})
	}
}

func TestParseAcceptsTheEnvelopeInAnyOrder(t *testing.T) {
	for _, d := range documented() {
		var envelope map[string]json.RawMessage
		if err := json.Unmarshal([]byte(d.body), &envelope); err != nil {
			t.Fatal(err)
		}
		var members []string
		for name, value := range envelope {
			members = append(members, strconv.Quote(name)+":"+string(value))
		}
		for order := range permutations(members) {
			body := "{" + strings.Join(order, ",") + "}"
			want := d.want
			want.Raw = []byte(body)
			if ev := mustParse(t, body); !same(ev, want) {
				t.Errorf("%s\ngot  %+v\nwant %+v", body, ev.Data, want.Data)
			}
		}
	}
}

// permutations yields all orders of the elements, reusing the slice.
func permutations(elements []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) { permute(elements, 0, yield) }
}

func permute(elements []string, fixed int, yield func([]string) bool) bool {
	if fixed == len(elements) {
		return yield(elements)
	}
	for i := fixed; i < len(elements); i++ {
		elements[fixed], elements[i] = elements[i], elements[fixed]
		if !permute(elements, fixed+1, yield) {
			return false
		}
		elements[fixed], elements[i] = elements[i], elements[fixed]
	}
	return true
}

func TestParseReadsEscapes(t *testing.T) {
	for _, body := range []string{
		`{"\u0065vent":"generated\u005fvideo_success","\u0064ata":{"video\u005Fid":"a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00é😀","video_url":"https:\/\/x"}}`,
		`{"\u0064ata":{"video\u005Fid":"a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00é😀","video_url":"https:\/\/x"},"\u0065vent":"generated\u005fvideo_success"}`,
	} {
		ev := mustParse(t, body)
		want := &webhooks.VideoSucceeded{VideoID: "a\"\\/\b\f\n\r\té😀é😀", VideoURL: "https://x"}
		if ev.Type != webhooks.GeneratedVideoSuccess || !reflect.DeepEqual(ev.Data, want) {
			t.Errorf("got %s %+v, want %+v", ev.Type, ev.Data, want)
		}
		agree(t, []byte(body))
	}
}

func TestParseAcceptsNullForEachFieldOfTheData(t *testing.T) {
	for _, d := range documented() {
		var envelope map[string]any
		if err := json.Unmarshal([]byte(d.body), &envelope); err != nil {
			t.Fatal(err)
		}
		data := envelope["data"].(map[string]any)
		for name, value := range data {
			data[name] = nil
			body, err := json.Marshal(envelope)
			if err != nil {
				t.Fatal(err)
			}
			data[name] = value

			ev := mustParse(t, string(body))
			agree(t, body)
			if slices.Contains(identifyingFields, name) {
				if undecodable, ok := ev.Data.(*webhooks.Undecodable); !ok || undecodable.Err.Field != "/data/"+name {
					t.Errorf("%s without its %s was decoded to %+v", d.want.Type, name, ev.Data)
				}
				continue
			}
			v, want := reflect.ValueOf(ev.Data).Elem(), reflect.ValueOf(d.want.Data).Elem()
			for i := range v.NumField() {
				switch field := jsonName(v.Type().Field(i)); {
				case field == name && !v.Field(i).IsZero():
					t.Errorf("%s: %s of null was decoded to %v", d.want.Type, name, v.Field(i))
				case field != name && !reflect.DeepEqual(v.Field(i).Interface(), want.Field(i).Interface()):
					t.Errorf("%s: %s is %v when %s is null", d.want.Type, field, v.Field(i), name)
				}
			}
		}
	}
}

func TestParseKeepsUnknownEvents(t *testing.T) {
	for _, c := range []struct{ name, body, data string }{
		{"object", `{"event":"video_archived","event_id":"e","timestamp":1,"data":{"a": [1, 2]}}`, `{"a": [1, 2]}`},
		{
			"object before the event", `{"data":{"a": [1, 2]},"event":"video_archived","event_id":"e","timestamp":1}`,
			`{"a": [1, 2]}`,
		},
		{"array", `{"event":"video_archived","event_id":"e","timestamp":1,"data":[ ]}`, `[ ]`},
		{"string", `{"event":"video_archived","event_id":"e","timestamp":1,"data":"\u0061"}`, `"\u0061"`},
		{"number", `{"event":"video_archived","event_id":"e","timestamp":1,"data":1e999}`, `1e999`},
		{"boolean", `{"event":"video_archived","event_id":"e","timestamp":1,"data":false}`, `false`},
		{"null", `{"event":"video_archived","event_id":"e","timestamp":1,"data":null}`, ``},
		{"null before the event", `{"data":null,"event":"video_archived","event_id":"e","timestamp":1}`, ``},
		{"nothing", `{"event":"video_archived","event_id":"e","timestamp":1}`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev := mustParse(t, c.body)
			unknown, ok := ev.Data.(*webhooks.Unknown)
			if !ok {
				t.Fatalf("data is a %T", ev.Data)
			}
			if ev.ID != "e" || ev.Type != "video_archived" || ev.Time.Unix() != 1 || string(ev.Raw) != c.body {
				t.Errorf("event is %+v", ev)
			}
			if string(unknown.Data) != c.data || (c.data == "") != (unknown.Data == nil) {
				t.Errorf("data is %q, want %q", unknown.Data, c.data)
			}
			agree(t, []byte(c.body))
		})
	}
}

// Event types are compared exactly.
func TestParseComparesEventTypesExactly(t *testing.T) {
	for _, name := range []string{"Generated_Video_Success", " generated_video_success", "generated_video_success ", "generated_video", "_success"} {
		ev := mustParse(t, fmt.Sprintf(`{"event":%q,"data":{"video_id":"v"}}`, name))
		if _, ok := ev.Data.(*webhooks.Unknown); !ok || ev.Type.Known() {
			t.Errorf("%q was decoded to %T", name, ev.Data)
		}
	}
}

func TestParseReadsIntegersExactly(t *testing.T) {
	for literal, want := range map[string]int64{
		`412`:                     412,
		`"412"`:                   412,
		`"-412"`:                  -412,
		`" 412"`:                  412,
		`"412\n"`:                 412,
		`412.0`:                   412,
		`"412.0"`:                 412,
		`4.12e2`:                  412,
		`0.412e3`:                 412,
		`41200E-2`:                412,
		`"4.12E+2"`:               412,
		`9007199254740991.0`:      9007199254740991,
		`9007199254740993`:        9007199254740993,
		`9007199254740993.0`:      9007199254740993, // not representable as float64
		`-9007199254740993.0`:     -9007199254740993,
		`9223372036854775807`:     9223372036854775807,
		`922337203685477580.7e1`:  9223372036854775807,
		`-9223372036854775808`:    -9223372036854775808,
		`"9223372036854775807"`:   9223372036854775807,
		`"\u0034\u0031\u0032"`:    412,
		`1e18`:                    1e18,
		`1000000000000000000e-18`: 1,
	} {
		body := `{"event":"create_avatar_success","data":{"avatar_id":` + literal + `}}`
		ev := mustParse(t, body)
		if data, ok := ev.Data.(*webhooks.AvatarSucceeded); !ok || data.AvatarID != want || ev.Problems != nil {
			t.Errorf("%s was decoded to %+v with the problems %v, want %d", literal, ev.Data, ev.Problems, want)
		}
		agree(t, []byte(body))
	}
	for _, literal := range []string{
		`12345678901234567e-1`, `9223372036854775808`, `-9223372036854775809`, `1e19`, `1e400`, `-1e400`, `1.5`, `"1.5"`, `"1 2"`,
		`"x"`, `"null"`, `"NaN"`, `"Inf"`, `"-Infinity"`, `"0x10"`, `"0x1p4"`, `"1_000"`, `"１"`, `"+1"`, `"01"`, `"1."`, `".1"`, `"1e"`, `"1e+"`, `"-"`,
		`"1e1000000000000000000"`, strings.Repeat("9", 10000),
	} {
		body := `{"event":"create_avatar_success","data":{"avatar_id":` + literal + `}}`
		ev := mustParse(t, body)
		checkProblem(t, ev, "/data/avatar_id", "")
		agree(t, []byte(body))
	}
	for _, literal := range []string{`0`, `-0`, `0.0`, `0e99`, `null`, `""`, `" "`} {
		body := `{"event":"create_avatar_success","data":{"avatar_id":` + literal + `}}`
		ev := mustParse(t, body)
		if undecodable, ok := ev.Data.(*webhooks.Undecodable); !ok || ev.Problems != nil || undecodable.Err.Err.Error() != "missing" {
			t.Errorf("%s was decoded to %+v with the problems %v", literal, ev.Data, ev.Problems)
		}
		agree(t, []byte(body))
	}
}

func TestParseReadsNumbers(t *testing.T) {
	for literal, want := range map[string]float64{
		`0`: 0, `12`: 12, `12.5`: 12.5, `"12.5"`: 12.5, `1.25e1`: 12.5, `null`: 0, `1e308`: 1e308, `5e-324`: 5e-324, `1e-999`: 0, `""`: 0, `" 12.5 "`: 12.5,
		`1e309`: -1, `-1e309`: -1, `"1e309"`: -1, `"12.5s"`: -1, `"NaN"`: -1, `"Infinity"`: -1, `"0x1p4"`: -1, `"1_0"`: -1,
	} {
		body := `{"event":"generated_video_success","data":{"video_id":"v","duration":` + literal + `}}`
		ev := mustParse(t, body)
		if want == -1 {
			checkProblem(t, ev, "/data/duration", "not a number")
			want = 0
		}
		if got := ev.Data.(*webhooks.VideoSucceeded).Duration; got != want {
			t.Errorf("%s was decoded to %v, want %v", literal, got, want)
		}
		agree(t, []byte(body))
	}
}

func TestParseDoesNotCopyTheBody(t *testing.T) {
	body := []byte(`{"event":"video_archived","data":[1],"x":2}`)
	ev, err := webhooks.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	if &ev.Raw[0] != &body[0] || len(ev.Raw) != len(body) {
		t.Error("Raw is not the body")
	}
	data := ev.Data.(*webhooks.Unknown).Data
	if &data[0] != &body[33] {
		t.Errorf("the data of an unknown event is not a slice of the body")
	}
	if _ = append(data, '!'); body[36] == '!' {
		t.Error("appending to the data of an unknown event writes into the body")
	}
}

// Pooled readers must not leak data from one body into the next.
func TestParseDoesNotMixBodies(t *testing.T) {
	big := `{"event":"generated_script_success","event_id":"big","timestamp":1,"data":{"task_id":"big","status":"big","error":"big",` +
		`"scripts":[` + strings.Repeat(`{"script_style":"big","script_paragraphs":["big","big"]},`, 2000) + `{}]}}`
	small := `{"event":"generated_script_success","data":{"task_id":"t"}}`
	wordy := `{"event":"generated_motion_failed","data":{"motion_id":"m","error":{"code":"WORD"}}}`
	silent := `{"event":"generated_motion_failed","data":{"motion_id":"m","error":{"code":5}}}`
	late := `{"data":{"motion_id":"\u006d","error":{"code":"WORD"}},"event":"generated_motion_failed"}`
	odd := `{"event":"generated_motion_failed","event_id":{},"data":{"motion_id":[],"error":{"code":"WORD"}}}`
	broken := `{"event":"generated_motion_failed","data":{"error":{"code":"WORD"}},`

	for range 3 {
		mustParse(t, big)
		ev := mustParse(t, small)
		if !reflect.DeepEqual(ev.Data, &webhooks.ScriptSucceeded{TaskID: "t"}) || ev.ID != "" || !ev.Time.IsZero() {
			t.Errorf("after a big body the small one was decoded to %+v with %+v", ev, ev.Data)
		}
		for _, before := range []string{wordy, late, odd, broken} {
			_, _ = webhooks.Parse([]byte(before))
			want := &webhooks.MotionFailed{MotionID: "m", Error: gen.WebhookError{Code: 5}}
			if ev := mustParse(t, silent); !reflect.DeepEqual(ev.Data, want) || ev.Problems != nil {
				t.Errorf("after %s came %+v", before, ev.Data)
			}
		}
	}
}

func TestParseIsSafeForConcurrentUse(t *testing.T) {
	deliveries := documented()
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := range 20 * len(deliveries) {
				d := deliveries[(worker+i)%len(deliveries)]
				ev, err := webhooks.Parse([]byte(d.body))
				if err != nil {
					t.Error(err)
				} else if !same(ev, d.event()) {
					t.Errorf("%s was decoded to %+v", d.body, ev.Data)
				}
				if _, err := webhooks.Parse([]byte(d.body[:len(d.body)/2])); err == nil {
					t.Error("half a body was accepted")
				}
			}
		})
	}
	workers.Wait()
}

func TestEventTypesAreSuccessesOrFailures(t *testing.T) {
	types := webhooks.EventTypes()
	if len(types) == 0 {
		t.Fatal("there are no event types")
	}
	for _, event := range types {
		if !event.Known() || event.Succeeded() == event.Failed() || event.Succeeded() != strings.HasSuffix(string(event), "_success") {
			t.Errorf("%s: Known %t, Succeeded %t, Failed %t", event, event.Known(), event.Succeeded(), event.Failed())
		}
	}
	first := types[0]
	types[0] = "changed"
	if webhooks.EventTypes()[0] != first {
		t.Error("changing what EventTypes returned changes what it returns next")
	}
}
