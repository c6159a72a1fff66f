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

// A message's data is the body of the delivery as it was signed. What its headers say about the event serves people who look at
// the stream, and bodies that can no longer be parsed. Values of headers are escaped like parts of a URL's path.
const (
	keyHeader      = "Jogg-Event-Key"
	typeHeader     = "Jogg-Event-Type"
	receivedHeader = "Jogg-Received" // when the event was received first; only on what has been a dead letter since
	attemptsHeader = "Jogg-Attempts" // the others are on dead letters only
	reasonHeader   = "Jogg-Reason"
	diedHeader     = "Jogg-Died"
)

// longestKey is how long keys may be to be used as they are, escaped. JoggAI's are about 40 bytes.
const maxKey = 256

// messageID returns what duplicates of an event have in common: its key, made to fit into a header.
func messageID(key string) string {
	id := url.PathEscape(key)
	if len(id) <= maxKey {
		return id
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// subjectToken returns a message id as a token of a subject. Half of the hash is enough and takes half the memory.
func subjectToken(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// eventMessage returns an event as it waits. eventID is the message id of its key, and id that or another one.
func eventMessage(subject, id, eventID string, ev webhooks.Event) *nats.Msg {
	return &nats.Msg{Subject: subject, Data: ev.Raw, Header: nats.Header{
		jetstream.MsgIDHeader: {id},
		keyHeader:             {eventID},
		typeHeader:            {url.PathEscape(string(ev.Type))},
	}}
}

// eventOf returns the event that a message holds, and the key under which it was received: what another version of package webhooks makes
// of the body can have another key. A body that is no event is undecodable, as it was when the handler received it.
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

// parseTime returns the time in a header, or other if it has none.
func parseTime(header nats.Header, name string, other time.Time) time.Time {
	ns, err := strconv.ParseInt(header.Get(name), 10, 64)
	if err != nil {
		return other
	}
	return time.Unix(0, ns)
}
