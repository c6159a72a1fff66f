package simulator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// The operations that start tasks and those that return their state. They share begin, which charges the account and starts a task, and
// find, which returns a task; both are in tasks.go.

func (s server) CreateAvatarVideo(ctx context.Context, body gen.CreateAvatarVideoRequest) (*gen.VideoTask, error) {
	if body.Voice.Type == gen.VoiceTypeScript && body.Voice.Script == "" {
		return nil, missing("voice.script")
	}
	if body.Voice.Type == gen.VoiceTypeAudio && body.Voice.AudioURL == "" {
		return nil, missing("voice.audio_url")
	}
	if err := s.checkReceiver("webhook_url", body.WebhookURL); err != nil {
		return nil, err
	}
	transparent := body.ScreenStyle == gen.ScreenStylePictureInPicture && body.Caption != nil && !*body.Caption
	t, err := s.begin(ctx, KindAvatarVideo, taskSpec{
		name: body.VideoName, webhookURL: body.WebhookURL, transparent: transparent, seconds: speakingSeconds(body.Voice.Script),
	})
	if err != nil {
		return nil, err
	}
	return &gen.VideoTask{VideoID: t.id}, nil
}

// speakingSeconds returns how long it takes to speak a script: 0.4 seconds per word.
func speakingSeconds(script string) float64 {
	return float64(len(strings.Fields(script))*4) / 10
}

func (s server) GetAvatarVideo(ctx context.Context, id string) (*gen.AvatarVideo, error) {
	t, err := s.find(ctx, KindAvatarVideo, id)
	if err != nil {
		return nil, err
	}
	return &gen.AvatarVideo{
		VideoID: t.id, Status: s.status(t), VideoURL: s.video(t), CoverURL: s.cover(t),
		Duration: t.seconds(), CreatedAt: t.created.Unix(), Error: t.failure(),
	}, nil
}

func (s server) CreateProductVideo(ctx context.Context, body gen.CreateProductVideoRequest) (*gen.ProductVideoTask, error) {
	if exchangeOf(ctx).account.products[body.ProductID] == nil {
		return nil, notFound("product")
	}
	if body.VisualStyle != "" && !slices.Contains(styles, body.VisualStyle) {
		return nil, invalid("visual_style", "unknown style")
	}
	if err := s.checkReceiver("webhook_url", body.WebhookURL); err != nil {
		return nil, err
	}
	t, err := s.begin(ctx, KindProductVideo, taskSpec{name: body.VideoSpec.Name, webhookURL: body.WebhookURL, seconds: videoSeconds(body.VideoSpec.Length)})
	if err != nil {
		return nil, err
	}
	return s.productVideoTask(t), nil
}

// videoSeconds returns the actual duration of a video of the requested length.
func videoSeconds(length gen.VideoLength) float64 {
	n, _ := strconv.ParseFloat(string(length), 64) // the contract has three values, all numbers
	return n + 0.5
}

func (s *Simulator) productVideoTask(t *task) *gen.ProductVideoTask {
	if s.config.guideForms {
		return &gen.ProductVideoTask{ProductVideoID: t.id, Status: s.status(t)}
	}
	return &gen.ProductVideoTask{VideoID: t.id, Status: s.status(t)}
}

