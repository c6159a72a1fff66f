// Package deliveries decodes deliveries with the additions.
package deliveries

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// received signs, verifies and decodes a delivery about a video with this data.
func received(t *testing.T, data string) *webhooks.VideoSucceeded {
	t.Helper()
	fields := `{"video_id":"v",` + strings.TrimPrefix(data, "{")
	return receivedAs[*webhooks.VideoSucceeded](t, webhooks.GeneratedVideoSuccess, fields)
}

func receivedAs[D webhooks.Data](t *testing.T, eventType webhooks.EventType, data string) D {
	t.Helper()
	const secret = "whsec_change"
	body, err := json.Marshal(map[string]any{
		"event": eventType, "event_id": "evt_1", "timestamp": time.Now().Unix(), "data": json.RawMessage(data),
	})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		t.Fatal(err)
	}
	event, err := verifier.Unwrap(body, http.Header{"X-Webhook-Signature": {webhooks.Sign(body, secret)}})
	if err != nil {
		t.Fatal(err)
	}
	decoded, ok := event.Data.(D)
	if !ok {
		t.Fatalf("data of %s is a %T", eventType, event.Data)
	}
	return decoded
}

func expect[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is %#v, want %#v", what, got, want)
	}
}

func TestDeliveryGetsABoolean(t *testing.T) {
	expect(t, "true", received(t, `{"watermarked":true}`).Watermarked, true)
	expect(t, "null", received(t, `{"watermarked":null}`).Watermarked, false)
}

func TestDeliveryGetsAnInt32(t *testing.T) {
	expect(t, "scenes", received(t, `{"scenes":2147483647}`).Scenes, int32(2147483647))
	expect(t, "null", received(t, `{"scenes":null}`).Scenes, int32(0))
}

func TestDeliveryGetsANumber(t *testing.T) {
	expect(t, "loudness", received(t, `{"loudness":-14.5}`).Loudness, -14.5)
}

func TestDeliveryGetsANullable(t *testing.T) {
	video := received(t, `{"licence":null,"reviewed":null,"rank":null,"duration":2.5}`)
	expect(t, "the field after", video.Duration, 2.5)
	for name, value := range map[string]string{"licence": `"CC0"`, "reviewed": "true", "rank": "3"} {
		text, err := json.Marshal(received(t, `{"`+name+`":`+value+`}`))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, name, string(text), `{"`+name+`":`+value+`,"video_id":"v"}`)
	}
}

func TestDeliveryGetsAnInlineObject(t *testing.T) {
	video := received(t, `{"dimensions":{"width":1920,"height":1080,"more":[1]}}`)
	expect(t, "width", video.Dimensions.Width, 1920)
	expect(t, "height", video.Dimensions.Height, 1080)
	expect(t, "the field beside null", received(t, `{"dimensions":null,"duration":2.5}`).Duration, 2.5)
}

func TestDeliveryGetsANamedObject(t *testing.T) {
	video := received(t, `{"intro":{"title":"Hello","starts_at":0.5,"speaker":{"avatar_id":"81","languages":["en",null,"de"]}}}`)
	expect(t, "title", video.Intro.Title, "Hello")
	expect(t, "beginning", video.Intro.StartsAt, 0.5)
	expect(t, "speaker", video.Intro.Speaker.AvatarID, int64(81))
	expect(t, "first language", video.Intro.Speaker.Languages[0], "en")
}

func TestDeliveryGetsAListOfObjects(t *testing.T) {
	var chapters []gen.VideoChapter = received(t, `{"chapters":[{"title":"One"},{"title":"Two","speaker":{"avatar_id":5}}]}`).Chapters
	expect(t, "chapters", len(chapters), 2)
	expect(t, "title", chapters[0].Title, "One")
	expect(t, "speaker", chapters[1].Speaker.AvatarID, int64(5))
	expect(t, "null", len(received(t, `{"chapters":null}`).Chapters), 0)
}

func TestDeliveryGetsAMap(t *testing.T) {
	expect(t, "labels", received(t, `{"labels":{"team":"red","":"empty"}}`).Labels, map[string]string{"team": "red", "": "empty"})
	expect(t, "null", len(received(t, `{"labels":null}`).Labels), 0)
}

func TestDeliveryGetsAFreeFormValue(t *testing.T) {
	for _, value := range []string{`{"a":[1,"x",null]}`, `"text"`, `7`, `true`} {
		text, err := json.Marshal(received(t, `{"extra":`+value+`}`).Extra)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "extra", string(text), value)
	}
}

func TestDeliveryGetsAUnion(t *testing.T) {
	for _, value := range []string{`{"message":"words"}`, `{"script_style":"Data"}`} {
		text, err := json.Marshal(received(t, `{"mixture":`+value+`}`).Mixture)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "mixture", string(text), value)
	}
}

func TestNewEventWithDataOfItsOwn(t *testing.T) {
	podcast := receivedAs[*webhooks.PodcastSucceeded](t, webhooks.GeneratedPodcastSuccess,
		`{"podcast_id":77,"podcast_url":"https://example.com/p.mp3","explicit":true}`)
	expect(t, "id", podcast.PodcastID, "77")
	expect(t, "explicit", podcast.Explicit, true)
	expect(t, "being listed", slices.Contains(webhooks.EventTypes(), webhooks.GeneratedPodcastSuccess), true)
}

func TestNewEventWithKnownData(t *testing.T) {
	trailer := receivedAs[*webhooks.VideoSucceeded](t, webhooks.GeneratedTrailerSuccess, `{"video_id":"v"}`)
	expect(t, "id", trailer.VideoID, "v")
	expect(t, "being listed", slices.Contains(webhooks.EventTypes(), webhooks.GeneratedTrailerSuccess), true)
}
