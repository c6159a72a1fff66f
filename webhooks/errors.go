package webhooks

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrMissingSignature says that a delivery has no X-Webhook-Signature header.
	ErrMissingSignature = errors.New("webhooks: signature missing")
	// ErrInvalidSignature says that none of the verifier's secrets made the signature of the delivery.
	ErrInvalidSignature = errors.New("webhooks: signature invalid")
)

// PayloadError says that a body is no event: it is not JSON, or it lacks what every event has, or a field of a known event holds
// something that cannot be understood. It quotes nothing of the body.
type PayloadError struct {
	// Type is the event type, or "" if it is not known.
	Type EventType
	// Field is the JSON Pointer of the field, such as "/data/avatar_id", or "" if the body as a whole is wrong.
	Field string
	// Err says what is wrong.
	Err error
}

func (e *PayloadError) Error() string {
	event := "event"
	if e.Type != "" {
		event = fmt.Sprintf("event %.64q", string(e.Type)) // unknown names can be of any length
	}
	if e.Field == "" {
		return fmt.Sprintf("webhooks: %s: %v", event, e.Err)
	}
	return fmt.Sprintf("webhooks: %s: field %s: %v", event, e.Field, e.Err)
}

// Unwrap returns Err.
func (e *PayloadError) Unwrap() error { return e.Err }

// UnavailableError is returned by a Receiver that cannot take events for now, such as an inbox that is full. The handler answers
// 503 with a Retry-After header.
type UnavailableError struct {
	// RetryAfter is how long the sender should wait before the next try. It is rounded up to whole seconds, to at least one.
	RetryAfter time.Duration
	// Err says why.
	Err error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("webhooks: receiver unavailable: %v", e.Err)
}

// Unwrap returns Err.
func (e *UnavailableError) Unwrap() error { return e.Err }
