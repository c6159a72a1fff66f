package simulator_test

import (
	"bytes"
	"image/png"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
)

var discard = slog.New(slog.DiscardHandler)

// fetch sends a request without the API key, to the second host or the console.
func (b *bench) fetch(method, address string, header http.Header, body io.Reader) reply {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), method, address, body)
	if err != nil {
		b.Fatal(err)
	}
	maps.Copy(request.Header, header)
	response, err := b.client.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	return b.open(response)
}

func (b *bench) upload(requestBody string) (sign, asset string) {
	b.Helper()
	r := b.must(b.post(pathOf("createAssetUpload"), requestBody))
	return r.text("sign_url"), r.text("asset_url")
}

var asPNG = http.Header{"Content-Type": {"image/png"}}

func TestUploadsCanBeDownloaded(t *testing.T) {
	b := start(t)
	sign, asset := b.upload(`{"filename":"Mine.PNG","content_type":"image/png","file_size":5}`)
	for _, address := range []string{sign, asset} {
		if !strings.HasPrefix(address, b.sim.MediaURL()) {
			t.Errorf("%s is not on the second host", address)
		}
	}
	if !strings.HasSuffix(asset, ".png") {
		t.Errorf("asset %s", asset)
	}
	if r := b.fetch(http.MethodGet, asset, nil, nil); r.status != http.StatusNotFound {
		t.Errorf("before the upload: %d", r.status)
	}
	if r := b.fetch(http.MethodPut, sign, asPNG, strings.NewReader("bytes")); r.status != http.StatusOK || r.header.Get("ETag") == "" {
		t.Fatalf("PUT returns %d: %s", r.status, r.body)
	}
	if r := b.fetch(http.MethodGet, asset, nil, nil); r.status != http.StatusOK || r.body != "bytes" || r.header.Get("Content-Type") != "image/png" {
		t.Errorf("download: %d %v %q", r.status, r.header, r.body)
	}
	b.fetch(http.MethodPut, sign, asPNG, strings.NewReader("again"))
	if r := b.fetch(http.MethodGet, asset, nil, nil); r.body != "again" {
		t.Errorf("after a second PUT: %q", r.body)
	}
}

func TestInvalidUploadsAreRejected(t *testing.T) {
	withKey := http.Header{"Content-Type": {"image/png"}, "X-Api-Key": {key}}
	for name, c := range map[string]struct {
		header http.Header
		body   io.Reader
		change func(string) string
		wait   time.Duration
		status int
	}{
		"API key sent along":  {withKey, strings.NewReader("bytes"), nil, 0, http.StatusForbidden},
		"other Content-Type":  {http.Header{"Content-Type": {"image/jpeg"}}, strings.NewReader("bytes"), nil, 0, http.StatusForbidden},
		"wrong signature":     {asPNG, strings.NewReader("bytes"), func(s string) string { return s + "0" }, 0, http.StatusForbidden},
		"unknown asset":       {asPNG, strings.NewReader("bytes"), func(s string) string { return strings.Replace(s, "/upload/", "/upload/x", 1) }, 0, http.StatusForbidden},
		"expired":             {asPNG, strings.NewReader("bytes"), nil, 15 * time.Minute, http.StatusForbidden},
		"other size":          {asPNG, strings.NewReader("more bytes"), nil, 0, http.StatusBadRequest},
		"no Content-Length":   {asPNG, io.MultiReader(strings.NewReader("bytes")), nil, 0, http.StatusLengthRequired},
		"more than the limit": {asPNG, bytes.NewReader(make([]byte, 10<<20+1)), nil, 0, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t)
			sign, asset := b.upload(`{"filename":"a.png","content_type":"image/png","file_size":5}`)
			b.clock.Advance(c.wait)
			if c.change != nil {
				sign = c.change(sign)
			}
			r := b.fetch(http.MethodPut, sign, c.header, c.body)
			if r.status != c.status || !strings.Contains(r.body, "<Error>") {
				t.Errorf("returns %d: %s", r.status, r.body)
			}
			refusals := b.sim.UploadRejections()
			if len(refusals) != 1 || refusals[0].Status != c.status || refusals[0].KeyLeaked != (name == "API key sent along") || refusals[0].Reason == "" {
				t.Errorf("refusals %+v", refusals)
			}
			if r := b.fetch(http.MethodGet, asset, nil, nil); r.status != http.StatusNotFound {
				t.Errorf("the rejected upload can be downloaded: %d", r.status)
			}
		})
	}
}

