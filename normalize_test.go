package jogg_test

import (
	"testing"

	"github.com/jogg-go/jogg/gen"
)

func TestFieldsWithTwoNamesAreFilledFromOneAnother(t *testing.T) {
	for body, want := range map[string]gen.ProductVideoTask{
		`{"code":0,"data":{"video_id":"v"}}`:                        {VideoID: "v", ProductVideoID: "v"},
		`{"code":0,"data":{"product_video_id":"p"}}`:                {VideoID: "p", ProductVideoID: "p"},
		`{"code":0,"data":{"product_video_id":"p","video_id":"v"}}`: {VideoID: "v", ProductVideoID: "p"},
		`{"code":0,"data":{"product_video_id":17,"video_id":null}}`: {VideoID: "17", ProductVideoID: "17"},
		`{"code":0,"data":{"product_video_id":"","video_id":"v"}}`:  {VideoID: "v", ProductVideoID: "v"},
	} {
		created, err := newClient(t, responses(body)).CreateProductVideo(t.Context(), gen.CreateProductVideoRequest{})
		if err != nil || *created != want {
			t.Errorf("%s gave %+v on creation, error %v", body, created, err)
		}
		rendered, err := newClient(t, responses(body)).RenderProductPreview(t.Context(), gen.RenderProductPreviewRequest{})
		if err != nil || *rendered != want {
			t.Errorf("%s gave %+v on rendering, error %v", body, rendered, err)
		}
	}
	for body, want := range map[string]int64{
		`{"code":0,"data":{"id":1}}`: 1, `{"code":0,"data":{"template_id":2}}`: 2,
	} {
		template, err := newClient(t, responses(body)).GetCustomTemplate(t.Context(), 1)
		if err != nil || template.ID != want || template.TemplateID != want {
			t.Errorf("%s gave %+v, error %v", body, template, err)
		}
	}
	for body, want := range map[string]float64{
		`{"code":0,"data":{"duration":30}}`: 30, `{"code":0,"data":{"video_duration":30.5}}`: 30.5,
	} {
		video, err := newClient(t, responses(body)).GetProductVideo(t.Context(), "v")
		if err != nil || video.Duration != want || video.VideoDuration != want {
			t.Errorf("%s gave %+v, error %v", body, video, err)
		}
	}
}
