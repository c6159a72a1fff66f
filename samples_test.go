package jogg_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// sample is a body that the published guides show.
type sample struct {
	Kind      string          `json:"kind"` // request or response
	Operation string          `json:"operation"`
	Body      json.RawMessage `json:"body"`
}

func samples(t *testing.T, kind string) []sample {
	t.Helper()
	file, err := os.ReadFile("testdata/samples.json")
	if err != nil {
		t.Fatal(err)
	}
	var all, some []sample
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Kind == kind {
			some = append(some, s)
		}
	}
	if len(all) != 53 || len(some) == 0 {
		t.Fatalf("%d samples, of them %d of kind %s, want 53 and some", len(all), len(some), kind)
	}
	return some
}

// operation calls a method with a body, if it takes one, and any parameters.
type operation func(ctx context.Context, c *jogg.Client, body []byte) (any, error)

// operations are those that the samples show.
var operations = map[string]operation{
	"POST /v2/ai_scripts": sending((*jogg.Client).CreateAIScripts),
	"GET /v2/ai_scripts/results/{task_id}": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetAIScripts(ctx, "task_123456789")
	},
	"POST /v2/create_video_from_avatar": sending((*jogg.Client).CreateAvatarVideo),
	"GET /v2/avatar_video/{id}": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetAvatarVideo(ctx, "video_123456")
	},
	"POST /v2/photo_avatar/photo/generate": sending((*jogg.Client).GeneratePhotoAvatarPhoto),
	"GET /v2/photo_avatar/photo": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetPhotoAvatarPhoto(ctx, gen.GetPhotoAvatarPhotoParams{PhotoID: "photo_abc123"})
	},
	"POST /v2/photo_avatar/add_motion": sending((*jogg.Client).AddPhotoAvatarMotion),
	"GET /v2/photo_avatar": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetPhotoAvatarMotion(ctx, gen.GetPhotoAvatarMotionParams{MotionID: "motion_xyz789"})
	},
	"GET /v2/avatars/photo_avatars": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.ListPhotoAvatars(ctx, gen.ListPhotoAvatarsParams{})
	},
	"GET /v2/templates/custom": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.ListCustomTemplates(ctx, gen.ListCustomTemplatesParams{})
	},
	"GET /v2/template/custom/{id}": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetCustomTemplate(ctx, 1234)
	},
	"POST /v2/create_video_with_template": sending((*jogg.Client).CreateTemplateVideo),
	"GET /v2/template_video/{video_id}": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetTemplateVideo(ctx, "video_123456")
	},
	"GET /v2/template_videos": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.ListTemplateVideos(ctx, gen.ListTemplateVideosParams{})
	},
	"GET /v2/lip_sync_video/{task_id}": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetLipSyncVideo(ctx, "3d5c6930-d0da-4f7b-826e-cd1530f6734f")
	},
	"POST /v2/product": sending((*jogg.Client).CreateProduct),
	"PUT /v2/product": func(ctx context.Context, c *jogg.Client, body []byte) (any, error) {
		return sending(func(c *jogg.Client, ctx context.Context, body gen.UpdateProductRequest) (*struct{}, error) {
			return nil, c.UpdateProduct(ctx, body)
		})(ctx, c, body)
	},
	"POST /v2/create_video_from_product":                       sending((*jogg.Client).CreateProductVideo),
	"POST /v2/create_video_from_product/preview_list":          sending((*jogg.Client).CreateProductPreviews),
	"POST /v2/create_video_from_product/render_single_preview": sending((*jogg.Client).RenderProductPreview),
	"GET /v2/product_video/{product_video_id}": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetProductVideo(ctx, "pv_123456")
	},
	"POST /v2/product_avatar/generation": sending((*jogg.Client).GenerateProductAvatarImages),
	"POST /v2/upload/asset":              sending((*jogg.Client).CreateAssetUpload),
	"POST /v2/video_translate/":          sending((*jogg.Client).CreateVideoTranslation),
	"GET /v2/video_translate/{video_translate_id}": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetVideoTranslation(ctx, "vt_123456")
	},
	"POST /v2/endpoint": sending((*jogg.Client).CreateWebhookEndpoint),
	"GET /v2/user/whoami": func(ctx context.Context, c *jogg.Client, _ []byte) (any, error) {
		return c.GetCurrentUser(ctx)
	},
}

// sending makes an operation out of a method that takes a body. An empty body stands for the zero value, for the sake of the
// answer. The members of any other must be known, else something of a sample would be lost on the way in.
func sending[B, T any](method func(*jogg.Client, context.Context, B) (*T, error)) operation {
	return func(ctx context.Context, c *jogg.Client, body []byte) (any, error) {
		var typed B
		if len(body) > 0 {
			if err := jsonv2.Unmarshal(body, &typed, jsonv2.RejectUnknownMembers(true)); err != nil {
				return nil, fmt.Errorf("the body does not fit its type: %w", err)
			}
		}
		return method(c, ctx, typed)
	}
}

// outsideTheContract names the requests in the guides that do not fit the published schema, by a member that is the reason.
var outsideTheContract = map[string]string{
	`"photo_url"`:        "the guide orders photos by an older form: photo_url and name are no members, and the five that are required are missing",
	`"avatar_type": "0"`: "the schema has a number there, the guide sends it in quotes",
	`"prod_abc123"`:      "the guide orders a product video by the older flat form, which the nested one has replaced",
}

func reasonOutsideTheContract(body []byte) (member string, outside bool) {
	for member := range outsideTheContract {
		if strings.Contains(string(body), member) {
			return member, true
		}
	}
	return "", false
}

