package simulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
)

// taskKinds has, for each kind of task, the request that starts it, the response field with its id, the path of its status operation, and
// the spelling of its states.
var taskKinds = map[simulator.TaskKind]struct {
	path, request, id, read                string
	pending, processing, succeeded, failed string
}{
	simulator.KindAvatarVideo:         {pathOf("createAvatarVideo"), avatarVideoRequest, "video_id", pathOf("getAvatarVideo", "%s"), "pending", "processing", "completed", "failed"},
	simulator.KindProductVideo:        {pathOf("createProductVideo"), "{" + productFields + "}", "video_id", pathOf("getProductVideo", "%s"), "processing", "processing", "completed", "failed"},
	simulator.KindTemplateVideo:       {pathOf("createTemplateVideo"), templateRequest, "video_id", pathOf("getTemplateVideo", "%s"), "pending", "processing", "completed", "failed"},
	simulator.KindTranslation:         {pathOf("createVideoTranslation"), translationRequest, "video_translate_id", pathOf("getVideoTranslation", "%s"), "pending", "processing", "completed", "failed"},
	simulator.KindLipSync:             {pathOf("createLipSyncVideo"), lipSyncRequest, "task_id", pathOf("getLipSyncVideo", "%s"), "pending", "processing", "success", "failed"},
	simulator.KindScripts:             {pathOf("createAIScripts"), scriptsRequest, "task_id", pathOf("getAIScripts", "%s"), "pending", "processing", "completed", "failed"},
	simulator.KindPhoto:               {pathOf("generatePhotoAvatarPhoto"), photoRequest, "photo_id", pathOf("getPhotoAvatarPhoto") + "?photo_id=%s", "in_progress", "in_progress", "success", "error"},
	simulator.KindPhotoMotion:         {pathOf("addPhotoAvatarMotion"), motionRequest, "motion_id", pathOf("getPhotoAvatarMotion") + "?motion_id=%s", "pending", "processing", "completed", "failed"},
	simulator.KindProductAvatarImages: {pathOf("generateProductAvatarImages"), strings.Replace(imagesRequest, `"num_images":4`, `"num_images":1`, 1), "batch_id", pathOf("getProductAvatarImages", "%s"), "pending", "processing", "completed", "failed"},
	simulator.KindSpeech:              {pathOf("synthesizeSpeech"), speechRequest, "task_id", pathOf("getSpeechTask", "%s"), "pending", "processing", "completed", "failed"},
	simulator.KindTranscription:       {pathOf("transcribeAudio"), transcriptionRequest, "task_id", pathOf("getTranscriptionTask", "%s"), "pending", "processing", "completed", "failed"},
	simulator.KindProviderImages:      {pathOf("generateImageOpenAI"), providerImageRequest, "task_id", pathOf("getProviderImageTask", "%s"), "queued", "processing", "succeeded", "failed"},
	simulator.KindProviderVideo:       {pathOf("generateVideoOpenAI"), providerVideoRequest, "task_id", pathOf("getProviderVideoTask", "%s"), "queued", "processing", "succeeded", "failed"},
	simulator.KindProductAvatarMotion: {pathOf("addProductAvatarMotion"), "", "motion_id", pathOf("getProductAvatarMotion") + "?motion_id=%s", "pending", "processing", "completed", "failed"},
}

// begin starts a task of the kind and returns its id and the path of its status operation.
func (b *bench) begin(kind simulator.TaskKind, plans ...simulator.Plan) (id, path string) {
	b.Helper()
	work := taskKinds[kind]
	requestBody := work.request
	if kind == simulator.KindProductAvatarMotion {
		batch := b.must(b.post(pathOf("generateProductAvatarImages"), imagesRequest))
		b.advance(10 * time.Second)
		generation := batch.data["generations"].([]any)[0].(map[string]any)["generation_id"]
		requestBody = fmt.Sprintf(`{"generation_id":%q,"name":"Us","voice_id":"v","description":"wave"}`, generation)
	}
	b.sim.PlanNext(kind, plans...)
	id = b.must(b.post(work.path, requestBody)).text(work.id)
	if id == "" {
		b.Fatalf("%s: no %s", kind, work.id)
	}
	return id, fmt.Sprintf(work.read, id)
}

