package simulator

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jogg-go/jogg/gen"
)

// ErrUnknownEvent is returned by Redeliver if no retained event has the reference.
var ErrUnknownEvent = errors.New("simulator: no event has that reference")

// EventRecord is an event, whether or not it was delivered. Body holds the payload; printing the record with package fmt does not show it.
type EventRecord struct {
	Ref        string // assigned by the simulator, such as "event-7"; not sent
	Type       gen.EventType
	ID         string // the event_id sent, or ""
	TaskID     string // the task of the event, or ""
	Time       time.Time
	Body       []byte // the payload, as sent and signed
	Deliveries int    // number of receivers, without redeliveries
}

// String returns the Ref and the Type.
func (e EventRecord) String() string { return e.Ref + " " + string(e.Type) }

// GoString omits the payload.
func (e EventRecord) GoString() string { return fmt.Sprintf("simulator.EventRecord{%s}", e.String()) }

// event is immutable once it is published.
type event struct {
	ref            string
	kind           gen.EventType
	id             string
	header         string // value of X-Webhook-Event
	taskID         string
	account        *account
	webhookURL     string // receives the event besides the endpoints; "" for none
	onlyWebhookURL bool   // the event goes to webhookURL only
	time           time.Time
	body           []byte
}

// message is the payload of a delivery before it is encoded.
type message struct {
	Event     string         `json:"event"`
	EventID   any            `json:"event_id,omitzero"`
	Timestamp any            `json:"timestamp"`
	Data      map[string]any `json:"data"`
	Extra     map[string]any `json:",embed"`
}

// draft is the event that the options of Trigger change.
type draft struct {
	message    message
	body       []byte // replaces the encoded message if not nil
	header     string
	account    string
	webhookURL string
	forged     bool
}

// EventOption changes an event that Trigger sends. Options apply in order. One that changes a field has no effect on an event without it.
type EventOption func(*draft)

// ErrorAsString sets the error of a failure event to a string.
func ErrorAsString() EventOption {
	return func(d *draft) {
		if _, failed := d.message.Data["error"]; failed {
			d.message.Data["error"] = sampleReason.Message
		}
	}
}

// ErrorAsObject sets the error of a failure event to an object with code and message.
func ErrorAsObject() EventOption {
	return func(d *draft) {
		if _, failed := d.message.Data["error"]; failed {
			d.message.Data["error"] = errorObject(sampleReason)
		}
	}
}

// ErrorAsErrMsg replaces error in a failure event by the string err_msg.
func ErrorAsErrMsg() EventOption {
	return func(d *draft) {
		if _, failed := d.message.Data["error"]; failed {
			delete(d.message.Data, "error")
			d.message.Data["err_msg"] = sampleReason.Message
		}
	}
}

// IDAsProjectID sends a video's id as project_id instead of video_id.
func IDAsProjectID() EventOption {
	return func(d *draft) {
		if id, video := d.message.Data["video_id"]; video {
			delete(d.message.Data, "video_id")
			d.message.Data["project_id"] = id
		}
	}
}

var idFields = []string{"video_id", "project_id", "task_id", "photo_id", "motion_id", "avatar_id"}

// NumericIDs sends every id in the data as a number. A string is replaced by the number that its digits form.
func NumericIDs() EventOption {
	return func(d *draft) {
		for _, field := range idFields {
			if id, ok := d.message.Data[field].(string); ok {
				d.message.Data[field] = digits(id)
			}
		}
	}
}

// StringIDs sends every id in the data as a string.
func StringIDs() EventOption {
	return func(d *draft) {
		for _, field := range idFields {
			if id, ok := d.message.Data[field]; ok {
				d.message.Data[field] = fmt.Sprint(id)
			}
		}
	}
}

func digits(id string) int64 {
	n, _ := strconv.ParseInt(strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, id), 10, 64)
	return n
}

