package webhooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
)

// EventType is the name of what a delivery is about, such as "generated_avatar_video_success". It is open: a name that this package does not
// know is kept as it arrived. [EventTypes] lists those that JoggAI documents.
type EventType = gen.EventType

// Event is one decoded delivery.
type Event struct {
	// ID identifies the event. It is "" where JoggAI sent none, as on script, image and motion events.
	ID string
	// Type names the event and decides the type of Data. It is "" in an event that a handler made of a body that is none, see [Undecodable].
	Type EventType
	// Time is when it happened, zero where JoggAI did not say it.
	Time time.Time
	// Data is a pointer to one of the data types, never nil in an Event that Parse or Unwrap returned.
	Data Data
	// Raw is the body exactly as it was signed, undocumented fields included. It is not to be changed.
	Raw []byte
	// Problems lists the fields of the body that hold something else than they should, in their order. They have their zero value in the
	// event; Raw has what arrived. It is nil if there are none.
	Problems []*PayloadError
}

// Key returns what is equal for every redelivery of an event and different for different events: its Type and ID. Where the ID is missing, or
// is what programs write in place of one, such as "null", "0" or the UUID of zeros, it is "sha256:" and the hash of Raw in hexadecimal.
func (e Event) Key() string {
	if isUsableID(e.ID) {
		return string(e.Type) + ":" + e.ID
	}
	sum := sha256.Sum256(e.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// isUsableID reports whether an id tells one event from another.
func isUsableID(id string) bool {
	if strings.Trim(id, "0-") == "" { // nothing, 0, and the nil UUID
		return false
	}
	switch strings.ToLower(strings.TrimSpace(id)) {
	case "", "null", "nil", "none", "undefined":
		return false
	default:
		return true
	}
}

// Unknown returns the JSON Pointers of what Raw has and the contract does not, in the order of the body: fields that JoggAI sends and nobody
// documented, or the whole "/data" of an unknown event. A program that counts or logs them learns how the deliveries change. It is nil for a body
// that [Parse] refuses. Pointers are made of names in the body, so they are payload as much as those are. Unknown decodes Raw anew; it is safe for
// concurrent use.
func (e Event) Unknown() []string {
	if !jsontext.Value(e.Raw).IsValid() {
		return nil
	}
	r := newReader(e.Raw)
	defer r.release()
	r.noting = true
	if err := r.event(&Event{Raw: e.Raw}); err != nil {
		return nil
	}
	var pointers []string
	for _, at := range r.unknown {
		pointers = append(pointers, pointerTo(r.body, at))
	}
	return pointers
}

// LogValue makes an event appear in a log with its type and its key, without its payload.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(slog.String("type", string(e.Type)), slog.String("key", e.Key()))
}

var (
	errMissing = errors.New("missing")
	errEmpty   = errors.New("empty")
)

// Parse decodes the body of a delivery. It verifies nothing: it is for bodies that are already trusted, such as those that a queue
// gives back. Use [Verifier.Unwrap] for what comes from the network.
//
// It is strict about what JSON is: the body is one object (RFC 8259) without duplicate names, invalid UTF-8 or lone surrogates, with nothing
// behind it, and it names its event. Whatever is not is a [*PayloadError], and nothing of it is used.
//
// It is as tolerant as JoggAI is loose about everything else. An unknown event has [*Unknown] data, and unknown fields are passed over. Every
// field may be null. An id is a string or a number; a number or a boolean may stand in a string; an error is an object or a string; one string
// may stand for a list of them; a time is written in any usual way. A field that holds something else keeps its zero value and is listed in
// the event's Problems. Only an event that lacks what it is about, such as the id of its video, has [*Undecodable] data.
//
// The event keeps body as its Raw, so body must not be changed afterwards. Its strings are cut out of one copy of the body: a string that is
// kept keeps that copy. Parse is safe for concurrent use.
func Parse(body []byte) (ev Event, err error) {
	if !jsontext.Value(body).IsValid() {
		return Event{}, &PayloadError{Err: invalidity(body)}
	}
	r := newReader(body)
	ev.Raw = body
	if err = r.event(&ev); err != nil {
		ev = Event{}
	} else if len(r.misfits) > 0 {
		ev.Problems = r.problems(ev.Type)
	}
	r.release()
	return ev, err
}

// event decodes the body into ev. The data is decoded where it stands if the event type came before it, and at the end otherwise.
func (r *reader) event(ev *Event) error {
	if c := r.peek(); c != '{' {
		return &PayloadError{Err: fmt.Errorf("is %s, not an object", kindName(c))}
	}
	named, late := false, 0
	for r.object(); r.member(); {
		switch r.name {
		case "event":
			if c := r.peek(); c != '"' {
				return &PayloadError{Field: "/event", Err: fmt.Errorf("is %s, not a string", kindName(c))}
			}
			ev.Type = EventType(r.string())
			named = true
		case "event_id":
			text(r, &ev.ID)
		case "timestamp":
			moment(r, &ev.Time)
		case "data":
			if ev.Type != "" {
				ev.Data = r.data(ev.Type)
				continue
			}
			r.peek()
			late = r.at
			r.skip()
		default:
			r.skipUnknown()
		}
	}
	switch {
	case !named:
		return &PayloadError{Field: "/event", Err: errMissing}
	case ev.Type == "":
		return &PayloadError{Field: "/event", Err: errEmpty}
	case late > 0:
		r.at = late
		ev.Data = r.data(ev.Type)
	case ev.Data == nil && ev.Type.Known():
		ev.Data = undecodable(ev.Type, "", errMissing, nil)
	case ev.Data == nil:
		ev.Data = &Unknown{}
	}
	return nil
}

// data decodes the next value, the data of an event.
func (r *reader) data(t EventType) Data {
	first := r.peek()
	start := r.at
	if first == '{' {
		if data, lacks := r.decode(t); lacks != "" {
			return undecodable(t, "/"+lacks, r.whyLacking("/data/"+lacks), r.body[start:r.at:r.at])
		} else if data != nil {
			return data
		}
	}
	switch {
	case !t.Known():
		if r.noting {
			r.unknown = append(r.unknown, start)
		}
		return &Unknown{Data: r.raw()}
	case first == 'n':
		r.skip()
		return undecodable(t, "", errMissing, nil)
	default:
		return undecodable(t, "", fmt.Errorf("is %s, not an object", kindName(first)), r.raw())
	}
}

// whyLacking says why there is nothing in a field: it is missing, or what arrived does not fit.
func (r *reader) whyLacking(pointer string) error {
	for _, m := range r.misfits {
		if pointerTo(r.body, m.at) == pointer {
			return m.err
		}
	}
	return errMissing
}

func undecodable(t EventType, pointer string, reason error, raw []byte) *Undecodable {
	return &Undecodable{Err: &PayloadError{Type: t, Field: "/data" + pointer, Err: reason}, Data: raw}
}

// problems lists what did not fit in an event of type t.
func (r *reader) problems(t EventType) []*PayloadError {
	if len(r.misfits) == 0 {
		return nil
	}
	problems := make([]*PayloadError, len(r.misfits))
	for i, m := range r.misfits {
		problems[i] = &PayloadError{Type: t, Field: pointerTo(r.body, m.at), Err: m.err}
	}
	return problems
}

// pointerTo returns the JSON Pointer of the value that begins at a place of a valid body.
func pointerTo(body []byte, at int) string {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	for dec.InputOffset() <= int64(at) {
		if _, err := dec.ReadToken(); err != nil {
			return ""
		}
	}
	return string(dec.StackPointer())
}

// invalidity says why a body is no JSON, without quoting it as the errors of jsontext do.
func invalidity(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	_, err := dec.ReadValue()
	if err == nil {
		if _, err = dec.ReadToken(); err == nil {
			return errTrailing
		}
	}
	syntax, _ := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("duplicate name at byte %d", syntax.ByteOffset)
	case !utf8.Valid(body):
		return errors.New("invalid UTF-8")
	case syntax == nil || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("JSON that ends too early")
	default:
		return fmt.Errorf("invalid JSON at byte %d", syntax.ByteOffset)
	}
}

var errTrailing = errors.New("more than one JSON value")
