package contract

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/api"
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
	aiScripts = gen.CreateAIScriptsRequest{
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
	endpoint = gen.WebhookEndpointRequest{
		URL: hookURL, Status: gen.EndpointStatusEnabled, Events: []gen.EventType{gen.EventTypeGeneratedAvatarVideoSuccess},
	}
)

// ordered runs an order and then reads what became of its id.
func ordered[T, U any](task *T, err error, id func(*T) string, read func(id string) (*U, error)) (any, error) {
	if err != nil {
		return nil, err
	}
	return read(id(task))
}

// withEndpoint registers an endpoint and does something with its id.
func withEndpoint[T any](ctx context.Context, c *jogg.Client, do func(id string) (*T, error)) (any, error) {
	registered, err := c.CreateWebhookEndpoint(ctx, endpoint)
	return ordered(registered, err, func(e *gen.WebhookEndpoint) string { return e.EndpointID }, do)
}

// operations call each operation of the contract once, after what it needs.
var operations = map[string]func(context.Context, *jogg.Client) (any, error){
	"listWebhookEvents":     func(ctx context.Context, c *jogg.Client) (any, error) { return c.ListWebhookEvents(ctx) },
	"listWebhookEndpoints":  func(ctx context.Context, c *jogg.Client) (any, error) { return c.ListWebhookEndpoints(ctx) },
	"createWebhookEndpoint": func(ctx context.Context, c *jogg.Client) (any, error) { return c.CreateWebhookEndpoint(ctx, endpoint) },
	"updateWebhookEndpoint": func(ctx context.Context, c *jogg.Client) (any, error) {
		return withEndpoint(ctx, c, func(id string) (*gen.WebhookEndpoint, error) { return c.UpdateWebhookEndpoint(ctx, id, endpoint) })
	},
	"deleteWebhookEndpoint": func(ctx context.Context, c *jogg.Client) (any, error) {
		return withEndpoint(ctx, c, func(id string) (*gen.WebhookEndpointDeletion, error) { return c.DeleteWebhookEndpoint(ctx, id) })
	},
	"getCurrentUser":    func(ctx context.Context, c *jogg.Client) (any, error) { return c.GetCurrentUser(ctx) },
	"getRemainingQuota": func(ctx context.Context, c *jogg.Client) (any, error) { return c.GetRemainingQuota(ctx) },
	"createAvatarVideo": func(ctx context.Context, c *jogg.Client) (any, error) { return c.CreateAvatarVideo(ctx, avatarVideo) },
	"getAvatarVideo": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := c.CreateAvatarVideo(ctx, avatarVideo)
		return ordered(task, err, func(t *gen.VideoTask) string { return t.VideoID }, func(id string) (*gen.AvatarVideo, error) {
			return c.GetAvatarVideo(ctx, id)
		})
	},
	"createProductVideo": func(ctx context.Context, c *jogg.Client) (any, error) { return c.CreateProductVideo(ctx, productVideo) },
	"createProductPreviews": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.CreateProductPreviews(ctx, productPreviews)
	},
	"renderProductPreview": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.RenderProductPreview(ctx, gen.RenderProductPreviewRequest{PreviewID: previewID})
	},
	"getProductVideo": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := c.CreateProductVideo(ctx, productVideo)
		return ordered(task, err, func(t *gen.ProductVideoTask) string { return t.ProductVideoID }, func(id string) (*gen.ProductVideo, error) {
			return c.GetProductVideo(ctx, id)
		})
	},
	"listProductVideos": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListProductVideos(ctx, gen.ListProductVideosParams{
			Page: 1, PageSize: 20, Status: gen.VideoStatusFilterCompleted, SortBy: "created_at", SortOrder: gen.SortOrderAscending,
		})
	},
	"listProductPreviews": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListProductPreviews(ctx, gen.ListProductPreviewsParams{Status: gen.VideoStatusFilterProcessing})
	},
	"createTemplateVideo": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.CreateTemplateVideo(ctx, templateVideo)
	},
	"getTemplateVideo": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := c.CreateTemplateVideo(ctx, templateVideo)
		return ordered(task, err, func(t *gen.VideoTask) string { return t.VideoID }, func(id string) (*gen.TemplateVideo, error) {
			return c.GetTemplateVideo(ctx, id)
		})
	},
	"listTemplateVideos": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListTemplateVideos(ctx, gen.ListTemplateVideosParams{PageSize: 5})
	},
	"createLipSyncVideo": func(ctx context.Context, c *jogg.Client) (any, error) { return c.CreateLipSyncVideo(ctx, lipSync) },
	"getLipSyncVideo": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := c.CreateLipSyncVideo(ctx, lipSync)
		return ordered(task, err, func(t *gen.LipSyncTask) string { return t.TaskID }, func(id string) (*gen.LipSyncVideo, error) {
			return c.GetLipSyncVideo(ctx, id)
		})
	},
	"createVideoTranslation": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.CreateVideoTranslation(ctx, translation)
	},
	"getVideoTranslation": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := c.CreateVideoTranslation(ctx, translation)
		return ordered(task, err, func(t *gen.VideoTranslationTask) string { return t.VideoTranslateID },
			func(id string) (*gen.VideoTranslation, error) { return c.GetVideoTranslation(ctx, id) })
	},
	"listTranslationLanguages": func(ctx context.Context, c *jogg.Client) (any, error) { return c.ListTranslationLanguages(ctx) },
	"createAIScripts":          func(ctx context.Context, c *jogg.Client) (any, error) { return c.CreateAIScripts(ctx, aiScripts) },
	"getAIScripts": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := c.CreateAIScripts(ctx, aiScripts)
		return ordered(task, err, func(t *gen.AIScripts) string { return t.TaskID }, func(id string) (*gen.AIScripts, error) {
			return c.GetAIScripts(ctx, id)
		})
	},
	"listMusic": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListMusic(ctx, gen.ListMusicParams{Page: 2})
	},
	"listVisualStyles": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListVisualStyles(ctx, gen.ListVisualStylesParams{AspectRatio: gen.AspectRatioSquare})
	},
	"createAssetUpload": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.CreateAssetUpload(ctx, gen.CreateAssetUploadRequest{Filename: "a.png", ContentType: "image/png", FileSize: 10})
	},
	"listPublicAvatars": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListPublicAvatars(ctx, gen.ListPublicAvatarsParams{
			AspectRatio: gen.AspectRatioPortrait, Style: gen.AvatarStyleSocial, Gender: gen.GenderFemale, Age: gen.AvatarAgeYoungAdult,
			Scene: gen.AvatarSceneHealthFitness, Ethnicity: gen.AvatarEthnicityEastAsian,
		})
	},
	"listCustomAvatars": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListCustomAvatars(ctx, gen.ListCustomAvatarsParams{Status: gen.AvatarStatusCompleted})
	},
	"listPhotoAvatars": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListPhotoAvatars(ctx, gen.ListPhotoAvatarsParams{Name: "Ada"})
	},
	"listProductAvatars": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListProductAvatars(ctx, gen.ListProductAvatarsParams{AspectRatio: gen.AspectRatioLandscape})
	},
	"generatePhotoAvatarPhoto": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.GeneratePhotoAvatarPhoto(ctx, avatarPhoto)
	},
	"getPhotoAvatarPhoto": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := c.GeneratePhotoAvatarPhoto(ctx, avatarPhoto)
		return ordered(task, err, func(t *gen.AvatarPhotoTask) string { return t.PhotoID }, func(id string) (*gen.AvatarPhoto, error) {
			return c.GetPhotoAvatarPhoto(ctx, gen.GetPhotoAvatarPhotoParams{PhotoID: id})
		})
	},
	"addPhotoAvatarMotion": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.AddPhotoAvatarMotion(ctx, photoMotion)
	},
	"getPhotoAvatarMotion": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := c.AddPhotoAvatarMotion(ctx, photoMotion)
		return ordered(task, err, func(t *gen.AvatarMotionTask) string { return t.MotionID }, func(id string) (*gen.AvatarMotion, error) {
			return c.GetPhotoAvatarMotion(ctx, gen.GetPhotoAvatarMotionParams{MotionID: id})
		})
	},
	"generateProductAvatarImages": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.GenerateProductAvatarImages(ctx, avatarImages)
	},
	"getProductAvatarImages": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := c.GenerateProductAvatarImages(ctx, avatarImages)
		return ordered(task, err, func(t *gen.ProductAvatarImagesTask) string { return t.BatchID },
			func(id string) (*gen.ProductAvatarImages, error) { return c.GetProductAvatarImages(ctx, id) })
	},
	"addProductAvatarMotion": func(ctx context.Context, c *jogg.Client) (any, error) { return addProductAvatarMotion(ctx, c) },
	"getProductAvatarMotion": func(ctx context.Context, c *jogg.Client) (any, error) {
		task, err := addProductAvatarMotion(ctx, c)
		return ordered(task, err, func(t *gen.AvatarMotionTask) string { return t.MotionID }, func(id string) (*gen.AvatarMotion, error) {
			return c.GetProductAvatarMotion(ctx, gen.GetProductAvatarMotionParams{MotionID: id})
		})
	},
	"createProduct": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.CreateProduct(ctx, gen.CreateProductRequest{
			Name: "Watch", Media: []gen.ProductMedia{{Type: gen.MediaTypeImage, URL: mediaURL}},
		})
	},
	"updateProduct": func(ctx context.Context, c *jogg.Client) (any, error) {
		return "done", c.UpdateProduct(ctx, gen.UpdateProductRequest{ProductID: productID, Description: jogg.Ptr("")})
	},
	"listTemplates": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListTemplates(ctx, gen.ListTemplatesParams{AspectRatio: gen.AspectRatioPortrait})
	},
	"listCustomTemplates": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListCustomTemplates(ctx, gen.ListCustomTemplatesParams{})
	},
	"getCustomTemplate": func(ctx context.Context, c *jogg.Client) (any, error) { return c.GetCustomTemplate(ctx, templateID) },
	"listVoices": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListVoices(ctx, gen.ListVoicesParams{Gender: gen.GenderMale, Language: "english", Age: gen.VoiceAgeMiddleAged})
	},
	"listCustomVoices": func(ctx context.Context, c *jogg.Client) (any, error) {
		return c.ListCustomVoices(ctx, gen.ListCustomVoicesParams{Language: "english"})
	},
}

