package simulator

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// The catalog that every account has: avatars, voices, music, styles, templates and languages. It is computed from these tables, so it is
// the same in every process, whatever the seed.

var (
	firstNames = []string{"Amara", "Bruno", "Chloe", "Daniel", "Elena", "Felix", "Grace", "Hiro", "Ines", "Jonas", "Kavya", "Liam", "Mei"}
	locales    = []struct{ code, language, accent string }{
		{"en-US", "english", "american"},
		{"en-GB", "english", "british"},
		{"es-ES", "spanish", "castilian"},
		{"fr-FR", "french", "parisian"},
		{"de-DE", "german", "standard"},
		{"ja-JP", "japanese", "tokyo"},
		{"pt-BR", "portuguese", "brazilian"},
		{"hi-IN", "hindi", "delhi"},
	}
	useCases = []string{"advertisement", "narration", "education", "social media", "news"}
	moods    = []string{"Bright", "Calm", "Driving", "Dreamy", "Funky", "Gentle", "Heroic", "Jazzy", "Lo-Fi", "Playful", "Soft"}
	tunes    = []string{"Morning", "Horizon", "Avenue", "Journey"}
	styles   = []string{
		"Simple Product Switch", "Dynamic Showcase", "Elegant Presentation", "Bold Typography", "Split Story", "Lifestyle Montage",
	}
	languages = []string{
		"arabic", "chinese", "dutch", "english", "french", "german", "hindi", "indonesian", "italian", "japanese", "korean",
		"polish", "portuguese", "russian", "spanish", "swedish", "thai", "turkish", "ukrainian", "vietnamese",
	}

	ratios      = []gen.AspectRatio{gen.AspectRatioPortrait, gen.AspectRatioLandscape, gen.AspectRatioSquare} // indexed by gen.AspectRatioCode
	genders     = []gen.Gender{gen.GenderFemale, gen.GenderMale}
	ages        = []gen.AvatarAge{gen.AvatarAgeAdult, gen.AvatarAgeSenior, gen.AvatarAgeYoungAdult}
	looks       = []gen.AvatarStyle{gen.AvatarStyleProfessional, gen.AvatarStyleSocial}
	voiceAges   = []gen.VoiceAge{gen.VoiceAgeYoung, gen.VoiceAgeMiddleAged, gen.VoiceAgeOld}
	ethnicities = []gen.AvatarEthnicity{
		gen.AvatarEthnicityEuropean, gen.AvatarEthnicityAfrican, gen.AvatarEthnicitySouthAsian,
		gen.AvatarEthnicityEastAsian, gen.AvatarEthnicityMiddleEastern, gen.AvatarEthnicitySouthAmerican, gen.AvatarEthnicityNorthAmerican,
	}
	scenes = []gen.AvatarScene{
		gen.AvatarSceneLifestyle, gen.AvatarSceneOutdoors, gen.AvatarSceneBusiness, gen.AvatarSceneStudio,
		gen.AvatarSceneHealthFitness, gen.AvatarSceneEducation, gen.AvatarSceneNews,
	}
)

// The sizes of the catalog: enough for several pages of the maximum size.
const (
	publicAvatars = 230
	publicVoices  = 120
)

func at[T any](list []T, i int) T { return list[i%len(list)] }

func ratioCode(r gen.AspectRatio) gen.AspectRatioCode {
	return gen.AspectRatioCode(slices.Index(ratios, r))
}

