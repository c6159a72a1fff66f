// Package readme runs an example of the README against the simulator. It is not among the examples of package jogg, because the imports of
// a package's tests are recorded in the go.sum of every program that uses it.
package readme_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
)

func sayAndDraw(ctx context.Context, client *jogg.Client, dir string) error {
	speech, err := client.SynthesizeSpeech(ctx, gen.SynthesizeSpeechRequest{Text: "Hello!", VoiceID: "en-US-ChristopherNeural"})
	if err != nil {
		return err
	}
	if speech, err = client.WaitSpeechTask(ctx, speech.TaskID); err != nil {
		return err
	}
	var url string // the name audio_url is a guess: JoggAI does not document it
	if err := json.Unmarshal(speech.AdditionalProperties["audio_url"], &url); err != nil {
		return err
	}
	if err := download(ctx, url, filepath.Join(dir, "hello.wav")); err != nil {
		return err
	}

	image, err := client.GenerateImageOpenAI(ctx, gen.GenerateImageOpenAIRequest{Model: gen.OpenAIImageModelGPTImage2, Prompt: "A paper crane"})
	if err != nil {
		return err
	}
	if image, err = client.WaitProviderImageTask(ctx, image.TaskID); err != nil {
		return err
	}
	return download(ctx, image.OutputURLs[0], filepath.Join(dir, "crane.png"))
}

// download saves a file. The request is a plain GET, which must not have the API key.
func download(ctx context.Context, url, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("download %s: %s", name, resp.Status)
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, resp.Body)
	return errors.Join(err, file.Close())
}

// instantClock makes every wait return immediately.
type instantClock struct{}

func (instantClock) Now() time.Time { return time.Now() }

func (instantClock) After(time.Duration) <-chan time.Time {
	done := make(chan time.Time, 1)
	done <- time.Now()
	return done
}

// Synthesizes speech and generates an image, waits for both, and downloads them.
func Example_sayAndDraw() {
	dir, err := os.MkdirTemp("", "jogg-readme")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	sim, err := simulator.Start(simulator.WithDurations(0, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()
	client, err := jogg.New(simulator.DefaultAPIKey, jogg.WithBaseURL(sim.BaseURL()), jogg.WithClock(instantClock{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := sayAndDraw(context.Background(), client, dir); err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"hello.wav", "crane.png"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(name, "is", http.DetectContentType(content))
	}
	credits, _ := sim.Credits(simulator.DefaultAPIKey)
	fmt.Println(1000-credits, "credits were spent,", len(sim.ContractViolations()), "responses violated the contract")
	// Output:
	// hello.wav is audio/wave
	// crane.png is image/png
	// 1.5 credits were spent, 0 responses violated the contract
}
