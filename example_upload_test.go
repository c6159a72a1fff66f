package jogg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/jogg-go/jogg"
)

// Uploads a recording and prints the URL that refers to it in other operations. A file from [os.Open] is uploaded the same way.
func ExampleClient_Upload() {
	storage := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stored, err := io.Copy(io.Discard, r.Body)
		fmt.Println("stored:", stored, r.Header.Get("Content-Type"), err)
	}))
	defer storage.Close()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"code":0,"data":{"sign_url":"%s/1?sig=4f2a","asset_url":"https://files.example/1.mp3"}}`, storage.URL)
	}))
	defer service.Close()
	client, err := jogg.New("your-api-key", jogg.WithBaseURL(service.URL))
	if err != nil {
		log.Fatal(err)
	}

	asset, err := client.Upload(context.Background(), "voice.mp3", strings.NewReader("not quite an MP3"),
		jogg.WithUploadProgress(func(sent, total int64) { fmt.Printf("sent: %d of %d\n", sent, total) }))
	if tooLarge, ok := errors.AsType[*jogg.UploadLimitError](err); ok {
		log.Fatal("make it smaller than ", tooLarge.Limit, " bytes")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("use:", asset.URL)
	// Output:
	// sent: 16 of 16
	// stored: 16 audio/mpeg <nil>
	// use: https://files.example/1.mp3
}