// state returns a task's state; for a batch, that of its first image.
func (b *bench) state(path string) string {
	b.Helper()
	r := b.must(b.get(path))
	if images, ok := r.data["generations"].([]any); ok {
		return images[0].(map[string]any)["status"].(string)
	}
	return r.text("status")
}

func TestTasksGoThroughTheirStates(t *testing.T) {
	for kind, work := range taskKinds {
		t.Run(string(kind), func(t *testing.T) {
			b := start(t)
			id, path := b.begin(kind)
			begun := b.clock.Now()
			for _, step := range []struct {
				at   time.Duration
				want string
			}{
				{0, work.pending},
				{2*time.Second - 1, work.pending},
				{2 * time.Second, work.processing},
				{10*time.Second - 1, work.processing},
				{10 * time.Second, work.succeeded},
				{time.Hour, work.succeeded},
			} {
				b.clock.Advance(begun.Add(step.at).Sub(b.clock.Now()))
				if got := b.state(path); got != step.want {
					t.Errorf("after %s the state is %q, want %q", step.at, got, step.want)
				}
			}
			record, err := b.sim.WaitTask(t.Context(), id)
			if err != nil || record.Kind != kind || record.ID != id || !record.Ended.Equal(begun.Add(10*time.Second)) || record.Reason != nil {
				t.Errorf("task %+v, error %v", record, err)
			}
		})
	}
}

func TestTasksFailWithTheirReason(t *testing.T) {
	for kind, work := range taskKinds {
		t.Run(string(kind), func(t *testing.T) {
			b := start(t)
			id, path := b.begin(kind, simulator.Plan{Fail: &simulator.Reason{Code: 4711, Message: "the voice went home"}})
			b.clock.Advance(10 * time.Second)
			r := b.must(b.get(path))
			if got := b.state(path); got != work.failed {
				t.Errorf("the state is %q, want %q", got, work.failed)
			}
			if kind != simulator.KindProductAvatarImages && !strings.Contains(r.body, "the voice went home") {
				t.Errorf("no reason in %s", r.body)
			}
			if given := r.text("image_url"); strings.Contains(strings.ReplaceAll(r.body, given, ""), b.sim.MediaURL()) {
				t.Errorf("a failed task has media besides its input image: %s", r.body)
			}
			if record, err := b.sim.WaitTask(t.Context(), id); err != nil || record.Reason == nil || record.Reason.Code != 4711 {
				t.Errorf("task %+v, error %v", record, err)
			}
		})
	}
}

func TestSeenSpellingIsTheSameForEveryKind(t *testing.T) {
	for kind := range taskKinds {
		t.Run(string(kind), func(t *testing.T) {
			b := start(t)
			_, done := b.begin(kind)
			b.sim.SetSpelling(simulator.Seen)
			b.advance(10 * time.Second)
			_, failed := b.begin(kind, simulator.Plan{Fail: &simulator.Reason{}})
			b.advance(10 * time.Second)
			if got := b.state(done); got != "success" {
				t.Errorf("success is spelled %q", got)
			}
			if got := b.state(failed); got != "fail" {
				t.Errorf("failure is spelled %q", got)
			}
		})
	}
}

func TestTasksCanBeHeld(t *testing.T) {
	for kind := range taskKinds {
		for _, state := range []string{"queued", "warming_up"} {
			t.Run(string(kind)+" "+state, func(t *testing.T) {
				b := start(t)
				id, path := b.begin(kind, simulator.Plan{Hold: state})
				b.advance(1000 * time.Hour)
				if got := b.state(path); got != state {
					t.Errorf("the state is %q", got)
				}
				if err := b.sim.FinishTask(id); err != nil {
					t.Fatal(err)
				}
				if got := b.state(path); got != taskKinds[kind].succeeded {
					t.Errorf("after finishing, the state is %q", got)
				}
			})
		}
	}
}

