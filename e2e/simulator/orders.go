package simulator

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// The operations that start long work and those that tell how far it has got. What they share is in tasks.go: begin takes the credits and
// starts a task, find returns one as it stands.

func (s server) CreateAvatarVideo(ctx context.Context, r CreateAvatarVideoRequestObject) (CreateAvatarVideoResponseObject, error) {
	b := r.Body
	if b.Voice.Type == gen.VoiceTypeScript && b.Voice.Script == "" {
		return nil, missing("voice.script")
	}
	if b.Voice.Type == gen.VoiceTypeAudio && b.Voice.AudioURL == "" {
		return nil, missing("voice.audio_url")
	}
	if err := s.checkReceiver("webhook_url", b.WebhookURL); err != nil {
		return nil, err
	}
	transparent := b.ScreenStyle == gen.ScreenStylePictureInPicture && b.Caption != nil && !*b.Caption
	t, err := s.begin(ctx, KindAvatarVideo, order{
		name: b.VideoName, hook: b.WebhookURL, transparent: transparent, seconds: spoken(b.Voice.Script),
	})
	if err != nil {
		return nil, err
	}
	return CreateAvatarVideo200JSONResponse{Data: gen.VideoTask{VideoID: t.id}}, nil
}

// spoken is how long it takes to say a script, in seconds; 0 if there is none.
func spoken(script string) float64 {
	return float64(len(strings.Fields(script))*4) / 10
}

func (s server) GetAvatarVideo(ctx context.Context, r GetAvatarVideoRequestObject) (GetAvatarVideoResponseObject, error) {
	t, err := s.find(ctx, KindAvatarVideo, r.ID)
	if err != nil {
		return nil, err
	}
	return GetAvatarVideo200JSONResponse{Data: gen.AvatarVideo{
		VideoID: t.id, Status: s.status(t), VideoURL: s.video(t), CoverURL: s.cover(t),
		Duration: t.seconds(), CreatedAt: t.created.Unix(), Error: t.failure(),
	}}, nil
}

func (s server) CreateProductVideo(ctx context.Context, r CreateProductVideoRequestObject) (CreateProductVideoResponseObject, error) {
	b := r.Body
	if exchangeOf(ctx).account.products[b.ProductID] == nil {
		return nil, notFound("product")
	}
	if b.VisualStyle != "" && !slices.Contains(styles, b.VisualStyle) {
		return nil, invalid("visual_style", "there is no such style")
	}
	if err := s.checkReceiver("webhook_url", b.WebhookURL); err != nil {
		return nil, err
	}
	t, err := s.begin(ctx, KindProductVideo, order{name: b.VideoSpec.Name, hook: b.WebhookURL, seconds: seconds(b.VideoSpec.Length)})
	if err != nil {
		return nil, err
	}
	return CreateProductVideo200JSONResponse{Data: s.productVideoTask(t)}, nil
}

// seconds is how long a video of that length plays in the end.
func seconds(length gen.VideoLength) float64 {
	n, _ := strconv.ParseFloat(string(length), 64) // the contract has three values, all numbers
	return n + 0.5
}

func (s *Simulator) productVideoTask(t *task) gen.ProductVideoTask {
	if s.config.guideForms {
		return gen.ProductVideoTask{ProductVideoID: t.id, Status: s.status(t)}
	}
	return gen.ProductVideoTask{VideoID: t.id, Status: s.status(t)}
}

