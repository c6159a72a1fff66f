package webhooks_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/jogg-go/jogg/webhooks"
)

const exampleSecret = "whsec_abc123xyz"

const exampleBody = `{"event":"generated_avatar_video_success","event_id":"evt_1","timestamp":1732806631,"data":{"video_id":"video_123456",` +
	`"status":"completed","video_url":"https://res.jogg.ai/videos/video_123456.mp4","duration":30.5}}`

// deliver sends body to handler as JoggAI would and prints the answer.
func deliver(handler http.Handler, body, secret string) {
	request := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(body))
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(body), secret))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	fmt.Println(answer.Code, http.StatusText(answer.Code))
}

func ExampleNewHandler() {
	verifier, err := webhooks.NewVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, _ webhooks.Event, video *webhooks.VideoSucceeded) error {
		fmt.Println(video.VideoID, "plays for", video.Duration, "seconds")
		return nil
	})
	handler := webhooks.NewHandler(verifier, router)

	deliver(handler, exampleBody, exampleSecret)
	deliver(handler, exampleBody, exampleSecret) // again: answered, not handled
	// Output:
	// video_123456 plays for 30.5 seconds
	// 200 OK
	// 200 OK
}

// A secret is exchanged without losing a delivery by accepting both for a while.
func ExampleNewVerifier_rotation() {
	verifier, err := webhooks.NewVerifier("whsec_old", "whsec_new")
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(exampleBody)
	fmt.Println(verifier.Verify(body, webhooks.Sign(body, "whsec_old")))
	fmt.Println(verifier.Verify(body, webhooks.Sign(body, "whsec_new")))
	fmt.Println(verifier.Verify(body, webhooks.Sign(body, "whsec_other")))
	// Output:
	// <nil>
	// <nil>
	// webhooks: signature invalid
}

func ExampleVerifier_Unwrap() {
	verifier, err := webhooks.NewVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(exampleBody)
	header := http.Header{}
	header.Set(webhooks.EventHeader, "generated_avatar_video_success")
	header.Set(webhooks.SignatureHeader, webhooks.Sign(body, exampleSecret))

	ev, err := verifier.Unwrap(body, header)
	if err != nil {
		fmt.Println(err)
		return
	}
	switch data := ev.Data.(type) {
	case *webhooks.VideoSucceeded:
		fmt.Println(ev.Key(), data.VideoURL)
	case *webhooks.VideoFailed:
		fmt.Println(ev.Key(), data.Error.Message)
	}
	// Output: generated_avatar_video_success:evt_1 https://res.jogg.ai/videos/video_123456.mp4
}

// What is no event is an error, which says where and quotes nothing of the payload.
func ExampleParse_error() {
	_, err := webhooks.Parse([]byte(`{"event":["create_avatar_success"],"data":{"avatar_id":81}}`))
	fmt.Println(err)
	if payload, ok := errors.AsType[*webhooks.PayloadError](err); ok {
		fmt.Println(payload.Field)
	}
	// Output:
	// webhooks: event: field /event: is an array, not a string
	// /event
}

// A field that does not fit costs no more than itself. Only an event that lacks what it is about cannot be decoded.
func ExampleParse_problems() {
	for _, data := range []string{`{"video_id":"video_81","duration":"about a minute"}`, `{"videoID":"video_81"}`} {
		ev, err := webhooks.Parse([]byte(`{"event":"generated_avatar_video_success","data":` + data + `}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		switch data := ev.Data.(type) {
		case *webhooks.VideoSucceeded:
			fmt.Println(data.VideoID, data.Duration, ev.Problems[0].Field, ev.Problems[0].Err)
		case *webhooks.Undecodable:
			fmt.Println(data.Err)
		}
	}
	// Output:
	// video_81 0 /data/duration not a number
	// webhooks: event "generated_avatar_video_success": field /data/video_id: missing
}

// Fields that JoggAI has begun to send are reachable through Raw, and Unknown says that they are there.
func ExampleEvent_Unknown() {
	ev, err := webhooks.Parse([]byte(`{"event":"generated_avatar_video_success","data":{"video_id":"video_81","resolution":{"width":1080}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ev.Unknown())

	var more struct {
		Data struct {
			Resolution struct{ Width int }
		}
	}
	if err := json.Unmarshal(ev.Raw, &more); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(more.Data.Resolution.Width)
	// Output:
	// [/data/resolution]
	// 1080
}

// request is what an API gateway hands to a function: names of headers in lower case, and sometimes a body in base64.
type request struct {
	Headers         map[string]string
	Body            string
	IsBase64Encoded bool
}

// A function as a service has no http.Handler. It verifies and decodes a delivery by itself and answers with a status.
func ExampleVerifier_Unwrap_function() {
	verifier, err := webhooks.NewVerifier(exampleSecret)
	if err != nil {
		fmt.Println(err)
		return
	}
	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, _ webhooks.Event, video *webhooks.VideoSucceeded) error {
		fmt.Println(video.VideoURL)
		return nil
	})
	function := func(ctx context.Context, r request) (status int) {
		body := []byte(r.Body)
		if r.IsBase64Encoded {
			if body, err = base64.StdEncoding.DecodeString(r.Body); err != nil {
				return http.StatusBadRequest
			}
		}
		header := http.Header{}
		for name, value := range r.Headers {
			header.Set(name, value)
		}
		ev, err := verifier.Unwrap(body, header)
		if refused, ok := errors.AsType[*webhooks.PayloadError](err); ok { // signed, and no event: nothing of it may be lost
			ev = webhooks.Event{Raw: body, Data: &webhooks.Undecodable{Err: refused}}
		} else if err != nil {
			return http.StatusUnauthorized
		}
		if err := router.Receive(ctx, ev); err != nil {
			return http.StatusInternalServerError // JoggAI sends it again
		}
		return http.StatusOK
	}

	signature := webhooks.Sign([]byte(exampleBody), exampleSecret)
	fmt.Println(function(context.Background(), request{Headers: map[string]string{"x-webhook-signature": signature}, Body: exampleBody}))
	fmt.Println(function(context.Background(), request{Headers: map[string]string{"x-webhook-signature": "forged"}, Body: exampleBody}))
	// Output:
	// https://res.jogg.ai/videos/video_123456.mp4
	// 200
	// 401
}

// A function that takes Data gets every event that has no function of its own, also of types that this package does not know.
func ExampleOn_everythingElse() {
	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, ev webhooks.Event, data webhooks.Data) error {
		fmt.Printf("%s %T\n", ev.Type, data)
		return nil
	})
	for _, body := range []string{
		`{"event":"generated_motion_failed","timestamp":1732806631,"data":{"motion_id":"motion_1","error":"too dark"}}`,
		`{"event":"generated_hologram_success","timestamp":1732806631,"data":{"hologram_id":7}}`,
	} {
		ev, err := webhooks.Parse([]byte(body))
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := router.Receive(context.Background(), ev); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// generated_motion_failed *webhooks.MotionFailed
	// generated_hologram_success *webhooks.Unknown
}

// An event without an id has a key made of its body.
func ExampleEvent_Key() {
	ev, err := webhooks.Parse([]byte(`{"event":"generated_script_failed","timestamp":1732806631,"data":{"task_id":"task_1"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ev.ID == "", ev.Key()[:15]+"…")
	// Output: true sha256:00d516e8…
}

func ExampleNewServer() {
	server := webhooks.NewServer(":8080", http.NotFoundHandler())
	server.WriteTimeout = 20 * time.Second // what does not suit is changed before serving
	fmt.Println(server.ReadHeaderTimeout, server.WriteTimeout)
	// Output: 5s 20s
}
