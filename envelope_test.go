package jogg_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jogg-go/jogg/gen"
)

func TestWhatTheServiceSendsInAnotherFormIsUnderstood(t *testing.T) {
	t.Run("the reason of a failure as a text", func(t *testing.T) {
		video, err := newClient(t, answers(`{"code":0,"data":{"status":"fail","error":"no face found"}}`)).GetAvatarVideo(t.Context(), "v")
		if want := (gen.TaskFailure{Message: "no face found"}); err != nil || video.Error != want {
			t.Errorf("video %+v, error %v, want the reason %+v", video, err, want)
		}
	})
	t.Run("the code of a failure as a number", func(t *testing.T) {
		video, err := newClient(t, answers(`{"code":0,"data":{"error":{"code":5001,"message":"m"}}}`)).GetProductVideo(t.Context(), "v")
		if want := (gen.TaskFailure{Code: "5001", Message: "m"}); err != nil || video.Error != want {
			t.Errorf("video %+v, error %v, want the reason %+v", video, err, want)
		}
	})
	t.Run("paragraphs as one text", func(t *testing.T) {
		scripts, err := newClient(t, answers(`{"code":0,"data":{"data":{"generated_scripts":[
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
		task, err := newClient(t, answers(`{"code":"0","rid":5,"data":{"motion_id":987654321987654321,"avatar_id":"123","status":"success"}}`)).
			AddPhotoAvatarMotion(t.Context(), gen.AddPhotoAvatarMotionRequest{})
		if want := (gen.AvatarMotionTask{MotionID: "987654321987654321", AvatarID: 123, Status: "success"}); err != nil || *task != want {
			t.Errorf("task %+v, error %v, want %+v", task, err, want)
		}
	})
	t.Run("unknown members and unknown values", func(t *testing.T) {
		video, err := newClient(t, answers(`{"x":{"y":[1]},"code":0,"data":{"eta":12,"status":"dreaming","video_id":"v"}}`)).GetAvatarVideo(t.Context(), "v")
		if err != nil || video.VideoID != "v" || video.Status != "dreaming" {
			t.Errorf("video %+v, error %v", video, err)
		}
	})
	t.Run("invalid UTF-8 and a name twice", func(t *testing.T) {
		user, err := newClient(t, answers("{\"code\":0,\"data\":{\"username\":\"a\",\"username\":\"caf\xe9\",\"email\":\"\\ud800\"}}")).GetCurrentUser(t.Context())
		if err != nil || user.Username != "caf\uFFFD" || user.Email != "\uFFFD" {
			t.Errorf("user %+q, error %v", user, err)
		}
	})
	t.Run("data without a code", func(t *testing.T) {
		user, err := newClient(t, answers(`{"data":{"username":"johndoe"}}`)).GetCurrentUser(t.Context())
		if err != nil || user.Username != "johndoe" {
			t.Errorf("user %+v, error %v", user, err)
		}
	})
	t.Run("data before the code", func(t *testing.T) {
		user, err := newClient(t, answers(`{"data":{"username":"johndoe"},"msg":"Success","code":0}`)).GetCurrentUser(t.Context())
		if err != nil || user.Username != "johndoe" {
			t.Errorf("user %+v, error %v", user, err)
		}
	})
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	for _, data := range []string{
		`{"created_at":"soon"}`, `{"created_at":1.5}`, `{"created_at":"9223372036854775808"}`, `{"created_at":1e300}`, `{"created_at":[]}`,
		`{"duration":"NaN"}`, `{"duration":"Inf"}`, `{"duration":{}}`, `{"duration":true}`, `{"video_id":{}}`, `{"video_id":["v"]}`, `[]`, `"v"`, `7`,
		`{"error":[1]}`,
	} {
		video, err := newClient(t, answers(`{"code":0,"data":`+data+`}`)).GetAvatarVideo(t.Context(), "v")
		if err == nil || !strings.Contains(err.Error(), "does not fit the contract at /data") {
			t.Errorf("%s gave %+v, error %v", data, video, err)
		}
	}
}

func TestAnErrorAboutAnAnswerDoesNotQuoteIt(t *testing.T) {
	const secret = "whsec_do_not_show"
	for _, body := range []string{
		`{"code":0,"data":{"secret":{"v":"` + secret + `"}}}`,
		`{"code":0,"data":{"secret":"` + secret + `","created_at":"` + secret + `"}}`,
		`{"code":0,"data":{"secret":"` + secret + `"`,
		`{"code":0,"data":{"secret":"` + secret + `",}}`,
		secret,
		`["` + secret + `"]`,
	} {
		_, err := newClient(t, answers(body)).CreateWebhookEndpoint(t.Context(), gen.WebhookEndpointRequest{})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s gave the error %v", body, err)
		}
	}
}