func TestInvalidUploadRequestsAreRejected(t *testing.T) {
	b := start(t)
	for requestBody, parameter := range map[string]string{
		`{"filename":"a.exe","content_type":"application/x-msdownload"}`:           "content_type",
		`{"filename":" ","content_type":"image/png"}`:                              "filename",
		`{"filename":"a.png","content_type":"image/png","file_size":10485761}`:     "file_size",
		`{"filename":"a.mp4","content_type":"video/mp4","file_size":104857601}`:    "file_size",
		`{"filename":"a.mp3","content_type":"audio/mpeg","file_size":20971521}`:    "file_size",
		`{"filename":"a.png","content_type":"image/png","file_size":0}`:            "file_size",
		`{"content_type":"image/png"}`:                                             "filename",
		`{"filename":"a.png","content_type":"image/png; charset","file_size":"x"}`: "file_size",
	} {
		if r := b.post(pathOf("createAssetUpload"), requestBody); r.code != simulator.CodeInvalidParameter || !strings.Contains(r.msg, "parameter "+parameter) {
			t.Errorf("%s: %s", requestBody, r.body)
		}
	}
	for _, requestBody := range []string{
		`{"filename":"a.png","content_type":"image/png","file_size":10485760}`, `{"filename":"a.mov","content_type":"video/quicktime","file_size":104857600}`,
		`{"filename":"../../etc/a.m4a?x","content_type":"audio/x-m4a"}`,
	} {
		sign, _ := b.upload(requestBody)
		if strings.Contains(sign, "..") || strings.Contains(sign, "etc") {
			t.Errorf("%s: %s", requestBody, sign)
		}
	}
}

func TestMediaOfFinishedTasksMatchesItsExtension(t *testing.T) {
	b := start(t)
	id := b.createAvatarVideo()
	if r := b.get(pathOf("getAvatarVideo", id)); strings.Contains(r.body, "video_url") {
		t.Errorf("an unfinished video has a URL: %s", r.body)
	}
	b.advance(10 * time.Second)
	video := b.must(b.get(pathOf("getAvatarVideo", id)))
	mp4 := b.fetch(http.MethodGet, video.text("video_url"), nil, nil)
	if mp4.header.Get("Content-Type") != "video/mp4" || mp4.body[4:8] != "ftyp" {
		t.Errorf("video: %v %q", mp4.header, mp4.body)
	}
	cover := b.fetch(http.MethodGet, video.text("cover_url"), nil, nil)
	if picture, err := png.Decode(strings.NewReader(cover.body)); err != nil || picture.Bounds().Empty() {
		t.Errorf("cover: %v", err)
	}
	voice := b.must(b.get(pathOf("listVoices"))).data["voices"].([]any)[0].(map[string]any)["audio_url"].(string)
	if wav := b.fetch(http.MethodGet, voice, nil, nil); !strings.HasPrefix(wav.body, "RIFF") {
		t.Errorf("voice: %q", wav.body)
	}
	for _, address := range []string{strings.Replace(video.text("video_url"), id, "video_1", 1), b.sim.MediaURL() + "/videos/video_1.mp4", b.sim.MediaURL() + "/x/y"} {
		if r := b.fetch(http.MethodGet, address, nil, nil); r.status != http.StatusNotFound {
			t.Errorf("%s, which was not issued, returns %d", address, r.status)
		}
	}
}
