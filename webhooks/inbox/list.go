package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jogg-go/jogg/webhooks"
)

// State is the state of an event.
type State string

const (
	// StateWaiting is the state of an event that waits for its first attempt or a retry, or that a worker in another process holds.
	StateWaiting State = "waiting"
	// StateRunning is the state of an event that a handler of this Inbox is processing.
	StateRunning State = "running"
	// StateDead is the state of a dead letter.
	StateDead State = "dead"
)

// Entry is an event in a list.
type Entry struct {
	// Key identifies the event in all methods that take a key. It is the Key of the webhooks.Event, or a hash of it if that is longer than
	// 256 bytes.
	Key string
	// Type is the event type, "" if none could be decoded from the body.
	Type webhooks.EventType
	// State is the state of the event.
	State State
	// Received is when the event was first received.
	Received time.Time
	// Size is the length of the body in bytes.
	Size int
	// Attempts is the number of attempts that have begun, as far as is known.
	Attempts int
	// Began is when the running attempt began. Ended is when the last attempt ended, zero if none has.
	Began, Ended time.Time
	// Error is the text of the last attempt's error. It contains payload if the handler's error does.
	Error string
	// Next is when a waiting event is retried, zero if it is already due.
	Next time.Time
	// Taken reports, with a cluster, that a waiting event was delivered to a worker that has not acknowledged it. The worker is in another
	// process, or it is gone and the event is redelivered after Options.AckWait.
	Taken bool

	sequence uint64
}

// Query selects the events that List returns. State is required. The zero value of any other field does not restrict the list.
type Query struct {
	// State is the state of the events. It is required.
	State State
	// Types selects events with one of these types. "" selects events without a type.
	Types []webhooks.EventType
	// Key selects events whose key contains it, and Reason events whose last error contains it. Both are case-insensitive.
	Key, Reason string
	// From and Until select events that were received at or after From, and before Until.
	From, Until time.Time
	// Newest lists the newest events first. The default order is oldest first, by the time when events were stored.
	Newest bool
	// Limit is the maximum length of a page, up to 1000. The default is 50.
	Limit int
	// After is the Next of the previous page. All other fields must be the same as for that page.
	After string
}

// Page is one page of a list.
type Page struct {
	Entries []Entry
	// Next is the After of the next page, "" on the last page. A page with a Next can have fewer entries than Limit, or none, because List
	// scans no more than 5000 events per page.
	Next string
}

const (
	defaultLimit = 50
	maxLimit     = 1000
	// maxScanned limits the number of events that are read for one page.
	maxScanned = 5000
)

// List returns one page of events, in the order in which they were stored. Events that are added, removed or changed during the call may or
// may not be included. A running event is listed only as running, not as waiting. For an invalid query the error is a *QueryError.
func (b *Inbox) List(ctx context.Context, q Query) (_ Page, err error) {
	after, err := q.check()
	if err != nil {
		return Page{}, err
	}
	if q.State == StateRunning { // known in this process, even while the store has failed
		if err := b.enter(); err != nil {
			return Page{}, err
		}
		defer b.leave()
		return q.page(b.runningEntries(q, after)), nil
	}
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return Page{}, err
	}
	defer end(&err)
	if q.State == StateDead {
		return b.listStream(ctx, q, after, b.dead, b.opts.deadSubject("*"), func(msg *jetstream.RawStreamMsg) (Entry, bool, error) {
			return deadEntry(msg), true, nil
		})
	}
	makeEntry, err := b.waitingEntryFunc(ctx, q)
	if err != nil {
		return Page{}, err
	}
	return b.listStream(ctx, q, after, b.events, b.opts.eventsSubject(), makeEntry)
}

// QueryError reports an invalid query.
type QueryError struct {
	// Field is the name of the field of Query.
	Field string
	// Err is the reason.
	Err error
}

func (e *QueryError) Error() string { return fmt.Sprintf("inbox: query %s: %v", e.Field, e.Err) }

// Unwrap returns Err.
func (e *QueryError) Unwrap() error { return e.Err }

