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

// ErrUnknownEvent is returned by Redeliver for a reference that belongs to no event that is still kept.
var ErrUnknownEvent = errors.New("simulator: no event has that reference")

// EventRecord is something that happened and was told to those who wanted to know. It holds the payload, so it is not for logs.
type EventRecord struct {
	Ref        string // the simulator's own, such as "event-7"; it is not sent
	Type       gen.EventType
	ID         string // the event_id sent, or ""
	TaskID     string // the task it is about, or ""
	Time       time.Time
	Body       []byte // what is sent and signed
	Deliveries int    // how many receivers it was sent to at first
}

func (e EventRecord) String() string { return e.Ref + " " + string(e.Type) }

// GoString leaves the payload out.
func (e EventRecord) GoString() string { return fmt.Sprintf("simulator.EventRecord{%s}", e.String()) }

// event does not change.
type event struct {
	ref            string
	kind           gen.EventType
	id             string
	header         string // what X-Webhook-Event says
	taskID         string
	account        *account
	webhookURL     string // sent there as well, if not ""
	onlyWebhookURL bool   // sent nowhere but to hook
	time           time.Time
	body           []byte
}

// message is the body of a delivery before it is encoded.
type message struct {
	Event     string         `json:"event"`
	EventID   any            `json:"event_id,omitzero"`
	Timestamp any            `json:"timestamp"`
	Data      map[string]any `json:"data"`
	Extra     map[string]any `json:",embed"`
}

// draft is an event that Trigger is about to send, for its options to change.
type draft struct {
	message    message
	body       []byte // instead of the message
	header     string
	account    string
	webhookURL string
	forged     bool
}

// EventOption varies an event that Trigger sends.
type EventOption func(*draft)

// ErrorAsString gives the reason of a failure as a plain string.
func ErrorAsString() EventOption {
	return func(d *draft) {
		if _, failed := d.message.Data["error"]; failed {
			d.message.Data["error"] = sampleReason.Message
		}
	}
}

// ErrorAsObject gives the reason of a failure as an object with code and message.
func ErrorAsObject() EventOption {
	return func(d *draft) {
		if _, failed := d.message.Data["error"]; failed {
			d.message.Data["error"] = errorObject(sampleReason)
		}
	}
}

// ErrorAsErrMsg gives the reason of a failure in err_msg instead of error.
func ErrorAsErrMsg() EventOption {
	return func(d *draft) {
		if _, failed := d.message.Data["error"]; failed {
			delete(d.message.Data, "error")
			d.message.Data["err_msg"] = sampleReason.Message
		}
	}
}

// IDAsProjectID gives a video's id in project_id instead of video_id.
func IDAsProjectID() EventOption {
	return func(d *draft) {
		if id, video := d.message.Data["video_id"]; video {
			delete(d.message.Data, "video_id")
			d.message.Data["project_id"] = id
		}
	}
}

var idFields = []string{"video_id", "project_id", "task_id", "photo_id", "motion_id", "avatar_id"}

// NumericIDs gives every id in the data as a number: an id that is none is replaced by the digits in it.
func NumericIDs() EventOption {
	return func(d *draft) {
		for _, field := range idFields {
			if id, ok := d.message.Data[field].(string); ok {
				d.message.Data[field] = digits(id)
			}
		}
	}
}

// StringIDs gives every id in the data as a string.
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

// FractionalDuration gives a video's duration with a fraction.
func FractionalDuration() EventOption {
	return duration(func(s float64) float64 { return math.Floor(s) + 0.5 })
}

// WholeDuration gives a video's duration without a fraction.
func WholeDuration() EventOption { return duration(math.Round) }

func duration(change func(float64) float64) EventOption {
	return func(d *draft) {
		if seconds, ok := d.message.Data["duration"].(float64); ok {
			d.message.Data["duration"] = change(seconds)
		}
	}
}

// WithoutEventID leaves event_id out, as script, image and motion events do.
func WithoutEventID() EventOption { return func(d *draft) { d.message.EventID = nil } }

// EventID gives the event_id.
func EventID(id string) EventOption { return func(d *draft) { d.message.EventID = id } }

// Timestamp gives the time at which the event says it happened.
func Timestamp(t time.Time) EventOption { return func(d *draft) { d.message.Timestamp = t.Unix() } }

// ExtraFields adds fields that nobody documented, beside the data and within it.
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

// Body sends exactly these bytes, whatever they are. They are not held against the contract.
func Body(body []byte) EventOption { return func(d *draft) { d.body = slices.Clone(body) } }

// EventHeader makes X-Webhook-Event say something else than the body.
func EventHeader(value string) EventOption { return func(d *draft) { d.header = value } }

// Forged signs the delivery with a secret that nobody was given.
func Forged() EventOption { return func(d *draft) { d.forged = true } }

// ToURL sends the event to the URL and nowhere else, signed with the secret of the endpoint that has the URL, or else with the
// account's.
func ToURL(address string) EventOption { return func(d *draft) { d.webhookURL = address } }

// OfAccount sends the event to the endpoints of the account with the key, instead of the first account's.
func OfAccount(key string) EventOption { return func(d *draft) { d.account = key } }

// Trigger sends an event that no task of the simulator brought about, with data that look like the service's. The type can be one that
// nobody knows; it then goes to every enabled endpoint. The error is ErrUnknownKey, or says that the data cannot be encoded.
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

// Redeliver sends an earlier event again, as the service may do even after it was accepted: the same bytes, to whoever gets such events
// now. The error is ErrUnknownEvent.
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

// Events returns the events so far, oldest first, whether or not somebody wanted to know of them. Only the last ones are kept: see
// WithLogSize.
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

// publishTask tells the outcome of a task. s.mu is held.
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

// checkEvent holds the body of an event against the contract. s.mu is held.
func (s *Simulator) checkEvent(e *event) {
	if err := s.contract.checkDelivery(e.kind, e.body); err != nil {
		s.recordViolation("receiveDelivery", fmt.Errorf("%s: %w", e.kind, err))
	}
}

// publish sends an event to everybody who is to know, and returns how many that are. s.mu is held.
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
			hook = "" // it is told already
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

// subject is what an event is about, which decides the fields of its data.
type subject int

const (
	subjectUnknown subject = iota // an event type that nobody knows
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

// sampleData makes up a task that ended just now, and tells of it.
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

// taskData tells of a task that has ended, in the fields that its event has.
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

// reasonIn is an object for videos and a plain string for images and motions. For avatars and scripts it is not documented.
func reasonIn(about subject, r Reason) any {
	if about == subjectImage || about == subjectMotion {
		return r.Message
	}
	return errorObject(r)
}

func errorObject(r Reason) map[string]any {
	return map[string]any{"code": r.Code, "message": r.Message}
}
