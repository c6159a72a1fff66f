package contract

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/sample"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
)

// What the simulator knows from the documentation's examples.
const (
	productID  = "NTIzMzc0NjI5"
	templateID = 1234
	previewID  = "preview_123"
	voiceID    = "en-US-ChristopherNeural"
	mediaURL   = "https://res.jogg.ai/assets/file.mp4"
	hookURL    = "http://127.0.0.1:9/jogg"
)

var (
	avatarVideo = gen.CreateAvatarVideoRequest{
		Avatar:      gen.VideoAvatar{AvatarType: gen.AvatarTypePublic, AvatarID: 81},
		Voice:       gen.VideoVoice{Type: gen.VoiceTypeScript, VoiceID: voiceID, Script: "Hello!"},
		AspectRatio: gen.AspectRatioSquare, ScreenStyle: gen.ScreenStylePictureInPicture,
		Caption: jogg.Ptr(false), VideoName: "Greeting",
	}
	productVideo = gen.CreateProductVideoRequest{
		ProductID: productID, VisualStyle: "Simple Product Switch",
		VideoSpec: gen.ProductVideoSpec{AspectRatio: gen.AspectRatioLandscape, Length: gen.VideoLengthSeconds30, Caption: jogg.Ptr(true)},
		Avatar:    gen.ProductVideoAvatar{ID: 81, Type: jogg.Ptr(gen.AvatarTypePublic)},
		Voice:     gen.ProductVideoVoice{ID: voiceID}, Audio: gen.ProductVideoAudio{MusicID: jogg.Ptr(int64(0))},
		Script: gen.ProductVideoScript{Style: gen.ScriptStyleDontWorry, Language: "english"},
	}
	productPreviews = gen.CreateProductPreviewsRequest{
		ProductID: productID, VisualStyles: []string{"Simple Product Switch", "Dynamic Showcase"},
		VideoSpec: productVideo.VideoSpec, Avatar: productVideo.Avatar, Voice: productVideo.Voice, Audio: productVideo.Audio,
		Script: productVideo.Script, Language: "english",
	}
	templateVideo = gen.CreateTemplateVideoRequest{
		TemplateID: templateID, VoiceLanguage: "english", AvatarType: jogg.Ptr(gen.AvatarTypePublic), CaptionsEnabled: jogg.Ptr(false),
		Variables: []gen.TemplateVariableValue{
			{Type: gen.TemplateVariableTypeText, Name: "product_name", Properties: gen.TemplateVariableContent{Content: "Watch"}},
			{Type: gen.TemplateVariableTypeImage, Name: "product_image", Properties: gen.TemplateVariableContent{URL: mediaURL}},
			{Type: gen.TemplateVariableTypeScript, Name: "script", Properties: gen.TemplateVariableContent{Content: "Look!"}},
		},
	}
	lipSync     = gen.CreateLipSyncVideoRequest{VideoURL: mediaURL, AudioURL: mediaURL, PlaybackType: gen.PlaybackTypeNormalReverse}
	translation = gen.CreateVideoTranslationRequest{
		VideoURL: mediaURL, OutputLanguage: "spanish", AddSubtitles: jogg.Ptr(true), TranslateAudioOnly: jogg.Ptr(false),
	}
	speech      = gen.SynthesizeSpeechRequest{Text: "Two plus two is four.", VoiceID: voiceID}
	runwayVideo = gen.GenerateVideoRunwayRequest{Model: gen.RunwayVideoModelGen4Turbo, PromptText: "It unfolds.", PromptImage: mediaURL}
	aiScripts   = gen.CreateAIScriptsRequest{
		Language: gen.ScriptLanguageTraditionalChinese, VideoLengthSeconds: gen.VideoLengthSeconds15,
		ScriptStyle: gen.ScriptStyleTop3Reasons,
		ProductInfo: gen.ScriptProduct{SourceType: gen.ProductSourceTypeDetails, Data: gen.ScriptProductData{Name: "Watch", Description: "Smart."}},
	}
	avatarPhoto = gen.GeneratePhotoAvatarPhotoRequest{
		Age: gen.PhotoAvatarAgeYoungAdult, AvatarStyle: gen.PhotoAvatarStyleProfessional, Gender: gen.PhotoAvatarGenderFemale,
		Model: gen.PhotoModelModern, AspectRatio: gen.AspectRatioPortrait, Ethnicity: gen.PhotoAvatarEthnicitySouthAsian,
	}
	photoMotion = gen.AddPhotoAvatarMotionRequest{
		ImageURL: mediaURL, Name: "Ada", VoiceID: voiceID, Model: gen.MotionModelV2Pro, Description: "Nods.",
	}
	avatarImages = gen.GenerateProductAvatarImagesRequest{
		ProductImageURL: mediaURL, Quality: gen.ImageQualityHigh, AspectRatio: gen.ImageAspectRatioLandscape, NumImages: 2,
		AvatarSource: gen.AvatarSource{Type: gen.AvatarSourceTypeID, AvatarID: 1, AvatarType: gen.AvatarCollectionPublic},
	}
)

