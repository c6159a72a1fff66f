package inbox

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jogg-go/jogg/webhooks"
)

// The data of a message is the signed body of the delivery. The headers about the event are for people who inspect the stream, and for
// bodies that can no longer be parsed. Header values are escaped like segments of a URL path.
const (
	keyHeader      = "Jogg-Event-Key"
	typeHeader     = "Jogg-Event-Type"
	receivedHeader = "Jogg-Received" // when the event was first received; only on dead letters, redriven and moved events
	attemptsHeader = "Jogg-Attempts" // this and the following are only on dead letters and failed attempts
	reasonHeader   = "Jogg-Reason"
	diedHeader     = "Jogg-Died"
)

// maxKey is the maximum length of an escaped key that is used as a message ID; longer keys are hashed. JoggAI's keys have about 40 bytes.
const maxKey = 256

// messageID returns the message ID for deduplication: the event's key, escaped or hashed to fit into a header.
func messageID(key string) string {
	id := url.PathEscape(key)
	if len(id) <= maxKey {
		return id
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// subjectToken returns a subject token for a message ID. It is half of a hash, which is unique enough and takes half the memory.
func subjectToken(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// eventMessage returns the message of an event in the queue. eventID is the message ID of its key. id is the message ID for deduplication,
// which differs for a redriven event.
func eventMessage(subject, id, eventID string, ev webhooks.Event) *nats.Msg {
	return &nats.Msg{Subject: subject, Data: ev.Raw, Header: nats.Header{
		jetstream.MsgIDHeader: {id},
		keyHeader:             {eventID},
		typeHeader:            {url.PathEscape(string(ev.Type))},
	}}
}

// eventOf decodes the event of a message. It also returns the key under which the event was received: another version of package webhooks
// may derive another key from the body. If the body is not an event, Data is *webhooks.Undecodable, as it was when the event was received.
func eventOf(header nats.Header, data []byte) (ev webhooks.Event, key string) {
	ev, err := webhooks.Parse(data)
	if err != nil {
		reason, _ := errors.AsType[*webhooks.PayloadError](err)
		ev = webhooks.Event{Type: webhooks.EventType(unescaped(header, typeHeader)), Raw: data, Data: &webhooks.Undecodable{Err: reason}}
	}
	return ev, cmp.Or(unescaped(header, keyHeader), ev.Key())
}

func unescaped(header nats.Header, name string) string {
	value := header.Get(name)
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

func formatTime(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// parseTime returns the time in a header, or other if the header has none.
func parseTime(header nats.Header, name string, other time.Time) time.Time {
	ns, err := strconv.ParseInt(header.Get(name), 10, 64)
	if err != nil {
		return other
	}
	return time.Unix(0, ns)
}