func (s server) ListPublicAvatars(ctx context.Context, params gen.ListPublicAvatarsParams) (*gen.PublicAvatarList, error) {
	var avatars []gen.PublicAvatar
	for i := range publicAvatars {
		a := gen.PublicAvatar{
			ID: int64(i + 1), Name: fmt.Sprintf("%s %d", at(firstNames, i), i/len(firstNames)+1),
			VideoURL: s.media("avatars", strconv.Itoa(i+1), "mp4"), CoverURL: s.media("avatars", strconv.Itoa(i+1), "png"),
			AspectRatio: gen.AspectRatioCode(i % len(ratios)), Style: at(looks, i/3), Gender: at(genders, i), Age: at(ages, i/2),
		}
		if matches(params.AspectRatio, at(ratios, i)) && matches(params.Style, a.Style) &&
			matches(params.Gender, a.Gender) && matches(params.Age, a.Age) &&
			matches(params.Scene, at(scenes, i)) && matches(params.Ethnicity, at(ethnicities, i/5)) {
			avatars = append(avatars, a)
		}
	}
	p := pageOf(ctx, s.Simulator, avatars, params.Page, params.PageSize)
	return &gen.PublicAvatarList{Avatars: p.items, HasMore: p.reportsMore}, nil
}

// matches reports whether a value passes a filter. The zero filter passes every value.
func matches[T comparable](filter, value T) bool {
	var none T
	return filter == none || filter == value
}

func (s server) ListCustomAvatars(ctx context.Context, params gen.ListCustomAvatarsParams) (*gen.CustomAvatarList, error) {
	states := []gen.AvatarStatus{gen.AvatarStatusCompleted, gen.AvatarStatusCompleted, gen.AvatarStatusProcessing, gen.AvatarStatusFailed}
	var avatars []gen.CustomAvatar
	for i := range 12 {
		id := strconv.Itoa(201 + i)
		a := gen.CustomAvatar{
			ID: int64(201 + i), Name: "Studio " + at(firstNames, i), APIOnly: i%5 == 4, AvatarStatus: at(states, i),
			AvatarURL: s.media("sources", id, "mp4"),
		}
		switch a.AvatarStatus {
		case gen.AvatarStatusCompleted:
			a.VideoURL, a.CoverURL = s.media("avatars", id, "mp4"), s.media("avatars", id, "png")
		case gen.AvatarStatusFailed:
			a.FailMsg = "no face was found in the video"
		}
		if matches(params.Status, a.AvatarStatus) && strings.Contains(strings.ToLower(a.Name), strings.ToLower(params.Name)) {
			avatars = append(avatars, a)
		}
	}
	p := pageOf(ctx, s.Simulator, avatars, params.Page, params.PageSize)
	return &gen.CustomAvatarList{Avatars: p.items, HasMore: p.reportsMore}, nil
}

// ListPhotoAvatars lists one avatar that every account has, and those made by photo avatar motions.
func (s server) ListPhotoAvatars(ctx context.Context, params gen.ListPhotoAvatarsParams) (*gen.PhotoAvatarList, error) {
	avatars := []gen.PhotoAvatar{{
		ID: 123, Name: "My Photo Avatar", CoverURL: s.media("avatars", "123", "png"), Status: gen.AvatarStatusCodeCompleted,
	}}
	for _, t := range s.tasksOf(ctx, KindPhotoMotion) {
		avatars = append(avatars, gen.PhotoAvatar{
			ID: t.avatarID, Name: t.spec.name, CoverURL: s.cover(t), Status: avatarCode(t), FailMsg: t.failureMessage(),
		})
	}
	avatars = slices.DeleteFunc(avatars, func(a gen.PhotoAvatar) bool {
		word := []gen.AvatarStatus{gen.AvatarStatusProcessing, gen.AvatarStatusCompleted, gen.AvatarStatusFailed}[a.Status]
		return !matches(params.Status, word) || !strings.Contains(strings.ToLower(a.Name), strings.ToLower(params.Name))
	})
	p := pageOf(ctx, s.Simulator, avatars, params.Page, params.PageSize)
	return &gen.PhotoAvatarList{Avatars: p.items, HasMore: p.reportsMore}, nil
}

