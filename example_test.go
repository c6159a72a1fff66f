package jogg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// serveExample stands in for the service.
func serveExample(answer string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) }))
}

func ExampleNew() {
	server := serveExample(`{"code":0,"msg":"Success","data":{"email":"user@example.com","username":"johndoe"}}`)
	defer server.Close()

	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL)) // without this option, the client calls the real service
	if err != nil {
		fmt.Println(err)
		return
	}
	user, err := client.GetCurrentUser(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(user.Username)
	// Output:
	// johndoe
}

// Tells kinds of errors apart. The service sends most errors with HTTP status 200, which makes no difference.
func ExampleAPIError() {
	server := serveExample(`{"code":18020,"msg":"Insufficient credit, 3 more needed","rid":"4f2a","data":null}`)
	defer server.Close()
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = client.CreateAvatarVideo(context.Background(), gen.CreateAvatarVideoRequest{})
	if errors.Is(err, jogg.ErrInsufficientCredit) {
		fmt.Println("time to buy credits")
	}
	if refused, ok := errors.AsType[*jogg.APIError](err); ok {
		fmt.Println("for support:", refused.Operation, refused.RequestID)
	}
	fmt.Println(err)
	// Output:
	// time to buy credits
	// for support: CreateAvatarVideo 4f2a
	// jogg: CreateAvatarVideo: insufficient credit: Insufficient credit, 3 more needed (HTTP 200, code 18020, request 4f2a)
}

func ExampleWithRetry() {
	failures := 2
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if failures--; failures >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, `{"code":0,"data":{"remaining_quota":12.5}}`)
	}))
	defer server.Close()

	for _, policy := range []jogg.RetryPolicy{
		{Attempts: 1},                          // no retries
		{Attempts: 10, Base: time.Millisecond}, // more and sooner than by default
	} {
		client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL), jogg.WithRetry(policy))
		if err != nil {
			fmt.Println(err)
			return
		}
		quota, err := client.GetRemainingQuota(context.Background())
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(quota.RemainingQuota)
	}
	// Output:
	// jogg: GetRemainingQuota: system error: Service Unavailable (HTTP 503)
	// 12.5
}

// Limits the rate of POST requests across all goroutines of a program. Real programs pass PostsPerMinute.
func ExampleWithPacing() {
	server := serveExample(`{"code":0,"data":{"video_id":"video_123456"}}`)
	defer server.Close()
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL), jogg.WithPacing(6000))
	if err != nil {
		fmt.Println(err)
		return
	}

	begin := time.Now()
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			if _, err := client.CreateAvatarVideo(context.Background(), gen.CreateAvatarVideoRequest{}); err != nil {
				fmt.Println(err)
			}
		})
	}
	group.Wait()
	fmt.Println("one each 10ms:", time.Since(begin) >= 40*time.Millisecond)
	// Output:
	// one each 10ms: true
}

func ExampleWithLogger() {
	server := serveExample(`{"code":0,"rid":"7c1e","data":{"remaining_quota":12.5}}`)
	defer server.Close()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" {
				return slog.Attr{} // differs each time
			}
			return a
		},
	}))
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL), jogg.WithLogger(logger))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.GetRemainingQuota(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: level=DEBUG msg="jogg: attempt" operation=GetRemainingQuota method=GET path=/v2/user/remaining_quota attempt=1 status=200 code=0 request_id=7c1e
}

// Registers a webhook endpoint on each start of a program: it is created once and kept.
func ExampleClient_EnsureWebhookEndpoint() {
	service := &account{events: []gen.EventType{gen.EventTypeGeneratedAvatarVideoSuccess, gen.EventTypeGeneratedAvatarVideoFailed}}
	server := httptest.NewServer(service)
	defer server.Close()
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}

	for range 2 {
		hook, err := client.EnsureWebhookEndpoint(context.Background(), "https://example.com/jogg", gen.EventTypeGeneratedAvatarVideoSuccess)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(hook.EndpointID, hook.Status, hook.Events)
	}
	// Output:
	// wh_1 enabled [generated_avatar_video_success]
	// wh_1 enabled [generated_avatar_video_success]
}

// Sets an optional field whose zero value has a meaning, and which therefore is a pointer.
func ExamplePtr() {
	order := gen.CreateAvatarVideoRequest{Caption: jogg.Ptr(false)}
	fmt.Println(*order.Caption)
	// Output:
	// false
}