func TestTasksCanBeControlled(t *testing.T) {
	b := start(t)
	finished, failed, held := b.createAvatarVideo(), b.createAvatarVideo(), b.createAvatarVideo()
	if err := errors.Join(b.sim.FinishTask(finished), b.sim.FailTask(failed, simulator.Reason{}), b.sim.HoldTask(held, "running")); err != nil {
		t.Fatal(err)
	}
	b.advance(time.Hour)
	for id, want := range map[string]string{finished: "completed", failed: "failed", held: "running"} {
		if got := b.state(pathOf("getAvatarVideo", id)); got != want {
			t.Errorf("the state is %q, want %q", got, want)
		}
	}
	if err := b.sim.FinishTask(failed); !errors.Is(err, simulator.ErrTaskEnded) {
		t.Errorf("finishing a failed task: %v", err)
	}
	if err := b.sim.FailTask("nobody", simulator.Reason{}); !errors.Is(err, simulator.ErrUnknownTask) {
		t.Errorf("failing an unknown task: %v", err)
	}
	if err := b.sim.HoldTask(held, ""); err == nil {
		t.Error("holding a task in no state succeeded")
	}
}

func TestPlansApplyToOneTaskEachInOrder(t *testing.T) {
	b := start(t)
	b.sim.PlanNext(simulator.KindAvatarVideo, simulator.Plan{Pending: time.Minute, Processing: time.Minute}, simulator.Plan{Fail: &simulator.Reason{}})
	slow, failing, usual := b.createAvatarVideo(), b.createAvatarVideo(), b.createAvatarVideo()
	b.advance(10 * time.Second)
	for id, want := range map[string]string{slow: "pending", failing: "failed", usual: "completed"} {
		if got := b.state(pathOf("getAvatarVideo", id)); got != want {
			t.Errorf("the state is %q, want %q", got, want)
		}
	}
	b.advance(110 * time.Second)
	if got := b.state(pathOf("getAvatarVideo", slow)); got != "completed" {
		t.Errorf("the slow task is %q", got)
	}
}

func TestImagesOfABatchAreFinishedOneAfterAnother(t *testing.T) {
	b := start(t)
	batch := b.must(b.post(pathOf("generateProductAvatarImages"), imagesRequest)).text("batch_id")
	for _, step := range []struct {
		wait time.Duration
		want string
	}{
		{0, `{"completed":0,"failed":0,"pending":4,"processing":0,"total":4}`},
		{2 * time.Second, `{"completed":0,"failed":0,"pending":3,"processing":1,"total":4}`},
		{2 * time.Second, `{"completed":1,"failed":0,"pending":2,"processing":1,"total":4}`},
		{4 * time.Second, `{"completed":3,"failed":0,"pending":0,"processing":1,"total":4}`},
		{2 * time.Second, `{"completed":4,"failed":0,"pending":0,"processing":0,"total":4}`},
	} {
		b.clock.Advance(step.wait)
		r := b.must(b.get(pathOf("getProductAvatarImages", batch)))
		if got := asJSON(t, r.data["summary"]); got != step.want {
			t.Errorf("after another %s the summary is %s, want %s", step.wait, got, step.want)
		}
		if urls, done := strings.Count(r.body, `"url"`), int(r.data["summary"].(map[string]any)["completed"].(float64)); urls != done {
			t.Errorf("%d URLs of %d finished images", urls, done)
		}
	}
}