// CreateProductPreviews queues a preview for each style that it knows and can be paid for; the others say why not.
func (s server) CreateProductPreviews(
	ctx context.Context, r CreateProductPreviewsRequestObject,
) (CreateProductPreviewsResponseObject, error) {
	b := r.Body
	if exchangeOf(ctx).account.products[b.ProductID] == nil {
		return nil, notFound("product")
	}
	if len(b.VisualStyles) == 0 {
		return nil, invalid("visual_styles", "it is empty")
	}
	if err := s.checkReceiver("webhook_url", b.WebhookURL); err != nil {
		return nil, err
	}
	batch := gen.ProductPreviewBatch{PreviewListID: s.ids.named("pl")}
	for i, style := range b.VisualStyles {
		if !slices.Contains(styles, style) {
			batch.Previews = append(batch.Previews, gen.ProductPreview{VisualStyle: style, ErrMsg: "there is no such style"})
			continue
		}
		t, err := s.begin(ctx, KindProductPreview, order{
			name: b.VideoSpec.Name, hook: b.WebhookURL, seconds: seconds(b.VideoSpec.Length), style: style,
		})
		if err != nil && i == 0 {
			return nil, err
		}
		if err != nil {
			batch.Previews = append(batch.Previews, gen.ProductPreview{VisualStyle: style, ErrMsg: "insufficient credit"})
			continue
		}
		batch.Previews = append(batch.Previews, gen.ProductPreview{VisualStyle: style, PreviewID: t.id, Status: s.status(t)})
	}
	return CreateProductPreviews200JSONResponse{Data: batch}, nil
}

// samplePreview is the preview of the documentation's example, which every account can render.
const samplePreview = "preview_123"

func (s server) RenderProductPreview(ctx context.Context, r RenderProductPreviewRequestObject) (RenderProductPreviewResponseObject, error) {
	o := order{}
	if r.Body.PreviewID != samplePreview {
		preview, err := s.find(ctx, KindProductPreview, r.Body.PreviewID)
		if err != nil {
			return nil, err
		}
		if !preview.succeeded() {
			return nil, invalid("preview_id", "the preview is not finished")
		}
		o = preview.order
	}
	t, err := s.begin(ctx, KindProductVideo, o)
	if err != nil {
		return nil, err
	}
	return RenderProductPreview200JSONResponse{Data: s.productVideoTask(t)}, nil
}

func (s server) GetProductVideo(ctx context.Context, r GetProductVideoRequestObject) (GetProductVideoResponseObject, error) {
	t, err := s.find(ctx, KindProductVideo, r.ProductVideoID)
	if err != nil {
		return nil, err
	}
	video := gen.ProductVideo{
		ID: t.id, Title: t.order.name, VideoURL: s.video(t), CoverURL: s.cover(t), Status: s.status(t),
		Duration: t.seconds(), CreatedAt: t.created.Unix(), DeductedCredit: t.cost, Error: t.failure(),
	}
	if s.config.guideForms {
		video.Duration, video.VideoDuration = 0, video.Duration
	}
	return GetProductVideo200JSONResponse{Data: video}, nil
}

// tasksOf returns the call's account's tasks of a kind as they stand, oldest first.
func (s *Simulator) tasksOf(ctx context.Context, kind TaskKind) []*task {
	x := exchangeOf(ctx)
	var tasks []*task
	for _, t := range s.tasksInOrder {
		if t.account != x.account || t.kind != kind {
			continue
		}
		s.catchUp(t)
		x.beyond = x.beyond || t.beyond()
		tasks = append(tasks, t)
	}
	return tasks
}

// listed returns the tasks of a kind that a list's filter lets pass, in the list's order. Every list is sorted by created_at, whatever
// sort_by says: which other fields the service takes is not documented.
func (s *Simulator) listed(ctx context.Context, kind TaskKind, filter gen.VideoStatusFilter, sorted gen.SortOrder) []*task {
	tasks := slices.DeleteFunc(s.tasksOf(ctx, kind), func(t *task) bool {
		state := gen.VideoStatusFilterProcessing
		switch {
		case t.reason != nil:
			state = gen.VideoStatusFilterFailed
		case t.succeeded():
			state = gen.VideoStatusFilterCompleted
		}
		return !matches(filter, state)
	})
	if sorted != gen.SortOrderAscending {
		slices.Reverse(tasks)
	}
	return tasks
}

