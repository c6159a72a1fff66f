package jogg_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

func TestValuesInAnotherFormAreConverted(t *testing.T) {
	t.Run("the reason of a failure as a text", func(t *testing.T) {
		video, err := newClient(t, responses(`{"code":0,"data":{"status":"fail","error":"no face found"}}`)).GetAvatarVideo(t.Context(), "v")
		if want := (gen.TaskFailure{Message: "no face found"}); err != nil || video.Error != want {
			t.Errorf("video %+v, error %v, want the reason %+v", video, err, want)
		}
	})
	t.Run("the code of a failure as a number", func(t *testing.T) {
		video, err := newClient(t, responses(`{"code":0,"data":{"error":{"code":5001,"message":"m"}}}`)).GetProductVideo(t.Context(), "v")
		if want := (gen.TaskFailure{Code: "5001", Message: "m"}); err != nil || video.Error != want {
			t.Errorf("video %+v, error %v, want the reason %+v", video, err, want)
		}
	})
	t.Run("paragraphs as one text", func(t *testing.T) {
		scripts, err := newClient(t, responses(`{"code":0,"data":{"data":{"generated_scripts":[
			{"script_paragraphs":" Stay\nhydrated. "},{"script_paragraphs":["a","b"]},{"script_paragraphs":null}]}}}`)).GetAIScripts(t.Context(), "t")
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range [][]string{{" Stay\nhydrated. "}, {"a", "b"}, nil} {
			if got := scripts.Data.GeneratedScripts[i].ScriptParagraphs; !slices.Equal(got, want) {
				t.Errorf("script %d has the paragraphs %q, want %q", i, got, want)
			}
		}
	})
	t.Run("ids as numbers, numbers as texts", func(t *testing.T) {
		task, err := newClient(t, responses(`{"code":"0","rid":5,"data":{"motion_id":987654321987654321,"avatar_id":"123","status":"success"}}`)).
			AddPhotoAvatarMotion(t.Context(), gen.AddPhotoAvatarMotionRequest{})
		if want := (gen.AvatarMotionTask{MotionID: "987654321987654321", AvatarID: 123, Status: "success"}); err != nil || *task != want {
			t.Errorf("task %+v, error %v, want %+v", task, err, want)
		}
	})
	t.Run("booleans as numbers and words", func(t *testing.T) {
		for sent, want := range map[string]bool{`1`: true, `0`: false, `"true"`: true, `"FALSE"`: false, `"1"`: true, `""`: false, `true`: true} {
			list, err := newClient(t, responses(`{"code":"0","data":{"avatars":[{"id":7,"api_only":`+sent+`}]}}`)).ListCustomAvatars(t.Context(), gen.ListCustomAvatarsParams{})
			if err != nil || list.Avatars[0] != (gen.CustomAvatar{ID: 7, APIOnly: want}) {
				t.Errorf("%s gave %+v, error %v", sent, list, err)
			}
		}
	})
	t.Run("times as RFC 3339", func(t *testing.T) {
		for sent, want := range map[string]int64{"2026-03-30T12:00:00Z": 1774872000, "2026-03-30T14:00:00.75+02:00": 1774872000} {
			video, err := newClient(t, responses(`{"code":0,"data":{"created_at":"`+sent+`"}}`)).GetAvatarVideo(t.Context(), "v")
			if err != nil || video.CreatedAt != want {
				t.Errorf("%s gave %+v, error %v, want %d", sent, video, err, want)
			}
		}
	})
	t.Run("reasons as anything", func(t *testing.T) {
		for sent, want := range map[string]gen.TaskFailure{
			`"no face"`: {Message: "no face"}, `5001`: {Code: "5001"}, `["a","b"]`: {Message: "a; b"}, `true`: {Message: "true"}, `false`: {}, `null`: {},
			`{"code":7,"message":["a",{"detail":"b"}]}`: {Code: "7", Message: "a; b"}, `{"code":[],"reason":"r"}`: {Message: "r"},
			`{"code":{},"message":{"msg":"m"}}`: {Message: "m"}, `{"code":1,"message":[[[["deep"]]]]}`: {Code: "1", Message: "deep"}, `{"code":1,"message":[[[[["too deep"]]]]]}`: {Code: "1"}, `[[[[[[["too deep"]]]]]]]`: {}, `{"message":false}`: {Message: "false"},
		} {
			video, err := newClient(t, responses(`{"code":0,"data":{"video_id":"v","error":`+sent+`}}`)).GetAvatarVideo(t.Context(), "v")
			if err != nil || *video != (gen.AvatarVideo{VideoID: "v", Error: want}) {
				t.Errorf("%s gave %+v, error %v, want %+v", sent, video, err, want)
			}
		}
		scripts, err := newClient(t, responses(`{"code":0,"data":{"status":"failed","err_msg":{"message":"no words"}}}`)).GetAIScripts(t.Context(), "t")
		if err != nil || scripts.ErrMsg != "no words" {
			t.Errorf("scripts %+v, error %v", scripts, err)
		}
	})
	t.Run("unknown members and unknown values", func(t *testing.T) {
		video, err := newClient(t, responses(`{"x":{"y":[1]},"code":0,"data":{"eta":12,"status":"dreaming","video_id":"v"}}`)).GetAvatarVideo(t.Context(), "v")
		if err != nil || video.VideoID != "v" || video.Status != "dreaming" {
			t.Errorf("video %+v, error %v", video, err)
		}
	})
	t.Run("invalid UTF-8 and a name twice", func(t *testing.T) {
		user, err := newClient(t, responses("{\"code\":0,\"data\":{\"username\":\"a\",\"username\":\"caf\xe9\",\"email\":\"\\ud800\"}}")).GetCurrentUser(t.Context())
		if err != nil || user.Username != "caf\uFFFD" || user.Email != "\uFFFD" {
			t.Errorf("user %+q, error %v", user, err)
		}
	})
	t.Run("data without a code", func(t *testing.T) {
		user, err := newClient(t, responses(`{"data":{"username":"johndoe"}}`)).GetCurrentUser(t.Context())
		if err != nil || user.Username != "johndoe" {
			t.Errorf("user %+v, error %v", user, err)
		}
	})
	t.Run("data before the code", func(t *testing.T) {
		user, err := newClient(t, responses(`{"data":{"username":"johndoe"},"msg":"Success","code":0}`)).GetCurrentUser(t.Context())
		if err != nil || user.Username != "johndoe" {
			t.Errorf("user %+v, error %v", user, err)
		}
	})
}

