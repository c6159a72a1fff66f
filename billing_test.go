package jogg_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

const spoken = `{"code":0,"data":{"task_id":"t"}}`

func synthesize(ctx context.Context, c *jogg.Client, key string) error {
	_, err := c.SynthesizeSpeech(ctx, gen.SynthesizeSpeechRequest{Text: "a", VoiceID: "b", IdempotencyKey: key})
	return err
}

// keysOf returns the idempotency keys of the requests sent.
func keysOf(t *testing.T, bodies []string) []string {
	t.Helper()
	var keys []string
	for _, body := range bodies {
		var sent struct {
			Key string `json:"idempotency_key"`
		}
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, sent.Key)
	}
	return keys
}

func TestIdempotencyKeyIsGeneratedForEachCallAndKeptForItsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := respond(http.StatusTooManyRequests, "")
		success := respond(http.StatusOK, spoken)
		transport := &script{responses: []func() (*http.Response, error){limited, success, limited, success, limited, success}}
		client := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{}))
		for _, key := range []string{"", "", "mine"} {
			if err := synthesize(t.Context(), client, key); err != nil {
				t.Fatal(err)
			}
		}
		keys := keysOf(t, transport.bodies)
		if len(keys) != 6 || keys[0] != keys[1] || keys[2] != keys[3] || keys[0] == keys[2] || len(keys[0]) < 20 || len(keys[2]) < 20 {
			t.Errorf("the keys of two calls with two attempts each were %q", keys[:4])
		}
		if keys[4] != "mine" || keys[5] != "mine" {
			t.Errorf("the caller's key became %q", keys[4:])
		}
	})
}

func TestRequestWithAKeyIsRetriedOnlyIfThePolicySaysSo(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	for name, failure := range map[string]func() (*http.Response, error){
		"broken connection": failed(reset),
		"connection closed": failed(io.EOF),
		"code 50000":        respond(http.StatusOK, `{"code":50000}`),
		"HTTP 502":          respond(http.StatusBadGateway, ""),
		"answer cut short":  brokenOff,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, allowed := range []bool{false, true} {
					transport := &script{responses: []func() (*http.Response, error){failure, respond(http.StatusOK, spoken)}}
					client := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{RepeatWithKey: allowed}))
					err := synthesize(t.Context(), client, "")
					if allowed != (err == nil) {
						t.Errorf("RepeatWithKey %t: %v", allowed, err)
					}
					keys := keysOf(t, transport.bodies)
					if allowed && (len(keys) != 2 || keys[0] != keys[1] || keys[0] == "") || !allowed && len(keys) != 1 {
						t.Errorf("RepeatWithKey %t: sent with the keys %q", allowed, keys)
					}
				}
			})
		})
	}
}

func TestBilledRequestWithoutAKeyIsNotRetriedWhateverThePolicy(t *testing.T) {
	transport := &script{responses: []func() (*http.Response, error){failed(io.EOF), respond(http.StatusOK, spoken)}}
	client := newClient(t, transport, jogg.WithRetry(jogg.RetryPolicy{RepeatWithKey: true}))
	order := gen.TranscribeAudioRequest{AudioURL: "https://files.test/a.mp3", DurationSeconds: 1}
	if _, err := client.TranscribeAudio(t.Context(), order); err == nil || len(transport.bodies) != 1 {
		t.Errorf("sent %d times, error %v", len(transport.bodies), err)
	}
}

