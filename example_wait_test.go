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

// Waits for a video, shows how it gets on, and tells the three ways apart in which a wait can end without one.
func ExampleClient_WaitAvatarVideo() {
	looks := 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		looks++
		if looks == 1 {
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
		jogg.WithRhythm(jogg.Every(time.Millisecond)), // for this example; the default keeps to what the documentation asks for
		jogg.WithWaitProgress(func(p jogg.WaitProgress) { fmt.Println(p.ID, p.Status, p.State) }),
	)
	var failed *jogg.TaskError
	switch {
	case errors.As(err, &failed):
		fmt.Println("the service could not make it:", failed.Reason.Message)
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