func TestUnusableFieldsAreSkippedAndTheRestKept(t *testing.T) {
	for data, field := range map[string]string{
		`{"created_at":"soon"}`: "created_at", `{"created_at":1.5}`: "created_at", `{"created_at":"9223372036854775808"}`: "created_at",
		`{"created_at":1e300}`: "created_at", `{"created_at":[]}`: "created_at", `{"created_at":true}`: "created_at", `{"duration":"NaN"}`: "duration",
		`{"duration":"Inf"}`: "duration", `{"duration":{}}`: "duration", `{"duration":true}`: "duration", `{"duration":"12.5s"}`: "duration",
		`{"duration":[{"deep":[1,{}]}]}`: "duration", `{"status":{}}`: "status", `{"status":["v"]}`: "status",
	} {
		var records bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&records, nil))
		body := `{"code":0,"data":{"video_id":"v",` + strings.TrimPrefix(data, "{") + `,"rid":"r"}`
		video, err := newClient(t, responses(body), jogg.WithLogger(logger)).GetAvatarVideo(t.Context(), "v")
		if err != nil || video == nil || *video != (gen.AvatarVideo{VideoID: "v"}) {
			t.Errorf("%s gave %+v, error %v, want the id and nothing else", data, video, err)
		}
		want := `level=WARN msg="jogg: response does not fit the contract" operation=GetAvatarVideo problems=1 fields=[/data/` + field + `]`
		if !strings.Contains(records.String(), want) || strings.Count(records.String(), "\n") != 1 {
			t.Errorf("%s was logged as %s, want %s", data, &records, want)
		}
	}
}

func TestOneOddFieldDoesNotLoseATask(t *testing.T) {
	task, err := newClient(t, responses(`{"code":0,"data":{"batch_id":"b_77","total_submitted":"4 images","generations":"soon"}}`)).
		GenerateProductAvatarImages(t.Context(), gen.GenerateProductAvatarImagesRequest{})
	if err != nil || task.BatchID != "b_77" || task.TotalSubmitted != 0 || task.Generations != nil {
		t.Errorf("task %+v, error %v, want the id and nothing else", task, err)
	}
}

func TestOneBadItemDoesNotFailItsPage(t *testing.T) {
	list, err := newClient(t, responses(`{"code":0,"data":{"avatars":[{"id":1,"name":"a"},"broken",{"id":3,"name":{"en":"c"},"style":"social"},null],"has_more":"no"}}`)).
		ListPublicAvatars(t.Context(), gen.ListPublicAvatarsParams{})
	want := []gen.PublicAvatar{{ID: 1, Name: "a"}, {}, {ID: 3, Style: "social"}, {}}
	if err != nil || !slices.Equal(list.Avatars, want) {
		t.Errorf("list %+v, error %v, want %+v", list, err, want)
	}
}

