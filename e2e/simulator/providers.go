package simulator

import (
	"context"
	"fmt"
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// The operations that use models of other providers. Requests are validated against the contract before. Rules that are not in the
// contract, such as which fields belong together, are checked here.

func (s server) GenerateImageGoogle(ctx context.Context, body gen.GenerateImageGoogleRequest) (*gen.ProviderTask, error) {
	return s.generate(ctx, KindProviderImages, taskSpec{
		vendor: gen.VendorGoogle, model: string(body.Model), images: body.GenerationConfig.CandidateCount,
	})
}

func (s server) GenerateImageArk(ctx context.Context, body gen.GenerateImageArkRequest) (*gen.ProviderTask, error) {
	return s.generate(ctx, KindProviderImages, taskSpec{vendor: gen.VendorArk, model: string(body.Model), images: body.N})
}

func (s server) GenerateImageOpenAI(ctx context.Context, body gen.GenerateImageOpenAIRequest) (*gen.ProviderTask, error) {
	return s.generate(ctx, KindProviderImages, taskSpec{vendor: gen.VendorOpenAI, model: string(body.Model), images: body.N})
}

func (s server) GenerateVideoRunway(ctx context.Context, body gen.GenerateVideoRunwayRequest) (*gen.ProviderTask, error) {
	return s.generate(ctx, KindProviderVideo, taskSpec{vendor: gen.VendorRunway, model: string(body.Model)})
}

func (s server) GenerateVideoKling(ctx context.Context, body gen.GenerateVideoKlingRequest) (*gen.ProviderTask, error) {
	if err := checkContent("contents", body.Contents); err != nil {
		return nil, err
	}
	return s.generate(ctx, KindProviderVideo, taskSpec{vendor: gen.VendorKling, model: string(body.Model)})
}

func (s server) GenerateVideoArk(ctx context.Context, body gen.GenerateVideoArkRequest) (*gen.ProviderTask, error) {
	if err := checkContent("content", body.Content); err != nil {
		return nil, err
	}
	return s.generate(ctx, KindProviderVideo, taskSpec{vendor: gen.VendorArk, model: string(body.Model)})
}

func (s server) GenerateVideoGoogle(ctx context.Context, body gen.GenerateVideoGoogleRequest) (*gen.ProviderTask, error) {
	return s.generate(ctx, KindProviderVideo, taskSpec{vendor: gen.VendorGoogle, model: string(body.Model)})
}

func (s server) GenerateVideoMiniMax(ctx context.Context, body gen.GenerateVideoMiniMaxRequest) (*gen.ProviderTask, error) {
	if body.Prompt == "" && len(body.Content) == 0 {
		return nil, missing("prompt or content")
	}
	if err := checkContent("content", body.Content); err != nil {
		return nil, err
	}
	return s.generate(ctx, KindProviderVideo, taskSpec{vendor: gen.VendorMiniMax, model: string(body.Model)})
}

func (s server) GenerateVideoPixVerse(ctx context.Context, body gen.GenerateVideoPixVerseRequest) (*gen.ProviderTask, error) {
	return s.generate(ctx, KindProviderVideo, taskSpec{vendor: gen.VendorPixVerse, model: string(body.Model)})
}

func (s server) GenerateVideoOpenAI(ctx context.Context, body gen.GenerateVideoOpenAIRequest) (*gen.ProviderTask, error) {
	return s.generate(ctx, KindProviderVideo, taskSpec{vendor: gen.VendorOpenAI, model: string(body.Model)})
}

func (s server) GenerateVideoAlibaba(ctx context.Context, body gen.GenerateVideoAlibabaRequest) (*gen.ProviderTask, error) {
	if err := checkAlibabaInput(body.Model, body.Input); err != nil {
		return nil, err
	}
	return s.generate(ctx, KindProviderVideo, taskSpec{vendor: gen.VendorAlibaba, model: string(body.Model)})
}

// checkAlibabaInput rejects input that the model does not take. The suffix of its name decides: t2v takes a prompt, i2v a first frame and
// r2v reference images.
func checkAlibabaInput(model gen.AlibabaVideoModel, input gen.AlibabaVideoInput) error {
	takes := map[string]gen.AlibabaVideoMediaType{
		"i2v": gen.AlibabaVideoMediaTypeFirstFrame, "r2v": gen.AlibabaVideoMediaTypeReferenceImage,
	}[string(model[strings.LastIndexByte(string(model), '-')+1:])]
	for i, medium := range input.Media {
		if medium.Type != takes {
			return invalid(fmt.Sprintf("input.media.%d.type", i), fmt.Sprintf("not supported by %s", model))
		}
	}
	if takes == "" && input.Prompt == "" {
		return missing("input.prompt")
	}
	if takes != "" && len(input.Media) == 0 {
		return missing("input.media")
	}
	return nil
}

// checkContent rejects content without the field that its type requires.
func checkContent(field string, content []gen.ProviderVideoContent) error {
	for i, piece := range content {
		held := map[gen.ProviderVideoContentType]string{
			gen.ProviderVideoContentTypeText: piece.Text, gen.ProviderVideoContentTypeImageURL: piece.ImageURL.URL,
			gen.ProviderVideoContentTypeVideoURL: piece.VideoURL.URL, gen.ProviderVideoContentTypeAudioURL: piece.AudioURL.URL,
		}[piece.Type]
		if held == "" {
			return missing(fmt.Sprintf("%s.%d.%s", field, i, piece.Type))
		}
	}
	return nil
}

// generate starts a task for a model of any provider.
func (s server) generate(ctx context.Context, kind TaskKind, o taskSpec) (*gen.ProviderTask, error) {
	o.images = max(o.images, 1)
	t, err := s.begin(ctx, kind, o)
	if err != nil {
		return nil, err
	}
	return s.providerTask(t), nil
}

func (s server) GetProviderImageTask(ctx context.Context, taskID string) (*gen.ProviderTask, error) {
	return s.findProviderTask(ctx, KindProviderImages, taskID)
}

func (s server) GetProviderVideoTask(ctx context.Context, taskID string) (*gen.ProviderTask, error) {
	return s.findProviderTask(ctx, KindProviderVideo, taskID)
}

func (s server) findProviderTask(ctx context.Context, kind TaskKind, id string) (*gen.ProviderTask, error) {
	t, err := s.find(ctx, kind, id)
	if err != nil {
		return nil, err
	}
	return s.providerTask(t), nil
}

// providerTask is the response of both the POST and the status operation.
func (s *Simulator) providerTask(t *task) *gen.ProviderTask {
	model := &gen.ProviderTask{
		TaskID: t.id, Vendor: t.spec.vendor, Type: gen.ProviderTaskTypeVideo, Model: t.spec.model, Status: s.status(t), Error: t.failure(),
	}
	if t.kind == KindProviderImages {
		model.Type = gen.ProviderTaskTypeImage
	}
	if !t.succeeded() {
		return model
	}
	for i := range t.spec.images {
		part, extension := fmt.Sprintf("%s-%d", t.id, i+1), "mp4"
		if t.kind == KindProviderImages {
			extension = "png"
		}
		model.OutputURLs = append(model.OutputURLs, s.media("provider-assets", part, extension))
	}
	return model
}
