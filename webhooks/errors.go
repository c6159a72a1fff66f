package webhooks

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrMissingSignature is returned for a delivery without an X-Webhook-Signature header, or with an empty one.
	ErrMissingSignature = errors.New("webhooks: signature missing")
	// ErrInvalidSignature is returned for a delivery that is not signed with any of the verifier's secrets.
	ErrInvalidSignature = errors.New("webhooks: signature invalid")
)

// PayloadError says that a body is not a valid event: it is not JSON, it lacks a field that every event has, or a field of a known event
// has a value that cannot be decoded. It never quotes the body, except for the event type.
type PayloadError struct {
	// Type is the event type, or "" if it could not be decoded.
	Type EventType
	// Field is the JSON Pointer of the field, such as "/data/avatar_id", or "" if the body as a whole is wrong.
	Field string
	// Err is the reason.
	Err error
}

func (e *PayloadError) Error() string {
	event := "event"
	if e.Type != "" {
		event = fmt.Sprintf("event %.64q", string(e.Type)) // unknown types can have any length
	}
	if e.Field == "" {
		return fmt.Sprintf("webhooks: %s: %v", event, e.Err)
	}
	return fmt.Sprintf("webhooks: %s: field %s: %v", event, e.Field, e.Err)
}

// Unwrap returns Err.
func (e *PayloadError) Unwrap() error { return e.Err }

// UnavailableError is returned by a Receiver that cannot accept events for now, such as a full inbox. The handler responds with status 503
// and a Retry-After header.
type UnavailableError struct {
	// RetryAfter is how long the sender should wait before it retries. It is rounded up to whole seconds, at least one.
	RetryAfter time.Duration
	// Err is the cause.
	Err error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("webhooks: receiver unavailable: %v", e.Err)
}

// Unwrap returns Err.
func (e *UnavailableError) Unwrap() error { return e.Err }