// CreateProductPreviews starts a preview for each known style that the credits suffice for. The other previews have an error message.
func (s server) CreateProductPreviews(ctx context.Context, body gen.CreateProductPreviewsRequest) (*gen.ProductPreviewBatch, error) {
	if exchangeOf(ctx).account.products[body.ProductID] == nil {
		return nil, notFound("product")
	}
	if len(body.VisualStyles) == 0 {
		return nil, invalid("visual_styles", "must not be empty")
	}
	if err := s.checkReceiver("webhook_url", body.WebhookURL); err != nil {
		return nil, err
	}
	batch := gen.ProductPreviewBatch{PreviewListID: s.ids.named("pl")}
	for i, style := range body.VisualStyles {
		if !slices.Contains(styles, style) {
			batch.Previews = append(batch.Previews, gen.ProductPreview{VisualStyle: style, ErrMsg: "unknown style"})
			continue
		}
		t, err := s.begin(ctx, KindProductPreview, taskSpec{
			name: body.VideoSpec.Name, webhookURL: body.WebhookURL, seconds: videoSeconds(body.VideoSpec.Length), style: style,
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
	return &batch, nil
}

// samplePreview is the preview id in the example of JoggAI's documentation. Every account can render it.
const samplePreview = "preview_123"

func (s server) RenderProductPreview(ctx context.Context, body gen.RenderProductPreviewRequest) (*gen.ProductVideoTask, error) {
	o := taskSpec{}
	if body.PreviewID != samplePreview {
		preview, err := s.find(ctx, KindProductPreview, body.PreviewID)
		if err != nil {
			return nil, err
		}
		if !preview.succeeded() {
			return nil, invalid("preview_id", "the preview is not finished")
		}
		o = preview.spec
	}
	t, err := s.begin(ctx, KindProductVideo, o)
	if err != nil {
		return nil, err
	}
	return s.productVideoTask(t), nil
}

func (s server) GetProductVideo(ctx context.Context, productVideoID string) (*gen.ProductVideo, error) {
	t, err := s.find(ctx, KindProductVideo, productVideoID)
	if err != nil {
		return nil, err
	}
	video := gen.ProductVideo{
		ID: t.id, Title: t.spec.name, VideoURL: s.video(t), CoverURL: s.cover(t), Status: s.status(t),
		Duration: t.seconds(), CreatedAt: t.created.Unix(), DeductedCredit: t.cost, Error: t.failure(),
	}
	if s.config.guideForms {
		video.Duration, video.VideoDuration = 0, video.Duration
	}
	return &video, nil
}

// tasksOf returns the tasks of a kind of the call's account, brought up to date, oldest first.
func (s *Simulator) tasksOf(ctx context.Context, kind TaskKind) []*task {
	x := exchangeOf(ctx)
	var tasks []*task
	for _, t := range s.tasksInOrder {
		if t.account != x.account || t.kind != kind {
			continue
		}
		s.catchUp(t)
		x.deviates = x.deviates || t.deviates()
		tasks = append(tasks, t)
	}
	return tasks
}

// listed returns the tasks of a kind that pass a list's filter, in the list's order. Every list is sorted by created_at, whatever sort_by
// says, because it is not documented which other fields the service accepts.
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
			ID: t.id, Title: t.spec.name, VideoDuration: t.seconds(), VideoURL: s.video(t), CoverURL: s.cover(t),
			Status: s.listStatus(t), CreatedAt: t.created.Unix(),
		}
	}
	return summaries
}

func (s server) ListProductVideos(ctx context.Context, params gen.ListProductVideosParams) (*gen.ProductVideoList, error) {
	tasks := s.listed(ctx, KindProductVideo, params.Status, params.SortOrder)
	p := pageOf(ctx, s.Simulator, tasks, params.Page, params.PageSize)
	return &gen.ProductVideoList{
		Videos: s.productVideoSummaries(p.items), Total: int64(p.total),
		Page: p.number, PageSize: p.size,
	}, nil
}

func (s server) ListProductPreviews(ctx context.Context, params gen.ListProductPreviewsParams) (*gen.ProductPreviewList, error) {
	tasks := s.listed(ctx, KindProductPreview, params.Status, params.SortOrder)
	p := pageOf(ctx, s.Simulator, tasks, params.Page, params.PageSize)
	return &gen.ProductPreviewList{
		Previews: s.productVideoSummaries(p.items), Total: int64(p.total),
		Page: p.number, PageSize: p.size,
	}, nil
}

func (s server) CreateTemplateVideo(ctx context.Context, body gen.CreateTemplateVideoRequest) (*gen.VideoTask, error) {
	if _, ok := templateByID(append(s.templates(false), s.templates(true)...), body.TemplateID); !ok {
		return nil, notFound("template")
	}
	hook := body.WebhookURL
	if err := s.checkReceiver("webhook_url", hook); err != nil {
		return nil, err
	}
	for i, variable := range body.Variables {
		if err := s.checkReceiver(fmt.Sprintf("variables.%d.properties.webhook_url", i), variable.Properties.WebhookURL); err != nil {
			return nil, err
		}
		if hook == "" {
			hook = variable.Properties.WebhookURL
		}
	}
	t, err := s.begin(ctx, KindTemplateVideo, taskSpec{name: body.VideoName, webhookURL: hook})
	if err != nil {
		return nil, err
	}
	return &gen.VideoTask{VideoID: t.id}, nil
}