func TestAMissingEssentialFieldIsAnErrorThatKeepsTheResponse(t *testing.T) {
	cases := map[string]struct {
		body, says string
		call       func(*jogg.Client) error
		unknown    bool
	}{
		"a task without its id":      {`{"code":0,"data":{"id":"v_1"}}`, "the response has no video_id", createTask, true},
		"a task whose id is odd":     {`{"code":0,"data":{"video_id":{"id":"v_1"}}}`, "the response has no video_id", createTask, true},
		"a task whose id is empty":   {`{"code":0,"data":{"video_id":""}}`, "the response has no video_id", createTask, true},
		"a task with no data":        {`{"code":0,"data":null}`, "the response has no data", createTask, true},
		"a task in another envelope": {`{"video_id":"v_1"}`, "the response has no code", createTask, true},
		"a task with neither of two ids": {`{"code":0,"data":{"status":"pending"}}`, "the response has no product_video_id and no video_id", func(c *jogg.Client) error {
			_, err := c.CreateProductVideo(t.Context(), gen.CreateProductVideoRequest{})
			return err
		}, true},
		"items that are no list": {`{"code":0,"data":{"avatars":{"1":{}}}}`, "does not fit the contract at /data/avatars", avatars, false},
		"a list that is a text":  {`{"code":0,"data":"none"}`, "does not fit the contract at /data", avatars, false},
		"a list without data":    {`{"code":0}`, "the response has no data", avatars, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			err := test.call(newClient(t, responses(test.body)))
			refused, ok := errors.AsType[*jogg.APIError](err)
			if !ok || !strings.Contains(err.Error(), test.says) || string(refused.Body) != test.body {
				t.Fatalf("error %v, want one that says %q and has the response", err, test.says)
			}
			if errors.Is(err, jogg.ErrOutcomeUnknown) != test.unknown {
				t.Errorf("outcome unknown is %v, want %v", !test.unknown, test.unknown)
			}
		})
	}
}

func createTask(c *jogg.Client) error {
	_, err := c.CreateAvatarVideo(context.Background(), gen.CreateAvatarVideoRequest{})
	return err
}

func avatars(c *jogg.Client) error {
	_, err := c.ListPublicAvatars(context.Background(), gen.ListPublicAvatarsParams{})
	return err
}

func TestAnEmptyListMayComeAsNull(t *testing.T) {
	for _, body := range []string{`{"code":0,"data":null}`, `{"code":0,"data":{"avatars":null}}`, `{"code":0,"data":{"avatars":[]}}`, `{"code":0,"data":{}}`} {
		list, err := newClient(t, responses(body)).ListPublicAvatars(t.Context(), gen.ListPublicAvatarsParams{})
		if err != nil || len(list.Avatars) != 0 {
			t.Errorf("%s gave %+v, error %v, want an empty list", body, list, err)
		}
	}
}

func TestNoContentIsASuccessOfAChange(t *testing.T) {
	transport := func() *script { return &script{responses: []func() (*http.Response, error){respond(204, "")}} }
	for method, call := range methods {
		err := call(t.Context(), newClient(t, transport()))
		if wanted := method == http.MethodPut || method == http.MethodDelete; (err == nil) != wanted {
			t.Errorf("204 to a %s gave the error %v", method, err)
		}
	}
	updated, err := newClient(t, transport()).UpdateWebhookEndpoint(t.Context(), "wh_1", gen.WebhookEndpointRequest{})
	if err != nil || updated == nil {
		t.Errorf("204 to an update that returns something gave %v, error %v", updated, err)
	}
}

func TestAByteOrderMarkIsSkipped(t *testing.T) {
	user, err := newClient(t, responses("\uFEFF"+okUser)).GetCurrentUser(t.Context())
	if err != nil || user.Username != "johndoe" {
		t.Errorf("user %+v, error %v", user, err)
	}
}

func TestABodyIsNeverPrinted(t *testing.T) {
	const secret = "whsec_do_not_show"
	_, err := newClient(t, responses(`{"code":0,"data":{"secret":"`+secret+`"}}`)).CreateWebhookEndpoint(t.Context(), gen.WebhookEndpointRequest{})
	refused, ok := errors.AsType[*jogg.APIError](err)
	if !ok || !bytes.Contains(refused.Body, []byte(secret)) {
		t.Fatalf("error %v, want one whose body has the response", err)
	}
	var out bytes.Buffer
	for _, value := range []any{err, refused, *refused, struct{ E jogg.APIError }{*refused}, []any{refused}} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&out, format+"\n", value)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Error("m", "err", value)
		}
		encoded, _ := json.Marshal(value)
		out.Write(encoded)
	}
	if text := out.String(); !strings.Contains(text, "CreateWebhookEndpoint") || strings.Contains(text, secret) ||
		strings.Contains(text, fmt.Sprintf("%x", secret)) || strings.Contains(text, strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]")) ||
		strings.Contains(text, base64.StdEncoding.EncodeToString(refused.Body)) {
		t.Errorf("the response is shown:\n%s", text)
	}
}

func TestAnErrorAboutAResponseDoesNotQuoteIt(t *testing.T) {
	const secret = "whsec_do_not_show"
	for _, body := range []string{
		`{"code":0,"data":{"secret":{"v":"` + secret + `"}}}`,
		`{"code":0,"data":{"secret":"` + secret + `","created_at":"` + secret + `"}}`,
		`{"code":0,"data":{"secret":"` + secret + `"`,
		`{"code":0,"data":{"secret":"` + secret + `",}}`,
		secret,
		`["` + secret + `"]`,
	} {
		_, err := newClient(t, responses(body)).CreateWebhookEndpoint(t.Context(), gen.WebhookEndpointRequest{})
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(fmt.Sprintf("%+v", err), secret) {
			t.Errorf("%s gave the error %v", body, err)
		}
	}
}
