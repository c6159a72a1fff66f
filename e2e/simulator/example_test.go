package simulator_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

var exampleRequest = gen.CreateAvatarVideoRequest{
	Avatar:      gen.VideoAvatar{AvatarID: 81, AvatarType: gen.AvatarTypePublic},
	Voice:       gen.VideoVoice{Type: gen.VoiceTypeScript, VoiceID: "en-US-ChristopherNeural", Script: "Hello there, everybody."},
	AspectRatio: gen.AspectRatioPortrait,
	ScreenStyle: gen.ScreenStyleFullScreen,
}

// A fake clock completes a video and delivers its event without any real waiting.
func Example() {
	ctx := context.Background()
	clock := clockwork.NewFakeClockAt(time.Unix(1_760_000_000, 0))
	sim, err := simulator.Start(simulator.WithClock(clock), simulator.WithAPIKey("key", 100))
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := jogg.New("key", jogg.WithBaseURL(sim.BaseURL()))
	if err != nil {
		log.Fatal(err)
	}

	delivered := make(chan string, 1)
	router := webhooks.NewRouter()
	webhooks.On(router, func(_ context.Context, event webhooks.Event, video *webhooks.VideoSucceeded) error {
		delivered <- fmt.Sprintf("%s: %.1f seconds", event.Type, video.Duration)
		return nil
	})
	secret, err := sim.AccountSecret("key") // signs deliveries to the webhook_url of tasks
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		log.Fatal(err)
	}
	receiver := httptest.NewServer(webhooks.NewHandler(verifier, router))
	defer receiver.Close()

	request := exampleRequest
	request.WebhookURL = receiver.URL
	task, err := client.CreateAvatarVideo(ctx, request)
	if err != nil {
		log.Fatal(err)
	}
	for _, wait := range []time.Duration{0, 2 * time.Second, 8 * time.Second} {
		clock.Advance(wait)
		video, err := client.GetAvatarVideo(ctx, task.VideoID)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(video.Status)
	}
	if err := sim.Settle(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-delivered)
	fmt.Println("violations:", len(sim.ContractViolations()))
	// Output:
	// pending
	// processing
	// completed
	// generated_avatar_video_success: 1.2 seconds
	// violations: 0
}

// The first call fails with an error code of the API, the second with the HTML page of a proxy.
func ExampleSimulator_FailNext() {
	sim, err := simulator.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := jogg.New(simulator.DefaultAPIKey, jogg.WithBaseURL(sim.BaseURL()))
	if err != nil {
		log.Fatal(err)
	}
	sim.FailNext("createAvatarVideo", simulator.Fault{Code: simulator.CodeInsufficientCredit}, simulator.ProxyPage(502))
	for range 2 {
		_, err := client.CreateAvatarVideo(context.Background(), exampleRequest)
		if apiErr, ok := errors.AsType[*jogg.APIError](err); ok {
			fmt.Println(apiErr.HTTPStatus, apiErr.Code, errors.Is(err, jogg.ErrInsufficientCredit))
		}
	}
	// Output:
	// 200 18020 true
	// 502 0 false
}

// Options vary the payload of an event in the ways that have been observed.
func ExampleSimulator_Trigger() {
	sim, err := simulator.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	event, err := sim.Trigger(webhooks.GeneratedVideoFailed, simulator.IDAsProjectID(), simulator.ErrorAsString(),
		simulator.EventID("evt_1"), simulator.Timestamp(time.Unix(1_732_806_631, 0)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Deliveries, "receivers")
	parsed, err := webhooks.Parse(event.Body)
	if err != nil {
		log.Fatal(err)
	}
	failed := parsed.Data.(*webhooks.VideoFailed)
	fmt.Println(parsed.ID, parsed.Time.Unix(), failed.Error.Message)
	// Output:
	// 0 receivers
	// evt_1 1732806631 the script could not be rendered: voice unavailable
}
