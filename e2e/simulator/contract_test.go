package simulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
)

const (
	productFields        = `"product_id":"NTIzMzc0NjI5","video_spec":{"length":"30"},"avatar":{"id":81},"voice":{},"audio":{},"script":{"style":"Storytime","language":"english"}`
	motionRequest        = `{"image_url":"https://example.com/p.png","name":"Me","voice_id":"v","model":"2.0"}`
	photoRequest         = `{"age":"Adult","avatar_style":"Social","gender":"Female","model":"modern","aspect_ratio":"portrait"}`
	imagesRequest        = `{"product_image_url":"https://example.com/p.png","avatar_source":{"type":"id","avatar_id":1,"avatar_type":"public"},"quality":"high","aspect_ratio":"3:2","num_images":4}`
	scriptsRequest       = `{"language":"english","video_length_seconds":"30","script_style":"Data","product_info":{"source_type":"id","data":{"id":"NTIzMzc0NjI5"}}}`
	templateRequest      = `{"template_id":1234,"voice_language":"english","variables":[{"type":"text","name":"product_name","properties":{"content":"Bottle"}}]}`
	translationRequest   = `{"video_url":"https://example.com/v.mp4","output_language":"spanish","add_subtitles":true}`
	lipSyncRequest       = `{"video_url":"https://example.com/v.mp4","audio_url":"https://example.com/a.mp3"}`
	speechRequest        = `{"text":"Two plus two is four. So it is.","voice_id":"en-US-ChristopherNeural"}`
	transcriptionRequest = `{"audio_url":"https://example.com/a.mp3","duration_seconds":61}`
	providerImageRequest = `{"model":"gpt-image-2","prompt":"A paper crane","n":2}`
	providerVideoRequest = `{"model":"sora-2","prompt":"A paper crane unfolds"}`
)

// providerRequests are request bodies for each operation with models of another provider.
var providerRequests = map[string]string{
	"generateImageGoogle":   `{"model":"gemini-3-pro-image-preview","contents":[{"parts":[{"text":"A paper crane"}]}],"generationConfig":{"candidateCount":3}}`,
	"generateImageArk":      `{"model":"doubao-seedream-4-0-250828","prompt":"A paper crane","image":["https://res.jogg.ai/assets/crane.png"]}`,
	"generateImageOpenAI":   providerImageRequest,
	"generateVideoRunway":   `{"model":"gen4_turbo","promptText":"It unfolds","promptImage":"https://res.jogg.ai/assets/crane.png"}`,
	"generateVideoKling":    `{"model":"kling-2.6","prompt":"A paper crane unfolds","contents":[{"type":"image_url","image_url":{"url":"https://res.jogg.ai/assets/crane.png"}}]}`,
	"generateVideoArk":      `{"model":"doubao-seedance-2-0-260128","content":[{"type":"text","text":"A paper crane unfolds"}]}`,
	"generateVideoGoogle":   `{"model":"veo-3.1-generate-001","instances":[{"prompt":"A paper crane unfolds"}]}`,
	"generateVideoMiniMax":  `{"model":"MiniMax-H3","prompt":"A paper crane unfolds"}`,
	"generateVideoPixVerse": `{"model":"v5.5","prompt":"A paper crane unfolds"}`,
	"generateVideoOpenAI":   providerVideoRequest,
	"generateVideoAlibaba":  `{"model":"happyhorse-1.1-i2v","input":{"media":[{"type":"first_frame","url":"https://res.jogg.ai/assets/crane.png"}]}}`,
}

// withField adds a field to a request body.
func withField(requestBody, field string) string {
	return strings.TrimSuffix(requestBody, "}") + "," + field + "}"
}

