package webhooks

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
)

// EventTypes returns the 22 event types that JoggAI documents, those of success before those of failure for each kind of work.
// JoggAI's own list, which can be longer, is read with the client's ListWebhookEvents.
func EventTypes() []EventType {
	return slices.Clone(eventTypes)
}

var eventTypes = []EventType{
	GeneratedVideoSuccess, GeneratedVideoFailed,
	GeneratedProductVideoSuccess, GeneratedProductVideoFailed,
	GeneratedAvatarVideoSuccess, GeneratedAvatarVideoFailed,
	GeneratedTemplateVideoSuccess, GeneratedTemplateVideoFailed,
	GeneratedTranslateVideoSuccess, GeneratedTranslateVideoFailed,
	CreateAvatarSuccess, CreateAvatarFailed,
	GeneratedPhotoAvatarSuccess, GeneratedPhotoAvatarFailed,
	GeneratedProductAvatarSuccess, GeneratedProductAvatarFailed,
	GeneratedScriptSuccess, GeneratedScriptFailed,
	GeneratedImageSuccess, GeneratedImageFailed,
	GeneratedMotionSuccess, GeneratedMotionFailed,
}

var (
	errMissing = errors.New("missing")
	errEmpty   = errors.New("empty")
)

// Parse decodes the body of a delivery. It verifies nothing: it is for bodies that are already trusted, such as those that a queue
// gives back. Use [Verifier.Unwrap] for what comes from the network.
//
// The body is one JSON object (RFC 8259) without duplicate names or invalid UTF-8 and with nothing behind it. It names its event
// and, if that event is known, has its data. Everything else is as tolerant as JoggAI is loose: an unknown event and unknown fields
// are accepted; an optional field may be null; an id is a string or a number; a number may stand in a string; an error is an object
// or a string; script paragraphs are one string or several; a missing timestamp leaves Time zero.
//
// The error is a [*PayloadError]. The event keeps body as its Raw, so body must not be changed afterwards. Its strings are
// cut out of one copy of the body: a string that is kept keeps that copy. Parse is safe for concurrent use.
func Parse(body []byte) (Event, error) {
	if !jsontext.Value(body).IsValid() {
		return Event{}, syntaxError(body)
	}
	d := decoder{json: string(body), escapes: bytes.IndexByte(body, '\\') >= 0}
	ev := Event{Raw: body}
	if err := d.event(&ev); err != nil {
		return Event{}, payloadError(ev.Type, err)
	}
	return ev, nil
}

// payloadError makes a PayloadError of what a decoder returned.
func payloadError(t EventType, err error) error {
	if field, ok := errors.AsType[*fieldError](err); ok {
		return &PayloadError{Type: t, Field: field.pointer, Err: field.err}
	}
	return &PayloadError{Type: t, Err: err}
}

// event decodes the envelope. The data is decoded where it stands if the event type came before it, and at the end otherwise.
func (d *decoder) event(ev *Event) error {
	if err := d.open(); err != nil {
		return err
	}
	late := 0 // where the data is, if it came before the event type
	for d.more() {
		name := d.quoted()
		var err error
		switch name {
		case "event":
			err = d.eventType(&ev.Type)
		case "event_id":
			err = text(d, &ev.ID)
		case "timestamp":
			err = d.time(&ev.Time)
		case "data":
			if ev.Type == "" {
				if d.next() != 'n' {
					late = d.pos
				}
				d.skip()
			} else {
				err = d.eventData(ev)
			}
		default:
			d.skip()
		}
		if err != nil {
			return under(name, err)
		}
	}
	if ev.Type == "" {
		return under("event", errMissing)
	}
	if late > 0 {
		d.pos = late
		if err := d.eventData(ev); err != nil {
			return under("data", err)
		}
	}
	if ev.Data == nil && ev.Type.Known() {
		return under("data", errMissing)
	}
	if ev.Data == nil {
		ev.Data = &Unknown{}
	}
	d.complete(ev.Data)
	return nil
}

// eventData decodes the data of an event whose type is known already.
func (d *decoder) eventData(ev *Event) error {
	data, err := d.data(ev.Type)
	if data == nil && err == nil {
		data = &Unknown{Data: d.raw(ev.Raw)}
	}
	ev.Data = data
	return err
}

// raw returns the next value as it stands in body, of which the decoder has the copy. null is nil.
func (d *decoder) raw(body []byte) []byte {
	kind := d.next()
	start := d.pos
	d.skip()
	if kind == 'n' {
		return nil
	}
	return body[start:d.pos:d.pos]
}

// eventType reads the name of an event. A number will not do here.
func (d *decoder) eventType(t *EventType) error {
	if d.next() != '"' {
		return d.unexpected("a string")
	}
	*t = EventType(d.quoted())
	if *t == "" {
		return errEmpty
	}
	return nil
}

// time reads Unix seconds.
func (d *decoder) time(t *time.Time) error {
	var seconds int64
	if err := d.integer(&seconds); err != nil {
		return err
	}
	if seconds != 0 {
		*t = time.Unix(seconds, 0).UTC()
	}
	return nil
}

// complete puts what arrived in an older field, or as a code in words, where a user looks for it.
func (d *decoder) complete(data Data) {
	switch v := data.(type) {
	case *VideoSucceeded:
		v.VideoID = cmp.Or(v.VideoID, v.ProjectID)
	case *VideoFailed:
		v.VideoID = cmp.Or(v.VideoID, v.ProjectID)
		d.completeError(&v.Error, v.ErrMsg)
	case *AvatarFailed:
		d.completeError(&v.Error, v.ErrMsg)
	case *ScriptFailed:
		d.completeError(&v.Error, v.ErrMsg)
	case *ImageFailed:
		d.completeError(&v.Error, v.ErrMsg)
	case *MotionFailed:
		d.completeError(&v.Error, v.ErrMsg)
	}
}

func (d *decoder) completeError(e *gen.WebhookError, errMsg string) {
	e.Message = cmp.Or(e.Message, errMsg, d.word)
}
