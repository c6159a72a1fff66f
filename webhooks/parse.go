package webhooks

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

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
	d := newDecoder(body)
	defer d.release()

	if ev, ok := d.parseCompact(); ok {
		return ev, nil
	}
	return d.parse()
}

// parseCompact decodes the body by the compact reader, if that can read it.
func (d *decoder) parseCompact() (ev Event, ok bool) {
	if d.compact = mayBeCompact(d.body); !d.compact {
		return Event{}, false
	}
	ev.Raw = d.body
	return ev, d.event(&ev) == nil
}

// parse decodes the body by jsontext.
func (d *decoder) parse() (Event, error) {
	d.begin()
	ev := Event{Raw: d.body}
	if err := d.event(&ev); err != nil {
		return Event{}, d.payloadError(ev.Type, err)
	}
	return ev, nil
}

// event decodes the envelope. The data is decoded where it stands if the event type came before it, and at the end otherwise.
func (d *decoder) event(ev *Event) error {
	var late []byte // the data, where it came before the event type
	var lateStart int
	err := d.object(func(name string) (known bool, err error) {
		switch name {
		case "event":
			return true, d.eventType(&ev.Type)
		case "event_id":
			return true, text(d, &ev.ID)
		case "timestamp":
			return true, d.time(&ev.Time)
		case "data":
			if ev.Type == "" {
				late, lateStart, err = d.raw()
				return true, err
			}
			return true, d.eventData(ev)
		default:
			return false, d.skip()
		}
	})
	if err != nil {
		return err
	}
	if err := d.end(); err != nil {
		return err
	}
	if ev.Type == "" {
		return under("event", errMissing)
	}
	if late != nil {
		d.rewind(late, lateStart)
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
	if data != nil || err != nil {
		ev.Data = data
		return err
	}
	raw, _, err := d.raw()
	ev.Data = &Unknown{Data: raw}
	return err
}

// eventType reads the name of an event. A number will not do here.
func (d *decoder) eventType(t *EventType) error {
	if kind := d.kind(); kind == '0' || kind == 'n' {
		return fmt.Errorf("is %s, not a string", kindNames[kind])
	}
	if err := text(d, t); err != nil {
		return err
	}
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
