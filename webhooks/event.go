package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/jogg-go/jogg/gen"
)

// EventType is the name of what a delivery is about, such as "generated_avatar_video_success". It is open: a name that this
// package does not know is kept as it arrived.
type EventType = gen.EventType

// The 22 event types that JoggAI documents. The two GeneratedVideo and the two CreateAvatar types are the older names.
const (
	GeneratedVideoSuccess          = gen.EventTypeGeneratedVideoSuccess
	GeneratedVideoFailed           = gen.EventTypeGeneratedVideoFailed
	GeneratedProductVideoSuccess   = gen.EventTypeGeneratedProductVideoSuccess
	GeneratedProductVideoFailed    = gen.EventTypeGeneratedProductVideoFailed
	GeneratedAvatarVideoSuccess    = gen.EventTypeGeneratedAvatarVideoSuccess
	GeneratedAvatarVideoFailed     = gen.EventTypeGeneratedAvatarVideoFailed
	GeneratedTemplateVideoSuccess  = gen.EventTypeGeneratedTemplateVideoSuccess
	GeneratedTemplateVideoFailed   = gen.EventTypeGeneratedTemplateVideoFailed
	GeneratedTranslateVideoSuccess = gen.EventTypeGeneratedTranslateVideoSuccess
	GeneratedTranslateVideoFailed  = gen.EventTypeGeneratedTranslateVideoFailed
	CreateAvatarSuccess            = gen.EventTypeCreateAvatarSuccess
	CreateAvatarFailed             = gen.EventTypeCreateAvatarFailed
	GeneratedPhotoAvatarSuccess    = gen.EventTypeGeneratedPhotoAvatarSuccess
	GeneratedPhotoAvatarFailed     = gen.EventTypeGeneratedPhotoAvatarFailed
	GeneratedProductAvatarSuccess  = gen.EventTypeGeneratedProductAvatarSuccess
	GeneratedProductAvatarFailed   = gen.EventTypeGeneratedProductAvatarFailed
	GeneratedScriptSuccess         = gen.EventTypeGeneratedScriptSuccess
	GeneratedScriptFailed          = gen.EventTypeGeneratedScriptFailed
	GeneratedImageSuccess          = gen.EventTypeGeneratedImageSuccess
	GeneratedImageFailed           = gen.EventTypeGeneratedImageFailed
	GeneratedMotionSuccess         = gen.EventTypeGeneratedMotionSuccess
	GeneratedMotionFailed          = gen.EventTypeGeneratedMotionFailed
)

// Event is one decoded delivery.
type Event struct {
	// ID identifies the event. It is "" where JoggAI sent none, as on script, image and motion events.
	ID string
	// Type names the event and decides the type of Data.
	Type EventType
	// Time is when it happened, to the second.
	Time time.Time
	// Data is a pointer to one of the eleven data types, never nil in an Event that Parse or Unwrap returned.
	Data Data
	// Raw is the body exactly as it was signed, undocumented fields included. It is not to be changed.
	Raw []byte
}

// Key returns what is equal for every redelivery of an event and different for different events: its ID, or "sha256:" and the
// hash of Raw in hexadecimal where there is no ID.
func (e Event) Key() string {
	if e.ID != "" {
		return e.ID
	}
	sum := sha256.Sum256(e.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// LogValue makes an event appear in a log with its type and its key, without its payload.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(slog.String("type", string(e.Type)), slog.String("key", e.Key()))
}

// Receiver takes events. *Router and *inbox.Inbox are receivers. It must be safe for concurrent use.
type Receiver interface {
	// Receive returns nil once it has taken care of the event, which is then not delivered again. Whatever else it returns makes
	// JoggAI send the event again. It returns when ctx ends.
	Receive(ctx context.Context, ev Event) error
}

// ReceiverFunc makes a function a Receiver.
type ReceiverFunc func(ctx context.Context, ev Event) error

// Receive calls f.
func (f ReceiverFunc) Receive(ctx context.Context, ev Event) error {
	return f(ctx, ev)
}
