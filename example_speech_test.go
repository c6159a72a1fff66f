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

// Synthesizes speech from a text. Only the id and the status are documented, so the other fields are kept under their names.
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
		IdempotencyKey: "order-4711", // with a key of your own, a request repeated after a restart is recognized, too
	})
	if err != nil {
		log.Fatal(err)
	}
	speech, err := client.WaitSpeechTask(ctx, task.TaskID, jogg.WithPollInterval(jogg.Every(time.Millisecond))) // the default waits longer
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
