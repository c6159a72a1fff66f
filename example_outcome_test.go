package jogg_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// A program that pays for what it creates asks what became of a request that failed before it orders once more.
func ExampleErrOutcomeUnknown() {
	lost := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if lost {
			lost = false
			panic(http.ErrAbortHandler) // the order arrived, and the connection breaks before it is answered
		}
		fmt.Fprint(w, `{"code":18020,"msg":"3 credits are missing"}`)
	}))
	defer server.Close()
	client, err := jogg.New("jogg-api-key", jogg.WithBaseURL(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}

	for range 2 {
		_, err := client.CreateAvatarVideo(context.Background(), gen.CreateAvatarVideoRequest{VideoName: "order 4711"})
		switch {
		case errors.Is(err, jogg.ErrOutcomeUnknown):
			fmt.Println("the video may be under way: wait for its webhook, or look for it, before ordering again")
		case errors.Is(err, jogg.ErrInsufficientCredit):
			fmt.Println("nothing was ordered: buy credits, then order again")
		case err != nil:
			fmt.Println("nothing was ordered:", err)
		}
	}
	// Output:
	// the video may be under way: wait for its webhook, or look for it, before ordering again
	// nothing was ordered: buy credits, then order again
}
