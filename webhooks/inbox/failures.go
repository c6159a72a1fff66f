package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// An additional stream records every failed attempt, for people and for RetryNow. Delivery does not depend on it: records are published
// without waiting for an acknowledgement, and an inbox that cannot create the stream works without it. It is therefore not in streamNames,
// which lists the streams that a directory must have.

// AttemptRecord is a failed attempt.
type AttemptRecord struct {
	// Number is the number of the attempt, from 1. After a redrive it starts from 1 again.
	Number int
	// Began and Ended are when the handler was called and when it returned. Began is zero if it was not called.
	Began, Ended time.Time
	// Error is the text of the handler's error, truncated to 4096 bytes. It contains payload if the error does.
	Error string
	// Next is when the event is retried, zero if it became a dead letter.
	Next time.Time
	// Worker is the process of the attempt, as "host:pid".
	Worker string
}

const (
	beganHeader    = "Jogg-Began"
	nextHeader     = "Jogg-Next"
	workerHeader   = "Jogg-Worker"
	sequenceHeader = "Jogg-Sequence" // the sequence of the event in its stream
	replyHeader    = "Jogg-Reply"    // the subject for acknowledgements of the event

	maxFailuresPerEvent = 20
	maxFailures         = 20_000
	failuresAge         = 14 * 24 * time.Hour
)

// failuresSuffix is appended to the name of the stream of events.
const failuresSuffix = "_FAILURES"

func (o *Options) failuresStream() string { return o.Stream + failuresSuffix }

func (o *Options) failuresSubject(token string) string { return o.Subject + ".failures." + token }

func (o *Options) failuresConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              o.failuresStream(),
		Description:       "Why attempts to handle JoggAI events failed",
		Subjects:          []string{o.failuresSubject("*")},
		Retention:         jetstream.LimitsPolicy,
		Storage:           jetstream.FileStorage,
		MaxMsgs:           maxFailures,
		MaxBytes:          -1,
		MaxMsgsPerSubject: maxFailuresPerEvent,
		MaxAge:            failuresAge,
		Duplicates:        time.Second,
		AllowDirect:       o.Replicas == 1,
		Replicas:          o.Replicas,
	}
}

// openFailures opens the stream of failed attempts, and creates it if needed. If that fails, it logs a warning and the inbox works without
// the stream.
func (b *Inbox) openFailures(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, setUpTryTimeout)
	defer cancel()
	stream, err := ensureStream(ctx, b.js, b.opts.failuresConfig(), b.opts.Dir != "")
	if err != nil {
		b.log.WarnContext(ctx, "inbox cannot record failed attempts", "error", err)
		return
	}
	b.failures = stream
}

// allStreams returns the names of the streams of a directory, including the optional one.
func (d *directory) allStreams() []string {
	return append(slices.Clone(d.manifest.Streams), d.manifest.Streams[0]+failuresSuffix)
}

// dropDamagedFailures deletes the stream of failed attempts if it is damaged, or if a crash interrupted its creation. No event is lost with
// it, but a server that cannot read it would report itself unhealthy.
func (d *directory) dropDamagedFailures(ctx context.Context, log *slog.Logger) {
	name := d.manifest.Streams[0] + failuresSuffix
	dir := d.streamDir(name)
	if _, err := os.Stat(dir); err != nil {
		return
	}
	checksums := make(map[string]string)
	if err := d.verifyStream(name, checksums); err == nil && len(checksums) == 0 {
		return
	}
	err := os.RemoveAll(dir)
	log.WarnContext(ctx, "inbox deleted its records of failed attempts, which were damaged", "error", err)
}

// recordFailure publishes a record of a failed attempt. next is the time of the next attempt, zero if there is none.
func (w *worker) recordFailure(d *delivery, err error, next time.Time) {
	if w.failures == nil {
		return
	}
	msg := nats.NewMsg(w.opts.failuresSubject(subjectToken(eventID(d.Header))))
	msg.Header.Set(attemptsHeader, strconv.Itoa(d.attempt))
	msg.Header.Set(reasonHeader, url.PathEscape(truncateReason(reason(err))))
	msg.Header.Set(diedHeader, formatTime(time.Now()))
	msg.Header.Set(workerHeader, url.PathEscape(processName()))
	msg.Header.Set(replyHeader, *d.reply.Load())
	msg.Header.Set(sequenceHeader, strconv.FormatUint(d.sequence, 10))
	if !d.began.IsZero() {
		msg.Header.Set(beganHeader, formatTime(d.began))
	}
	if !next.IsZero() {
		msg.Header.Set(nextHeader, formatTime(next))
	}
	if err := w.conn.PublishMsg(msg); err != nil {
		d.log.DebugContext(w.handling, "inbox cannot record a failed attempt", "error", err)
	}
}

// eventID returns the ID of the event's key, which all messages about an event share.
func eventID(header nats.Header) string {
	return cmp.Or(header.Get(keyHeader), header.Get(jetstream.MsgIDHeader))
}

// truncateReason truncates a text to maxReason bytes of valid UTF-8.
func truncateReason(text string) string {
	if len(text) <= maxReason {
		return text
	}
	return strings.ToValidUTF8(text[:maxReason], "")
}

func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// failure is an AttemptRecord with what RetryNow needs.
type failure struct {
	AttemptRecord
	event uint64 // the sequence of the event
	reply string // the subject for acknowledgements
}

// lastFailure returns the last failed attempt of an event, nil if none is recorded.
func (b *Inbox) lastFailure(ctx context.Context, id string) (*failure, error) {
	if b.failures == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	msg, err := b.failures.GetLastMsgForSubject(ctx, b.opts.failuresSubject(subjectToken(id)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, fmt.Errorf("inbox: look up failed attempts: %w", err)
	}
	f := failureOf(msg)
	return &f, nil
}

// attemptsOf returns the recorded failed attempts of an event, oldest first.
func (b *Inbox) attemptsOf(ctx context.Context, id string) ([]AttemptRecord, error) {
	if b.failures == nil {
		return nil, nil
	}
	var records []AttemptRecord
	subject := b.opts.failuresSubject(subjectToken(id))
	for sequence := uint64(1); ; {
		msg, err := b.failures.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(subject))
		// After the last message of a subject, a server can return the first message of that subject again.
		if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && msg.Sequence < sequence {
			return slices.Clip(records), nil
		}
		if err != nil {
			return nil, fmt.Errorf("inbox: look up failed attempts: %w", err)
		}
		record := failureOf(msg).AttemptRecord
		if n := len(records); n > 0 && records[n-1].Ended.Equal(record.Ended) {
			records = records[:n-1] // RetryNow published the record again, with a new time of the next attempt
		}
		records = append(records, record)
		sequence = msg.Sequence + 1
	}
}

func failureOf(msg *jetstream.RawStreamMsg) failure {
	f := failure{
		AttemptRecord: AttemptRecord{
			Began:  parseTime(msg.Header, beganHeader, time.Time{}),
			Ended:  parseTime(msg.Header, diedHeader, msg.Time),
			Error:  unescaped(msg.Header, reasonHeader),
			Next:   parseTime(msg.Header, nextHeader, time.Time{}),
			Worker: unescaped(msg.Header, workerHeader),
		},
		reply: msg.Header.Get(replyHeader),
	}
	f.Number, _ = strconv.Atoi(msg.Header.Get(attemptsHeader))
	f.event, _ = strconv.ParseUint(msg.Header.Get(sequenceHeader), 10, 64)
	return f
}
