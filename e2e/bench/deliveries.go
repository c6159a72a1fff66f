package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jogg-go/jogg/webhooks"

	"github.com/jogg-go/jogg/e2e/bench/stock"
)

const secret = "whsec_abc123xyz"

// delivery is a fixed delivery.
type delivery struct {
	name   string
	body   []byte
	header http.Header
}

func newDelivery(event webhooks.EventType, id, data string) delivery {
	if id != "" {
		id = fmt.Sprintf(`"event_id":%q,`, id)
	}
	body := fmt.Appendf(nil, `{"event":%q,%s"timestamp":1732806631,"data":%s}`, event, id, data)
	header := http.Header{}
	header.Set(webhooks.EventHeader, string(event))
	header.Set(webhooks.SignatureHeader, webhooks.Sign(body, secret))
	return delivery{string(event), body, header}
}

var video = newDelivery(webhooks.GeneratedAvatarVideoSuccess, "evt_6f1d2c3b4a5948f7", `{"video_id":"video_123456","status":"completed",`+
	`"video_url":"https://res.jogg.ai/videos/video_123456.mp4","cover_url":"https://res.jogg.ai/covers/video_123456.jpg","duration":30.5}`)

// script returns a script event whose body has about size bytes.
func script(size int) delivery {
	paragraph := strings.Repeat("Sip or swig with one spout, and it stays cold for a day. ", 8)
	var scripts []string
	for n := 200; n < size; n += len(paragraph) + 60 {
		scripts = append(scripts, fmt.Sprintf(`{"script_style":"Storytime","script_paragraphs":%q}`, paragraph))
	}
	return newDelivery(webhooks.GeneratedScriptSuccess, "", `{"task_id":"task_123456","status":"completed","scripts":[`+strings.Join(scripts, ",")+`]}`)
}

var tenShapes = []delivery{
	video,
	newDelivery(webhooks.GeneratedAvatarVideoFailed, "evt_6f1d2c3b4a5948f7",
		`{"video_id":"video_123456","status":"failed","error":{"code":50000,"message":"the voice could not be rendered"}}`),
	newDelivery(webhooks.GeneratedPhotoAvatarSuccess, "evt_6f1d2c3b4a5948f7",
		`{"avatar_id":123456,"status":"completed","preview_url":"https://res.jogg.ai/p/123.mp4","cover_url":"https://res.jogg.ai/c/123.jpg"}`),
	newDelivery(webhooks.GeneratedPhotoAvatarFailed, "evt_6f1d2c3b4a5948f7",
		`{"avatar_id":123456,"status":"failed","error":{"code":50000,"message":"no face was found in the photo"}}`),
	newDelivery(webhooks.GeneratedScriptSuccess, "", `{"task_id":"task_123456","status":"completed","scripts":[{"script_style":"Storytime",`+
		`"script_paragraphs":"Meet the bottle that keeps up with you. Sip or swig with one spout. Get yours today!"}]}`),
	newDelivery(webhooks.GeneratedScriptFailed, "", `{"task_id":"task_123456","status":"failed","error":"the product page could not be read"}`),
	newDelivery(webhooks.GeneratedImageSuccess, "",
		`{"photo_id":"photo_123456","photo_urls":["https://res.jogg.ai/photos/1.png","https://res.jogg.ai/photos/2.png"]}`),
	newDelivery(webhooks.GeneratedImageFailed, "", `{"photo_id":"photo_123456","error":"the prompt was refused"}`),
	newDelivery(webhooks.GeneratedMotionSuccess, "",
		`{"motion_id":"motion_123456","motion_url":"https://res.jogg.ai/m/1.mp4","photo_url":"https://res.jogg.ai/photos/1.png"}`),
	newDelivery(webhooks.GeneratedMotionFailed, "", `{"motion_id":"motion_123456","error":"the photo is too dark"}`),
}