func TestSampleRequestsAreSentAsWritten(t *testing.T) {
	outside := make(map[string]bool)
	for i, s := range samples(t, "request") {
		t.Run(fmt.Sprintf("%d %s", i, s.Operation), func(t *testing.T) {
			call, ok := operations[s.Operation]
			if !ok {
				t.Fatal("no operation of the test sends this")
			}
			transport := answers(`{"code":0,"data":{}}`)
			_, err := call(t.Context(), newClient(t, transport), s.Body)
			if member, is := reasonOutsideTheContract(s.Body); is {
				outside[member] = true
				if err == nil {
					t.Errorf("the sample fits, although %s", outsideTheContract[member])
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			method, path, _ := strings.Cut(s.Operation, " ")
			if req := transport.sent[0]; req.Method != method || req.URL.Path != path {
				t.Errorf("sent to %s %s", req.Method, req.URL.Path)
			}
			want := decoded(t, s.Body)
			copyToTheOtherPlace(want)
			if sent := []byte(transport.bodies[0]); !reflect.DeepEqual(decoded(t, sent), want) {
				t.Errorf("sent\n%s, want\n%s", sent, s.Body)
			}
		})
	}
	if len(outside) != len(outsideTheContract) {
		t.Errorf("of the samples said to be outside the contract only %v exist", outside)
	}
}

// copyToTheOtherPlace copies what a request for product videos has in one of two places, as the client does.
func copyToTheOtherPlace(request any) {
	order, _ := request.(map[string]any)
	script, ok := order["script"].(map[string]any)
	if !ok {
		return
	}
	if words, ok := order["override_script"]; ok {
		script["override_script"] = words
	}
	if _, previews := order["visual_styles"]; previews {
		order["language"] = script["language"]
	}
}

func TestSampleResponsesLoseNothing(t *testing.T) {
	for i, s := range samples(t, "response") {
		t.Run(fmt.Sprintf("%d %s", i, s.Operation), func(t *testing.T) {
			call, ok := operations[s.Operation]
			if !ok {
				t.Fatal("no operation of the test receives this")
			}
			result, err := call(t.Context(), newClient(t, answers(string(s.Body))), nil)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := json.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			want := leaves(decoded(t, s.Body).(map[string]any)["data"])
			got := leaves(decoded(t, kept))
			if len(want) == 0 {
				t.Fatal("the sample has no data to lose")
			}
			for path, value := range want {
				if got[path] != value {
					t.Errorf("%s is %v, want %v", path, got[path], value)
				}
			}
		})
	}
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// leaves returns what is at the ends of a JSON value, by path, without the values that mean the same as their absence.
func leaves(v any) map[string]any {
	found := make(map[string]any)
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				walk(path+"/"+name, member)
			}
		case []any:
			for i, element := range v {
				walk(fmt.Sprintf("%s/%d", path, i), element)
			}
		case nil:
		default:
			if !reflect.ValueOf(v).IsZero() {
				found[path] = v
			}
		}
	}
	walk("", v)
	return found
}

// The service has been seen to send null where the schema has a value, numbers for texts and texts for numbers. No field may fail
// over it.
func TestSampleResponsesBearAnyFieldInAnotherForm(t *testing.T) {
	forms := map[string]struct {
		of   func(value any) bool
		bend func(value any) (sent, kept any)
	}{
		"null":             {of: func(any) bool { return true }, bend: func(any) (any, any) { return nil, nil }},
		"number for text":  {of: isA[string], bend: func(any) (any, any) { return 17.0, "17" }},
		"truth for text":   {of: isA[string], bend: func(any) (any, any) { return true, "true" }},
		"text for number":  {of: isA[float64], bend: func(v any) (any, any) { return strconv.FormatInt(int64(v.(float64)), 10), float64(int64(v.(float64))) }},
		"spaced text":      {of: isA[float64], bend: func(any) (any, any) { return " 12 ", 12.0 }},
		"no text":          {of: isA[float64], bend: func(any) (any, any) { return "", nil }},
		"1e3 for a number": {of: isA[float64], bend: func(any) (any, any) { return json.RawMessage("1e3"), 1000.0 }},
		"1.0 for a number": {of: isA[float64], bend: func(any) (any, any) { return json.RawMessage("1.0"), 1.0 }},
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			tried := 0
			for _, s := range samples(t, "response") {
				envelope := decoded(t, s.Body).(map[string]any)
				eachValue(envelope["data"], func(path string, value any, set func(any)) {
					if !form.of(value) {
						return
					}
					tried++
					sent, want := form.bend(value)
					set(sent)
					body, err := json.Marshal(envelope)
					set(value)
					if err != nil {
						t.Fatal(err)
					}
					result, err := operations[s.Operation](t.Context(), newClient(t, answers(string(body))), nil)
					if err != nil {
						t.Errorf("%s, %s: %v", s.Operation, path, err)
						return
					}
					kept, err := json.Marshal(result)
					if err != nil {
						t.Fatal(err)
					}
					if got := leaves(decoded(t, kept))[path]; got != want && want != 0.0 {
						t.Errorf("%s, %s: %v, want %v", s.Operation, path, got, want)
					}
				})
			}
			if tried < 10 {
				t.Errorf("only %d fields were tried", tried)
			}
		})
	}
}

func isA[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

// eachValue calls visit for each value within v, at whatever depth, with a function that puts another in its place.
func eachValue(v any, visit func(path string, value any, set func(any))) {
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				visit(path+"/"+name, member, func(other any) { v[name] = other })
				walk(path+"/"+name, member)
			}
		case []any:
			for i, element := range v {
				visit(fmt.Sprintf("%s/%d", path, i), element, func(other any) { v[i] = other })
				walk(fmt.Sprintf("%s/%d", path, i), element)
			}
		}
	}
	walk("", v)
}