// ListProductAvatars lists one avatar that every account has, and those made by product avatar motions.
func (s server) ListProductAvatars(ctx context.Context, params gen.ListProductAvatarsParams) (*gen.ProductAvatarList, error) {
	avatars := []gen.ProductAvatar{{
		AvatarID: 301, Name: "Bottle in hand", CoverURL: s.media("avatars", "301", "png"),
		Status: gen.AvatarStatusCodeCompleted, AvatarURL: s.media("sources", "301", "png"),
		AspectRatio: gen.AspectRatioCodePortrait, Gender: "female",
	}}
	for _, t := range s.tasksOf(ctx, KindProductAvatarMotion) {
		avatars = append(avatars, gen.ProductAvatar{
			AvatarID: t.avatarID, Name: t.spec.name, CoverURL: s.cover(t), Status: avatarCode(t),
			FailMsg: t.failureMessage(), AvatarURL: t.spec.imageURL, AspectRatio: t.spec.ratio, Gender: "female",
		})
	}
	if params.AspectRatio != "" {
		avatars = slices.DeleteFunc(avatars, func(a gen.ProductAvatar) bool { return a.AspectRatio != ratioCode(params.AspectRatio) })
	}
	return &gen.ProductAvatarList{ProductAvatars: avatars}, nil
}

func avatarCode(t *task) gen.AvatarStatusCode {
	switch {
	case t.reason != nil:
		return gen.AvatarStatusCodeFailed
	case t.succeeded():
		return gen.AvatarStatusCodeCompleted
	}
	return gen.AvatarStatusCodeProcessing
}

// voices returns the public voices. Those at 0 and 2 are from the examples in JoggAI's documentation.
func (s *Simulator) voices() []gen.Voice {
	voices := make([]gen.Voice, publicVoices)
	for i := range voices {
		locale, name := at(locales, i), at(firstNames, i/len(locales)+i)
		voices[i] = gen.Voice{
			Name: name, VoiceID: fmt.Sprintf("%s-%sNeural%d", locale.code, name, i), Language: locale.language, Accent: locale.accent,
			Gender: at(genders, i), Age: at(voiceAges, i), UseCase: at(useCases, i),
		}
	}
	voices[0].Name, voices[0].VoiceID, voices[0].Gender = "Christopher", "en-US-ChristopherNeural", gen.GenderMale
	voices[2].Name, voices[2].VoiceID, voices[2].Gender = "Elvira", "es-ES-ElviraNeural", gen.GenderFemale
	for i := range voices {
		voices[i].AudioURL = s.media("voices", voices[i].VoiceID, "wav")
	}
	return voices
}

func (s server) ListVoices(ctx context.Context, params gen.ListVoicesParams) (*gen.VoiceList, error) {
	voices := slices.DeleteFunc(s.voices(), func(v gen.Voice) bool {
		return !matches(params.Gender, v.Gender) || !matches(params.Language, v.Language) ||
			!matches(params.Age, v.Age) || !matches(params.UseCase, v.UseCase)
	})
	p := pageOf(ctx, s.Simulator, voices, params.Page, params.PageSize)
	return &gen.VoiceList{Voices: p.items, HasMore: p.hasMore}, nil
}

func (s server) ListCustomVoices(_ context.Context, params gen.ListCustomVoicesParams) (*gen.CustomVoiceList, error) {
	voices := []gen.Voice{
		{Name: "My own voice", VoiceID: "clone_482913", Language: "english", AudioURL: s.media("voices", "clone_482913", "wav")},
		{Name: "Mi propia voz", VoiceID: "clone_482914", Language: "spanish", AudioURL: s.media("voices", "clone_482914", "wav")},
	}
	voices = slices.DeleteFunc(voices, func(v gen.Voice) bool { return !matches(params.Language, v.Language) })
	return &gen.CustomVoiceList{Total: len(voices), Voices: voices}, nil
}