func (s *Simulator) productVideoSummaries(tasks []*task) []gen.ProductVideoSummary {
	summaries := make([]gen.ProductVideoSummary, len(tasks))
	for i, t := range tasks {
		summaries[i] = gen.ProductVideoSummary{
			ID: t.id, Title: t.order.name, VideoDuration: t.seconds(), VideoURL: s.video(t), CoverURL: s.cover(t),
			Status: s.listStatus(t), CreatedAt: t.created.Unix(),
		}
	}
	return summaries
}

func (s server) ListProductVideos(ctx context.Context, r ListProductVideosRequestObject) (ListProductVideosResponseObject, error) {
	tasks := s.listed(ctx, KindProductVideo, r.Params.Status, r.Params.SortOrder)
	p := pageOf(ctx, s.Simulator, tasks, r.Params.Page, r.Params.PageSize)
	return ListProductVideos200JSONResponse{Data: gen.ProductVideoList{
		Videos: s.productVideoSummaries(p.items), Total: int64(p.total),
		Page: p.number, PageSize: p.size,
	}}, nil
}

func (s server) ListProductPreviews(ctx context.Context, r ListProductPreviewsRequestObject) (ListProductPreviewsResponseObject, error) {
	tasks := s.listed(ctx, KindProductPreview, r.Params.Status, r.Params.SortOrder)
	p := pageOf(ctx, s.Simulator, tasks, r.Params.Page, r.Params.PageSize)
	return ListProductPreviews200JSONResponse{Data: gen.ProductPreviewList{
		Previews: s.productVideoSummaries(p.items), Total: int64(p.total),
		Page: p.number, PageSize: p.size,
	}}, nil
}

func (s server) CreateTemplateVideo(ctx context.Context, r CreateTemplateVideoRequestObject) (CreateTemplateVideoResponseObject, error) {
	b := r.Body
	if _, ok := templateByID(append(s.templates(false), s.templates(true)...), b.TemplateID); !ok {
		return nil, notFound("template")
	}
	hook := ""
	for i, variable := range b.Variables {
		if err := s.checkReceiver(fmt.Sprintf("variables.%d.properties.webhook_url", i), variable.Properties.WebhookURL); err != nil {
			return nil, err
		}
		if hook == "" {
			hook = variable.Properties.WebhookURL
		}
	}
	t, err := s.begin(ctx, KindTemplateVideo, order{name: b.VideoName, hook: hook})
	if err != nil {
		return nil, err
	}
	return CreateTemplateVideo200JSONResponse{Data: gen.VideoTask{VideoID: t.id}}, nil
}

func (s server) GetTemplateVideo(ctx context.Context, r GetTemplateVideoRequestObject) (GetTemplateVideoResponseObject, error) {
	t, err := s.find(ctx, KindTemplateVideo, r.VideoID)
	if err != nil {
		return nil, err
	}
	video := gen.TemplateVideo{
		VideoID: t.id, Status: s.status(t), CreatedAt: t.created.Unix(), CompletedAt: t.completedAt(), Error: t.failure(),
	}
	switch {
	case s.config.guideForms:
		video.VideoURL, video.CoverURL, video.Duration = s.video(t), s.cover(t), t.seconds()
	case t.succeeded():
		video.Data = gen.TemplateVideoResult{
			VideoName: t.order.name, URL: s.video(t), CoverURL: s.cover(t), DurationSeconds: t.seconds(), DeductedCredit: t.cost,
		}
	}
	return GetTemplateVideo200JSONResponse{Data: video}, nil
}

func (s server) ListTemplateVideos(ctx context.Context, r ListTemplateVideosRequestObject) (ListTemplateVideosResponseObject, error) {
	tasks := s.listed(ctx, KindTemplateVideo, r.Params.Status, r.Params.SortOrder)
	p := pageOf(ctx, s.Simulator, tasks, r.Params.Page, r.Params.PageSize)
	list := gen.TemplateVideoList{Pagination: p.pagination()}
	for _, t := range p.items {
		list.Data = append(list.Data, gen.TemplateVideoSummary{
			VideoID: t.id, VideoName: t.order.name, Status: s.listStatus(t), CreatedAt: t.created.Unix(),
			CoverURL: s.cover(t), URL: s.video(t), DurationSeconds: t.seconds(), Error: t.failure(),
		})
	}
	return ListTemplateVideos200JSONResponse{Data: list}, nil
}

