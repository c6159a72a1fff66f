package change

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// keepUndecodable receives an event whose identifying field was renamed, as in DeliveryGetsItsIDElsewhere, with this version of the
// library, which stores it as a dead letter. An environment variable passes the directory to the test that is built with the additions.
func keepUndecodable(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	quiet := slog.New(slog.DiscardHandler)
	box, err := inbox.Open(t.Context(), inbox.Options{Dir: dir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	}()
	const secret = "whsec_change"
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"event":"generated_motion_success","timestamp":1732806631,"data":{"clip_id":"clip_9","motion_url":"https://example.com/9.mp4"}}`
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(body), secret))
	recorder := httptest.NewRecorder()
	webhooks.NewHandler(verifier, box, webhooks.WithLogger(quiet)).ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		t.Fatalf("status code is %d", recorder.Code)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tried := make(chan struct{})
	ran := make(chan error, 1)
	router := webhooks.NewRouter()
	go func() {
		ran <- box.Run(ctx, webhooks.ReceiverFunc(func(ctx context.Context, ev webhooks.Event) error {
			defer close(tried)
			return router.Receive(ctx, ev)
		}))
	}()
	<-tried
	cancel() // Run returns once the result of the attempt is stored
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	stats, err := box.Stats(t.Context())
	if err != nil || stats.Dead != 1 {
		t.Fatalf("the inbox has %+v, %v; want one dead letter", stats, err)
	}
	t.Setenv("JOGG_CHANGE_INBOX", dir)
}
