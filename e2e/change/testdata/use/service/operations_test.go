package service

import (
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

func TestNewOperations(t *testing.T) {
	_, client := start(t)
	order := gen.CreatePodcastRequest{Title: "Two voices", Speakers: []int64{81, 82}, Explicit: jogg.Ptr(false)}
	ids := map[string]bool{}
	for range 3 {
		task, err := client.CreatePodcast(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		ids[task.PodcastID] = true
	}
	if len(ids) != 3 || ids[""] {
		t.Fatalf("the ids are %v", ids)
	}
	for id := range ids {
		podcast, err := client.WaitPodcast(t.Context(), id, jogg.WithPollInterval(jogg.Every(time.Millisecond)))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "id", podcast.PodcastID, id)
		same(t, "state", jogg.StateOf(podcast.Status), jogg.Succeeded)
		file, err := http.Get(podcast.PodcastURL)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "file", file.StatusCode, http.StatusOK)
		if err := file.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	listed := map[string]bool{}
	for podcast, err := range client.Podcasts(t.Context(), gen.ListPodcastsParams{PageSize: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		listed[podcast.PodcastID] = true
	}
	same(t, "list", listed, ids)

	_, err := client.GetPodcast(t.Context(), "podcast_unknown")
	if !errors.Is(err, jogg.ErrNotFound) {
		t.Errorf("an unknown ID: %v", err)
	}
	_, err = client.CreatePodcast(t.Context(), gen.CreatePodcastRequest{Title: "No speaker"})
	if !errors.Is(err, jogg.ErrInvalidParameter) {
		t.Errorf("a request without a required field: %v", err)
	}
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
