package webhooks

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/jogg-go/jogg/api"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// document is a delivery in testdata.
type document struct {
	name string // of the file, without the extension
	body []byte
}

// documents reads the deliveries in a directory of testdata.
func documents(directory string) []document {
	paths, err := filepath.Glob(filepath.Join("testdata", directory, "*.json"))
	if err != nil {
		panic(err)
	}
	var all []document
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		all = append(all, document{strings.TrimSuffix(filepath.Base(path), ".json"), body})
	}
	return all
}

// arrived delivers a document and returns the event that the receiver got.
func arrived(ctx SpecContext, d document, event webhooks.EventType) webhooks.Event {
	GinkgoHelper()
	s := newSite([]string{secret})
	expectResponse(s.post(ctx, string(event), d.body), http.StatusOK)
	Expect(s.received()).To(HaveLen(1))
	got := s.received()[0]
	Expect(got.Type).To(Equal(event))
	Expect(got.Raw).To(Equal(d.body))
	return got
}

// documentedData returns the data of the documented delivery of an event type. Event types with the same Go type have the same data.
func documentedData(event webhooks.EventType) webhooks.Data {
	const cdn = "https://res.jogg.ai/"
	switch wantData[event].(type) {
	case *webhooks.VideoSucceeded:
		return &webhooks.VideoSucceeded{
			VideoID: "video_123456", Status: gen.TaskStatusCompleted, Duration: 30.5,
			VideoURL: cdn + "videos/video_123456.mp4", CoverURL: cdn + "covers/video_123456.jpg",
		}
	case *webhooks.VideoFailed:
		return &webhooks.VideoFailed{
			VideoID: "video_123456", Status: gen.TaskStatusFailed, Error: gen.WebhookError{Code: 50000, Message: "The voice could not be made."},
		}
	case *webhooks.AvatarSucceeded:
		return &webhooks.AvatarSucceeded{
			AvatarID: 123, Status: gen.TaskStatusCompleted, PreviewURL: cdn + "avatars/preview_123.mp4", CoverURL: cdn + "avatars/cover_123.jpg",
		}
	case *webhooks.AvatarFailed:
		return &webhooks.AvatarFailed{AvatarID: 123, Status: gen.TaskStatusFailed, Error: gen.WebhookError{Message: "No face was found."}}
	case *webhooks.ScriptSucceeded:
		return &webhooks.ScriptSucceeded{TaskID: "task_123456789", Status: gen.TaskStatusCompleted, Scripts: []gen.GeneratedScript{
			{ScriptStyle: "Light marketing", ScriptParagraphs: []string{"Two openings, one bottle. Cold until tomorrow."}},
			{ScriptStyle: "Storytime", ScriptParagraphs: []string{"I lost three bottles last summer."}},
		}}
	case *webhooks.ScriptFailed:
		return &webhooks.ScriptFailed{
			TaskID: "task_123456789", Status: gen.TaskStatusFailed, Error: gen.WebhookError{Message: "The product page is empty."},
		}
	case *webhooks.ImageSucceeded:
		return &webhooks.ImageSucceeded{PhotoID: "photo_abc123", PhotoURLs: []string{cdn + "photos/abc123_1.png", cdn + "photos/abc123_2.png"}}
	case *webhooks.ImageFailed:
		return &webhooks.ImageFailed{PhotoID: "photo_abc123", Error: gen.WebhookError{Message: "The description was refused."}}
	case *webhooks.MotionSucceeded:
		return &webhooks.MotionSucceeded{MotionID: "motion_xyz789", MotionURL: cdn + "motions/xyz789.mp4", PhotoURL: cdn + "photos/abc123_1.png"}
	default:
		return &webhooks.MotionFailed{MotionID: "motion_xyz789", Error: gen.WebhookError{Message: "The photo is too dark."}}
	}
}

