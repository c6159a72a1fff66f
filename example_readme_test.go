package jogg_test

// The functions of the README, each run as an example. TestReadme checks that the README has the same text.

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

func newDurableReceiver(ctx context.Context, secret, dir string, router *webhooks.Router) (http.Handler, *inbox.Inbox, error) {
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		return nil, nil, err
	}
	box, err := inbox.Open(ctx, inbox.Options{Dir: dir}) // embedded: no port, no server to run
	if err != nil {
		return nil, nil, err
	}
	return webhooks.NewHandler(verifier, box), box, nil
}

func createVideo(ctx context.Context, client *jogg.Client) (url string, err error) {
	task, err := client.CreateAvatarVideo(ctx, gen.CreateAvatarVideoRequest{
		Avatar:      gen.VideoAvatar{AvatarType: gen.AvatarTypePublic, AvatarID: 81},
		Voice:       gen.VideoVoice{Type: gen.VoiceTypeScript, VoiceID: "en-US-ChristopherNeural", Script: "Hello!"},
		AspectRatio: gen.AspectRatioPortrait,
		ScreenStyle: gen.ScreenStyleFullScreen,
		Caption:     jogg.Ptr(true),
	})
	if err != nil {
		return "", err
	}
	video, err := client.WaitAvatarVideo(ctx, task.VideoID)
	if err != nil {
		return "", err
	}
	return video.VideoURL, nil
}

const (
	readmeSecret   = "whsec_abc123xyz"
	readmeDelivery = `{"event":"generated_avatar_video_success","event_id":"evt_1","timestamp":1732806631,
		"data":{"video_id":"video_123456","status":"completed","video_url":"https://res.jogg.ai/videos/video_123456.mp4"}}`
)

// deliver sends a delivery to handler as JoggAI would, and returns the status of the response.
func deliver(handler http.Handler) int {
	request := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(readmeDelivery))
	request.Header.Set(webhooks.EventHeader, "generated_avatar_video_success")
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(readmeDelivery), readmeSecret))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer.Code
}

func Example_receive() {
	handler, err := newReceiver(readmeSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(deliver(handler))
	fmt.Println(deliver(handler)) // the same event again
	// Output:
	// video_123456 is ready: https://res.jogg.ai/videos/video_123456.mp4
	// 200
	// 200
}

func Example_receiveDurably() {
	dir, err := os.MkdirTemp("", "jogg-inbox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, _ webhooks.Event, video *webhooks.VideoSucceeded) error {
		fmt.Println(video.VideoID, "is handled")
		cancel()
		return nil
	})
	handler, box, err := newDurableReceiver(ctx, readmeSecret, filepath.Join(dir, "inbox"), router)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer box.Close()

	fmt.Println(deliver(handler)) // on disk, not processed yet
	if err := box.Run(ctx, router); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 200
	// video_123456 is handled
}

func Example_createVideo() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fmt.Fprint(w, `{"code":0,"msg":"Success","data":{"video_id":"video_123456"}}`)
			return
		}
		fmt.Fprint(w, `{"code":0,"msg":"Success","data":{"video_id":"video_123456","status":"completed",
			"video_url":"https://res.jogg.ai/videos/video_123456.mp4"}}`)
	}))
	defer server.Close()

	client, err := jogg.New("key", jogg.WithBaseURL(server.URL), jogg.WithClock(instantClock{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(createVideo(context.Background(), client))
	// Output: https://res.jogg.ai/videos/video_123456.mp4 <nil>
}

// instantClock does not wait, because an example should not.
type instantClock struct{}

func (instantClock) Now() time.Time { return time.Now() }

func (instantClock) After(time.Duration) <-chan time.Time {
	due := make(chan time.Time, 1)
	due <- time.Now()
	return due
}
