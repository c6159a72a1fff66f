package jogg_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// Has a voice read a text. The fields beside the id and the status are not documented, so they are kept under their names.
func ExampleClient_SynthesizeSpeech() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fmt.Fprint(w, `{"code":0,"data":{"task_id":"speech_1","status":"pending"}}`)
			return
		}
		fmt.Fprint(w, `{"code":0,"data":{"task_id":"speech_1","status":"success","audio_url":"https://files.example/speech_1.mp3"}}`)
	}))
	defer service.Close()
	client, err := jogg.New("your-api-key", jogg.WithBaseURL(service.URL))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	task, err := client.SynthesizeSpeech(ctx, gen.SynthesizeSpeechRequest{
		Text: "Two plus two is four.", VoiceID: "en-US-ChristopherNeural",
		IdempotencyKey: "order-4711", // one of your own also tells a restarted program's order from a new one
	})
	if err != nil {
		log.Fatal(err)
	}
	speech, err := client.WaitSpeechTask(ctx, task.TaskID, jogg.WithRhythm(jogg.Every(time.Millisecond))) // the default waits longer
	if err != nil {
		log.Fatal(err)
	}
	var audio string
	if err := json.Unmarshal(speech.AdditionalProperties["audio_url"], &audio); err != nil {
		log.Fatal(err)
	}
	fmt.Println(audio)
	// Output:
	// https://files.example/speech_1.mp3
}