var _ = Describe("A documented delivery", func() {
	It("exists", func() {
		Expect(documents("documented")).NotTo(BeEmpty())
	})

	for _, d := range documents("documented") {
		It("is decoded as documented: "+d.name, func(ctx SpecContext) {
			event := webhooks.EventType(d.name)
			got := arrived(ctx, d, event)
			Expect(got.Data).To(Equal(documentedData(event)))
			Expect(got.Time).To(BeTemporally("~", time.Unix(1732806631, 0), time.Minute))
			switch got.Data.(type) {
			case *webhooks.VideoSucceeded, *webhooks.VideoFailed, *webhooks.AvatarSucceeded, *webhooks.AvatarFailed:
				Expect(got.ID).To(HavePrefix("evt_"))
				Expect(got.Key()).To(Equal(d.name + ":" + got.ID))
			default:
				Expect(got.ID).To(BeEmpty())
				Expect(got.Key()).To(HavePrefix("sha256:"))
			}
		})

		It("conforms to the contract: "+d.name, func() {
			Expect(problem(d.body)).To(Succeed())
		})
	}
})

var rejected = gen.WebhookError{Message: "Refused."}

// tolerated maps deliveries that differ from the documentation to the events that they are decoded to.
var tolerated = map[string]webhooks.Event{
	"error-object-on-image": {Type: webhooks.GeneratedImageFailed, Data: &webhooks.ImageFailed{
		PhotoID: "photo_abc123", Error: gen.WebhookError{Code: 40000, Message: "Refused."},
	}},
	"error-object-on-motion": {Type: webhooks.GeneratedMotionFailed, Data: &webhooks.MotionFailed{
		MotionID: "motion_xyz789", Error: gen.WebhookError{Code: 40000, Message: "Refused."},
	}},
	"error-string-on-video": failedVideo(webhooks.VideoFailed{VideoID: "video_123456", Status: "failed", Error: rejected}),
	"error-null":            failedVideo(webhooks.VideoFailed{VideoID: "video_123456", Status: "failed"}),
	"error-code-in-words": failedVideo(webhooks.VideoFailed{
		VideoID: "video_123456", Error: gen.WebhookError{Message: "Video generation failed", CodeWord: "ERROR_CODE"},
	}),
	"error-code-in-a-string": failedVideo(webhooks.VideoFailed{
		VideoID: "video_123456", Error: gen.WebhookError{Code: 18020, Message: "Refused."},
	}),
	"err-msg-on-video": failedVideo(webhooks.VideoFailed{VideoID: "video_123456", Status: "fail", ErrMsg: "Refused.", Error: rejected}),
	"err-msg-on-avatar": {Type: webhooks.CreateAvatarFailed, Data: &webhooks.AvatarFailed{
		AvatarID: 123, ErrMsg: "Refused.", Error: rejected,
	}},
	"err-msg-on-script": {Type: webhooks.GeneratedScriptFailed, Data: &webhooks.ScriptFailed{
		TaskID: "task_123456789", ErrMsg: "Refused.", Error: rejected,
	}},
	"err-msg-on-image": {Type: webhooks.GeneratedImageFailed, Data: &webhooks.ImageFailed{
		PhotoID: "photo_abc123", ErrMsg: "Refused.", Error: rejected,
	}},
	"err-msg-on-motion": {Type: webhooks.GeneratedMotionFailed, Data: &webhooks.MotionFailed{
		MotionID: "motion_xyz789", ErrMsg: "Refused.", Error: rejected,
	}},
	"project-id-on-success": finishedVideo(webhooks.VideoSucceeded{
		VideoID: "video_123456", ProjectID: "video_123456", Status: "success", VideoURL: "https://res.jogg.ai/videos/video_123456.mp4",
	}),
	"project-id-on-failure": failedVideo(webhooks.VideoFailed{
		VideoID: "video_123456", ProjectID: "video_123456", Status: "failed", Error: rejected,
	}),
	"project-id-as-number":       finishedVideo(webhooks.VideoSucceeded{VideoID: "123456", ProjectID: "123456"}),
	"video-id-as-number":         finishedVideo(webhooks.VideoSucceeded{VideoID: "123456"}),
	"avatar-id-in-a-string":      {Type: webhooks.GeneratedPhotoAvatarSuccess, Data: &webhooks.AvatarSucceeded{AvatarID: 123}},
	"task-id-as-number":          {Type: webhooks.GeneratedScriptSuccess, Data: &webhooks.ScriptSucceeded{TaskID: "7"}},
	"photo-id-as-number":         {Type: webhooks.GeneratedImageSuccess, Data: &webhooks.ImageSucceeded{PhotoID: "7"}},
	"motion-id-as-number":        {Type: webhooks.GeneratedMotionSuccess, Data: &webhooks.MotionSucceeded{MotionID: "7"}},
	"paragraphs-as-an-array":     {Type: webhooks.GeneratedScriptSuccess, Data: twoParagraphs},
	"duration-whole":             finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456", Duration: 30}),
	"duration-in-a-string":       finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456", Duration: 30.5}),
	"no-cover":                   {Type: webhooks.CreateAvatarSuccess, Data: avatarWithoutCover},
	"status-of-another-spelling": finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456", Status: "succeeded"}),
	"event-id-on-script":         {Type: webhooks.GeneratedScriptFailed, Data: &webhooks.ScriptFailed{TaskID: "task_123456789"}},
	"event-id-missing-on-video":  finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456"}),
	"event-id-null":              finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456"}),
	"event-id-as-number":         finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456"}),
	"timestamp-in-a-string":      finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456"}),
	"timestamp-missing":          finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456"}),
	"null-fields":                finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456"}),
	"undocumented-fields":        finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456"}),
	"number-beyond-float64":      finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456"}),
	"data-first":                 finishedVideo(webhooks.VideoSucceeded{VideoID: "video_123456"}),
	"escapes":                    finishedVideo(webhooks.VideoSucceeded{VideoID: "vidéo \"1\"\\\t😀"}),
	"unknown-event": {
		Type: "generated_hologram_success", Data: &webhooks.Unknown{Data: []byte(`{"hologram_id":[1,2]}`)},
	},
	"unknown-event-without-data": {Type: "account_closed", Data: &webhooks.Unknown{}},
}

