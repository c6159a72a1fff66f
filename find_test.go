package jogg_test

import (
	"errors"
	"testing"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

func TestNothingFoundIsNotFoundInEveryForm(t *testing.T) {
	params := gen.FindLipSyncVideoParams{VideoURL: "https://files.test/v.mp4", AudioURL: "https://files.test/a.mp3"}
	for _, body := range []string{`{"code":10104,"msg":"record not found","data":null}`, `{"code":0,"data":null}`, `{"code":0}`} {
		video, err := newClient(t, responses(body)).FindLipSyncVideo(t.Context(), params)
		if video != nil || !errors.Is(err, jogg.ErrNotFound) {
			t.Errorf("%s: %v, %v", body, video, err)
		}
	}
	if _, err := newClient(t, responses(`{"code":0,"data":null}`)).GetLipSyncVideo(t.Context(), "t"); err == nil || errors.Is(err, jogg.ErrNotFound) {
		t.Errorf("a response without data to a look-up by id: %v", err)
	}
}