// existing are values that the simulator's written behaviour knows, where it refuses others. They stand by the property's name, or by its
// place where the name alone means other things too.
var existing = map[string]any{
	"template_id":                          templateID,
	"getCustomTemplate.id":                 templateID,
	"createAIScripts.product_info.data.id": productID,
	"visual_style":                         "Simple Product Switch",
	"visual_styles":                        []any{"Simple Product Switch", "Dynamic Showcase"},
	"output_language":                      "spanish",
	"createProduct.url":                    "https://example.com/watch",
	"createAssetUpload.content_type":       "image/png",
	"createWebhookEndpoint.events":         []any{"generated_avatar_video_success"},
	"updateWebhookEndpoint.events":         []any{"generated_avatar_video_success"},
	"findLipSyncVideo.playback_type":       "normal",
	// The model decides which kind of picture is taken.
	"generateVideoAlibaba.model":               "happyhorse-1.1-r2v",
	"generateVideoAlibaba.input.media[0].type": "reference_image",
	"generateVideoAlibaba.input.media[1].type": "reference_image",
}

// needed are optional fields without which the simulator's written behaviour refuses an order, since the schema does not say which of
// them go together.
var needed = map[string]map[string]any{
	"createAvatarVideo":           {"voice": map[string]any{"type": "script", "script": "Hello!"}},
	"createProduct":               {"name": "Watch"},
	"createAIScripts":             {"product_info": map[string]any{"source_type": "details", "data": map[string]any{"name": "Watch"}}},
	"generateProductAvatarImages": {"avatar_source": map[string]any{"type": "id", "avatar_id": 81}},
	"generateVideoArk":            {"content": []any{map[string]any{"type": "text", "text": "A paper crane unfolds."}}},
	"generateVideoMiniMax":        {"prompt": "A paper crane unfolds."},
	"generateVideoAlibaba":        {"input": map[string]any{"media": []any{map[string]any{"type": "reference_image", "url": mediaURL}}}},
}

// ordered are the orders whose answers hold what an operation takes by another name, or whose input it takes.
var ordered = map[string]struct{ parameter, operation, property string }{
	"getAvatarVideo":   {"id", "createAvatarVideo", "video_id"},
	"findLipSyncVideo": {operation: "createLipSyncVideo"},
}

func choose(p sample.Property) (any, bool) {
	if value, ok := existing[p.Place]; ok {
		return value, true
	}
	if value, ok := existing[p.Name]; ok {
		return value, true
	}
	// Some operations take files of the service's own storage only.
	return mediaURL, p.Schema.Format == "uri" && p.Name != "webhook_url" && p.Name != "callback_url"
}

// makers make what a call sends: only what is required, and everything.
var makers = map[string]sample.Maker{
	"required":  {Seed: 1, RequiredOnly: true, Choose: choose},
	"all":       {Seed: 2, Choose: choose},
	"all again": {Seed: 3, Choose: choose},
}

// readyInput makes what a call of the operation sends. Ids that the operation needs come from an order that is placed before.
func (b *bench) readyInput(ctx context.Context, o operation, maker sample.Maker) (input, error) {
	in, err := o.input(maker)
	if err != nil {
		return in, err
	}
	if body, ok := in.body.(map[string]any); ok && maker.RequiredOnly {
		merge(body, needed[o.OperationID])
	} else if ok {
		o.agree(body) // each place was given a value of its own
	}
	if before, ok := ordered[o.OperationID]; ok {
		placed, err := b.place(ctx, documented[before.operation])
		if err != nil {
			return in, err
		}
		if before.parameter != "" {
			in.path[before.parameter] = valueOf(placed, before.property)
		}
		return in, nil
	}
	return b.withIDs(ctx, o, in)
}

// withIDs puts ids that exist into the input, wherever there is an order that answers with what the operation needs by the same name.
// Several orders may; then the operation says which one it knows.
func (b *bench) withIDs(ctx context.Context, o operation, in input) (input, error) {
	names := o.requiredIDs()
	if len(names) == 0 {
		return in, nil
	}
	for _, id := range slices.Sorted(maps.Keys(documented)) {
		before := documented[id]
		if before.verb != http.MethodPost || id == o.OperationID || !before.answersWith(names) {
			continue
		}
		placed, err := b.place(ctx, before)
		if err != nil {
			return in, fmt.Errorf("%s, for %s: %w", id, o.OperationID, err)
		}
		for _, name := range names {
			in.set(name, valueOf(placed, name))
		}
		if o.verb != http.MethodGet {
			return in, nil
		}
		if _, err := o.call(ctx, b.aside, in); !errors.Is(err, jogg.ErrNotFound) {
			return in, err
		}
	}
	return in, nil
}

