package jogg_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/jogg-go/jogg"
)

// Waits for a video, shows its progress, and distinguishes the three ways in which a wait can end without a video.
func ExampleClient_WaitAvatarVideo() {
	polls := 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		polls++
		if polls == 1 {
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

	video, err := client.WaitAvatarVideo(context.Background(), "vid_1",
		jogg.WithWaitLimit(20*time.Minute),
		jogg.WithPollInterval(jogg.Every(time.Millisecond)), // for this example; the default is the documented interval
		jogg.WithWaitProgress(func(p jogg.WaitProgress) { fmt.Println(p.ID, p.Status, p.State) }),
	)
	failed, ok := errors.AsType[*jogg.TaskError](err)
	switch {
	case ok:
		fmt.Println("the task failed:", failed.Reason.Message)
	case errors.Is(err, jogg.ErrWaitLimit), errors.Is(err, context.DeadlineExceeded):
		fmt.Println("not finished yet; wait again later with the same id:", err)
	case err != nil:
		fmt.Println("cannot tell:", err)
	default:
		fmt.Println(video.VideoURL)
	}
	// Output:
	// vid_1 processing running
	// vid_1 success succeeded
	// https://files.example/vid_1.mp4
}
