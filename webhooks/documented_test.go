package webhooks_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// delivery is a body and the event that it decodes to. Raw is not set in want, because it is always the body.
type delivery struct {
	body string
	want webhooks.Event
}

func (d delivery) event() webhooks.Event {
	ev := d.want
	ev.Raw = []byte(d.body)
	return ev
}

// documented returns a delivery of each event type whose payload was documented when this was written.
func documented() []delivery {
	var deliveries []delivery
	for _, kind := range []string{
		"generated_video", "generated_product_video", "generated_avatar_video", "generated_template_video", "generated_translate_video",
		"create_avatar", "generated_photo_avatar", "generated_product_avatar", "generated_script", "generated_image", "generated_motion",
	} {
		deliveries = append(deliveries, document(webhooks.EventType(kind+"_success")), document(webhooks.EventType(kind+"_failed")))
	}
	return deliveries
}

func document(event webhooks.EventType) delivery {
	data, want := documentedData(event)
	id := `"event_id":"evt_6f3a",`
	ev := webhooks.Event{ID: "evt_6f3a", Type: event, Time: time.Unix(1732806631, 0).UTC(), Data: want}
	switch want.(type) {
	case *webhooks.VideoSucceeded, *webhooks.VideoFailed, *webhooks.AvatarSucceeded, *webhooks.AvatarFailed:
	default: // script, image and motion events have no ID
		id, ev.ID = "", ""
	}
	return delivery{fmt.Sprintf(`{"event":%q,%s"timestamp":1732806631,"data":%s}`, event, id, data), ev}
}

func documentedData(event webhooks.EventType) (data string, want webhooks.Data) {
	succeeded := event.Succeeded()
	switch kind := strings.TrimSuffix(strings.TrimSuffix(string(event), "_success"), "_failed"); {
	case strings.HasSuffix(kind, "_video") && succeeded:
		return `{"video_id":"video_81","status":"completed","video_url":"https://cdn.example.com/81.mp4",` +
				`"cover_url":"https://cdn.example.com/81.jpg","duration":12.5}`,
			&webhooks.VideoSucceeded{
				VideoID: "video_81", Status: "completed", VideoURL: "https://cdn.example.com/81.mp4",
				CoverURL: "https://cdn.example.com/81.jpg", Duration: 12.5,
			}
	case strings.HasSuffix(kind, "_video"):
		return `{"video_id":"video_81","status":"failed","error":{"code":40003,"message":"voice is gone"}}`,
			&webhooks.VideoFailed{VideoID: "video_81", Status: "failed", Error: gen.WebhookError{Code: 40003, Message: "voice is gone"}}
	case strings.HasSuffix(kind, "_avatar") && succeeded:
		return `{"avatar_id":412,"status":"completed","preview_url":"https://cdn.example.com/412.mp4",` +
				`"cover_url":"https://cdn.example.com/412.jpg"}`,
			&webhooks.AvatarSucceeded{
				AvatarID: 412, Status: "completed", PreviewURL: "https://cdn.example.com/412.mp4", CoverURL: "https://cdn.example.com/412.jpg",
			}
	case strings.HasSuffix(kind, "_avatar"):
		return `{"avatar_id":412,"status":"failed","error":"no face found"}`,
			&webhooks.AvatarFailed{AvatarID: 412, Status: "failed", Error: gen.WebhookError{Message: "no face found"}}
	case strings.HasSuffix(kind, "_script") && succeeded:
		return `{"task_id":"task_7","status":"completed","scripts":[{"script_style":"Storytime","script_paragraphs":"Once."},` +
				`{"script_style":"Dialogue","script_paragraphs":"Who?"}]}`,
			&webhooks.ScriptSucceeded{TaskID: "task_7", Status: "completed", Scripts: []gen.GeneratedScript{
				{ScriptStyle: "Storytime", ScriptParagraphs: []string{"Once."}},
				{ScriptStyle: "Dialogue", ScriptParagraphs: []string{"Who?"}},
			}}
	case strings.HasSuffix(kind, "_script"):
		return `{"task_id":"task_7","status":"failed","error":"product page is empty"}`,
			&webhooks.ScriptFailed{TaskID: "task_7", Status: "failed", Error: gen.WebhookError{Message: "product page is empty"}}
	case strings.HasSuffix(kind, "_image") && succeeded:
		return `{"photo_id":"photo_5","photo_urls":["https://cdn.example.com/5a.png","https://cdn.example.com/5b.png"]}`,
			&webhooks.ImageSucceeded{PhotoID: "photo_5", PhotoURLs: []string{"https://cdn.example.com/5a.png", "https://cdn.example.com/5b.png"}}
	case strings.HasSuffix(kind, "_image"):
		return `{"photo_id":"photo_5","error":"prompt refused"}`,
			&webhooks.ImageFailed{PhotoID: "photo_5", Error: gen.WebhookError{Message: "prompt refused"}}
	case succeeded:
		return `{"motion_id":"motion_3","motion_url":"https://cdn.example.com/3.mp4","photo_url":"https://cdn.example.com/3.png"}`,
			&webhooks.MotionSucceeded{
				MotionID: "motion_3", MotionURL: "https://cdn.example.com/3.mp4", PhotoURL: "https://cdn.example.com/3.png",
			}
	default:
		return `{"motion_id":"motion_3","error":"too dark"}`,
			&webhooks.MotionFailed{MotionID: "motion_3", Error: gen.WebhookError{Message: "too dark"}}
	}
}