// place calls the operation with what it needs, aside from the calls that are counted, and returns the answer as JSON has it.
func (b *bench) place(ctx context.Context, o operation) (any, error) {
	in, err := b.readyInput(ctx, o, makers["required"])
	if err != nil {
		return nil, err
	}
	result, err := o.call(ctx, b.aside, in)
	if err != nil {
		return nil, err
	}
	return asJSON(result)
}

// merge puts the members of an object into another one, at any depth.
func merge(object, more map[string]any) {
	for name, value := range more {
		inside, ok := object[name].(map[string]any)
		if members, isObject := value.(map[string]any); ok && isObject {
			merge(inside, members)
			continue
		}
		object[name] = value
	}
}

var _ = Describe("Every operation", func() {
	var entries []TableEntry
	for _, operation := range slices.Sorted(maps.Keys(documented)) {
		for _, mode := range slices.Sorted(maps.Keys(makers)) {
			entries = append(entries, Entry(operation+", "+mode, operation, mode))
		}
	}

	DescribeTable("is sent, answered and decoded as the contract says", func(ctx SpecContext, id, mode string) {
		o := documented[id]
		for _, spelling := range []simulator.Spelling{simulator.Documented, simulator.Seen} {
			b := newBench(simulator.WithSpelling(spelling), simulator.WithDurations(0, 0))
			in, err := b.readyInput(limited(ctx), o, makers[mode])
			Expect(err).NotTo(HaveOccurred())
			var response jogg.Response
			result, err := o.call(ctx, b.client, in, jogg.WithResponse(&response))
			Expect(err).NotTo(HaveOccurred())
			Expect(response.Unknown()).To(BeEmpty(), "fields that the contract does not have")
			Expect(response.Problems).To(BeEmpty(), "fields that do not fit the contract")
			Expect(b.checked.Calls(id)).To(Equal(1))
			Expect(b.checked.Violations()).To(BeEmpty())
			Expect(b.checked.Unknown()).To(BeEmpty(), "fields that the contract does not have")

			Expect(b.wire.exchanges).To(HaveLen(1))
			passed := b.wire.exchanges[0]
			expectSent(passed, o, in)
			answer, err := asJSON(passed.answered)
			Expect(err).NotTo(HaveOccurred())
			if o.data() != nil {
				Expect(lost(answer.(map[string]any)["data"], result)).To(BeEmpty(), "lost of the answer %s", passed.answered)
			}
		}
	}, entries)

	It("keeps all that its answer can hold", func(ctx SpecContext) {
		for id, o := range documented {
			if o.data() == nil {
				continue
			}
			for _, mode := range []sample.Maker{{Seed: 1}, {Seed: 2}, {Seed: 3, AnyForm: true}, {Seed: 4, AnyForm: true}} {
				By(fmt.Sprintf("%s, seed %d", id, mode.Seed))
				data, err := mode.Make(id, o.data())
				Expect(err).NotTo(HaveOccurred())
				result, err := receive(ctx, o, map[string]any{"code": 0, "data": data})
				if mode.AnyForm && err != nil && o.verb == http.MethodPost {
					continue // an order is no success without the id of what was ordered
				}
				Expect(err).NotTo(HaveOccurred(), "%v", data)
				Expect(lost(data, result)).To(BeEmpty(), "lost of %v", data)
			}
		}
	})

	It("understands the forms of the guides too", func(ctx SpecContext) {
		b := newBench(simulator.WithGuideForms())
		task, err := b.client.CreateProductVideo(limited(ctx), productVideo)
		Expect(err).NotTo(HaveOccurred())
		Expect(task.VideoID).NotTo(BeEmpty())
		Expect(task.VideoID).To(Equal(task.ProductVideoID))
		b.clock.Advance(time.Hour)
		video, err := b.client.GetProductVideo(ctx, task.VideoID)
		Expect(err).NotTo(HaveOccurred())
		Expect(video.Duration).To(BeNumerically(">", 0))
		Expect(video.Duration).To(Equal(video.VideoDuration))
		template, err := b.client.GetCustomTemplate(ctx, templateID)
		Expect(err).NotTo(HaveOccurred())
		Expect(template.TemplateID).To(Equal(template.ID))
	})
})