// FractionalDuration sends a video's duration with a fraction of 0.5 seconds.
func FractionalDuration() EventOption {
	return duration(func(s float64) float64 { return math.Floor(s) + 0.5 })
}

// WholeDuration sends a video's duration as a whole number of seconds.
func WholeDuration() EventOption { return duration(math.Round) }

func duration(change func(float64) float64) EventOption {
	return func(d *draft) {
		if seconds, ok := d.message.Data["duration"].(float64); ok {
			d.message.Data["duration"] = change(seconds)
		}
	}
}

// WithoutEventID omits event_id, as script, image and motion events do.
func WithoutEventID() EventOption { return func(d *draft) { d.message.EventID = nil } }

// EventID sets the event_id.
func EventID(id string) EventOption { return func(d *draft) { d.message.EventID = id } }

// Timestamp sets the timestamp, with a precision of seconds.
func Timestamp(t time.Time) EventOption { return func(d *draft) { d.message.Timestamp = t.Unix() } }

// ExtraFields adds undocumented fields to the envelope and to the data.
func ExtraFields() EventOption {
	return func(d *draft) {
		extra := map[string]any{"api_version": "2.1", "trace": map[string]any{"region": "eu-west", "hops": []any{1, 2}}}
		maps.Copy(extra, d.message.Extra)
		d.message.Extra = extra
		d.message.Data["render_engine"] = "v5"
		d.message.Data["resolution"] = map[string]any{"width": 1080, "height": 1920}
	}
}

// Data sets fields of the data. A field set to nil is sent as null.
func Data(fields map[string]any) EventOption {
	return func(d *draft) { maps.Copy(d.message.Data, fields) }
}

// Body replaces the payload by exactly these bytes. They are not validated against the contract.
func Body(body []byte) EventOption { return func(d *draft) { d.body = slices.Clone(body) } }

// EventHeader sets the header X-Webhook-Event, which otherwise is the type of the event.
func EventHeader(value string) EventOption { return func(d *draft) { d.header = value } }

// Forged signs each delivery with a new secret that no receiver knows.
func Forged() EventOption { return func(d *draft) { d.forged = true } }

// ToURL sends the event to this URL only. It is signed with the secret of the account's endpoint with the URL, or else with AccountSecret.
func ToURL(address string) EventOption { return func(d *draft) { d.webhookURL = address } }

// OfAccount sends the event to the endpoints of the account with the API key instead of the first account.
func OfAccount(key string) EventOption { return func(d *draft) { d.account = key } }

// Trigger sends an event that belongs to no task, with realistic data. It returns without waiting for the deliveries: see Settle. An
// unknown event type goes to every enabled endpoint. The error is ErrUnknownKey for OfAccount, or an error about data that cannot be
// generated or encoded.
func (s *Simulator) Trigger(eventType gen.EventType, options ...EventOption) (EventRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &draft{account: s.accounts[0].key, header: string(eventType)}
	if subjectOf(eventType) == subjectUnknown && s.contract.events[eventType] != nil {
		made, err := s.deriveMessage(eventType)
		if err != nil {
			return EventRecord{}, err
		}
		d.message = made
	} else {
		d.message = s.newMessage(eventType, s.clock.Now(), s.sampleData(eventType))
	}
	for _, option := range options {
		option(d)
	}
	a := s.accountOf(d.account)
	if a == nil {
		return EventRecord{}, ErrUnknownKey
	}
	e, err := s.newEvent(a, eventType, d.message)
	if err != nil {
		return EventRecord{}, err
	}
	e.header, e.webhookURL, e.onlyWebhookURL = d.header, d.webhookURL, d.webhookURL != ""
	if d.body != nil {
		e.body = d.body
	} else {
		s.checkEvent(e)
	}
	return e.record(s.publish(e, false, d.forged)), nil
}