func (s server) CreateLipSyncVideo(ctx context.Context, _ CreateLipSyncVideoRequestObject) (CreateLipSyncVideoResponseObject, error) {
	t, err := s.begin(ctx, KindLipSync, order{})
	if err != nil {
		return nil, err
	}
	return CreateLipSyncVideo200JSONResponse{Data: gen.LipSyncTask{TaskID: t.id, Status: s.status(t)}}, nil
}

func (s server) GetLipSyncVideo(ctx context.Context, r GetLipSyncVideoRequestObject) (GetLipSyncVideoResponseObject, error) {
	t, err := s.find(ctx, KindLipSync, r.TaskID)
	if err != nil {
		return nil, err
	}
	video := gen.LipSyncVideo{
		TaskID: t.id, Status: s.status(t), CreatedAt: t.created.Unix(), CompletedAt: t.completedAt(),
		Error: gen.TaskFailure{Message: t.why()},
	}
	if t.succeeded() {
		video.Data = gen.LipSyncResult{ResultURL: s.video(t), CoverURL: s.cover(t), DurationSeconds: t.seconds()}
	}
	return GetLipSyncVideo200JSONResponse{Data: video}, nil
}

func (s server) CreateVideoTranslation(
	ctx context.Context, r CreateVideoTranslationRequestObject,
) (CreateVideoTranslationResponseObject, error) {
	b := r.Body
	if !slices.Contains(languages, b.OutputLanguage) {
		return nil, invalid("output_language", "there is no such language")
	}
	if err := s.checkReceiver("callback_url", b.CallbackURL); err != nil {
		return nil, err
	}
	subtitles := b.AddSubtitles != nil && *b.AddSubtitles
	t, err := s.begin(ctx, KindTranslation, order{name: b.Title, hook: b.CallbackURL, subtitles: subtitles})
	if err != nil {
		return nil, err
	}
	return CreateVideoTranslation200JSONResponse{Data: gen.VideoTranslationTask{VideoTranslateID: t.id}}, nil
}

func (s server) GetVideoTranslation(ctx context.Context, r GetVideoTranslationRequestObject) (GetVideoTranslationResponseObject, error) {
	t, err := s.find(ctx, KindTranslation, r.VideoTranslateID)
	if err != nil {
		return nil, err
	}
	translation := gen.VideoTranslation{
		VideoTranslateID: t.id, Title: t.order.name, Status: s.status(t), URL: s.video(t), Error: t.failure(),
	}
	if t.succeeded() && t.order.subtitles {
		translation.SubtitleURL = s.media("subtitles", t.id, "srt")
	}
	return GetVideoTranslation200JSONResponse{Data: translation}, nil
}

func (s server) CreateAIScripts(ctx context.Context, r CreateAIScriptsRequestObject) (CreateAIScriptsResponseObject, error) {
	info := r.Body.ProductInfo
	subject := info.Data.Name
	switch {
	case info.SourceType == gen.ProductSourceTypeID && info.Data.ID == "":
		return nil, missing("product_info.data.id")
	case info.SourceType == gen.ProductSourceTypeID:
		product := exchangeOf(ctx).account.products[info.Data.ID]
		if product == nil {
			return nil, notFound("product")
		}
		subject = product.Name
	case subject == "":
		return nil, missing("product_info.data.name")
	}
	t, err := s.begin(ctx, KindScripts, order{style: string(r.Body.ScriptStyle), subject: subject})
	if err != nil {
		return nil, err
	}
	return CreateAIScripts200JSONResponse{Data: gen.AIScripts{TaskID: t.id}}, nil
}

