package jogg_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

func TestNilAndEmptyListsAreSentAsMeant(t *testing.T) {
	update := func(media []gen.ProductMedia) func(context.Context, *jogg.Client) error {
		return func(ctx context.Context, c *jogg.Client) error {
			return c.UpdateProduct(ctx, gen.UpdateProductRequest{ProductID: "p", Name: jogg.Ptr(""), Media: media})
		}
	}
	cases := map[string]struct {
		call func(context.Context, *jogg.Client) error
		want string
	}{
		"an optional list that is nil is left out": {update(nil), `{"product_id":"p","name":""}`},
		"an optional list that is empty clears":    {update([]gen.ProductMedia{}), `{"product_id":"p","name":"","media":[]}`},
		"a list of zero values":                    {update([]gen.ProductMedia{{}}), `{"product_id":"p","name":"","media":[{}]}`},
		"a required list that is nil is an empty one": {func(ctx context.Context, c *jogg.Client) error {
			_, err := c.CreateWebhookEndpoint(ctx, gen.WebhookEndpointRequest{URL: "https://example.com/?a&b"})
			return err
		}, `{"url":"https://example.com/?a&b","status":"","events":[]}`},
		"a pointer to a zero value is sent": {func(ctx context.Context, c *jogg.Client) error {
			_, err := c.CreateTemplateVideo(ctx, gen.CreateTemplateVideoRequest{AvatarType: jogg.Ptr(gen.AvatarTypePublic), CaptionsEnabled: jogg.Ptr(false), BackgroundMusicID: jogg.Ptr(int64(0))})
			return err
		}, `{"template_id":0,"avatar_type":0,"voice_language":"","captions_enabled":false,"background_music_id":0,"variables":[]}`},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			transport := responses(`{"code":0,"data":{"endpoint_id":"e","video_id":"v"}}`)
			if err := test.call(t.Context(), newClient(t, transport)); err != nil {
				t.Fatal(err)
			}
			sent, want := normal(t, transport.bodies[0]), normal(t, test.want)
			if sent != want {
				t.Errorf("sent %s, want %s", sent, want)
			}
		})
	}
}

// normal returns a JSON object with sorted members.
func normal(t *testing.T, object string) string {
	t.Helper()
	var members any
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		t.Fatalf("%v in %s", err, object)
	}
	sorted, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}