// Redeliver sends an earlier event again, with the same payload, as the service may do even after a delivery was accepted. It goes to the
// endpoints that are enabled and subscribed now, and to the webhook_url of the task. An event of ToURL goes to its URL again. The error is
// ErrUnknownEvent.
func (s *Simulator) Redeliver(ref string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.ref == ref {
			s.publish(e, true, false)
			return nil
		}
	}
	return ErrUnknownEvent
}

// Events returns the events so far, oldest first, including those without a receiver. Only the last ones are retained: see WithLogSize.
func (s *Simulator) Events() []EventRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := map[*event]int{}
	for _, d := range s.deliveries {
		if !d.redelivery {
			sent[d.event]++
		}
	}
	records := make([]EventRecord, len(s.events))
	for i, e := range s.events {
		records[i] = e.record(sent[e])
	}
	return records
}

func (e *event) record(deliveries int) EventRecord {
	return EventRecord{
		Ref: e.ref, Type: e.kind, ID: e.id, TaskID: e.taskID, Time: e.time, Body: slices.Clone(e.body), Deliveries: deliveries,
	}
}

// publishTask sends the event of a task that has ended. s.mu is held.
func (s *Simulator) publishTask(t *task, eventType gen.EventType) {
	e, err := s.newEvent(t.account, eventType, s.newMessage(eventType, t.ended, s.taskData(t, eventType)))
	if err != nil {
		s.logger.Error("simulator: event not sent", "event", string(eventType), "error", err)
		return
	}
	e.taskID, e.webhookURL = t.id, t.spec.webhookURL
	s.checkEvent(e)
	s.publish(e, false, false)
}

func (s *Simulator) newMessage(eventType gen.EventType, at time.Time, data map[string]any) message {
	m := message{Event: string(eventType), Timestamp: at.Unix(), Data: data}
	switch subjectOf(eventType) {
	case subjectScript, subjectImage, subjectMotion:
	default:
		m.EventID = "evt_" + s.ids.hex(24)
	}
	return m
}

func (s *Simulator) newEvent(a *account, eventType gen.EventType, m message) (*event, error) {
	body, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("simulator: encode event %q: %w", string(eventType), err)
	}
	s.eventCount++
	e := &event{
		ref: fmt.Sprintf("event-%d", s.eventCount), kind: eventType, header: string(eventType), account: a, time: s.clock.Now(), body: body,
	}
	if m.EventID != nil {
		e.id = fmt.Sprint(m.EventID)
	}
	s.events = keepLast(append(s.events, e), s.config.logSize)
	return e, nil
}

// checkEvent validates the payload of an event against the contract and records a violation. s.mu is held.
func (s *Simulator) checkEvent(e *event) {
	if err := s.contract.checkDelivery(e.kind, e.body); err != nil {
		s.recordViolation("receiveDelivery", fmt.Errorf("%s: %w", e.kind, err))
	}
}

// publish sends an event to its receivers and returns their number. s.mu is held.
func (s *Simulator) publish(e *event, redelivery, forged bool) int {
	receivers := 0
	send := func(target *endpoint, address, secret string) {
		if forged {
			secret = s.ids.secret()
		}
		receivers++
		s.dispatch(&delivery{event: e, endpoint: target, url: address, secret: secret, redelivery: redelivery, forged: forged})
	}
	known := slices.Contains(s.eventTypes(), e.kind)
	hook := e.webhookURL
	for _, target := range e.account.endpoints {
		wanted := target.enabled && (!known || slices.Contains(target.events, e.kind))
		if e.onlyWebhookURL {
			wanted = target.url == hook
		}
		if !wanted {
			continue
		}
		send(target, target.url, target.secret)
		if target.url == e.webhookURL {
			hook = "" // the endpoint gets it already
		}
		if e.onlyWebhookURL {
			return receivers
		}
	}
	if hook != "" {
		send(nil, hook, e.account.secret)
	}
	s.notify()
	return receivers
}

// subject is the kind of resource that an event is about. It determines the fields of the data.
type subject int