// script writes the paragraphs of a script.
func script(o order) []string {
	return []string{
		fmt.Sprintf("Meet the %s.", o.subject),
		"It does one thing, and it does it well.",
		"Try it once, and you will wonder how you went without.",
	}
}

func (s server) GetAIScripts(ctx context.Context, r GetAIScriptsRequestObject) (GetAIScriptsResponseObject, error) {
	t, err := s.find(ctx, KindScripts, r.TaskID)
	if err != nil {
		return nil, err
	}
	scripts := gen.AIScripts{TaskID: t.id, Status: s.status(t), ErrMsg: t.why()}
	if t.succeeded() {
		scripts.Data.GeneratedScripts = []gen.GeneratedScript{{ScriptStyle: t.order.style, ScriptParagraphs: script(t.order)}}
	}
	return GetAIScripts200JSONResponse{Data: scripts}, nil
}

func (s server) GeneratePhotoAvatarPhoto(
	ctx context.Context, _ GeneratePhotoAvatarPhotoRequestObject,
) (GeneratePhotoAvatarPhotoResponseObject, error) {
	t, err := s.begin(ctx, KindPhoto, order{})
	if err != nil {
		return nil, err
	}
	return GeneratePhotoAvatarPhoto200JSONResponse{Data: gen.AvatarPhotoTask{PhotoID: t.id}}, nil
}

func (s server) GetPhotoAvatarPhoto(ctx context.Context, r GetPhotoAvatarPhotoRequestObject) (GetPhotoAvatarPhotoResponseObject, error) {
	t, err := s.find(ctx, KindPhoto, r.Params.PhotoID)
	if err != nil {
		return nil, err
	}
	photo := gen.AvatarPhoto{PhotoID: t.id, Status: s.status(t), Msg: t.why()}
	if t.succeeded() {
		photo.ImageURLList = s.photos(t)
		photo.ImageKeyList = []string{"aigc/photo/" + t.id + "-1.png", "aigc/photo/" + t.id + "-2.png"}
	}
	return GetPhotoAvatarPhoto200JSONResponse{Data: photo}, nil
}

func (s server) AddPhotoAvatarMotion(ctx context.Context, r AddPhotoAvatarMotionRequestObject) (AddPhotoAvatarMotionResponseObject, error) {
	t, err := s.begin(ctx, KindPhotoMotion, order{name: r.Body.Name, imageURL: r.Body.ImageURL, voiceID: r.Body.VoiceID})
	if err != nil {
		return nil, err
	}
	return AddPhotoAvatarMotion200JSONResponse{Data: s.motionTask(t)}, nil
}

func (s *Simulator) motionTask(t *task) gen.AvatarMotionTask {
	return gen.AvatarMotionTask{AvatarID: t.avatarID, MotionID: t.id, Name: t.order.name, Status: s.status(t)}
}

func (s *Simulator) motion(t *task) gen.AvatarMotion {
	motion := gen.AvatarMotion{
		MotionID: t.id, AvatarID: t.avatarID, ImageURL: t.order.imageURL, Name: t.order.name, Status: s.status(t),
		VoiceID: t.order.voiceID, ErrorMsg: t.why(),
	}
	if t.succeeded() {
		motion.MotionPreviewURL = s.media("motions", t.id, "mp4")
	}
	return motion
}

func (s server) GetPhotoAvatarMotion(ctx context.Context, r GetPhotoAvatarMotionRequestObject) (GetPhotoAvatarMotionResponseObject, error) {
	t, err := s.find(ctx, KindPhotoMotion, r.Params.MotionID)
	if err != nil {
		return nil, err
	}
	return GetPhotoAvatarMotion200JSONResponse{Data: s.motion(t)}, nil
}

