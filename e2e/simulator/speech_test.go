package simulator_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
)

// download downloads a file from the second host.
func (b *bench) download(address string) (contentType string, body []byte) {
	b.Helper()
	response, err := b.client.Do(must(http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)))
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("GET %s returns %d, error %v", address, response.StatusCode, err)
	}
	return response.Header.Get("Content-Type"), body
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestSpeechCanBeDownloadedAndTranscribed(t *testing.T) {
	b := start(t)
	id := b.must(b.post(pathOf("synthesizeSpeech"), speechRequest)).text("task_id")
	if r := b.must(b.get(pathOf("getSpeechTask", id))); strings.Contains(r.body, "_url") {
		t.Errorf("unfinished speech has files: %s", r.body)
	}
	b.advance(10 * time.Second)
	speech := b.must(b.get(pathOf("getSpeechTask", id)))
	contentType, audio := b.download(speech.text("audio_url"))
	if contentType != "audio/wav" || http.DetectContentType(audio) != "audio/wave" || !bytes.HasPrefix(audio, []byte("RIFF")) {
		t.Errorf("the recording is %s: %q…", contentType, audio[:12])
	}
	if _, subtitles := b.download(speech.text("subtitle_url")); !strings.Contains(string(subtitles), "-->") ||
		!strings.Contains(string(subtitles), "Two plus two is four. So it is.") {
		t.Errorf("subtitles %s", subtitles)
	}
	if speech.data["duration_seconds"] != 3.2 {
		t.Errorf("eight words take %v seconds", speech.data["duration_seconds"])
	}

	requestBody := `{"audio_url":"` + speech.text("audio_url") + `","duration_seconds":3.2}`
	heard := b.must(b.post(pathOf("transcribeAudio"), requestBody)).text("task_id")
	b.advance(10 * time.Second)
	r := b.must(b.get(pathOf("getTranscriptionTask", heard)))
	if r.text("text") != "Two plus two is four. So it is." {
		t.Errorf("transcription %s", r.body)
	}
	segments, _ := r.data["segments"].([]any)
	if len(segments) != 2 {
		t.Fatalf("segments %v", r.data["segments"])
	}
	first, last := segments[0].(map[string]any), segments[1].(map[string]any)
	if first["start"] != 0.0 || first["text"] != "Two plus two is four." || first["end"] != last["start"] || last["end"] != 3.2 {
		t.Errorf("segments %v", segments)
	}
}

func TestAudioIsChargedByDuration(t *testing.T) {
	b := start(t)
	long := strings.Repeat("word ", 151) // 0.4 seconds per word: a little more than a minute
	for _, c := range []struct {
		operation, body string
		want            float64
	}{
		{"synthesizeSpeech", speechRequest, 0.5},
		{"synthesizeSpeech", `{"text":"` + long + `","voice_id":"v"}`, 1},
		{"transcribeAudio", strings.Replace(transcriptionRequest, "61", "60", 1), 0.5},
		{"transcribeAudio", transcriptionRequest, 1},
	} {
		before := must(b.sim.Credits(key))
		b.must(b.post(pathOf(c.operation), c.body))
		if spent := before - must(b.sim.Credits(key)); spent != c.want {
			t.Errorf("%s of %.40s…: %v credits, want %v", c.operation, c.body, spent, c.want)
		}
	}
}

func TestLipSyncVideoIsFoundByItsInput(t *testing.T) {
	b := start(t, simulator.WithAPIKey("other", 10))
	find := func(apiKey, video, playback string) reply {
		query := url.Values{"video_url": {video}, "audio_url": {"https://example.com/a.mp3"}}
		if playback != "" {
			query.Set("playback_type", playback)
		}
		return b.call(apiKey, http.MethodGet, pathOf("findLipSyncVideo")+"?"+query.Encode(), "")
	}
	const video = "https://example.com/v.mp4"
	b.must(b.post(pathOf("createLipSyncVideo"), lipSyncRequest))
	newest := b.must(b.post(pathOf("createLipSyncVideo"), withField(lipSyncRequest, `"playback_type":"normal"`))).text("task_id")
	reversed := b.must(b.post(pathOf("createLipSyncVideo"), withField(lipSyncRequest, `"playback_type":"normal_reverse"`))).text("task_id")
	for _, c := range []struct{ key, video, playback, want string }{
		{key, video, "", newest},
		{key, video, "normal", newest},
		{key, video, "normal_reverse", reversed},
		{key, "https://example.com/other.mp4", "", ""},
		{key, video, "normal_reverse_by_audio", ""},
		{"other", video, "", ""},
	} {
		r := find(c.key, c.video, c.playback)
		if r.text("task_id") != c.want || c.want == "" && r.code != simulator.CodeNotFound {
			t.Errorf("%+v: %s", c, r.body)
		}
	}
	b.advance(10 * time.Second)
	if found, read := find(key, video, ""), b.get(pathOf("getLipSyncVideo", newest)); asJSON(t, found.data) != asJSON(t, read.data) || found.text("status") != "success" {
		t.Errorf("found %s, read %s", found.body, read.body)
	}
}
