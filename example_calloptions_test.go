package jogg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// echoExample stands in for a service that responds with what show returns for the request.
func echoExample(show func(req *http.Request) string) (*jogg.Client, func()) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Println(show(req))
		io.WriteString(w, `{"code":0,"rid":"4f2a","data":{"task_id":"t1","video_id":"v1"}}`)
	}))
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL))
	if err != nil {
		panic(err)
	}
	return client, server.Close
}

// Sets a field that the service has and the contract does not have yet.
func ExampleWithField() {
	client, end := echoExample(func(req *http.Request) string {
		body, _ := io.ReadAll(req.Body)
		return string(body)
	})
	defer end()

	_, err := client.CreateLipSyncVideo(context.Background(),
		gen.CreateLipSyncVideoRequest{VideoURL: "https://files.example/v.mp4", AudioURL: "https://files.example/a.mp3"},
		jogg.WithField("/watermark/position", "top"))
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"audio_url":"https://files.example/a.mp3","video_url":"https://files.example/v.mp4","watermark":{"position":"top"}}
}

func ExampleWithQuery() {
	client, end := echoExample(func(req *http.Request) string { return req.URL.String() })
	defer end()

	_, err := client.GetAvatarVideo(context.Background(), "v1", jogg.WithQuery("preview", "1"))
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// /v2/avatar_video/v1?preview=1
}

func ExampleWithHeader() {
	client, end := echoExample(func(req *http.Request) string { return req.Header.Get("X-Trace") })
	defer end()

	_, err := client.GetAvatarVideo(context.Background(), "v1", jogg.WithHeader("X-Trace", "7b1c"))
	if err != nil {
		fmt.Println(err)
	}
	_, err = client.GetAvatarVideo(context.Background(), "v1", jogg.WithHeader("X-Api-Key", "another"))
	fmt.Println(err)
	// Output:
	// 7b1c
	// jogg: GetAvatarVideo: WithHeader: X-Api-Key cannot be set
}

// Makes a single attempt for a page that a user waits for. The client's other calls are retried as before.
func ExampleWithCallRetry() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = client.GetCurrentUser(context.Background(), jogg.WithCallRetry(jogg.RetryPolicy{Attempts: 1}))
	fmt.Println(err)
	// Output:
	// jogg: GetCurrentUser: system error: Service Unavailable (HTTP 503)
}

// Inspects the response of a call. It is filled for a failed call, too.
func ExampleWithResponse() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ratelimit-Remaining", "11")
		io.WriteString(w, `{"code":10104,"msg":"record not found","rid":"4f2a"}`)
	}))
	defer server.Close()
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}

	var response jogg.Response
	_, err = client.GetAvatarVideo(context.Background(), "v1", jogg.WithResponse(&response))
	fmt.Println(errors.Is(err, jogg.ErrNotFound))
	fmt.Println(response.HTTPStatus, response.RequestID, response.Attempts, response.Header.Get("X-Ratelimit-Remaining"))
	fmt.Printf("%s\n", response.Body)
	// Output:
	// true
	// 200 4f2a 1 11
	// {"code":10104,"msg":"record not found","rid":"4f2a"}
}

// Lists the fields of a response that the contract does not have.
func ExampleResponse_Unknown() {
	server := serveExample(`{"code":0,"data":{"video_id":"v1","status":"success","hdr":true,"error":{"message":"","hint":""}}}`)
	defer server.Close()
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}

	var response jogg.Response
	if _, err = client.GetAvatarVideo(context.Background(), "v1", jogg.WithResponse(&response)); err != nil {
		fmt.Println(err)
		return
	}
	for _, field := range response.Unknown() {
		fmt.Println("not in the contract:", field)
	}
	// Output:
	// not in the contract: /data/hdr
	// not in the contract: /data/error/hint
}

// Calls an operation that the service has and the contract does not have yet.
func ExampleClient_Call() {
	server := serveExample(`{"code":0,"msg":"Success","data":{"hologram_id":"h1","depth":"3"}}`)
	defer server.Close()
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}

	body := map[string]any{"script": "Hello!"}
	var task struct {
		ID    string `json:"hologram_id"`
		Depth int    `json:"depth"`
	}
	err = client.Call(context.Background(), http.MethodPost, "/v2/create_hologram", body, &task)
	switch {
	case errors.Is(err, jogg.ErrInsufficientCredit):
		fmt.Println("time to buy credits")
	case errors.Is(err, jogg.ErrOutcomeUnknown):
		fmt.Println("it may have been made, and paid for:", err)
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(task.ID, task.Depth)
	}
	// Output:
	// h1 3
}

// Each poll of a wait is a call, and takes call options.
func ExampleWithCall() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Println("polled with trace", req.Header.Get("X-Trace"))
		io.WriteString(w, `{"code":0,"rid":"4f2a","data":{"video_id":"v1","status":"success"}}`)
	}))
	defer server.Close()
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}

	var last jogg.Response
	_, err = client.WaitAvatarVideo(context.Background(), "v1",
		jogg.WithCall(jogg.WithHeader("X-Trace", "7b1c"), jogg.WithResponse(&last)),
		jogg.WithPollInterval(jogg.Every(time.Millisecond))) // for this example; the default is the documented interval
	fmt.Println(err, last.RequestID)
	// Output:
	// polled with trace 7b1c
	// <nil> 4f2a
}

// counting is a transport that counts requests by operation. A transport can name spans the same way: e2e/tracing shows it with otelhttp.
type counting map[string]int

func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	c[jogg.OperationName(req.Context())]++
	return http.DefaultTransport.RoundTrip(req)
}

func ExampleOperationName() {
	server := serveExample(`{"code":0,"data":{"video_id":"v1","status":"success"}}`)
	defer server.Close()
	requests := counting{}
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL), jogg.WithHTTPClient(&http.Client{Transport: requests}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []string{"v1", "v2"} {
		if _, err := client.GetAvatarVideo(context.Background(), id); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(requests)
	// Output: map[GetAvatarVideo:2]
}

func ExampleClient_CloseIdleConnections() {
	client, end := echoExample(func(req *http.Request) string { return req.Method })
	defer end() // waits for connections that are in use, but not for idle ones
	if _, err := client.GetCurrentUser(context.Background()); err != nil {
		fmt.Println(err)
	}
	client.CloseIdleConnections() // for programs that no longer need the service, or tests that count goroutines at the end
	// Output:
	// GET
}
