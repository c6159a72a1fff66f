package jogg_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// Generates images with the request format of a provider. One method waits for the images of all providers.
func ExampleClient_GenerateImageOpenAI() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fmt.Fprint(w, `{"code":0,"data":{"task_id":"pt_1","vendor":"openai","type":"image","status":"queued","output_urls":[],"error":null}}`)
			return
		}
		fmt.Fprint(w, `{"code":0,"data":{"task_id":"pt_1","vendor":"openai","type":"image","status":"succeeded",
			"output_urls":["https://files.example/1.png","https://files.example/2.png"],"error":null}}`)
	}))
	defer service.Close()
	client, err := jogg.New("your-api-key", jogg.WithBaseURL(service.URL))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	task, err := client.GenerateImageOpenAI(ctx, gen.GenerateImageOpenAIRequest{
		Model: gen.OpenAIImageModelGPTImage2, Prompt: "A paper crane", N: 2, Size: gen.OpenAIImageSize1536X1024,
	})
	if err != nil {
		log.Fatal(err) // without its id, a task cannot be found again
	}
	images, err := client.WaitProviderImageTask(ctx, task.TaskID, jogg.WithPollInterval(jogg.Every(time.Millisecond))) // the default waits longer
	if err != nil {
		log.Fatal(err)
	}
	for _, url := range images.OutputURLs {
		fmt.Println(url)
	}
	// Output:
	// https://files.example/1.png
	// https://files.example/2.png
}