func (s server) GetTemplateVideo(ctx context.Context, videoID string) (*gen.TemplateVideo, error) {
	t, err := s.find(ctx, KindTemplateVideo, videoID)
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
			VideoName: t.spec.name, URL: s.video(t), CoverURL: s.cover(t), DurationSeconds: t.seconds(), DeductedCredit: t.cost,
		}
	}
	return &video, nil
}

func (s server) ListTemplateVideos(ctx context.Context, params gen.ListTemplateVideosParams) (*gen.TemplateVideoList, error) {
	tasks := s.listed(ctx, KindTemplateVideo, params.Status, params.SortOrder)
	p := pageOf(ctx, s.Simulator, tasks, params.Page, params.PageSize)
	list := gen.TemplateVideoList{Pagination: p.pagination()}
	for _, t := range p.items {
		list.Data = append(list.Data, gen.TemplateVideoSummary{
			VideoID: t.id, VideoName: t.spec.name, Status: s.listStatus(t), CreatedAt: t.created.Unix(),
			CoverURL: s.cover(t), URL: s.video(t), DurationSeconds: t.seconds(), Error: t.failure(),
		})
	}
	return &list, nil
}

func (s server) CreateLipSyncVideo(ctx context.Context, body gen.CreateLipSyncVideoRequest) (*gen.LipSyncTask, error) {
	t, err := s.begin(ctx, KindLipSync, taskSpec{
		lipSync: lipSyncInput{body.VideoURL, body.AudioURL, cmp.Or(body.PlaybackType, gen.PlaybackTypeNormal)},
	})
	if err != nil {
		return nil, err
	}
	return &gen.LipSyncTask{TaskID: t.id, Status: s.status(t)}, nil
}

func (s server) GetLipSyncVideo(ctx context.Context, taskID string) (*gen.LipSyncVideo, error) {
	t, err := s.find(ctx, KindLipSync, taskID)
	if err != nil {
		return nil, err
	}
	return s.lipSyncVideo(t), nil
}

// FindLipSyncVideo returns the newest task with the same input, whatever its state.
func (s server) FindLipSyncVideo(ctx context.Context, params gen.FindLipSyncVideoParams) (*gen.LipSyncVideo, error) {
	wanted := lipSyncInput{params.VideoURL, params.AudioURL, cmp.Or(params.PlaybackType, gen.PlaybackTypeNormal)}
	for _, t := range slices.Backward(s.tasksOf(ctx, KindLipSync)) {
		if t.spec.lipSync == wanted {
			return s.lipSyncVideo(t), nil
		}
	}
	return nil, notFound(string(KindLipSync))
}

func (s *Simulator) lipSyncVideo(t *task) *gen.LipSyncVideo {
	video := gen.LipSyncVideo{
		TaskID: t.id, Status: s.status(t), CreatedAt: t.created.Unix(), CompletedAt: t.completedAt(),
		Error: gen.TaskFailure{Message: t.failureMessage()},
	}
	if t.succeeded() {
		video.Data = gen.LipSyncResult{ResultURL: s.video(t), CoverURL: s.cover(t), DurationSeconds: t.seconds()}
	}
	return &video
}

func (s server) CreateVideoTranslation(ctx context.Context, body gen.CreateVideoTranslationRequest) (*gen.VideoTranslationTask, error) {
	if !slices.Contains(languages, body.OutputLanguage) {
		return nil, invalid("output_language", "unknown language")
	}
	if err := s.checkReceiver("callback_url", body.CallbackURL); err != nil {
		return nil, err
	}
	subtitles := body.AddSubtitles != nil && *body.AddSubtitles
	t, err := s.begin(ctx, KindTranslation, taskSpec{name: body.Title, webhookURL: body.CallbackURL, subtitles: subtitles})
	if err != nil {
		return nil, err
	}
	return &gen.VideoTranslationTask{VideoTranslateID: t.id}, nil
}