// check validates the query and fills in the defaults. It returns the sequence in After, 0 for the first page.
func (q *Query) check() (after uint64, err error) {
	switch q.State {
	case StateWaiting, StateRunning, StateDead:
	default:
		return 0, &QueryError{Field: "State", Err: fmt.Errorf("is %q, not %s, %s or %s", q.State, StateWaiting, StateRunning, StateDead)}
	}
	if q.Limit < 0 || q.Limit > maxLimit {
		return 0, &QueryError{Field: "Limit", Err: fmt.Errorf("is %d, not 0 to %d", q.Limit, maxLimit)}
	}
	q.Limit = cmp.Or(q.Limit, defaultLimit)
	if q.After == "" {
		return 0, nil
	}
	if after, err = strconv.ParseUint(q.After, 10, 64); err != nil || after == 0 {
		return 0, &QueryError{Field: "After", Err: fmt.Errorf("%q is not the Next of a page", q.After)}
	}
	return after, nil
}

// matches reports whether the query selects an entry.
func (q *Query) matches(e *Entry) bool {
	switch {
	case len(q.Types) > 0 && !slices.Contains(q.Types, e.Type),
		!q.From.IsZero() && e.Received.Before(q.From),
		!q.Until.IsZero() && !e.Received.Before(q.Until):
		return false
	}
	return contains(e.Key, q.Key) && contains(e.Error, q.Reason)
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// page returns the first page of a complete list.
func (q *Query) page(entries []Entry) Page {
	if len(entries) <= q.Limit {
		return Page{Entries: entries}
	}
	entries = entries[:q.Limit]
	return Page{Entries: entries, Next: pageToken(entries[q.Limit-1].sequence)}
}

func pageToken(sequence uint64) string { return strconv.FormatUint(sequence, 10) }

// runningEntries returns the running events that the query selects, in its order, after a sequence.
func (b *Inbox) runningEntries(q Query, after uint64) []Entry {
	var entries []Entry
	for _, e := range b.recorder.inProgress() {
		past := after == 0 || (e.sequence > after) != q.Newest && e.sequence != after
		if past && q.matches(&e) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		if q.Newest {
			a, b = b, a
		}
		return cmp.Compare(a.sequence, b.sequence)
	})
	return entries
}

// entryFunc makes an entry from a message. listed is false if the message does not belong to the list.
type entryFunc func(msg *jetstream.RawStreamMsg) (e Entry, listed bool, err error)

// listStream scans a stream for one page.
func (b *Inbox) listStream(ctx context.Context, q Query, after uint64, stream jetstream.Stream, subject string, makeEntry entryFunc) (Page, error) {
	info, err := stream.Info(ctx)
	if err != nil {
		return Page{}, fmt.Errorf("inbox: list: %w", err)
	}
	var page Page
	scanned := 0
	visit := func(msg *jetstream.RawStreamMsg) (more bool, err error) {
		scanned++
		e, listed, err := makeEntry(msg)
		if err != nil {
			return false, err
		}
		if listed && q.matches(&e) {
			b.recorder.cacheSequence(e.Key, e.sequence)
			page.Entries = append(page.Entries, e)
		}
		if len(page.Entries) == q.Limit || scanned >= maxScanned {
			page.Next = pageToken(msg.Sequence)
			return false, nil
		}
		return true, nil
	}
	scan := scanForward
	if q.Newest {
		scan = scanBackward
	}
	if err := scan(ctx, stream, subject, info.State, after, visit); err != nil {
		return Page{}, fmt.Errorf("inbox: list: %w", err)
	}
	return page, nil
}

// visitor visits a message and reports whether to continue.
type visitor func(msg *jetstream.RawStreamMsg) (more bool, err error)

// scanForward visits the messages after a sequence, 0 for all, oldest first.
func scanForward(ctx context.Context, stream jetstream.Stream, subject string, state jetstream.StreamState, after uint64, visit visitor) error {
	for sequence := max(after+1, state.FirstSeq, 1); sequence <= state.LastSeq; {
		msg, err := stream.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if more, err := visit(msg); !more || err != nil {
			return err
		}
		sequence = msg.Sequence + 1
	}
	return nil
}