// everyOperation calls every implemented operation once and returns the responses by operationId. Later calls use the ids of earlier ones.
func everyOperation(b *bench) map[string]reply {
	responses := map[string]reply{}
	call := func(operation, method, path, body string) reply {
		b.Helper()
		r := b.call(key, method, path, body)
		if r.code != simulator.CodeSuccess || r.status != http.StatusOK {
			b.Errorf("%s: status %d: %s", operation, r.status, r.body)
		}
		responses[operation] = r
		return r
	}
	const get, post, put, remove = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete

	for operation, path := range map[string]string{
		"listWebhookEvents": pathOf("listWebhookEvents"), "listWebhookEndpoints": pathOf("listWebhookEndpoints"), "getCurrentUser": pathOf("getCurrentUser"),
		"getRemainingQuota": pathOf("getRemainingQuota"), "listMusic": pathOf("listMusic"), "listVisualStyles": pathOf("listVisualStyles"),
		"listPublicAvatars": pathOf("listPublicAvatars"), "listCustomAvatars": pathOf("listCustomAvatars"), "listTemplates": pathOf("listTemplates"),
		"listCustomTemplates": pathOf("listCustomTemplates"), "getCustomTemplate": pathOf("getCustomTemplate", "1234"), "listVoices": pathOf("listVoices"),
		"listCustomVoices": pathOf("listCustomVoices"), "listTranslationLanguages": pathOf("listTranslationLanguages"),
	} {
		call(operation, get, path, "")
	}
	endpoint := call("createWebhookEndpoint", post, pathOf("createWebhookEndpoint"), `{"url":"https://example.com/hook","status":"enabled","events":[]}`).text("endpoint_id")
	call("updateWebhookEndpoint", put, pathOf("updateWebhookEndpoint", endpoint), `{"url":"https://example.com/hook2","status":"disabled","events":[]}`)
	call("deleteWebhookEndpoint", remove, pathOf("updateWebhookEndpoint", endpoint), "")
	product := call("createProduct", post, pathOf("createProduct"), `{"url":"https://example.com/steel-bottle"}`).text("product_id")
	call("updateProduct", put, pathOf("createProduct"), fmt.Sprintf(`{"product_id":%q,"name":"Bottle"}`, product))
	call("createAssetUpload", post, pathOf("createAssetUpload"), `{"filename":"a.png","content_type":"image/png","file_size":10}`)

	avatarVideo := call("createAvatarVideo", post, pathOf("createAvatarVideo"), avatarVideoRequest).text("video_id")
	productVideo := call("createProductVideo", post, pathOf("createProductVideo"), "{"+productFields+"}").either("video_id", "product_video_id")
	previews := call("createProductPreviews", post, pathOf("createProductPreviews"), `{"visual_styles":["Split Story","Nonsense"],`+productFields+`}`)
	preview := previews.data["previews"].([]any)[0].(map[string]any)["preview_id"].(string)
	templateVideo := call("createTemplateVideo", post, pathOf("createTemplateVideo"), templateRequest).text("video_id")
	lipSync := call("createLipSyncVideo", post, pathOf("createLipSyncVideo"), lipSyncRequest).text("task_id")
	translation := call("createVideoTranslation", post, pathOf("createVideoTranslation"), translationRequest).text("video_translate_id")
	scripts := call("createAIScripts", post, pathOf("createAIScripts"), scriptsRequest).text("task_id")
	photo := call("generatePhotoAvatarPhoto", post, pathOf("generatePhotoAvatarPhoto"), photoRequest).text("photo_id")
	photoMotion := call("addPhotoAvatarMotion", post, pathOf("addPhotoAvatarMotion"), motionRequest).text("motion_id")
	batch := call("generateProductAvatarImages", post, pathOf("generateProductAvatarImages"), imagesRequest)

	b.advance(time.Minute) // so that the POST limit is not exceeded
	speech := call("synthesizeSpeech", post, pathOf("synthesizeSpeech"), speechRequest).text("task_id")
	transcription := call("transcribeAudio", post, pathOf("transcribeAudio"), transcriptionRequest).text("task_id")
	image, video := "", ""
	for operation, requestBody := range providerRequests {
		id := call(operation, post, pathOf(operation), requestBody).text("task_id")
		if strings.HasPrefix(operation, "generateImage") {
			image = id
		} else {
			video = id
		}
	}

	b.advance(10 * time.Second)
	call("renderProductPreview", post, pathOf("renderProductPreview"), fmt.Sprintf(`{"preview_id":%q}`, preview))
	generation := batch.data["generations"].([]any)[0].(map[string]any)["generation_id"].(string)
	productMotion := call("addProductAvatarMotion", post, pathOf("addProductAvatarMotion"),
		fmt.Sprintf(`{"generation_id":%q,"name":"Us","voice_id":"v","description":"wave"}`, generation)).text("motion_id")
	for operation, path := range map[string]string{
		"getAvatarVideo": pathOf("getAvatarVideo", avatarVideo), "getProductVideo": pathOf("getProductVideo", productVideo),
		"getTemplateVideo": pathOf("getTemplateVideo", templateVideo), "getLipSyncVideo": pathOf("getLipSyncVideo", lipSync),
		"getVideoTranslation": pathOf("getVideoTranslation", translation), "getAIScripts": pathOf("getAIScripts", scripts),
		"getPhotoAvatarPhoto": pathOf("getPhotoAvatarPhoto") + "?photo_id=" + photo, "getPhotoAvatarMotion": pathOf("getPhotoAvatarMotion") + "?motion_id=" + photoMotion,
		"getProductAvatarImages": pathOf("getProductAvatarImages", batch.text("batch_id")),
		"getProductAvatarMotion": pathOf("getProductAvatarMotion") + "?motion_id=" + productMotion,
		"listProductVideos":      pathOf("listProductVideos"), "listProductPreviews": pathOf("listProductPreviews"), "listTemplateVideos": pathOf("listTemplateVideos"),
		"getSpeechTask": pathOf("getSpeechTask", speech), "getTranscriptionTask": pathOf("getTranscriptionTask", transcription),
		"getProviderImageTask": pathOf("getProviderImageTask", image), "getProviderVideoTask": pathOf("getProviderVideoTask", video),
		"findLipSyncVideo": pathOf("findLipSyncVideo") + "?video_url=https://example.com/v.mp4&audio_url=https://example.com/a.mp3",
		"listPhotoAvatars": pathOf("listPhotoAvatars"), "listProductAvatars": pathOf("listProductAvatars"),
	} {
		call(operation, get, path, "")
	}
	return responses
}