func (s server) GetVideoTranslation(ctx context.Context, videoTranslateID string) (*gen.VideoTranslation, error) {
	t, err := s.find(ctx, KindTranslation, videoTranslateID)
	if err != nil {
		return nil, err
	}
	translation := gen.VideoTranslation{
		VideoTranslateID: t.id, Title: t.spec.name, Status: s.status(t), URL: s.video(t), Error: t.failure(),
	}
	if t.succeeded() && t.spec.subtitles {
		translation.SubtitleURL = s.media("subtitles", t.id, "srt")
	}
	return &translation, nil
}

func (s server) CreateAIScripts(ctx context.Context, body gen.CreateAIScriptsRequest) (*gen.AIScripts, error) {
	info := body.ProductInfo
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
	t, err := s.begin(ctx, KindScripts, taskSpec{style: string(body.ScriptStyle), subject: subject})
	if err != nil {
		return nil, err
	}
	return &gen.AIScripts{TaskID: t.id}, nil
}

// script returns the paragraphs of a script.
func script(o taskSpec) []string {
	return []string{
		fmt.Sprintf("Meet the %s.", o.subject),
		"It does one thing, and it does it well.",
		"Try it once, and you will wonder how you went without.",
	}
}

func (s server) GetAIScripts(ctx context.Context, taskID string) (*gen.AIScripts, error) {
	t, err := s.find(ctx, KindScripts, taskID)
	if err != nil {
		return nil, err
	}
	scripts := gen.AIScripts{TaskID: t.id, Status: s.status(t), ErrMsg: t.failureMessage()}
	if t.succeeded() {
		scripts.Data.GeneratedScripts = []gen.GeneratedScript{{ScriptStyle: t.spec.style, ScriptParagraphs: script(t.spec)}}
	}
	return &scripts, nil
}

func (s server) GeneratePhotoAvatarPhoto(ctx context.Context, _ gen.GeneratePhotoAvatarPhotoRequest) (*gen.AvatarPhotoTask, error) {
	t, err := s.begin(ctx, KindPhoto, taskSpec{})
	if err != nil {
		return nil, err
	}
	return &gen.AvatarPhotoTask{PhotoID: t.id}, nil
}

func (s server) GetPhotoAvatarPhoto(ctx context.Context, params gen.GetPhotoAvatarPhotoParams) (*gen.AvatarPhoto, error) {
	t, err := s.find(ctx, KindPhoto, params.PhotoID)
	if err != nil {
		return nil, err
	}
	photo := gen.AvatarPhoto{PhotoID: t.id, Status: s.status(t), Msg: t.failureMessage()}
	if t.succeeded() {
		photo.ImageURLList = s.photos(t)
		photo.ImageKeyList = []string{"aigc/photo/" + t.id + "-1.png", "aigc/photo/" + t.id + "-2.png"}
	}
	return &photo, nil
}

func (s server) AddPhotoAvatarMotion(ctx context.Context, body gen.AddPhotoAvatarMotionRequest) (*gen.AvatarMotionTask, error) {
	t, err := s.begin(ctx, KindPhotoMotion, taskSpec{name: body.Name, imageURL: body.ImageURL, voiceID: body.VoiceID})
	if err != nil {
		return nil, err
	}
	return s.motionTask(t), nil
}

func (s *Simulator) motionTask(t *task) *gen.AvatarMotionTask {
	return &gen.AvatarMotionTask{AvatarID: t.avatarID, MotionID: t.id, Name: t.spec.name, Status: s.status(t)}
}

func (s *Simulator) motion(t *task) *gen.AvatarMotion {
	motion := &gen.AvatarMotion{
		MotionID: t.id, AvatarID: t.avatarID, ImageURL: t.spec.imageURL, Name: t.spec.name, Status: s.status(t),
		VoiceID: t.spec.voiceID, ErrorMsg: t.failureMessage(),
	}
	if t.succeeded() {
		motion.MotionPreviewURL = s.media("motions", t.id, "mp4")
	}
	return motion
}

func (s server) GetPhotoAvatarMotion(ctx context.Context, params gen.GetPhotoAvatarMotionParams) (*gen.AvatarMotion, error) {
	t, err := s.find(ctx, KindPhotoMotion, params.MotionID)
	if err != nil {
		return nil, err
	}
	return s.motion(t), nil
}

