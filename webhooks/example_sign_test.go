package webhooks_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/jogg-go/jogg/webhooks"
)

// library is the receiver under test. It stores the URLs of finished videos.
type library struct{ videos map[string]string }

func (l *library) handler(secret string) (http.Handler, error) {
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		return nil, err
	}
	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, _ webhooks.Event, video *webhooks.VideoSucceeded) error {
		l.videos[video.VideoID] = video.VideoURL
		return nil
	})
	return webhooks.NewHandler(verifier, router, webhooks.WithLogger(slog.New(slog.DiscardHandler))), nil
}

// A test signs deliveries with its own secret.
func ExampleSign() {
	const secret = "whsec_test"
	l := &library{videos: make(map[string]string)}
	handler, err := l.handler(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	body := `{"event":"generated_product_video_success","event_id":"evt_1","timestamp":1732806631,` +
		`"data":{"video_id":"video_1","status":"completed","video_url":"https://res.jogg.ai/videos/video_1.mp4"}}`

	for _, signature := range []string{webhooks.Sign([]byte(body), "whsec_forger"), webhooks.Sign([]byte(body), secret)} {
		request := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(body))
		request.Header.Set(webhooks.SignatureHeader, signature)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		fmt.Println(recorder.Code, l.videos)
	}
	// Output:
	// 401 map[]
	// 200 map[video_1:https://res.jogg.ai/videos/video_1.mp4]
}