// variants returns deliveries of the first type with other JSON.
func variants() []delivery {
	escaped := newDelivery(webhooks.GeneratedAvatarVideoSuccess, "evt_6f1d2c3b4a5948f7", strings.ReplaceAll(string(dataOf(video.body)), "/v", `\/v`))
	escaped.name = "the first, with 3 escapes"
	more := newDelivery(webhooks.GeneratedAvatarVideoSuccess, "evt_6f1d2c3b4a5948f7", strings.Replace(string(dataOf(video.body)), "{", `{"new":{"id":1},`, 1))
	more.name = "the first, with an object that the contract does not know"
	spread := newDelivery(webhooks.GeneratedAvatarVideoSuccess, "evt_6f1d2c3b4a5948f7", strings.ReplaceAll(string(dataOf(video.body)), ",", ",\n"))
	spread.name = "the first, with line breaks"
	return []delivery{escaped, more, spread}
}

// floor is the minimum cost of verification: the HMAC of the body, with an initialized key.
func floor(body []byte) contender {
	mac := hmac.New(sha256.New, []byte(secret))
	var sum []byte
	return contender{"HMAC alone (the floor)", func() error {
		mac.Reset()
		mac.Write(body)
		sum = mac.Sum(sum[:0])
		return nil
	}}
}

func unwrap(d delivery) (contender, error) {
	verifier, err := webhooks.NewVerifier(secret)
	return contender{"jogg `Unwrap`", func() error {
		_, err := verifier.Unwrap(d.body, d.header)
		return err
	}}, err
}

var errInvalid = errors.New("not valid")

// validation checks whether a body is valid JSON, without decoding it.
func validation(body []byte) contender {
	return contender{"jsontext validates the body, without decoding", func() error {
		if !jsontext.Value(body).IsValid() {
			return errInvalid
		}
		return nil
	}}
}

// generated is the code that oapi-codegen generates from the contract, with the verification that JoggAI's guides show.
func generated(d delivery) contender {
	return contender{"oapi-codegen's union, verified as in the guides", func() error {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(d.body)
		if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(d.header.Get(webhooks.SignatureHeader))) {
			return errInvalid
		}
		var union stock.Delivery
		if err := json.Unmarshal(d.body, &union); err != nil {
			return err
		}
		_, err := union.ValueByDiscriminator()
		return err
	}}
}

// peers compares the verification and decoding of a small event with other libraries, which use an event of their own.
func peers(ctx context.Context, m meter) error {
	ours, err := unwrap(video)
	if err != nil {
		return err
	}
	others, err := peerLibraries()
	if err != nil {
		return err
	}
	contenders := append([]contender{floor(video.body), ours, validation(video.body), generated(video)}, others...)
	results, err := m.measure(ctx, contenders)
	if err != nil {
		return err
	}
	title(fmt.Sprintf("Verify and decode one small event (ours has %d bytes)", len(video.body)))
	fmt.Println("| | ns | ± | × floor | × jogg | bytes | allocations |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for i, c := range contenders {
		r := results[i]
		fmt.Printf("| %s | %d | %.0f %% | %.1f | %.1f | %d | %d |\n",
			c.name, r.time.Nanoseconds(), 100*r.spread, r.ratio(results[0]), r.ratio(results[1]), r.bytes, r.allocs)
	}
	return nil
}

// againstFloor prints a line for each delivery that compares Unwrap with the HMAC of the same body.
func againstFloor(ctx context.Context, m meter, deliveries []delivery) error {
	fmt.Println("| event | bytes | HMAC, ns | `Unwrap`, ns | × floor | allocations |\n| --- | ---: | ---: | ---: | ---: | ---: |")
	for _, d := range deliveries {
		ours, err := unwrap(d)
		if err != nil {
			return err
		}
		results, err := m.measure(ctx, []contender{floor(d.body), ours})
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d | %d | %d | %.1f | %d |\n", d.name, len(d.body), results[0].time.Nanoseconds(), results[1].time.Nanoseconds(),
			results[1].ratio(results[0]), results[1].allocs)
	}
	return nil
}

func shapes(ctx context.Context, m meter) error {
	title("`Unwrap` of each event, compared with the HMAC of the same body")
	return againstFloor(ctx, m, slices.Concat(tenShapes, variants(), []delivery{script(64 << 10)}))
}

func payloads(ctx context.Context, m meter) error {
	title("`Unwrap` by payload size")
	var deliveries []delivery
	for _, size := range []int{300, 3 << 10, 30 << 10, 300 << 10, 1 << 20} {
		deliveries = append(deliveries, script(size))
	}
	return againstFloor(ctx, m, deliveries)
}
