package contract

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
)

// task is one kind of asynchronous task: how to create it, and how to wait for it.
type task struct {
	kind   simulator.TaskKind
	create func(context.Context, *jogg.Client) (id string, err error)
	wait   func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error)
}

// idOf returns the ID of a created task.
func idOf[T any](created *T, err error, id func(*T) string) (string, error) {
	if err != nil {
		return "", err
	}
	return id(created), nil
}

var tasks = []task{
	{simulator.KindAvatarVideo, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.CreateAvatarVideo(ctx, avatarVideo)
		return idOf(task, err, func(t *gen.VideoTask) string { return t.VideoID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitAvatarVideo(ctx, id, opts...)
	}},
	{simulator.KindProductVideo, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.CreateProductVideo(ctx, productVideo)
		return idOf(task, err, func(t *gen.ProductVideoTask) string { return t.VideoID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitProductVideo(ctx, id, opts...)
	}},
	{simulator.KindTemplateVideo, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.CreateTemplateVideo(ctx, templateVideo)
		return idOf(task, err, func(t *gen.VideoTask) string { return t.VideoID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitTemplateVideo(ctx, id, opts...)
	}},
	{simulator.KindTranslation, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.CreateVideoTranslation(ctx, translation)
		return idOf(task, err, func(t *gen.VideoTranslationTask) string { return t.VideoTranslateID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitVideoTranslation(ctx, id, opts...)
	}},
	{simulator.KindLipSync, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.CreateLipSyncVideo(ctx, lipSync)
		return idOf(task, err, func(t *gen.LipSyncTask) string { return t.TaskID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitLipSyncVideo(ctx, id, opts...)
	}},
	{simulator.KindScripts, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.CreateAIScripts(ctx, aiScripts)
		return idOf(task, err, func(t *gen.AIScripts) string { return t.TaskID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitAIScripts(ctx, id, opts...)
	}},
	{simulator.KindPhoto, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.GeneratePhotoAvatarPhoto(ctx, avatarPhoto)
		return idOf(task, err, func(t *gen.AvatarPhotoTask) string { return t.PhotoID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitPhotoAvatarPhoto(ctx, id, opts...)
	}},
	{simulator.KindPhotoMotion, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.AddPhotoAvatarMotion(ctx, photoMotion)
		return idOf(task, err, func(t *gen.AvatarMotionTask) string { return t.MotionID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitPhotoAvatarMotion(ctx, id, opts...)
	}},
	{simulator.KindProductAvatarImages, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.GenerateProductAvatarImages(ctx, avatarImages)
		return idOf(task, err, func(t *gen.ProductAvatarImagesTask) string { return t.BatchID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitProductAvatarImages(ctx, id, opts...)
	}},
	{simulator.KindSpeech, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.SynthesizeSpeech(ctx, speech)
		return idOf(task, err, func(t *gen.SpeechTask) string { return t.TaskID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitSpeechTask(ctx, id, opts...)
	}},
	{simulator.KindTranscription, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.TranscribeAudio(ctx, gen.TranscribeAudioRequest{AudioURL: mediaURL, DurationSeconds: 90})
		return idOf(task, err, func(t *gen.TranscriptionTask) string { return t.TaskID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitTranscriptionTask(ctx, id, opts...)
	}},
	{simulator.KindProviderImages, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.GenerateImageArk(ctx, gen.GenerateImageArkRequest{
			Model: gen.ArkImageModelSeedream45, Prompt: "A paper crane", Image: []string{mediaURL}, N: 4,
		})
		return idOf(task, err, func(t *gen.ProviderTask) string { return t.TaskID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitProviderImageTask(ctx, id, opts...)
	}},
	{simulator.KindProviderVideo, func(ctx context.Context, c *jogg.Client) (string, error) {
		task, err := c.GenerateVideoRunway(ctx, runwayVideo)
		return idOf(task, err, func(t *gen.ProviderTask) string { return t.TaskID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitProviderVideoTask(ctx, id, opts...)
	}},
}

// productAvatarMotion needs a finished image, so it is not in tasks.
func (b *bench) productAvatarMotion() task {
	return task{simulator.KindProductAvatarMotion, func(ctx context.Context, c *jogg.Client) (string, error) {
		batch, err := c.GenerateProductAvatarImages(ctx, avatarImages)
		if err != nil {
			return "", err
		}
		b.clock.Advance(time.Hour)
		task, err := c.AddProductAvatarMotion(ctx, gen.AddProductAvatarMotionRequest{
			GenerationID: batch.Generations[0].GenerationID, Name: "Ada", VoiceID: voiceID, Description: "Waves.",
		})
		return idOf(task, err, func(t *gen.AvatarMotionTask) string { return t.MotionID })
	}, func(ctx context.Context, c *jogg.Client, id string, opts ...jogg.WaitOption) (any, error) {
		return c.WaitProductAvatarMotion(ctx, id, opts...)
	}}
}

func (b *bench) allTasks() []task {
	return append(slices.Clip(tasks), b.productAvatarMotion())
}

// polling returns options that poll in quick succession, and advance the simulator's clock between the polls.
func (b *bench) polling(states *[]jogg.State) []jogg.WaitOption {
	return []jogg.WaitOption{
		jogg.WithPollInterval(jogg.Every(time.Millisecond)),
		jogg.WithWaitProgress(func(p jogg.WaitProgress) {
			*states = append(*states, p.State)
			b.clock.Advance(4 * time.Second)
		}),
	}
}

var _ = Describe("Waiting", func() {
	DescribeTable("ends with the task, in either spelling of its states", func(ctx SpecContext, spelling simulator.Spelling) {
		b := newBench(simulator.WithSpelling(spelling))
		for _, k := range b.allTasks() {
			By(string(k.kind))
			id, err := k.create(limited(ctx), b.client)
			Expect(err).NotTo(HaveOccurred())
			var states []jogg.State
			result, err := k.wait(ctx, b.client, id, b.polling(&states)...)
			Expect(err).NotTo(HaveOccurred())
			Expect(result).NotTo(BeNil())
			Expect(states[0]).To(Equal(jogg.Running))
			Expect(states[len(states)-1]).To(Equal(jogg.Succeeded))
		}
		Expect(b.checked.Violations()).To(BeEmpty())
	},
		Entry("as documented", simulator.Documented),
		Entry("as seen", simulator.Seen),
	)

	DescribeTable("returns why a task failed", func(ctx SpecContext, spelling simulator.Spelling) {
		b := newBench(simulator.WithSpelling(spelling))
		for _, k := range b.allTasks() {
			By(string(k.kind))
			b.sim.PlanNext(k.kind, simulator.Plan{Fail: &simulator.Reason{Code: 50000, Message: "voice unavailable"}})
			id, err := k.create(limited(ctx), b.client)
			Expect(err).NotTo(HaveOccurred())
			var states []jogg.State
			_, err = k.wait(ctx, b.client, id, b.polling(&states)...)
			failed, ok := errors.AsType[*jogg.TaskError](err)
			Expect(ok).To(BeTrue(), "%v", err)
			Expect(failed.ID).To(Equal(id))
			Expect(jogg.StateOf(failed.Status)).To(Equal(jogg.Failed))
			if k.kind != simulator.KindProductAvatarImages && k.kind != simulator.KindTranslation { // their reason is not documented
				Expect(failed.Reason.Message).To(Equal("voice unavailable"), string(k.kind))
			}
		}
	},
		Entry("as documented", simulator.Documented),
		Entry("as seen", simulator.Seen),
	)

	It("ends at the limit in an unknown state", func(ctx SpecContext) {
		b := newBench()
		b.sim.PlanNext(simulator.KindAvatarVideo, simulator.Plan{Hold: "queued"})
		id, err := tasks[0].create(limited(ctx), b.client)
		Expect(err).NotTo(HaveOccurred())
		_, err = b.client.WaitAvatarVideo(ctx, id, jogg.WithPollInterval(jogg.Every(time.Millisecond)), jogg.WithWaitLimit(50*time.Millisecond))
		Expect(err).To(MatchError(jogg.ErrWaitLimit))
		ended, ok := errors.AsType[*jogg.WaitError](err)
		Expect(ok).To(BeTrue())
		Expect(ended.Status).To(Equal(gen.TaskStatusQueued))
	})
})

var _ = Describe("A billable request", func() {
	It("takes effect once per idempotency key, even if the response is lost", func(ctx SpecContext) {
		b := newBench()
		b.sim.FailNext("synthesizeSpeech", simulator.Fault{HTTPStatus: http.StatusBadGateway, TakesEffect: true})
		client := b.newClient(jogg.WithRetry(jogg.RetryPolicy{Attempts: 2, Base: time.Millisecond, RepeatWithKey: true}))
		task, err := client.SynthesizeSpeech(limited(ctx), speech)
		Expect(err).NotTo(HaveOccurred())
		Expect(b.checked.Calls("synthesizeSpeech")).To(Equal(2))
		tasks := b.sim.Tasks()
		Expect(tasks).To(HaveLen(1))
		Expect(tasks[0].ID).To(Equal(task.TaskID))

		_, err = client.SynthesizeSpeech(ctx, speech) // another call, another key
		Expect(err).NotTo(HaveOccurred())
		Expect(b.sim.Tasks()).To(HaveLen(2))
	})

	DescribeTable("is rejected if a closed body has a forbidden field", func(ctx SpecContext, opt jogg.CallOption, field string, opts ...simulator.Option) {
		b := newBench(opts...)
		_, err := b.client.GenerateVideoRunway(limited(ctx), runwayVideo, opt)
		Expect(err).To(MatchError(jogg.ErrInvalidParameter))
		apiErr, ok := errors.AsType[*jogg.APIError](err)
		Expect(ok).To(BeTrue(), "rejected by the service, not by the client: %v", err)
		Expect(apiErr.Message).To(ContainSubstring(field))
		Expect(b.sim.Credits(apiKey)).To(BeEquivalentTo(1000))
	},
		Entry("a callback", jogg.WithField("/webhook_url", hookURL), "webhook_url"),
		Entry("a callback, rejected with an HTTP status", jogg.WithField("/webhook_url", hookURL), "webhook_url", simulator.WithErrorStatuses()),
		Entry("a foreign file", jogg.WithField("/promptImage", "https://example.com/crane.png"), "promptImage"),
	)

	It("can use an uploaded file", func(ctx SpecContext) {
		b := newBench()
		asset, err := b.newClient(jogg.WithHTTPClient(&http.Client{})).Upload(limited(ctx), "crane.png", bytes.NewReader([]byte("\x89PNG")))
		Expect(err).NotTo(HaveOccurred())
		request := runwayVideo
		request.PromptImage = asset.URL
		_, err = b.client.GenerateVideoRunway(ctx, request)
		Expect(err).NotTo(HaveOccurred())
	})
})

// count returns the number of items that a list yields.
func count[T any](list func(func(T, error) bool)) int {
	GinkgoHelper()
	n := 0
	for _, err := range list {
		Expect(err).NotTo(HaveOccurred())
		n++
		Expect(n).To(BeNumerically("<", 10_000), "the list does not end")
	}
	return n
}

var _ = Describe("Lists", func() {
	DescribeTable("end, and miss no item", func(ctx SpecContext, mode simulator.PageMode) {
		reference := newBench()
		b := newBench(simulator.WithPages(mode))
		for _, bench := range []*bench{reference, b} {
			for range 3 {
				for _, k := range tasks[:3] {
					_, err := k.create(limited(ctx), bench.client)
					Expect(err).NotTo(HaveOccurred())
				}
				_, err := bench.client.CreateProductPreviews(ctx, productPreviews)
				Expect(err).NotTo(HaveOccurred())
			}
		}
		for _, size := range []int{0, 2} {
			for name, counts := range map[string]func(*jogg.Client) int{
				"public avatars": func(c *jogg.Client) int {
					return count(c.PublicAvatars(ctx, gen.ListPublicAvatarsParams{PageSize: size}))
				},
				"custom avatars": func(c *jogg.Client) int {
					return count(c.CustomAvatars(ctx, gen.ListCustomAvatarsParams{PageSize: size}))
				},
				"photo avatars": func(c *jogg.Client) int {
					return count(c.PhotoAvatars(ctx, gen.ListPhotoAvatarsParams{PageSize: size}))
				},
				"voices": func(c *jogg.Client) int { return count(c.Voices(ctx, gen.ListVoicesParams{PageSize: size})) },
				"music":  func(c *jogg.Client) int { return count(c.Music(ctx, gen.ListMusicParams{PageSize: size})) },
				"product videos": func(c *jogg.Client) int {
					return count(c.ProductVideos(ctx, gen.ListProductVideosParams{PageSize: size}))
				},
				"product previews": func(c *jogg.Client) int {
					return count(c.ProductPreviews(ctx, gen.ListProductPreviewsParams{PageSize: size}))
				},
				"template videos": func(c *jogg.Client) int {
					return count(c.TemplateVideos(ctx, gen.ListTemplateVideosParams{PageSize: size}))
				},
			} {
				By(name)
				want := counts(reference.client)
				Expect(want).To(BeNumerically(">", 0), name)
				Expect(counts(b.client)).To(Equal(want), name)
			}
		}
		Expect(b.checked.Violations()).To(BeEmpty())
	},
		Entry("page by page", simulator.PagesHonest),
		Entry("when the page is ignored", simulator.PagesIgnored),
		Entry("when there is always more", simulator.PagesEndless),
	)
})

var _ = Describe("Uploads", func() {
	It("send the file to the storage host, without the API key", func(ctx SpecContext) {
		b := newBench()
		content := bytes.Repeat([]byte("ID3 a song "), 10_000)
		asset, err := b.newClient(jogg.WithHTTPClient(&http.Client{})).Upload(limited(ctx), "song.mp3", bytes.NewReader(content))
		Expect(err).NotTo(HaveOccurred())
		Expect(b.sim.UploadRejections()).To(BeEmpty())

		response, err := new(http.Client).Get(asset.URL)
		Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(bytes.Equal(got, content)).To(BeTrue())
		Expect(response.Header.Get("Content-Type")).To(Equal("audio/mpeg"))
	})

	It("return the error of the storage host", func(ctx SpecContext) {
		b := newBench()
		b.sim.FailNext(simulator.PutAsset, simulator.Fault{HTTPStatus: http.StatusForbidden})
		_, err := b.newClient(jogg.WithHTTPClient(&http.Client{})).Upload(limited(ctx), "song.mp3", bytes.NewReader([]byte("ID3")))
		failed, ok := errors.AsType[*jogg.UploadError](err)
		Expect(ok).To(BeTrue(), "%v", err)
		Expect(failed.HTTPStatus).To(Equal(http.StatusForbidden))
	})
})

var _ = Describe("Endpoints", func() {
	It("are created once", func(ctx SpecContext) {
		b := newBench()
		first, err := b.client.EnsureWebhookEndpoint(limited(ctx), hookURL, gen.EventTypeGeneratedAvatarVideoSuccess)
		Expect(err).NotTo(HaveOccurred())
		Expect(first.Secret).To(HavePrefix("whsec_"))

		again, err := b.client.EnsureWebhookEndpoint(ctx, hookURL, gen.EventTypeGeneratedAvatarVideoSuccess)
		Expect(err).NotTo(HaveOccurred())
		Expect(again).To(Equal(first))
		Expect(b.checked.Calls("updateWebhookEndpoint")).To(BeZero())

		wider, err := b.client.EnsureWebhookEndpoint(ctx, hookURL,
			gen.EventTypeGeneratedAvatarVideoFailed, gen.EventTypeGeneratedAvatarVideoSuccess)
		Expect(err).NotTo(HaveOccurred())
		Expect(wider.EndpointID).To(Equal(first.EndpointID))
		Expect(wider.Secret).To(Equal(first.Secret))
		Expect(wider.Events).To(HaveLen(2))
		Expect(b.checked.Calls("createWebhookEndpoint")).To(Equal(1))
	})

	It("are rejected before anything is changed", func(ctx SpecContext) {
		b := newBench()
		_, err := b.client.EnsureWebhookEndpoint(limited(ctx), hookURL, "generated_poem_success")
		Expect(err).To(MatchError(ContainSubstring("generated_poem_success")))
		_, err = b.client.EnsureWebhookEndpoint(ctx, "http://example.com/jogg")
		Expect(err).To(HaveOccurred())
		_, err = b.client.EnsureWebhookEndpoint(ctx, "https://exa mple.com/%zz")
		Expect(err).To(HaveOccurred())
		Expect(b.checked.Calls("createWebhookEndpoint")).To(BeZero())
		Expect(b.checked.Calls("updateWebhookEndpoint")).To(BeZero())
	})
})