func TestEveryImplementedOperationConformsToTheContract(t *testing.T) {
	for name, options := range map[string][]simulator.Option{
		"by default":       nil,
		"as in the guides": {simulator.WithGuideForms(), simulator.WithSpelling(simulator.Seen), simulator.WithPages(simulator.PagesIgnored)},
	} {
		t.Run(name, func(t *testing.T) {
			responses := everyOperation(start(t, options...))
			for _, operation := range simulator.ImplementedOperations() {
				if _, called := responses[operation]; !called {
					t.Errorf("%s was not called", operation)
				}
			}
		})
	}
}

func (r reply) either(fields ...string) string {
	for _, field := range fields {
		if text := r.text(field); text != "" {
			return text
		}
	}
	return ""
}

func TestInvalidRequestsNameTheParameter(t *testing.T) {
	b := start(t)
	withVideo := func(old, new string) string { return strings.Replace(avatarVideoRequest, old, new, 1) }
	for _, c := range []struct{ name, method, path, body, parameter string }{
		{"field missing", "POST", pathOf("createAvatarVideo"), withVideo(`"aspect_ratio":"portrait",`, ""), "missing parameter aspect_ratio"},
		{"nested field missing", "POST", pathOf("createAvatarVideo"), withVideo(`,"voice_id":"en-US-ChristopherNeural"`, ""), "missing parameter voice.voice_id"},
		{"wrong type", "POST", pathOf("createAvatarVideo"), withVideo(`"avatar_type":0`, `"avatar_type":"0"`), "invalid parameter avatar.avatar_type"},
		{"not in the enumeration", "POST", pathOf("createAvatarVideo"), withVideo(`"screen_style":1`, `"screen_style":4`), "invalid parameter screen_style"},
		{"not an integer", "POST", pathOf("createAvatarVideo"), withVideo(`"avatar_id":81`, `"avatar_id":81.5`), "invalid parameter avatar.avatar_id"},
		{"an integer that Go does not decode", "POST", pathOf("createAvatarVideo"), withVideo(`"avatar_id":81`, `"avatar_id":81.0`), "invalid parameter avatar.avatar_id"},
		{"an integer out of range", "GET", pathOf("getCustomTemplate", "99999999999999999999"), "", "invalid parameter id"},
		{"not a URL", "POST", pathOf("createAvatarVideo"), withVideo(`"caption":true`, `"webhook_url":"your_webhook_url"`), "invalid parameter webhook_url"},
		{"older flat form", "POST", pathOf("createAvatarVideo"), `{"avatar_id":81,"voice_id":"v","script":"Hi"}`, "missing parameter avatar"},
		{"no script", "POST", pathOf("createAvatarVideo"), withVideo(`,"script":"Hello there"`, ""), "missing parameter voice.script"},
		{"no recording", "POST", pathOf("createAvatarVideo"), withVideo(`"type":"script"`, `"type":"audio"`), "missing parameter voice.audio_url"},
		{"array element", "POST", pathOf("createTemplateVideo"), strings.Replace(templateRequest, `"type":"text"`, `"type":"sound"`, 1), "invalid parameter variables.0.type"},
		{"no body", "POST", pathOf("createAvatarVideo"), "", "missing request body"},
		{"not JSON", "POST", pathOf("createAvatarVideo"), `{"avatar":`, "invalid request body"},
		{"not an object", "POST", pathOf("createProduct"), `[]`, "invalid parameter body"},
		{"query too small", "GET", pathOf("listVoices") + "?page=0", "", "invalid parameter page"},
		{"query too large", "GET", pathOf("listVoices") + "?page_size=101", "", "invalid parameter page_size"},
		{"query of the wrong type", "GET", pathOf("listVoices") + "?page=two", "", "invalid parameter page"},
		{"query not in the enumeration", "GET", pathOf("listProductVideos") + "?status=1", "", "invalid parameter status"},
		{"query missing", "GET", pathOf("getPhotoAvatarMotion"), "", "missing parameter motion_id"},
		{"path of the wrong type", "GET", pathOf("getCustomTemplate", "mine"), "", "invalid parameter id"},
		{"unknown style", "POST", pathOf("createProductVideo"), `{"visual_style":"Nonsense",` + productFields + `}`, "invalid parameter visual_style"},
		{"no styles", "POST", pathOf("createProductPreviews"), `{"visual_styles":[],` + productFields + `}`, "invalid parameter visual_styles"},
		{"unknown language", "POST", pathOf("createVideoTranslation"), strings.Replace(translationRequest, "spanish", "klingon", 1), "invalid parameter output_language"},
		{"no product", "POST", pathOf("createProduct"), `{}`, "missing parameter url or name"},
		{"product page is not a URL", "POST", pathOf("createProduct"), `{"url":"bottle"}`, "invalid parameter url"},
		{"scripts without a product id", "POST", pathOf("createAIScripts"), strings.Replace(scriptsRequest, `{"id":"NTIzMzc0NjI5"}`, `{}`, 1), "missing parameter product_info.data.id"},
		{"scripts without a name", "POST", pathOf("createAIScripts"), strings.Replace(scriptsRequest, `"id","data":{"id":"NTIzMzc0NjI5"}`, `"details","data":{}`, 1), "missing parameter product_info.data.name"},
		{"source without avatar", "POST", pathOf("generateProductAvatarImages"), strings.Replace(imagesRequest, `"avatar_id":1,`, "", 1), "missing parameter avatar_source.avatar_id"},
		{"source without value", "POST", pathOf("generateProductAvatarImages"), strings.Replace(imagesRequest, `"type":"id"`, `"type":"image"`, 1), "missing parameter avatar_source.value"},
		{"unknown field of a body without additional properties", "POST", pathOf("generateImageOpenAI"), withField(providerImageRequest, `"webhook_url":"https://example.com/hook"`), "invalid parameter webhook_url: unknown field"},
		{"unknown nested field of such a body", "POST", pathOf("generateVideoKling"), withField(providerRequests["generateVideoKling"], `"options":{"watermark":true}`), "invalid parameter options.watermark: unknown field"},
		{"foreign URL", "POST", pathOf("generateVideoRunway"), strings.Replace(providerRequests["generateVideoRunway"], "res.jogg.ai", "example.com", 1), "invalid parameter promptImage: the URL is outside"},
		{"foreign URL in a list", "POST", pathOf("generateImageArk"), strings.Replace(providerRequests["generateImageArk"], "res.jogg.ai", "jogg.ai.example.com", 1), "invalid parameter image.0: the URL is outside"},
		{"foreign URL in an object", "POST", pathOf("generateVideoAlibaba"), strings.Replace(providerRequests["generateVideoAlibaba"], "res.jogg.ai", "notjogg.ai", 1), "invalid parameter input.media.0.url: the URL is outside"},
		{"neither prompt nor content", "POST", pathOf("generateVideoMiniMax"), `{"model":"MiniMax-H3"}`, "missing parameter prompt or content"},
		{"content without the field of its type", "POST", pathOf("generateVideoArk"), strings.Replace(providerRequests["generateVideoArk"], `"type":"text"`, `"type":"image_url"`, 1), "missing parameter content.0.image_url"},
		{"images for a model that takes a prompt", "POST", pathOf("generateVideoAlibaba"), strings.Replace(providerRequests["generateVideoAlibaba"], "i2v", "t2v", 1), "invalid parameter input.media.0.type"},
		{"no image for a model that takes images", "POST", pathOf("generateVideoAlibaba"), `{"model":"happyhorse-1.0-r2v","input":{"prompt":"A crane"}}`, "missing parameter input.media"},
		{"no prompt for a model that takes one", "POST", pathOf("generateVideoAlibaba"), `{"model":"happyhorse-1.0-t2v","input":{}}`, "missing parameter input.prompt"},
		{"two kinds of content in one part", "POST", pathOf("generateImageGoogle"), strings.Replace(providerRequests["generateImageGoogle"], `"text":"A paper crane"`, `"text":"A","fileData":{"fileUri":"https://res.jogg.ai/a.png"}`, 1), "invalid parameter contents.0.parts.0"},
		{"last frame without a first frame", "POST", pathOf("generateVideoGoogle"), strings.Replace(providerRequests["generateVideoGoogle"], `"prompt"`, `"lastFrame":"https://res.jogg.ai/a.png","prompt"`, 1), ""},
		{"audio longer than the limit", "POST", pathOf("transcribeAudio"), strings.Replace(transcriptionRequest, "61", "3601", 1), "invalid parameter duration_seconds"},
		{"too many images", "POST", pathOf("generateProductAvatarImages"), strings.Replace(imagesRequest, `"num_images":4`, `"num_images":5`, 1), "invalid parameter num_images"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.clock.Advance(time.Minute) // so that the POST limit is not exceeded
			r := b.call(key, c.method, c.path, c.body)
			if r.status != http.StatusOK || r.code != simulator.CodeInvalidParameter || !strings.HasPrefix(r.msg, c.parameter) {
				t.Errorf("status %d: %s, want %q", r.status, r.body, c.parameter)
			}
			if !strings.Contains(r.body, `"data":null`) {
				t.Errorf("data is not null: %s", r.body)
			}
		})
	}
	if tasks := b.sim.Tasks(); len(tasks) != 0 {
		t.Errorf("rejected requests started %d tasks", len(tasks))
	}
}