// scanBackward visits the messages before a sequence, 0 for all, newest first. JetStream can skip gaps only forward. So scanBackward reads
// ranges of sequences forward, from the last range to the first. The length of the range doubles after one with few messages.
func scanBackward(ctx context.Context, stream jetstream.Stream, subject string, state jetstream.StreamState, before uint64, visit visitor) error {
	const least, most = 64, 1 << 40
	end := state.LastSeq + 1
	if before > 0 {
		end = min(end, before)
	}
	for length := uint64(least); end > max(state.FirstSeq, 1); {
		begin := max(end-min(length, end), state.FirstSeq, 1)
		var stretch []*jetstream.RawStreamMsg
		err := scanForward(ctx, stream, subject, state, begin-1, func(msg *jetstream.RawStreamMsg) (bool, error) {
			if msg.Sequence < end {
				stretch = append(stretch, msg)
			}
			return msg.Sequence+1 < end, nil
		})
		if err != nil {
			return err
		}
		for _, msg := range slices.Backward(stretch) {
			if more, err := visit(msg); !more || err != nil {
				return err
			}
		}
		if len(stretch) < least/2 {
			length = min(2*length, most)
		} else {
			length = least
		}
		end = begin
	}
	return nil
}

func deadEntry(msg *jetstream.RawStreamMsg) Entry {
	e := entryOf(msg)
	e.State = StateDead
	e.Error = unescaped(msg.Header, reasonHeader)
	e.Ended = parseTime(msg.Header, diedHeader, msg.Time)
	e.Attempts, _ = strconv.Atoi(msg.Header.Get(attemptsHeader))
	return e
}

// entryOf returns an entry with what the message itself contains.
func entryOf(msg *jetstream.RawStreamMsg) Entry {
	return Entry{
		Key:      keyOf(msg.Header),
		Type:     webhooks.EventType(unescaped(msg.Header, typeHeader)),
		Received: parseTime(msg.Header, receivedHeader, msg.Time),
		Size:     len(msg.Data),
		sequence: msg.Sequence,
	}
}

func keyOf(header nats.Header) string {
	id := eventID(header)
	if key, err := url.PathUnescape(id); err == nil {
		return key
	}
	return id
}

// waitingEntryFunc returns the entryFunc for waiting events. It looks up failed attempts only for events that match the rest of the query.
func (b *Inbox) waitingEntryFunc(ctx context.Context, q Query) (entryFunc, error) {
	consumer, err := b.consumer.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("inbox: list: %w", err)
	}
	withoutReason := q
	withoutReason.Reason = ""
	inProgress := b.recorder.inProgress()
	return func(msg *jetstream.RawStreamMsg) (Entry, bool, error) {
		e := entryOf(msg)
		e.State = StateWaiting
		if _, running := inProgress[msg.Sequence]; running || !withoutReason.matches(&e) {
			return e, false, nil
		}
		err := b.addAttempts(ctx, &e, eventID(msg.Header), consumer.Delivered.Stream)
		return e, true, err
	}, nil
}

// addAttempts adds the known attempts to the entry of a waiting event. delivered is the last sequence that was delivered to a worker.
func (b *Inbox) addAttempts(ctx context.Context, e *Entry, id string, delivered uint64) error {
	if e.sequence > delivered {
		return nil // not delivered yet
	}
	last, err := b.lastFailure(ctx, id)
	if err != nil {
		return err
	}
	if last == nil || last.event != e.sequence {
		e.Attempts, e.Taken = 1, b.local == nil
		return nil
	}
	e.Attempts, e.Ended, e.Error = last.Number, last.Ended, last.Error
	if last.Next.After(time.Now()) {
		e.Next = last.Next
		return nil
	}
	e.Taken = b.local == nil
	return nil
}

// Detail is everything that an inbox stores about an event.
type Detail struct {
	Entry
	// Event is the event, decoded from the stored body. If it cannot be decoded, Data is *webhooks.Undecodable and Raw has the whole body.
	Event webhooks.Event
	// Failures are the failed attempts, oldest first. The last 20 are kept, for two weeks.
	Failures []AttemptRecord
}

