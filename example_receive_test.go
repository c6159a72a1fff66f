package jogg_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/jogg-go/jogg/webhooks"
)

func newReceiver(secret string) (http.Handler, error) {
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		return nil, err
	}
	router := webhooks.NewRouter()
	webhooks.On(router, func(ctx context.Context, ev webhooks.Event, video *webhooks.VideoSucceeded) error {
		fmt.Println(video.VideoID, "is ready:", video.VideoURL)
		return nil
	})
	return webhooks.NewHandler(verifier, router), nil
}
