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

// State says what becomes of an event at the moment.
type State string

const (
	// StateWaiting is the state of an event that waits for its first attempt or for another one, or that a worker in another process has.
	StateWaiting State = "waiting"
	// StateRunning is the state of an event that a handler of this Inbox has.
	StateRunning State = "running"
	// StateDead is the state of a dead letter.
	StateDead State = "dead"
)

// Entry is an event in a list.
type Entry struct {
	// Key names the event in all calls that act upon it. It is the key of webhooks.Event, or a hash of it if that has more than 256 bytes.
	Key string
	// Type is the event's type, "" for a body in which none could be read.
	Type webhooks.EventType
	// State says what becomes of it.
	State State
	// Received is when it was received first.
	Received time.Time
	// Size is how many bytes its body has.
	Size int
	// Attempts is how many attempts have begun, as far as is known.
	Attempts int
	// Began is when the running attempt began, Ended when the last one ended. Ended is zero before that.
	Began, Ended time.Time
	// Error is the text of the last attempt's error, which can quote the payload if the handler's error does.
	Error string
	// Next is when a waiting event is tried again, zero if that is due already.
	Next time.Time
	// Taken reports, with a cluster, whether a waiting event was handed to a worker that has not said yet what became of it: one in
	// another process, or one that is gone, whose events come again after Options.AckWait.
	Taken bool

	sequence uint64
}

// Query says which events List returns. The zero value of every field but State stands for all.
type Query struct {
	// State is the state of the events. It must be set.
	State State
	// Types are the types of events, of which one must match. "" stands for events without one.
	Types []webhooks.EventType
	// Key is a part of the key, and Reason a part of the last error, in upper or lower case.
	Key, Reason string
	// From and Until limit when the event was received: not before From, and before Until.
	From, Until time.Time
	// Newest lists the newest first. Otherwise it is the oldest, which were stored first.
	Newest bool
	// Limit is how many events a page has at most. The default is 50, the most 1000.
	Limit int
	// After continues after another page. It is the Next of that one, whose other settings must have been the same.
	After string
}

// Page is a part of a list.
type Page struct {
	Entries []Entry
	// Next continues the list, "" at its end. A page can be shorter than asked for, and empty, and yet have a Next: List looks at no more
	// than 5000 events at a time.
	Next string
}

const (
	defaultLimit = 50
	maxLimit     = 1000
	// mostLooked limits how many events a page costs.
	maxScanned = 5000
)

// List returns events in the order in which they were stored. Those that come, go or change meanwhile may be in it or not. An event
// that is running is listed as that alone. If the query makes no sense the error is a *QueryError.
func (b *Inbox) List(ctx context.Context, q Query) (_ Page, err error) {
	after, err := q.check()
	if err != nil {
		return Page{}, err
	}
	if q.State == StateRunning { // which this process knows, however the store is
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

// QueryError says that a query makes no sense.
type QueryError struct {
	// Field is the field of Query.
	Field string
	// Err says what is wrong with it.
	Err error
}

func (e *QueryError) Error() string { return fmt.Sprintf("inbox: query %s: %v", e.Field, e.Err) }

// Unwrap returns Err.
func (e *QueryError) Unwrap() error { return e.Err }

// check says what makes no sense, fills in the defaults and returns the place in the stream after which the page begins.
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

// matches reports whether an entry is one that the query asks for.
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

// page cuts a list that is all there.
func (q *Query) page(entries []Entry) Page {
	if len(entries) <= q.Limit {
		return Page{Entries: entries}
	}
	entries = entries[:q.Limit]
	return Page{Entries: entries, Next: pageToken(entries[q.Limit-1].sequence)}
}

func pageToken(sequence uint64) string { return strconv.FormatUint(sequence, 10) }

// runningEntries returns what is being handled here, after a place in the order of the query.
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

// look makes an entry of a message, and says whether it belongs to the list at all.
type entryFunc func(msg *jetstream.RawStreamMsg) (e Entry, listed bool, err error)

// listStream looks through a stream.
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

// visitor looks at a message and says whether it wants to see more.
type visitor func(msg *jetstream.RawStreamMsg) (more bool, err error)

// forwards visits messages after a place, 0 for all, the oldest first.
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

// backwards visits messages before a place, 0 for all, the newest first. JetStream finds the next message after a gap and not the one
// before, so stretches are read forwards, each twice as long as the one that held little.
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

// entryOf returns what a message itself says.
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

// waitingEntry returns what makes entries of the events that wait. What is noted about failed attempts is looked up only for those that
// match otherwise.
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

// addAttempts adds to a waiting entry what is known about its attempts.
func (b *Inbox) addAttempts(ctx context.Context, e *Entry, id string, delivered uint64) error {
	if e.sequence > delivered {
		return nil // no worker had it yet
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

// Detail is all that an inbox has about an event.
type Detail struct {
	Entry
	// Event is the event, decoded anew. One that cannot be decoded has *webhooks.Undecodable data and the whole body in Raw.
	Event webhooks.Event
	// Failures are its failed attempts, the first one first: the last 20 of them, for two weeks.
	Failures []AttemptRecord
}

// Find returns the event with that key, whichever state it is in. The error is ErrNoEvent if there is none. An event that has not been
// in a list lately is searched for among all that wait, which takes about a second for 50,000 events.
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

// find looks where the event was seen last, then among the dead letters, and last among all that are kept.
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

// keptEntry makes an entry of an event that is running or waits.
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

// findEvent returns the message of an event that is kept and no dead letter, nil if there is none.
func (b *Inbox) findEvent(ctx context.Context, key string) (*jetstream.RawStreamMsg, error) {
	if msg, err := b.findCached(ctx, key); msg != nil || err != nil {
		return msg, err
	}
	return b.scanForKey(ctx, key)
}

// glance looks for an event that is kept only where it was seen last.
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
	return nil, nil //nolint:nilnil // it is not there
}

// search looks for an event among all that are kept.
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

// likelyPlaces returns where an event is most probably.
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