// Find returns the event with that key in any state. It returns ErrNoEvent if there is none. If the event was not in a recent list, Find
// scans all waiting events, which takes about a second for 50,000 events.
func (b *Inbox) Find(ctx context.Context, key string) (_ Detail, err error) {
	ctx, end, err := b.beginCall(ctx)
	if err != nil {
		return Detail{}, err
	}
	defer end(&err)
	e, msg, err := b.find(ctx, key)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Entry: e}
	d.Event, _ = eventOf(msg.Header, msg.Data)
	if d.Failures, err = b.attemptsOf(ctx, eventID(msg.Header)); err != nil {
		return Detail{}, err
	}
	return d, nil
}

// find looks up an event at its cached sequence, then among the dead letters, and finally with a scan of the stream of events.
func (b *Inbox) find(ctx context.Context, key string) (Entry, *jetstream.RawStreamMsg, error) {
	msg, err := b.findCached(ctx, key)
	if err != nil {
		return Entry{}, nil, err
	}
	if msg != nil {
		e, err := b.queuedEntry(ctx, msg)
		return e, msg, err
	}
	msg, err = b.dead.GetLastMsgForSubject(ctx, b.opts.deadSubject(subjectToken(messageID(key))))
	if err == nil {
		return deadEntry(msg), msg, nil
	}
	if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return Entry{}, nil, fmt.Errorf("inbox: find %q: %w", key, err)
	}
	if msg, err = b.scanForKey(ctx, key); err != nil {
		return Entry{}, nil, err
	}
	if msg == nil {
		return Entry{}, nil, fmt.Errorf("%w: %q", ErrNoEvent, key)
	}
	e, err := b.queuedEntry(ctx, msg)
	return e, msg, err
}

// queuedEntry makes the entry of a running or waiting event.
func (b *Inbox) queuedEntry(ctx context.Context, msg *jetstream.RawStreamMsg) (Entry, error) {
	if e, running := b.recorder.inProgress()[msg.Sequence]; running {
		return e, nil
	}
	makeEntry, err := b.waitingEntryFunc(ctx, Query{})
	if err != nil {
		return Entry{}, err
	}
	e, _, err := makeEntry(msg)
	return e, err
}

// findEvent returns the message of a waiting or running event, nil if there is none.
func (b *Inbox) findEvent(ctx context.Context, key string) (*jetstream.RawStreamMsg, error) {
	if msg, err := b.findCached(ctx, key); msg != nil || err != nil {
		return msg, err
	}
	return b.scanForKey(ctx, key)
}

// findCached looks up a waiting or running event only at its candidate sequences.
func (b *Inbox) findCached(ctx context.Context, key string) (*jetstream.RawStreamMsg, error) {
	id := messageID(key)
	for _, sequence := range b.candidateSequences(ctx, key, id) {
		msg, err := b.events.GetMsg(ctx, sequence)
		if err == nil && eventID(msg.Header) == id {
			return msg, nil
		}
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, fmt.Errorf("inbox: find %q: %w", key, err)
		}
	}
	return nil, nil //nolint:nilnil // not found
}

// scanForKey scans the stream of events for a key.
func (b *Inbox) scanForKey(ctx context.Context, key string) (*jetstream.RawStreamMsg, error) {
	id := messageID(key)
	info, err := b.events.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("inbox: find %q: %w", key, err)
	}
	var found *jetstream.RawStreamMsg
	err = scanForward(ctx, b.events, b.opts.eventsSubject(), info.State, 0, func(msg *jetstream.RawStreamMsg) (bool, error) {
		if eventID(msg.Header) == id {
			found = msg
		}
		return found == nil, nil
	})
	if err != nil {
		return nil, fmt.Errorf("inbox: find %q: %w", key, err)
	}
	if found != nil {
		b.recorder.cacheSequence(key, found.Sequence)
	}
	return found, nil
}

// candidateSequences returns the sequences at which an event probably is: the cached one, and that of its last failed attempt.
func (b *Inbox) candidateSequences(ctx context.Context, key, id string) []uint64 {
	var candidates []uint64
	if sequence, ok := b.recorder.cachedSequence(key); ok {
		candidates = append(candidates, sequence)
	}
	if last, err := b.lastFailure(ctx, id); err == nil && last != nil && last.event > 0 {
		candidates = append(candidates, last.event)
	}
	return candidates
}