var (
	twoParagraphs = &webhooks.ScriptSucceeded{TaskID: "task_123456789", Scripts: []gen.GeneratedScript{
		{ScriptStyle: "Storytime", ScriptParagraphs: []string{"One.", "Two."}},
	}}
	avatarWithoutCover = &webhooks.AvatarSucceeded{
		AvatarID: 123, Status: "completed", PreviewURL: "https://res.jogg.ai/avatars/preview_123.mp4",
	}
)

func finishedVideo(data webhooks.VideoSucceeded) webhooks.Event {
	return webhooks.Event{Type: webhooks.GeneratedAvatarVideoSuccess, Data: &data}
}

func failedVideo(data webhooks.VideoFailed) webhooks.Event {
	return webhooks.Event{Type: webhooks.GeneratedAvatarVideoFailed, Data: &data}
}

// beyondTheContract are deliveries that the handler accepts although they violate the contract: undocumented events, and a missing
// timestamp.
var beyondTheContract = []string{"unknown-event", "unknown-event-without-data", "timestamp-missing"}

var _ = Describe("A tolerated delivery", func() {
	It("exists for each expectation, and the other way round", func() {
		for _, d := range documents("tolerated") {
			Expect(tolerated).To(HaveKey(d.name))
		}
		Expect(documents("tolerated")).To(HaveLen(len(tolerated)))
	})

	for _, d := range documents("tolerated") {
		It("is decoded as expected: "+d.name, func(ctx SpecContext) {
			want := tolerated[d.name]
			Expect(arrived(ctx, d, want.Type).Data).To(Equal(want.Data))
		})

		It("conforms to the contract, or is known not to: "+d.name, func() {
			if slices.Contains(beyondTheContract, d.name) {
				Expect(problem(d.body)).NotTo(Succeed())
			} else {
				Expect(problem(d.body)).To(Succeed())
			}
		})
	}

	It("has undocumented fields in Raw", func(ctx SpecContext) {
		for _, d := range documents("tolerated") {
			if d.name == "undocumented-fields" {
				got := arrived(ctx, d, webhooks.GeneratedAvatarVideoSuccess)
				Expect(string(got.Raw)).To(And(ContainSubstring(`"resolution"`), ContainSubstring(`"attempt": 2`)))
			}
		}
	})
})

// delivered is the schema of a delivery's body, from the webhooks section of the contract.
var delivered = func() *jsonschema.Schema {
	contract, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		panic(err)
	}
	text, err := contract.MarshalJSON()
	if err != nil {
		panic(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("contract.json", tree); err != nil {
		panic(err)
	}
	return compiler.MustCompile("contract.json#/webhooks/delivery/post/requestBody/content/application~1json/schema")
}()

// problem returns how a body violates the contract.
func problem(body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return delivered.Validate(value)
}
