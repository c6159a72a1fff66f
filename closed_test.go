package jogg_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// acceptAll returns a client of a service that accepts every request, and the number of requests it has accepted.
func acceptAll(t *testing.T, opts ...jogg.Option) (*jogg.Client, *int) {
	t.Helper()
	taken := 0
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		taken++
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"code":0,"data":{"task_id":"pt_1"}}`)),
		}, nil
	})
	client, err := jogg.New(testKey, append(opts, jogg.WithHTTPClient(&http.Client{Transport: transport}))...)
	if err != nil {
		t.Fatal(err)
	}
	return client, &taken
}

func TestClosedBodiesAreCheckedBeforeTheyAreSent(t *testing.T) {
	const stored, foreign = "https://res.jogg.ai/assets/crane.png", "https://example.com/crane.png?signature=secret"
	runway := func(image, prompt string) func(context.Context, *jogg.Client) error {
		return func(ctx context.Context, c *jogg.Client) error {
			_, err := c.GenerateVideoRunway(ctx, gen.GenerateVideoRunwayRequest{Model: gen.RunwayVideoModelGen4Turbo, PromptText: prompt, PromptImage: image})
			return err
		}
	}
	google := func(contents ...gen.GoogleImageContent) func(context.Context, *jogg.Client) error {
		return func(ctx context.Context, c *jogg.Client) error {
			_, err := c.GenerateImageGoogle(ctx, gen.GenerateImageGoogleRequest{Model: gen.GoogleImageModelGemini3ProPreview, Contents: contents})
			return err
		}
	}
	ark := func(content ...gen.ProviderVideoContent) func(context.Context, *jogg.Client) error {
		return func(ctx context.Context, c *jogg.Client) error {
			_, err := c.GenerateVideoArk(ctx, gen.GenerateVideoArkRequest{Model: gen.ArkVideoModelSeedance20, Content: content})
			return err
		}
	}
	words := gen.GoogleImagePart{Text: "A crane"}
	picture := func(url string) gen.GoogleImagePart {
		return gen.GoogleImagePart{FileData: gen.GoogleImageFile{FileURI: url}}
	}
	for name, c := range map[string]struct {
		call func(context.Context, *jogg.Client) error
		want string // in the error; "" if the request is accepted
	}{
		"complete":                      {runway(stored, "It unfolds"), ""},
		"storage without a name before": {runway("https://JOGG.AI/crane.png", "It unfolds"), ""},
		"no prompt":                     {runway(stored, ""), "/promptText is missing"},
		"no picture":                    {runway("", "It unfolds"), "/promptImage is missing"},
		"picture elsewhere":             {runway(foreign, "It unfolds"), "/promptImage is outside of JoggAI's storage"},
		"host that only ends alike":     {runway("https://notjogg.ai/crane.png", "It unfolds"), "/promptImage is outside of JoggAI's storage"},
		"host that only begins alike":   {runway("https://res.jogg.ai.example.com/crane.png", "It unfolds"), "/promptImage is outside of JoggAI's storage"},
		"user that looks like the host": {runway("https://res.jogg.ai@example.com/crane.png", "It unfolds"), "/promptImage is outside of JoggAI's storage"},
		"image in place of its URL":     {runway("data:image/png;base64,secret", "It unfolds"), "/promptImage is not an http or https URL"},
		"file of this machine":          {runway("/home/secret.png", "It unfolds"), "/promptImage is not an http or https URL"},
		"no contents":                   {google(), "/contents is missing"},
		"contents without parts":        {google(gen.GoogleImageContent{Parts: []gen.GoogleImagePart{words}}, gen.GoogleImageContent{}), "/contents/1/parts is missing"},
		"picture elsewhere, in lists":   {google(gen.GoogleImageContent{Parts: []gen.GoogleImagePart{words, picture(foreign)}}), "/contents/0/parts/1/fileData/fileUri is outside"},
		"words and a picture":           {google(gen.GoogleImageContent{Parts: []gen.GoogleImagePart{words, picture(stored)}}), ""},
		"content without a type":        {ark(gen.ProviderVideoContent{Text: "A crane"}), "/content/0/type is missing"},
		"recording elsewhere": {ark(gen.ProviderVideoContent{
			Type: gen.ProviderVideoContentTypeAudioURL, AudioURL: gen.ProviderMediaURL{URL: foreign},
		}), "/content/0/audio_url/url is outside"},
		"no closed body": {func(ctx context.Context, c *jogg.Client) error {
			_, err := c.CreateLipSyncVideo(ctx, gen.CreateLipSyncVideoRequest{VideoURL: foreign, AudioURL: foreign})
			return err
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client, taken := acceptAll(t)
			err := c.call(t.Context(), client)
			if c.want == "" {
				if err != nil || *taken != 1 {
					t.Fatalf("error %v, %d sent", err, *taken)
				}
				return
			}
			if !errors.Is(err, jogg.ErrInvalidParameter) || !strings.Contains(err.Error(), c.want) || *taken != 0 {
				t.Fatalf("error %v, want %q; %d sent", err, c.want, *taken)
			}
			if _, refused := errors.AsType[*jogg.APIError](err); refused || errors.Is(err, jogg.ErrOutcomeUnknown) {
				t.Errorf("the error speaks of a request that was sent: %v", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the URL: %v", err)
			}
		})
	}
}

// The location of another service's storage is unknown.
func TestFilesOfAnotherServiceAreNotChecked(t *testing.T) {
	client, taken := acceptAll(t, jogg.WithBaseURL("https://gateway.example"))
	order := gen.GenerateVideoRunwayRequest{Model: gen.RunwayVideoModelGen4Turbo, PromptText: "It unfolds", PromptImage: "http://127.0.0.1:8081/crane.png"}
	if _, err := client.GenerateVideoRunway(t.Context(), order); err != nil || *taken != 1 {
		t.Errorf("error %v, %d sent", err, *taken)
	}
	order.PromptImage = "crane.png"
	if _, err := client.GenerateVideoRunway(t.Context(), order); !errors.Is(err, jogg.ErrInvalidParameter) || *taken != 1 {
		t.Errorf("error %v, %d sent", err, *taken)
	}
}

func TestAnOptionCanSendWhatTheContractCloses(t *testing.T) {
	client, taken := acceptAll(t)
	order := gen.GenerateVideoRunwayRequest{Model: gen.RunwayVideoModelGen4Turbo, PromptText: "It unfolds"}
	_, err := client.GenerateVideoRunway(t.Context(), order,
		jogg.WithField("/promptImage", "https://files.example/crane.png"), jogg.WithField("/webhook_url", "https://example.com/hook"))
	if err != nil || *taken != 1 {
		t.Errorf("error %v, %d sent", err, *taken)
	}
	_, err = client.GenerateVideoRunway(t.Context(), order, jogg.WithField("/webhook_url", "https://example.com/hook"))
	if !errors.Is(err, jogg.ErrInvalidParameter) || *taken != 1 {
		t.Errorf("without the picture: error %v, %d sent", err, *taken)
	}
}