const (
	subjectUnknown subject = iota // of an event type without implemented data
	subjectVideo
	subjectAvatar
	subjectScript
	subjectImage
	subjectMotion
)

func subjectOf(eventType gen.EventType) subject {
	name, _ := strings.CutSuffix(strings.TrimSuffix(string(eventType), "_failed"), "_success")
	switch name {
	case "generated_video", "generated_product_video", "generated_avatar_video", "generated_template_video", "generated_translate_video":
		return subjectVideo
	case "create_avatar", "generated_photo_avatar", "generated_product_avatar":
		return subjectAvatar
	case "generated_script":
		return subjectScript
	case "generated_image":
		return subjectImage
	case "generated_motion":
		return subjectMotion
	}
	return subjectUnknown
}

var sampleReason = Reason{Code: CodeSystem, Message: "the script could not be rendered: voice unavailable"}

// sampleData returns the event data of a generated task that has just ended.
func (s *Simulator) sampleData(eventType gen.EventType) map[string]any {
	prefix := map[subject]string{
		subjectVideo: "video", subjectScript: "task", subjectImage: "photo", subjectMotion: "motion", subjectAvatar: "avatar", subjectUnknown: "thing",
	}
	t := &task{id: s.ids.named(prefix[subjectOf(eventType)]), avatarID: s.ids.number(), ended: s.clock.Now()}
	t.spec = taskSpec{seconds: s.ids.seconds(), style: string(gen.ScriptStyleStorytime), subject: "FreeSip bottle"}
	t.spec.imageURL = s.media("photos", t.id, "png")
	if strings.HasSuffix(string(eventType), "_failed") {
		t.reason = &sampleReason
	}
	if subjectOf(eventType) == subjectUnknown {
		preview := map[string]any{"url": s.media("videos", t.id, "mp4"), "frames": 24}
		return map[string]any{"id": t.id, "status": "success", "preview": preview}
	}
	return s.taskData(t, eventType)
}

// taskData returns the event data of a task that has ended.
func (s *Simulator) taskData(t *task, eventType gen.EventType) map[string]any {
	status := defaultStatuses.spelled(s.config.spelling).succeeded
	if t.reason != nil {
		status = defaultStatuses.spelled(s.config.spelling).failed
	}
	data := map[string]any{"status": status}
	switch subjectOf(eventType) {
	case subjectVideo:
		data["video_id"] = t.id
		if t.reason == nil {
			data["video_url"], data["cover_url"], data["duration"] = s.video(t), s.cover(t), t.spec.seconds
		}
	case subjectAvatar:
		data["avatar_id"] = t.avatarID
		if t.reason == nil {
			data["preview_url"], data["cover_url"] = s.media("previews", t.id, "mp4"), s.cover(t)
		}
	case subjectScript:
		data["task_id"] = t.id
		if t.reason == nil {
			data["scripts"] = []any{map[string]any{"script_style": t.spec.style, "script_paragraphs": strings.Join(script(t.spec), "\n")}}
		}
	case subjectImage:
		delete(data, "status") // not documented for images and motions
		data["photo_id"] = t.id
		if t.reason == nil {
			data["photo_urls"] = s.photos(t)
		}
	case subjectMotion:
		delete(data, "status")
		data["motion_id"] = t.id
		if t.reason == nil {
			data["motion_url"], data["photo_url"] = s.media("motions", t.id, "mp4"), t.spec.imageURL
		}
	}
	if t.reason != nil {
		data["error"] = reasonIn(subjectOf(eventType), *t.reason)
	}
	return data
}

// reasonIn returns the error field: a string for images and motions, an object for all others. For avatars and scripts it is not
// documented.
func reasonIn(about subject, r Reason) any {
	if about == subjectImage || about == subjectMotion {
		return r.Message
	}
	return errorObject(r)
}

func errorObject(r Reason) map[string]any {
	return map[string]any{"code": r.Code, "message": r.Message}
}
