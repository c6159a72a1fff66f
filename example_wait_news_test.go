package jogg_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/webhooks"
)

// Wakes up the wait for a video when its webhook arrives.
func ExampleWithNews() {
	var ready atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			fmt.Fprint(w, `{"code":0,"data":{"video_id":"vid_1","status":"processing"}}`)
			return
		}
		fmt.Fprint(w, `{"code":0,"data":{"video_id":"vid_1","status":"success","video_url":"https://files.example/vid_1.mp4"}}`)
	}))
	defer service.Close()
	client, err := jogg.New("your-api-key", jogg.WithBaseURL(service.URL))
	if err != nil {
		log.Fatal(err)
	}

	var news jogg.News // one for the whole program
	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, _ webhooks.Event, video *webhooks.VideoSucceeded) error {
		news.Tell(video.VideoID)
		return nil
	})
	webhooks.On(router, func(_ context.Context, _ webhooks.Event, video *webhooks.VideoFailed) error {
		news.Tell(video.VideoID)
		return nil
	})
	verifier, err := webhooks.NewVerifier("whsec_example")
	if err != nil {
		log.Fatal(err)
	}
	receiver := webhooks.NewHandler(verifier, router)

	video, err := client.WaitAvatarVideo(context.Background(), "vid_1", jogg.WithNews(&news),
		jogg.WithPollInterval(jogg.Every(10*time.Millisecond)), // for this example; keep the default
		jogg.WithWaitProgress(func(p jogg.WaitProgress) {
			fmt.Println("polled:", p.State)
			if p.State == jogg.Running { // JoggAI does this some minutes later
				ready.Store(true)
				announce(receiver, "whsec_example",
					`{"event":"generated_avatar_video_success","event_id":"evt_1","timestamp":1732806631,"data":{"video_id":"vid_1"}}`)
			}
		}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(video.VideoURL)
	// Output:
	// polled: running
	// polled: succeeded
	// https://files.example/vid_1.mp4
}

// announce sends a delivery to a receiver as the service would.
func announce(receiver http.Handler, secret, body string) {
	delivery := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(body))
	delivery.Header.Set("Content-Type", "application/json")
	delivery.Header.Set("X-Webhook-Event", "generated_avatar_video_success")
	delivery.Header.Set("X-Webhook-Signature", webhooks.Sign([]byte(body), secret))
	answer := httptest.NewRecorder()
	receiver.ServeHTTP(answer, delivery)
	if answer.Code != http.StatusOK {
		log.Fatal("the delivery was answered ", answer.Code)
	}
}