func (s server) GenerateProductAvatarImages(
	ctx context.Context, r GenerateProductAvatarImagesRequestObject,
) (GenerateProductAvatarImagesResponseObject, error) {
	b := r.Body
	if b.AvatarSource.Type == gen.AvatarSourceTypeID && b.AvatarSource.AvatarID == 0 {
		return nil, missing("avatar_source.avatar_id")
	}
	if b.AvatarSource.Type != gen.AvatarSourceTypeID && b.AvatarSource.Value == "" {
		return nil, missing("avatar_source.value")
	}
	if err := s.checkReceiver("webhook_url", b.WebhookURL); err != nil {
		return nil, err
	}
	t, err := s.begin(ctx, KindProductAvatarImages, order{hook: b.WebhookURL, images: b.NumImages})
	if err != nil {
		return nil, err
	}
	return GenerateProductAvatarImages200JSONResponse{Data: gen.ProductAvatarImagesTask{
		BatchID: t.id, TotalSubmitted: len(t.parts),
		Generations: s.generations(t),
	}}, nil
}

func (s *Simulator) generations(t *task) []gen.ProductAvatarImage {
	images := make([]gen.ProductAvatarImage, len(t.parts))
	for i, id := range t.parts {
		status, ended := s.partStatus(t, i)
		images[i] = gen.ProductAvatarImage{GenerationID: id, Status: status, CreatedAt: t.created.Unix()}
		if !ended.IsZero() {
			images[i].CompletedAt = ended.Unix()
		}
		if s.partDone(t, i) {
			images[i].ImageID, images[i].URL = "img_"+id, s.media("photos", id, "png")
		}
	}
	return images
}

// partDone reports whether one image of a batch can be used.
func (s *Simulator) partDone(t *task, i int) bool {
	_, ended := s.partStatus(t, i)
	return t.reason == nil && t.plan.Hold == "" && !ended.IsZero()
}

func (s server) GetProductAvatarImages(
	ctx context.Context, r GetProductAvatarImagesRequestObject,
) (GetProductAvatarImagesResponseObject, error) {
	t, err := s.find(ctx, KindProductAvatarImages, r.BatchID)
	if err != nil {
		return nil, err
	}
	images := gen.ProductAvatarImages{BatchID: t.id, Generations: s.generations(t)}
	images.Summary.Total = len(t.parts)
	for i := range t.parts {
		switch status, _ := s.partStatus(t, i); {
		case t.reason != nil:
			images.Summary.Failed++
		case s.partDone(t, i):
			images.Summary.Completed++
		case status == gen.TaskStatusPending:
			images.Summary.Pending++
		default:
			images.Summary.Processing++
		}
	}
	return GetProductAvatarImages200JSONResponse{Data: images}, nil
}

func (s server) AddProductAvatarMotion(
	ctx context.Context, r AddProductAvatarMotionRequestObject,
) (AddProductAvatarMotionResponseObject, error) {
	b := r.Body
	batch, i := s.generation(ctx, b.GenerationID)
	if batch == nil {
		return nil, notFound("generation")
	}
	if !s.partDone(batch, i) {
		return nil, invalid("generation_id", "the image is not finished")
	}
	o := order{name: b.Name, voiceID: b.VoiceID, imageURL: s.media("photos", b.GenerationID, "png")}
	if b.AspectRatio != "" {
		o.ratio = ratioCode(b.AspectRatio)
	}
	t, err := s.begin(ctx, KindProductAvatarMotion, o)
	if err != nil {
		return nil, err
	}
	return AddProductAvatarMotion200JSONResponse{Data: s.motionTask(t)}, nil
}

// generation finds one image among the batches of the call's account.
func (s *Simulator) generation(ctx context.Context, id string) (*task, int) {
	for _, t := range s.tasksOf(ctx, KindProductAvatarImages) {
		if i := slices.Index(t.parts, id); i >= 0 {
			return t, i
		}
	}
	return nil, 0
}

func (s server) GetProductAvatarMotion(
	ctx context.Context, r GetProductAvatarMotionRequestObject,
) (GetProductAvatarMotionResponseObject, error) {
	t, err := s.find(ctx, KindProductAvatarMotion, r.Params.MotionID)
	if err != nil {
		return nil, err
	}
	return GetProductAvatarMotion200JSONResponse{Data: s.motion(t)}, nil
}
