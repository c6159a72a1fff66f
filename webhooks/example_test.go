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

// deliver sends a signed delivery of body to handler and prints the status of the response.
func deliver(handler http.Handler, body, secret string) {
	request := httptest.NewRequest(http.MethodPost, "/jogg", strings.NewReader(body))
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(body), secret))
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	fmt.Println(recorder.Code, http.StatusText(recorder.Code))
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
	deliver(handler, exampleBody, exampleSecret) // redelivery: acknowledged, the function is not called
	// Output:
	// video_123456 plays for 30.5 seconds
	// 200 OK
	// 200 OK
}

// Accepting both secrets during a rotation loses no delivery.
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

// A body that is not an event is an error, which names the field and does not quote the payload.
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

// A field with an unexpected value is a problem of the event. Only an event without its identifying field cannot be decoded.
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

// Unknown lists undocumented fields. Decode Raw to read them.
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

// request is what an API gateway passes to a function: header names in lower case, and sometimes a base64-encoded body.
type request struct {
	Headers         map[string]string
	Body            string
	IsBase64Encoded bool
}

// A serverless function has no http.Handler. It verifies and decodes the delivery itself and returns a status code.
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
		if payloadErr, ok := errors.AsType[*webhooks.PayloadError](err); ok { // signed, but not an event: must not be lost
			ev = webhooks.Event{Raw: body, Data: &webhooks.Undecodable{Err: payloadErr}}
		} else if err != nil {
			return http.StatusUnauthorized
		}
		if err := router.Receive(ctx, ev); err != nil {
			return http.StatusInternalServerError // JoggAI redelivers the event
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

// A function for Data gets every event without a function of its own, including event types that this package does not know.
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

// The key of an event without an ID is the hash of its body.
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
	server.WriteTimeout = 20 * time.Second // change defaults before serving
	fmt.Println(server.ReadHeaderTimeout, server.WriteTimeout)
	// Output: 5s 20s
}
