package webhooks

import (
	"context"
	"errors"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// subscribed starts a simulator, and a site that is subscribed to all events.
func subscribed(ctx context.Context, opts ...simulator.Option) (*simulator.Simulator, *jogg.Client, *site) {
	GinkgoHelper()
	sim, clock := newSimulator(opts...)
	client, err := jogg.New("key", jogg.WithBaseURL(sim.BaseURL()), jogg.WithClock(clock))
	Expect(err).NotTo(HaveOccurred())
	account, err := sim.AccountSecret("key")
	Expect(err).NotTo(HaveOccurred())
	// The endpoint's secret is assigned after the URL is known, so the site starts with a placeholder.
	s := newSite([]string{"whsec_unused", account})
	endpoint, err := client.EnsureWebhookEndpoint(ctx, s.URL)
	Expect(err).NotTo(HaveOccurred())
	verifier, err := webhooks.NewVerifier(endpoint.Secret, account)
	Expect(err).NotTo(HaveOccurred())
	s.Config.Handler = webhooks.NewHandler(verifier, s.recorder)
	return sim, client, s
}

var wantData = map[webhooks.EventType]webhooks.Data{
	webhooks.GeneratedVideoSuccess: &webhooks.VideoSucceeded{}, webhooks.GeneratedVideoFailed: &webhooks.VideoFailed{},
	webhooks.GeneratedProductVideoSuccess: &webhooks.VideoSucceeded{}, webhooks.GeneratedProductVideoFailed: &webhooks.VideoFailed{},
	webhooks.GeneratedAvatarVideoSuccess: &webhooks.VideoSucceeded{}, webhooks.GeneratedAvatarVideoFailed: &webhooks.VideoFailed{},
	webhooks.GeneratedTemplateVideoSuccess: &webhooks.VideoSucceeded{}, webhooks.GeneratedTemplateVideoFailed: &webhooks.VideoFailed{},
	webhooks.GeneratedTranslateVideoSuccess: &webhooks.VideoSucceeded{}, webhooks.GeneratedTranslateVideoFailed: &webhooks.VideoFailed{},
	webhooks.CreateAvatarSuccess: &webhooks.AvatarSucceeded{}, webhooks.CreateAvatarFailed: &webhooks.AvatarFailed{},
	webhooks.GeneratedPhotoAvatarSuccess: &webhooks.AvatarSucceeded{}, webhooks.GeneratedPhotoAvatarFailed: &webhooks.AvatarFailed{},
	webhooks.GeneratedProductAvatarSuccess: &webhooks.AvatarSucceeded{}, webhooks.GeneratedProductAvatarFailed: &webhooks.AvatarFailed{},
	webhooks.GeneratedScriptSuccess: &webhooks.ScriptSucceeded{}, webhooks.GeneratedScriptFailed: &webhooks.ScriptFailed{},
	webhooks.GeneratedImageSuccess: &webhooks.ImageSucceeded{}, webhooks.GeneratedImageFailed: &webhooks.ImageFailed{},
	webhooks.GeneratedMotionSuccess: &webhooks.MotionSucceeded{}, webhooks.GeneratedMotionFailed: &webhooks.MotionFailed{},
}

// id returns the identifying field of the data.
func id(data webhooks.Data) any {
	switch v := data.(type) {
	case *webhooks.VideoSucceeded:
		return v.VideoID
	case *webhooks.VideoFailed:
		return v.VideoID
	case *webhooks.AvatarSucceeded:
		return v.AvatarID
	case *webhooks.AvatarFailed:
		return v.AvatarID
	case *webhooks.ScriptSucceeded:
		return v.TaskID
	case *webhooks.ScriptFailed:
		return v.TaskID
	case *webhooks.ImageSucceeded:
		return v.PhotoID
	case *webhooks.ImageFailed:
		return v.PhotoID
	case *webhooks.MotionSucceeded:
		return v.MotionID
	case *webhooks.MotionFailed:
		return v.MotionID
	}
	return nil
}

// reason returns the error of a failed task.
func reason(data webhooks.Data) gen.WebhookError {
	switch v := data.(type) {
	case *webhooks.VideoFailed:
		return v.Error
	case *webhooks.AvatarFailed:
		return v.Error
	case *webhooks.ScriptFailed:
		return v.Error
	case *webhooks.ImageFailed:
		return v.Error
	case *webhooks.MotionFailed:
		return v.Error
	}
	return gen.WebhookError{}
}

var _ = Describe("Every event", func() {
	DescribeTable("is decoded to its Go type, in every payload variant", func(ctx SpecContext, options ...simulator.EventOption) {
		sim, _, s := subscribed(ctx)
		for _, eventType := range webhooks.EventTypes() {
			sent, err := sim.Trigger(eventType, options...)
			Expect(err).NotTo(HaveOccurred())
			Expect(sim.Settle(ctx)).To(Succeed())

			got := s.received()[len(s.received())-1]
			Expect(got.Type).To(Equal(eventType))
			Expect(got.Raw).To(Equal(sent.Body))
			Expect(got.ID).To(Equal(sent.ID))
			Expect(got.Time.IsZero()).To(BeFalse())
			want, described := wantData[eventType]
			if !described { // a type added to the contract since
				Expect(got.Data).NotTo(BeAssignableToTypeOf(&webhooks.Unknown{}), string(eventType))
				continue
			}
			Expect(got.Data).To(BeAssignableToTypeOf(want), string(eventType))
			Expect(id(got.Data)).NotTo(BeZero(), string(eventType))
			if eventType.Failed() {
				Expect(reason(got.Data).Message).NotTo(BeEmpty(), string(eventType))
			}
		}
		Expect(s.received()).To(HaveLen(len(webhooks.EventTypes())))
	},
		Entry("as documented"),
		Entry("with the error as an object", simulator.ErrorAsObject()),
		Entry("with the error as a string", simulator.ErrorAsString()),
		Entry("with the error in err_msg", simulator.ErrorAsErrMsg()),
		Entry("with the ID as project_id", simulator.IDAsProjectID()),
		Entry("with IDs as numbers", simulator.NumericIDs()),
		Entry("with IDs as strings", simulator.StringIDs()),
		Entry("with a whole duration", simulator.WholeDuration()),
		Entry("with a fractional duration", simulator.FractionalDuration()),
		Entry("without an event ID", simulator.WithoutEventID()),
		Entry("with undocumented fields", simulator.ExtraFields()),
		Entry("with everything at once", simulator.NumericIDs(), simulator.IDAsProjectID(), simulator.ErrorAsErrMsg(), simulator.ExtraFields(),
			simulator.WithoutEventID()),
	)

	It("is received even if its type is unknown", func(ctx SpecContext) {
		sim, _, s := subscribed(ctx)
		sent, err := sim.Trigger("generated_hologram_success")
		Expect(err).NotTo(HaveOccurred())
		Expect(sim.Settle(ctx)).To(Succeed())
		got := s.received()[0]
		Expect(got.Type.Known()).To(BeFalse())
		Expect(got.Type.Succeeded()).To(BeTrue())
		Expect(got.Data).To(BeAssignableToTypeOf(&webhooks.Unknown{}))
		Expect(got.Data.(*webhooks.Unknown).Data).To(MatchJSON(dataOf(sent.Body)))
	})

	It("of a task is delivered to the endpoint, and to the task's own URL", func(ctx SpecContext) {
		sim, client, s := subscribed(ctx)
		hook := newSite([]string{must(sim.AccountSecret("key"))})
		task, err := client.CreateAvatarVideo(ctx, gen.CreateAvatarVideoRequest{
			Avatar: gen.VideoAvatar{AvatarID: 81}, Voice: gen.VideoVoice{Type: gen.VoiceTypeScript, VoiceID: "v", Script: "Hi"},
			AspectRatio: gen.AspectRatioPortrait, ScreenStyle: gen.ScreenStyleFullScreen, WebhookURL: hook.URL,
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(sim.FastForward(ctx)).To(Succeed())
		for _, site := range []*site{s, hook} {
			Expect(site.received()).To(HaveLen(1))
			Expect(site.received()[0].Data.(*webhooks.VideoSucceeded).VideoID).To(Equal(task.VideoID))
		}
	})
})

var _ = Describe("A delivery", func() {
	It("that failed is retried three times, and handled once", func(ctx SpecContext) {
		sim, _, s := subscribed(ctx)
		calls := 0
		s.respondWith(func(context.Context, webhooks.Event) error {
			calls++
			if calls < 4 {
				return errors.New("not yet")
			}
			return nil
		})
		_, err := sim.Trigger(webhooks.GeneratedScriptSuccess)
		Expect(err).NotTo(HaveOccurred())
		Expect(sim.FastForward(ctx)).To(Succeed())
		delivery := sim.Deliveries()[0]
		Expect(delivery.State).To(Equal(simulator.DeliveryAccepted))
		Expect(delivery.Attempts).To(HaveLen(4))
		Expect(s.received()).To(HaveLen(4))
	})

	It("of an accepted event is acknowledged again, and not handled", func(ctx SpecContext) {
		sim, _, s := subscribed(ctx)
		for _, eventType := range []webhooks.EventType{webhooks.GeneratedVideoFailed, webhooks.GeneratedMotionSuccess} {
			sent, err := sim.Trigger(eventType)
			Expect(err).NotTo(HaveOccurred())
			Expect(sim.Settle(ctx)).To(Succeed())
			Expect(sim.Redeliver(sent.Ref)).To(Succeed())
			Expect(sim.FastForward(ctx)).To(Succeed())
		}
		Expect(s.received()).To(HaveLen(2))
		for _, delivery := range sim.Deliveries() {
			Expect(delivery.State).To(Equal(simulator.DeliveryAccepted))
			Expect(delivery.Attempts).To(HaveLen(1))
		}
	})

	It("that is forged is rejected each time, and never reaches the receiver", func(ctx SpecContext) {
		sim, _, s := subscribed(ctx)
		_, err := sim.Trigger(webhooks.GeneratedVideoSuccess, simulator.Forged())
		Expect(err).NotTo(HaveOccurred())
		Expect(sim.FastForward(ctx)).To(Succeed())
		Expect(s.received()).To(BeEmpty())
		attempts := sim.Deliveries()[0].Attempts
		Expect(attempts).To(HaveLen(4))
		for _, attempt := range attempts {
			Expect(attempt.Status).To(Equal(http.StatusUnauthorized))
		}
	})
})
