package simulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
)

func TestProviderTasksHaveTheRequestedResults(t *testing.T) {
	b := start(t, simulator.WithPostLimit(0, time.Minute))
	images := map[string]int{"generateImageGoogle": 3, "generateImageArk": 1, "generateImageOpenAI": 2}
	for operation, requestBody := range providerRequests {
		t.Run(operation, func(t *testing.T) {
			b := &bench{T: t, sim: b.sim, clock: b.clock, client: b.client}
			kind, read, wantType, want := "video", "getProviderVideoTask", "video/mp4", 1
			if n, isImage := images[operation]; isImage {
				kind, read, wantType, want = "image", "getProviderImageTask", "image/png", n
			}
			vendor := strings.ToLower(operation[len("generateVideo"):])
			before := b.must(b.post(pathOf(operation), requestBody))
			id := before.text("task_id")
			if before.text("vendor") != vendor || before.text("type") != kind || !strings.Contains(requestBody, `"`+before.text("model")+`"`) {
				t.Errorf("the POST returns %s", before.body)
			}
			b.advance(10 * time.Second)
			r := b.must(b.get(pathOf(read, id)))
			urls, _ := r.data["output_urls"].([]any)
			if len(urls) != want {
				t.Fatalf("%d results, want %d: %s", len(urls), want, r.body)
			}
			seen := map[any]bool{}
			for _, address := range urls {
				seen[address] = true
				if contentType, body := b.download(address.(string)); contentType != wantType || http.DetectContentType(body) != wantType {
					t.Errorf("%s is %s", address, contentType)
				}
			}
			if len(seen) != want {
				t.Errorf("the same result twice: %v", urls)
			}
			other := map[string]string{"image": "getProviderVideoTask", "video": "getProviderImageTask"}[kind]
			if r := b.get(pathOf(other, id)); r.code != simulator.CodeNotFound {
				t.Errorf("%s finds it: %s", other, r.body)
			}
		})
	}
}

func TestProviderTaskErrorIsAString(t *testing.T) {
	b := start(t)
	_, path := b.begin(simulator.KindProviderVideo, simulator.Plan{Fail: &simulator.Reason{Code: 1, Message: "provider refused the prompt"}})
	b.advance(10 * time.Second)
	if r := b.get(path); r.data["error"] != "provider refused the prompt" || !strings.Contains(r.body, `"output_urls":[]`) {
		t.Errorf("response %s", r.body)
	}
}

// Results are in the simulator's storage, so they can be the input of another request.
func TestResultsCanBeUsedInAnotherRequest(t *testing.T) {
	b := start(t)
	_, path := b.begin(simulator.KindProviderImages)
	b.advance(10 * time.Second)
	image := b.must(b.get(path)).data["output_urls"].([]any)[0].(string)
	b.must(b.post(pathOf("generateVideoRunway"), strings.Replace(providerRequests["generateVideoRunway"], "https://res.jogg.ai/assets/crane.png", image, 1)))
}
