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

// Checks whether a failed request may have been processed, before a program that pays for it sends it again.
func ExampleErrOutcomeUnknown() {
	lost := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if lost {
			lost = false
			panic(http.ErrAbortHandler) // the request has arrived, and the connection breaks before the response
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
			fmt.Println("the video may exist: wait for its webhook, or search for it, before creating it again")
		case errors.Is(err, jogg.ErrInsufficientCredit):
			fmt.Println("nothing was created: buy credits, then try again")
		case err != nil:
			fmt.Println("nothing was created:", err)
		}
	}
	// Output:
	// the video may exist: wait for its webhook, or search for it, before creating it again
	// nothing was created: buy credits, then try again
}