func (s server) ListMusic(ctx context.Context, params gen.ListMusicParams) (*gen.MusicList, error) {
	var music []gen.Music
	for i := range len(moods) * len(tunes) {
		music = append(music, gen.Music{
			ID: int64(i + 1), Name: moods[i/len(tunes)] + " " + at(tunes, i), MusicURL: s.media("music", strconv.Itoa(i+1), "wav"),
			Duration: float64(60 + i*7%120),
		})
	}
	p := pageOf(ctx, s.Simulator, music, params.Page, params.PageSize)
	return &gen.MusicList{Music: p.items, Pagination: p.pagination()}, nil
}

func (s server) ListVisualStyles(_ context.Context, params gen.ListVisualStylesParams) (*gen.VisualStyleList, error) {
	var list gen.VisualStyleList
	for i, name := range styles {
		if params.AspectRatio == gen.AspectRatioSquare && i%2 == 1 {
			continue // not every style has a square variant
		}
		list.VisualStyles = append(list.VisualStyles, gen.VisualStyle{ID: int64(i + 1), Name: name})
	}
	return &list, nil
}

func (s server) ListTranslationLanguages(_ context.Context) (*gen.TranslationLanguageList, error) {
	return &gen.TranslationLanguageList{Languages: languages}, nil
}

// templates returns the public templates or the account's own. Own template 1234 is from the examples in JoggAI's documentation.
func (s *Simulator) templates(own bool) []gen.Template {
	names, first := []string{"Spring Sale", "Unboxing", "Three Reasons", "Before and After", "Launch Day"}, int64(1001)
	if own {
		names, first = []string{"Product Showcase Template", "Weekly Offer"}, 1234
	}
	var templates []gen.Template
	for i, name := range names {
		id := first + int64(i)
		templates = append(templates, gen.Template{
			ID: id, Name: name, CoverURL: s.media("templates", strconv.FormatInt(id, 10), "png"),
			PreviewURL: s.media("templates", strconv.FormatInt(id, 10), "mp4"), AspectRatio: gen.AspectRatioCode(i % len(ratios)),
		})
	}
	return templates
}

func templatesIn(templates []gen.Template, ratio gen.AspectRatio) *gen.TemplateList {
	return &gen.TemplateList{Templates: slices.DeleteFunc(templates, func(t gen.Template) bool {
		return ratio != "" && t.AspectRatio != ratioCode(ratio)
	})}
}

func (s server) ListTemplates(_ context.Context, params gen.ListTemplatesParams) (*gen.TemplateList, error) {
	return templatesIn(s.templates(false), params.AspectRatio), nil
}

func (s server) ListCustomTemplates(_ context.Context, params gen.ListCustomTemplatesParams) (*gen.TemplateList, error) {
	return templatesIn(s.templates(true), params.AspectRatio), nil
}

func (s server) GetCustomTemplate(_ context.Context, id int64) (*gen.CustomTemplate, error) {
	template, ok := templateByID(s.templates(true), id)
	if !ok {
		return nil, notFound("template")
	}
	model := gen.CustomTemplate{
		TemplateID: template.ID, Name: template.Name, CoverURL: template.CoverURL, PreviewURL: template.PreviewURL,
		AspectRatio: template.AspectRatio, Variables: []gen.TemplateVariable{
			{Name: "product_name", Type: gen.TemplateVariableTypeText, Required: true},
			{Name: "product_image", Type: gen.TemplateVariableTypeImage, Required: true},
			{Name: "background_video", Type: gen.TemplateVariableTypeVideo},
			{Name: "script", Type: gen.TemplateVariableTypeScript, Required: true},
		},
	}
	if s.config.guideForms {
		model.ID, model.TemplateID = template.ID, 0
	}
	return &model, nil
}

func templateByID(templates []gen.Template, id int64) (gen.Template, bool) {
	i := slices.IndexFunc(templates, func(t gen.Template) bool { return t.ID == id })
	if i < 0 {
		return gen.Template{}, false
	}
	return templates[i], true
}
