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

// IDs from the documentation's examples, which the simulator knows.
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

// existing are values that the simulator's handwritten implementation knows, and without which it rejects requests. The keys are property names, or
// places where the name alone is ambiguous.
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
	// The model determines which type of image is accepted.
	"generateVideoAlibaba.model":               "happyhorse-1.1-r2v",
	"generateVideoAlibaba.input.media[0].type": "reference_image",
	"generateVideoAlibaba.input.media[1].type": "reference_image",
}

// needed are optional fields without which the simulator's handwritten implementation rejects a request, because the schema does not say which of
// them are required together.
var needed = map[string]map[string]any{
	"createAvatarVideo":           {"voice": map[string]any{"type": "script", "script": "Hello!"}},
	"createProduct":               {"name": "Watch"},
	"createAIScripts":             {"product_info": map[string]any{"source_type": "details", "data": map[string]any{"name": "Watch"}}},
	"generateProductAvatarImages": {"avatar_source": map[string]any{"type": "id", "avatar_id": 81}},
	"generateVideoArk":            {"content": []any{map[string]any{"type": "text", "text": "A paper crane unfolds."}}},
	"generateVideoMiniMax":        {"prompt": "A paper crane unfolds."},
	"generateVideoAlibaba":        {"input": map[string]any{"media": []any{map[string]any{"type": "reference_image", "url": mediaURL}}}},
}

// creators are the operations that create what another operation needs, where the names differ or the whole input is the same.
var creators = map[string]struct{ parameter, operation, property string }{
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
	// Some operations accept only files in the service's own storage.
	return mediaURL, p.Schema.Format == "uri" && p.Name != "webhook_url" && p.Name != "callback_url"
}

// makers make the input of a call: with the required fields only, and with all.
var makers = map[string]sample.Maker{
	"required":  {Seed: 1, RequiredOnly: true, Choose: choose},
	"all":       {Seed: 2, Choose: choose},
	"all again": {Seed: 3, Choose: choose},
}

// readyInput makes the input of a call of the operation. It creates what the operation needs an ID of.
func (b *bench) readyInput(ctx context.Context, o operation, maker sample.Maker) (input, error) {
	in, err := o.input(maker)
	if err != nil {
		return in, err
	}
	if body, ok := in.body.(map[string]any); ok && maker.RequiredOnly {
		merge(body, needed[o.OperationID])
	} else if ok {
		o.agree(body) // the maker gave each place a different value
	}
	if creator, ok := creators[o.OperationID]; ok {
		created, err := b.create(ctx, documented[creator.operation])
		if err != nil {
			return in, err
		}
		if creator.parameter != "" {
			in.path[creator.parameter] = valueOf(created, creator.property)
		}
		return in, nil
	}
	return b.withIDs(ctx, o, in)
}

// withIDs sets the required IDs of the input. It calls a POST operation whose response has properties of these names. If several do,
// withIDs tries them until the operation finds the ID.
func (b *bench) withIDs(ctx context.Context, o operation, in input) (input, error) {
	names := o.requiredIDs()
	if len(names) == 0 {
		return in, nil
	}
	for _, id := range slices.Sorted(maps.Keys(documented)) {
		creator := documented[id]
		if creator.verb != http.MethodPost || id == o.OperationID || !creator.returns(names) {
			continue
		}
		created, err := b.create(ctx, creator)
		if err != nil {
			return in, fmt.Errorf("%s, for %s: %w", id, o.OperationID, err)
		}
		for _, name := range names {
			in.set(name, valueOf(created, name))
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

// create calls the operation with the aside client, and returns the response as decoded JSON.
func (b *bench) create(ctx context.Context, o operation) (any, error) {
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

// merge merges the members of an object into another one, at any depth.
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

	DescribeTable("is sent, responded to and decoded as the contract says", func(ctx SpecContext, id, mode string) {
		o := documented[id]
		for _, spelling := range []simulator.Spelling{simulator.Documented, simulator.Seen} {
			b := newBench(simulator.WithSpelling(spelling), simulator.WithDurations(0, 0))
			in, err := b.readyInput(limited(ctx), o, makers[mode])
			Expect(err).NotTo(HaveOccurred())
			var response jogg.Response
			result, err := o.call(ctx, b.client, in, jogg.WithResponse(&response))
			Expect(err).NotTo(HaveOccurred())
			Expect(response.Unknown()).To(BeEmpty(), "fields that the contract does not have")
			Expect(response.Problems).To(BeEmpty(), "fields that violate the contract")
			Expect(b.checked.Calls(id)).To(Equal(1))
			Expect(b.checked.Violations()).To(BeEmpty())
			Expect(b.checked.Unknown()).To(BeEmpty(), "fields that the contract does not have")

			Expect(b.wire.exchanges).To(HaveLen(1))
			x := b.wire.exchanges[0]
			expectSent(x, o, in)
			received, err := asJSON(x.received)
			Expect(err).NotTo(HaveOccurred())
			if o.data() != nil {
				Expect(lost(received.(map[string]any)["data"], result)).To(BeEmpty(), "lost from the response %s", x.received)
			}
		}
	}, entries)

	It("decodes its response without loss of any field", func(ctx SpecContext) {
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
					continue // a POST does not succeed without the ID of what it created
				}
				Expect(err).NotTo(HaveOccurred(), "%v", data)
				Expect(lost(data, result)).To(BeEmpty(), "lost from %v", data)
			}
		}
	})

	It("accepts the payloads of the guides as well", func(ctx SpecContext) {
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