func TestNullsAndZeroesAreSentWhereTheServiceSendsThem(t *testing.T) {
	b := start(t)
	_, lipSync := b.begin(simulator.KindLipSync)
	_, motion := b.begin(simulator.KindPhotoMotion)
	_, images := b.begin(simulator.KindProviderImages)
	_, speech := b.begin(simulator.KindSpeech)
	b.begin(simulator.KindTemplateVideo)
	for path, want := range map[string][]string{
		lipSync:                      {`"completed_at":null`, `"data":null`, `"error":null`},
		images:                       {`"output_urls":[]`, `"error":null`},
		speech:                       {`"completed_at":null`, `"error":null`},
		motion:                       {`"motion_preview_url":null`, `"error_msg":null`},
		pathOf("listTemplateVideos"): {`"url":null`, `"cover_url":null`, `"duration_seconds":null`},
		pathOf("listPhotoAvatars"):   {`"status":0`, `"fail_msg":""`},
		pathOf("listPublicAvatars") + "?page_size=1":     {`"aspect_ratio":0`},
		pathOf("listProductVideos"):                      {`"videos":[]`, `"total":0`},
		pathOf("listVoices") + "?page=100&page_size=100": {`"voices":[]`, `"has_more":false`},
		pathOf("getCustomTemplate", "1234"):              {`"required":false`},
		pathOf("listWebhookEndpoints"):                   {`"endpoints":[]`},
	} {
		r := b.must(b.get(path))
		for _, text := range want {
			if !strings.Contains(r.body, text) {
				t.Errorf("%s: no %s in %s", path, text, r.body)
			}
		}
	}
}

func TestFinishedTasksHaveTheRequestedResults(t *testing.T) {
	b := start(t)
	var video gen.AvatarVideo
	transparent := strings.NewReplacer(`"screen_style":1`, `"screen_style":3`, `"caption":true`, `"caption":false`).Replace(avatarVideoRequest)
	id := b.must(b.post(pathOf("createAvatarVideo"), transparent)).text("video_id")
	scripts := b.must(b.post(pathOf("createAIScripts"), scriptsRequest)).text("task_id")
	translation := b.must(b.post(pathOf("createVideoTranslation"), translationRequest)).text("video_translate_id")
	b.advance(10 * time.Second)
	if err := json.Unmarshal([]byte(asJSON(t, b.must(b.get(pathOf("getAvatarVideo", id))).data)), &video); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(video.VideoURL, ".webm") || video.Duration != 0.8 || video.CreatedAt == 0 {
		t.Errorf("a transparent video of two words: %+v", video)
	}
	if r := b.get(pathOf("getAIScripts", scripts)); !strings.Contains(r.body, "Meet the FreeSip bottle.") || !strings.Contains(r.body, `"script_style":"Data"`) {
		t.Errorf("scripts: %s", r.body)
	}
	if r := b.get(pathOf("getVideoTranslation", translation)); !strings.HasSuffix(r.text("subtitle_url"), ".srt") {
		t.Errorf("translation: %s", r.body)
	}
}

func TestGuideFormsMoveTheFields(t *testing.T) {
	b := start(t, simulator.WithGuideForms())
	created := b.must(b.post(pathOf("createProductVideo"), "{"+productFields+"}"))
	if created.text("product_video_id") == "" || created.text("video_id") != "" {
		t.Errorf("created: %s", created.body)
	}
	template := b.must(b.post(pathOf("createTemplateVideo"), templateRequest)).text("video_id")
	b.advance(10 * time.Second)
	if r := b.get(pathOf("getProductVideo", created.text("product_video_id"))); r.data["video_duration"] != 30.5 || r.data["duration"] != nil {
		t.Errorf("product video: %s", r.body)
	}
	if r := b.get(pathOf("getTemplateVideo", template)); r.text("video_url") == "" || r.data["data"] != nil {
		t.Errorf("template video: %s", r.body)
	}
	if r := b.get(pathOf("getCustomTemplate", "1234")); r.data["id"] != 1234.0 || r.data["template_id"] != nil {
		t.Errorf("template: %s", r.body)
	}
}