func TestWhatWasPublishedInSeveralPlacesIsSentInAllOfThem(t *testing.T) {
	const created = `{"code":0,"data":{"video_id":"v","previews":[{"preview_id":"p"}]}}`
	variable := func(url string) gen.TemplateVariableValue {
		return gen.TemplateVariableValue{Type: "text", Name: "n", Properties: gen.TemplateVariableContent{Content: "c", WebhookURL: url}}
	}
	video := func(top, script string) func(context.Context, *jogg.Client) error {
		return func(ctx context.Context, c *jogg.Client) error {
			_, err := c.CreateProductVideo(ctx, gen.CreateProductVideoRequest{OverrideScript: top, Script: gen.ProductVideoScript{OverrideScript: script}})
			return err
		}
	}
	previews := func(top, script string) func(context.Context, *jogg.Client) error {
		return func(ctx context.Context, c *jogg.Client) error {
			_, err := c.CreateProductPreviews(ctx, gen.CreateProductPreviewsRequest{Language: top, Script: gen.ProductVideoScript{Language: script}})
			return err
		}
	}
	template := func(top string, inside ...string) func(context.Context, *jogg.Client) error {
		return func(ctx context.Context, c *jogg.Client) error {
			order := gen.CreateTemplateVideoRequest{WebhookURL: top}
			for _, url := range inside {
				order.Variables = append(order.Variables, variable(url))
			}
			before := append([]gen.TemplateVariableValue(nil), order.Variables...)
			_, err := c.CreateTemplateVideo(ctx, order)
			if !reflect.DeepEqual(order.Variables, before) {
				t.Errorf("the caller's variables became %v", order.Variables)
			}
			return err
		}
	}
	for name, test := range map[string]struct {
		call func(context.Context, *jogg.Client) error
		want map[string]string // what is sent at each pointer
		err  string
	}{
		"at the top":               {call: video("w", ""), want: map[string]string{"/override_script": "w", "/script/override_script": "w"}},
		"in the script":            {call: video("", "w"), want: map[string]string{"/override_script": "w", "/script/override_script": "w"}},
		"in both":                  {call: video("w", "w"), want: map[string]string{"/override_script": "w", "/script/override_script": "w"}},
		"in neither":               {call: video("", ""), want: map[string]string{"/override_script": "", "/script/override_script": ""}},
		"differently":              {call: video("w", "x"), err: "jogg: CreateProductVideo: /override_script and /script/override_script must have the same value, but differ"},
		"language at the top":      {call: previews("german", ""), want: map[string]string{"/language": "german", "/script/language": "german"}},
		"language in the script":   {call: previews("", "german"), want: map[string]string{"/language": "german", "/script/language": "german"}},
		"languages that differ":    {call: previews("german", "english"), err: "/language and /script/language must have the same value, but differ"},
		"webhook at the top":       {call: template("u", "", ""), want: map[string]string{"/webhook_url": "u", "/variables/0/properties/webhook_url": "u", "/variables/1/properties/webhook_url": "u"}},
		"webhook in one variable":  {call: template("", "", "u"), want: map[string]string{"/webhook_url": "u", "/variables/0/properties/webhook_url": "u", "/variables/1/properties/webhook_url": "u"}},
		"webhook, no variables":    {call: template("u"), want: map[string]string{"/webhook_url": "u"}},
		"variables that differ":    {call: template("", "u", "w"), err: "/variables/0/properties/webhook_url and /variables/1/properties/webhook_url must have the same value"},
		"webhook and variable not": {call: template("u", "", "w"), err: "/webhook_url and /variables/1/properties/webhook_url must have the same value"},
	} {
		t.Run(name, func(t *testing.T) {
			transport := responses(created)
			err := test.call(t.Context(), newClient(t, transport))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || len(transport.sent) > 0 {
					t.Errorf("error %v, want one with %q; sent %d requests", err, test.err, len(transport.sent))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var sent any
			if err := json.Unmarshal([]byte(transport.bodies[0]), &sent); err != nil {
				t.Fatal(err)
			}
			for pointer, want := range test.want {
				if have := at(sent, pointer); have != want {
					t.Errorf("%s is %q, want %q", pointer, have, want)
				}
			}
		})
	}
}

// at returns the string at a JSON pointer, or "" if there is none.
func at(value any, pointer string) string {
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			value = v[step[0]-'0']
		}
	}
	text, _ := value.(string)
	return text
}

func TestFieldsWithoutASchemaAreKept(t *testing.T) {
	body := `{"code":0,"data":{"task_id":17,"status":"success","audio_url":"https://files.test/a.mp3","words":[{"w":"a","t":0.5}],"error":null}}`
	task, err := newClient(t, responses(body)).GetSpeechTask(t.Context(), "17")
	if err != nil {
		t.Fatal(err)
	}
	if task.TaskID != "17" || task.Status != gen.TaskStatusSuccess {
		t.Errorf("the listed fields are %q and %q", task.TaskID, task.Status)
	}
	want := map[string]json.RawMessage{
		"audio_url": json.RawMessage(`"https://files.test/a.mp3"`), "words": json.RawMessage(`[{"w":"a","t":0.5}]`), "error": json.RawMessage(`null`),
	}
	if !reflect.DeepEqual(task.AdditionalProperties, want) {
		t.Errorf("the others are %s", task.AdditionalProperties)
	}
	again, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	var reread gen.SpeechTask
	if err := json.Unmarshal(again, &reread); err != nil || !reflect.DeepEqual(&reread, task) {
		t.Errorf("written and read again it is %+v, %v", reread, err)
	}
}

func TestMemberThatDoesNotFitIsKeptAsItArrived(t *testing.T) {
	task, err := newClient(t, responses(`{"code":0,"data":{"task_id":{"a":1},"status":["x"]}}`)).GetTranscriptionTask(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if task.TaskID != "" || string(task.AdditionalProperties["task_id"]) != `{"a":1}` || string(task.AdditionalProperties["status"]) != `["x"]` {
		t.Errorf("the task is %+v", task)
	}
}

func TestProviderTaskSaysWhyItFailed(t *testing.T) {
	body := `{"code":0,"data":{"task_id":"t","vendor":"ark","type":"image","model":"m","status":"failed","output_urls":[],"error":"refused"}}`
	task, err := newClient(t, responses(body)).GetProviderImageTask(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if task.Error.Message != "refused" || task.Vendor != gen.VendorArk || jogg.StateOf(task.Status) != jogg.Failed {
		t.Errorf("the task is %+v", task)
	}
}

func TestListsInTheQueryAreSentItemByItem(t *testing.T) {
	transport := responses(`{"code":0,"data":{"templates":[]}}`)
	params := gen.ListTemplatesParams{Name: []string{"a b", "c"}, Order: gen.SortOrderAscending}
	if _, err := newClient(t, transport).ListTemplates(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	if query := transport.sent[0].URL.RawQuery; query != "name=a+b&name=c&order=asc" {
		t.Errorf("the query is %s", query)
	}
}