func (s server) GenerateProductAvatarImages(
	ctx context.Context, body gen.GenerateProductAvatarImagesRequest,
) (*gen.ProductAvatarImagesTask, error) {
	if body.AvatarSource.Type == gen.AvatarSourceTypeID && body.AvatarSource.AvatarID == 0 {
		return nil, missing("avatar_source.avatar_id")
	}
	if body.AvatarSource.Type != gen.AvatarSourceTypeID && body.AvatarSource.Value == "" {
		return nil, missing("avatar_source.value")
	}
	if err := s.checkReceiver("webhook_url", body.WebhookURL); err != nil {
		return nil, err
	}
	t, err := s.begin(ctx, KindProductAvatarImages, taskSpec{webhookURL: body.WebhookURL, images: body.NumImages})
	if err != nil {
		return nil, err
	}
	return &gen.ProductAvatarImagesTask{
		BatchID: t.id, TotalSubmitted: len(t.imageIDs),
		Generations: s.generations(t),
	}, nil
}

func (s *Simulator) generations(t *task) []gen.ProductAvatarImage {
	images := make([]gen.ProductAvatarImage, len(t.imageIDs))
	for i, id := range t.imageIDs {
		status, ended := s.imageStatus(t, i)
		images[i] = gen.ProductAvatarImage{GenerationID: id, Status: status, CreatedAt: t.created.Unix()}
		if !ended.IsZero() {
			images[i].CompletedAt = ended.Unix()
		}
		if s.imageDone(t, i) {
			images[i].ImageID, images[i].URL = "img_"+id, s.media("photos", id, "png")
		}
	}
	return images
}

// imageDone reports whether an image of a batch can be used.
func (s *Simulator) imageDone(t *task, i int) bool {
	_, ended := s.imageStatus(t, i)
	return t.reason == nil && t.plan.Hold == "" && !ended.IsZero()
}

func (s server) GetProductAvatarImages(ctx context.Context, batchID string) (*gen.ProductAvatarImages, error) {
	t, err := s.find(ctx, KindProductAvatarImages, batchID)
	if err != nil {
		return nil, err
	}
	images := gen.ProductAvatarImages{BatchID: t.id, Generations: s.generations(t)}
	images.Summary.Total = len(t.imageIDs)
	for i := range t.imageIDs {
		switch status, _ := s.imageStatus(t, i); {
		case t.reason != nil:
			images.Summary.Failed++
		case s.imageDone(t, i):
			images.Summary.Completed++
		case status == gen.TaskStatusPending:
			images.Summary.Pending++
		default:
			images.Summary.Processing++
		}
	}
	return &images, nil
}

func (s server) AddProductAvatarMotion(ctx context.Context, body gen.AddProductAvatarMotionRequest) (*gen.AvatarMotionTask, error) {
	batch, i := s.generation(ctx, body.GenerationID)
	if batch == nil {
		return nil, notFound("generation")
	}
	if !s.imageDone(batch, i) {
		return nil, invalid("generation_id", "the image is not finished")
	}
	o := taskSpec{name: body.Name, voiceID: body.VoiceID, imageURL: s.media("photos", body.GenerationID, "png")}
	if body.AspectRatio != "" {
		o.ratio = ratioCode(body.AspectRatio)
	}
	t, err := s.begin(ctx, KindProductAvatarMotion, o)
	if err != nil {
		return nil, err
	}
	return s.motionTask(t), nil
}

// generation finds an image by its id among the batches of the call's account.
func (s *Simulator) generation(ctx context.Context, id string) (*task, int) {
	for _, t := range s.tasksOf(ctx, KindProductAvatarImages) {
		if i := slices.Index(t.imageIDs, id); i >= 0 {
			return t, i
		}
	}
	return nil, 0
}

func (s server) GetProductAvatarMotion(ctx context.Context, params gen.GetProductAvatarMotionParams) (*gen.AvatarMotion, error) {
	t, err := s.find(ctx, KindProductAvatarMotion, params.MotionID)
	if err != nil {
		return nil, err
	}
	return s.motion(t), nil
}