func TestRequestsNeedContentTypeJSON(t *testing.T) {
	b := start(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.sim.BaseURL()+pathOf("createAvatarVideo"), strings.NewReader(avatarVideoRequest))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", key)
	request.Header.Set("Content-Type", "text/plain")
	response, err := b.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if r := b.open(response); r.code != simulator.CodeInvalidParameter || !strings.Contains(r.msg, "Content-Type") {
		t.Errorf("response %s", r.body)
	}
}

func TestRequestsForUnknownPathsAreNotFound(t *testing.T) {
	b := start(t)
	for path, want := range map[string]int{
		"/v1/events": http.StatusNotFound, pathOf("listWebhookEvents") + "/": http.StatusNotFound, strings.TrimSuffix(pathOf("createVideoTranslation"), "/"): http.StatusNotFound,
		pathOf("getVideoTranslation", "a/b"): http.StatusNotFound,
		pathOf("createWebhookEndpoint"):      http.StatusMethodNotAllowed, pathOf("getCurrentUser"): http.StatusOK,
	} {
		if r := b.get(path); r.status != want {
			t.Errorf("GET %s returns %d, want %d", path, r.status, want)
		}
	}
}

func TestUnknownIDsAreNotFound(t *testing.T) {
	b := start(t)
	for _, c := range []struct{ method, path, body string }{
		{"GET", pathOf("getAvatarVideo", "nobody"), ""},
		{"GET", pathOf("getProductVideo", "nobody"), ""},
		{"GET", pathOf("getTemplateVideo", "nobody"), ""},
		{"GET", pathOf("getVideoTranslation", "nobody"), ""},
		{"GET", pathOf("getLipSyncVideo", "nobody"), ""},
		{"GET", pathOf("findLipSyncVideo") + "?video_url=https://example.com/v.mp4&audio_url=https://example.com/a.mp3", ""},
		{"GET", pathOf("getSpeechTask", "nobody"), ""},
		{"GET", pathOf("getTranscriptionTask", "nobody"), ""},
		{"GET", pathOf("getProviderImageTask", "nobody"), ""},
		{"GET", pathOf("getProviderVideoTask", "nobody"), ""},
		{"GET", pathOf("getAIScripts", "nobody"), ""},
		{"GET", pathOf("getPhotoAvatarPhoto") + "?photo_id=nobody", ""},
		{"GET", pathOf("getPhotoAvatarMotion") + "?motion_id=nobody", ""},
		{"GET", pathOf("getProductAvatarImages", "nobody"), ""},
		{"GET", pathOf("getProductAvatarMotion") + "?motion_id=nobody", ""},
		{"GET", pathOf("getCustomTemplate", "99"), ""},
		{"DELETE", pathOf("deleteWebhookEndpoint", "nobody"), ""},
		{"PUT", pathOf("updateWebhookEndpoint", "nobody"), `{"url":"https://example.com","status":"enabled","events":[]}`},
		{"PUT", pathOf("updateProduct"), `{"product_id":"nobody"}`},
		{"POST", pathOf("createProductVideo"), strings.Replace("{"+productFields+"}", "NTIzMzc0NjI5", "nobody", 1)},
		{"POST", pathOf("createProductPreviews"), strings.Replace(`{"visual_styles":["Split Story"],`+productFields+"}", "NTIzMzc0NjI5", "nobody", 1)},
		{"POST", pathOf("renderProductPreview"), `{"preview_id":"nobody"}`},
		{"POST", pathOf("createTemplateVideo"), strings.Replace(templateRequest, "1234", "99", 1)},
		{"POST", pathOf("createAIScripts"), strings.Replace(scriptsRequest, "NTIzMzc0NjI5", "nobody", 1)},
		{"POST", pathOf("addProductAvatarMotion"), `{"generation_id":"nobody","name":"n","voice_id":"v","description":"d"}`},
	} {
		if r := b.call(key, c.method, c.path, c.body); r.status != http.StatusOK || r.code != simulator.CodeNotFound {
			t.Errorf("%s %s returns %d: %s", c.method, c.path, r.status, r.body)
		}
	}
}
