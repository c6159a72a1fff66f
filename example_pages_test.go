package jogg_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// Ranges over all voices of a language. Pages are fetched as the loop reaches them; leaving the loop early skips the rest.
func ExampleClient_Voices() {
	pages := map[string]string{
		"1": `{"code":0,"data":{"voices":[{"voice_id":"v1","name":"Ava"},{"voice_id":"v2","name":"Ben"}],"has_more":true}}`,
		"2": `{"code":0,"data":{"voices":[{"voice_id":"v3","name":"Cleo"}],"has_more":false}}`,
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("fetching page", r.FormValue("page"))
		fmt.Fprint(w, pages[r.FormValue("page")])
	}))
	defer service.Close()
	client, err := jogg.New("your-api-key", jogg.WithBaseURL(service.URL))
	if err != nil {
		log.Fatal(err)
	}

	for voice, err := range client.Voices(context.Background(), gen.ListVoicesParams{Language: "english"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(voice.VoiceID, voice.Name)
	}
	// Output:
	// fetching page 1
	// v1 Ava
	// v2 Ben
	// fetching page 2
	// v3 Cleo
}
