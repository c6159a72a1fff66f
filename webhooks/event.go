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

// EventType is the type of an event, such as "generated_avatar_video_success". The set is open: a type that this package does not know is
// kept as it arrived. [EventTypes] lists the types that JoggAI documents.
type EventType = gen.EventType

// Event is a decoded delivery.
type Event struct {
	// ID identifies the event. It is "" if JoggAI sent none, as with script, image and motion events.
	ID string
	// Type is the event type. It selects the type of Data. It is "" if the handler received a signed body that is not an event, see
	// [Undecodable].
	Type EventType
	// Time is when the event happened, or zero if JoggAI did not send it.
	Time time.Time
	// Data is a pointer to one of the data types. It is never nil in an Event that Parse or Unwrap returned without an error.
	Data Data
	// Raw is the body exactly as it was signed, including undocumented fields. It must not be modified.
	Raw []byte
	// Problems lists the fields with unexpected values, in the order of the body, or is nil if there are none. In the event these fields have
	// their zero value; Raw has what arrived.
	Problems []*PayloadError
}

// Key returns the idempotency key of the event: all deliveries of an event have the same key, and different events have different keys. The
// key consists of the Type and the ID. If the ID is missing, or a placeholder such as "null", "0" or the nil UUID, the key is "sha256:"
// followed by the hash of Raw in hexadecimal.
func (e Event) Key() string {
	if isUsableID(e.ID) {
		return string(e.Type) + ":" + e.ID
	}
	sum := sha256.Sum256(e.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// isUsableID reports whether an ID identifies an event, and is not empty or a placeholder.
func isUsableID(id string) bool {
	if strings.Trim(id, "0-") == "" { // empty, 0, or the nil UUID
		return false
	}
	switch strings.ToLower(strings.TrimSpace(id)) {
	case "", "null", "nil", "none", "undefined":
		return false
	default:
		return true
	}
}

// Unknown returns the JSON Pointers of the values in Raw that the contract does not have, in the order of the body: undocumented fields, or
// the whole "/data" of an event of an unknown type. Count or log them to learn how the deliveries change. The pointers contain names from
// the body, so treat them as payload. Unknown returns nil for a body that [Parse] rejects. It decodes Raw again on each call, and is safe
// for concurrent use.
func (e Event) Unknown() []string {
	if !jsontext.Value(e.Raw).IsValid() {
		return nil
	}
	r := newReader(e.Raw)
	defer r.release()
	r.collectUnknown = true
	if err := r.event(&Event{Raw: e.Raw}); err != nil {
		return nil
	}
	var pointers []string
	for _, at := range r.unknown {
		pointers = append(pointers, pointerTo(r.body, at))
	}
	return pointers
}

// LogValue returns the type and the key of the event, so that its payload is not logged.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(slog.String("type", string(e.Type)), slog.String("key", e.Key()))
}

var (
	errMissing = errors.New("missing")
	errEmpty   = errors.New("empty")
)

// Parse decodes the body of a delivery. It does not verify the signature: use it for bodies that are already trusted, such as those read
// from a queue, and [Verifier.Unwrap] for bodies from the network.
//
// Parse is strict about JSON syntax. The body must be a single JSON object (RFC 8259) without duplicate names, invalid UTF-8, lone
// surrogates or trailing data, and with a non-empty "event" string. Otherwise the error is a [*PayloadError], and the event is empty.
//
// Parse is lenient about everything that varies in JoggAI's payloads. An event of an unknown type has [*Unknown] data, and unknown fields
// are skipped. Every field can be null. An ID can be a string or a number, a number or a boolean can be in a string, an error can be an
// object or a string, a single string is accepted for a list of strings, and times are accepted in all usual formats. A field with any
// other value keeps its zero value and is listed in the event's Problems. Only an event without its identifying field, such as the ID of
// its video, or without an object as its data, has [*Undecodable] data.
//
// The event keeps body as its Raw, so body must not be modified afterwards. The event's strings share one copy of the body, so retaining
// any of them retains the whole copy. Parse is safe for concurrent use.
func Parse(body []byte) (ev Event, err error) {
	if !jsontext.Value(body).IsValid() {
		return Event{}, &PayloadError{Err: syntaxError(body)}
	}
	r := newReader(body)
	ev.Raw = body
	if err = r.event(&ev); err != nil {
		ev = Event{}
	} else if len(r.mismatches) > 0 {
		ev.Problems = r.problems(ev.Type)
	}
	r.release()
	return ev, err
}

// event decodes the body into ev. It decodes the data in place if the event type precedes it, and otherwise at the end.
func (r *reader) event(ev *Event) error {
	if c := r.peek(); c != '{' {
		return &PayloadError{Err: fmt.Errorf("is %s, not an object", kindName(c))}
	}
	named, dataAt := false, 0
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
			dataAt = r.at
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
	case dataAt > 0:
		r.at = dataAt
		ev.Data = r.data(ev.Type)
	case ev.Data == nil && ev.Type.Known():
		ev.Data = undecodable(ev.Type, "", errMissing, nil)
	case ev.Data == nil:
		ev.Data = &Unknown{}
	}
	return nil
}

// data decodes the next value as the data of an event of type t.
func (r *reader) data(t EventType) Data {
	first := r.peek()
	start := r.at
	if first == '{' {
		if data, missing := r.decode(t); missing != "" {
			return undecodable(t, "/"+missing, r.reasonFor("/data/"+missing), r.body[start:r.at:r.at])
		} else if data != nil {
			return data
		}
	}
	switch {
	case !t.Known():
		if r.collectUnknown {
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

// reasonFor returns why a field has its zero value: the mismatch noted for it, or errMissing.
func (r *reader) reasonFor(pointer string) error {
	for _, m := range r.mismatches {
		if pointerTo(r.body, m.at) == pointer {
			return m.err
		}
	}
	return errMissing
}

func undecodable(t EventType, pointer string, reason error, raw []byte) *Undecodable {
	return &Undecodable{Err: &PayloadError{Type: t, Field: "/data" + pointer, Err: reason}, Data: raw}
}

// problems returns the mismatches in an event of type t as errors.
func (r *reader) problems(t EventType) []*PayloadError {
	if len(r.mismatches) == 0 {
		return nil
	}
	problems := make([]*PayloadError, len(r.mismatches))
	for i, m := range r.mismatches {
		problems[i] = &PayloadError{Type: t, Field: pointerTo(r.body, m.at), Err: m.err}
	}
	return problems
}

// pointerTo returns the JSON Pointer of the value that begins at an offset of a valid body.
func pointerTo(body []byte, at int) string {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	for dec.InputOffset() <= int64(at) {
		if _, err := dec.ReadToken(); err != nil {
			return ""
		}
	}
	return string(dec.StackPointer())
}

// syntaxError returns why a body is not valid JSON. Unlike the errors of jsontext, it does not quote the body.
func syntaxError(body []byte) error {
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
		return errors.New("unexpected end of JSON")
	default:
		return fmt.Errorf("invalid JSON at byte %d", syntax.ByteOffset)
	}
}

var errTrailing = errors.New("more than one JSON value")