func TestMotionsBecomeAvatars(t *testing.T) {
	b := start(t)
	b.begin(simulator.KindPhotoMotion)
	b.begin(simulator.KindPhotoMotion, simulator.Plan{Fail: &simulator.Reason{}})
	b.begin(simulator.KindProductAvatarMotion)
	if r := b.get(pathOf("listPhotoAvatars") + "?status=processing"); len(r.data["avatars"].([]any)) != 0 {
		t.Errorf("the first two motions should have ended: %s", r.body)
	}
	if r := b.get(pathOf("listProductAvatars")); !strings.Contains(r.body, `"status":0`) {
		t.Errorf("no product avatar is being made: %s", r.body)
	}
	b.advance(time.Minute)
	for status, want := range map[string]int{"completed": 2, "failed": 1} {
		if r := b.get(pathOf("listPhotoAvatars") + "?status=" + status); len(r.data["avatars"].([]any)) != want {
			t.Errorf("%s photo avatars: %s", status, r.body)
		}
	}
	if r := b.get(pathOf("listProductAvatars") + "?aspect_ratio=landscape"); len(r.data["product_avatars"].([]any)) != 0 {
		t.Errorf("landscape product avatars: %s", r.body)
	}
}

func TestWaitTaskEndsWithTheContext(t *testing.T) {
	b := start(t)
	id := b.createAvatarVideo()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.sim.WaitTask(ctx, id); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "pending") {
		t.Errorf("error %v", err)
	}
	if _, err := b.sim.WaitTask(ctx, "nobody"); !errors.Is(err, simulator.ErrUnknownTask) {
		t.Errorf("error %v", err)
	}
}

func TestFastForwardEndsEverythingButHeldTasks(t *testing.T) {
	b := start(t)
	for kind := range taskKinds {
		b.begin(kind)
	}
	b.sim.PlanNext(simulator.KindAvatarVideo, simulator.Plan{Hold: "queued"}, simulator.Plan{Processing: 40 * time.Hour})
	b.clock.Advance(time.Minute)
	held, long := b.createAvatarVideo(), b.createAvatarVideo()
	if err := b.sim.FastForward(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, task := range b.sim.Tasks() {
		if task.Ended.IsZero() != (task.ID == held) {
			t.Errorf("task %+v", task)
		}
	}
	if record, err := b.sim.WaitTask(t.Context(), long); err != nil || record.Ended.After(b.clock.Now()) {
		t.Errorf("task %+v, error %v", record, err)
	}
	real, err := simulator.New()
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	if err := real.FastForward(t.Context()); err == nil {
		t.Error("the real clock was advanced")
	}
}

func TestTaskLogIsBounded(t *testing.T) {
	b := start(t, simulator.WithLogSize(4), simulator.WithPostLimit(0, time.Minute))
	b.sim.PlanNext(simulator.KindAvatarVideo, simulator.Plan{Hold: "queued"})
	held := b.createAvatarVideo()
	for range 12 {
		b.createAvatarVideo()
		b.advance(10 * time.Second)
	}
	if tasks := b.sim.Tasks(); len(tasks) > 6 || tasks[0].ID != held {
		t.Errorf("%d tasks are kept, the first is %+v", len(tasks), tasks[0])
	}
}

// JoggAI has published the URL at the top level of the request and in each variable.
func TestTemplateVideoTakesWebhookURLInEitherPlace(t *testing.T) {
	b := start(t)
	const hook = `"webhook_url":"https://example.com/hook"`
	for _, requestBody := range []string{
		withField(templateRequest, hook),
		strings.Replace(templateRequest, `"content":"Bottle"`, `"content":"Bottle",`+hook, 1),
	} {
		b.must(b.post(pathOf("createTemplateVideo"), requestBody))
		tasks := b.sim.Tasks()
		if got := tasks[len(tasks)-1].WebhookURL; got != "https://example.com/hook" {
			t.Errorf("%s: webhook URL %q", requestBody, got)
		}
	}
	if r := b.post(pathOf("createTemplateVideo"), withField(templateRequest, `"webhook_url":"http://example.com/hook"`)); r.code != simulator.CodeInvalidParameter {
		t.Errorf("an address without TLS: %s", r.body)
	}
}