func addProductAvatarMotion(ctx context.Context, c *jogg.Client) (*gen.AvatarMotionTask, error) {
	batch, err := c.GenerateProductAvatarImages(ctx, avatarImages)
	if err != nil {
		return nil, err
	}
	if len(batch.Generations) == 0 {
		return nil, errors.New("the batch has no generation")
	}
	return c.AddProductAvatarMotion(ctx, gen.AddProductAvatarMotionRequest{
		GenerationID: batch.Generations[0].GenerationID, Name: "Ada", VoiceID: voiceID, Description: "Waves.", Model: jogg.Ptr(0),
	})
}

// documented returns the operationIds of the contract.
func documented() []string {
	GinkgoHelper()
	document, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	Expect(err).NotTo(HaveOccurred())
	var ids []string
	for _, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			ids = append(ids, operation.OperationID)
		}
	}
	return ids
}

var _ = Describe("Every operation", func() {
	It("is called by this suite", func() {
		called := slices.Collect(maps.Keys(operations))
		Expect(called).To(ConsistOf(documented()))
		Expect(called).To(HaveLen(47))
	})

	entries := make([]TableEntry, 0, len(operations))
	for _, operation := range slices.Sorted(maps.Keys(operations)) {
		entries = append(entries, Entry(nil, operation))
	}

	DescribeTable("is sent, answered and decoded as the contract says", func(ctx SpecContext, operation string) {
		for _, spelling := range []simulator.Spelling{simulator.Documented, simulator.Seen} {
			b := newBench(simulator.WithSpelling(spelling), simulator.WithDurations(0, 0))
			result, err := operations[operation](limited(ctx), b.client)
			Expect(err).NotTo(HaveOccurred())
			Expect(result).NotTo(BeZero())
			Expect(b.checked.Calls(operation)).To(Equal(1))
			Expect(b.checked.Violations()).To(BeEmpty())
		}
	}, entries)

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
