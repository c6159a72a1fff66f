package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// keys returns the IDs in the keys of all events that a query selects.
func keys(t testing.TB, box *inbox.Inbox, q inbox.Query) []string {
	t.Helper()
	found := []string{}
	for e, err := range box.Entries(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, e.Key[strings.LastIndex(e.Key, ":")+1:])
	}
	return found
}

func find(t testing.TB, box *inbox.Inbox, id string) inbox.Detail {
	t.Helper()
	d, err := box.Find(t.Context(), keyOf(id))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// eventOfType returns an event of that type.
func eventOfType(t testing.TB, kind webhooks.EventType, id string) webhooks.Event {
	t.Helper()
	ev, err := webhooks.Parse(fmt.Appendf(nil, `{"event":%q,"event_id":%q,"timestamp":1732806631,"data":{"k":%q}}`, kind, id, id))
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// failOnce receives an event and fails its first attempt. The inbox must have longBackoff.
func failOnce(t *testing.T, box *inbox.Inbox, id string) {
	t.Helper()
	receive(t, box, id)
	stop := run(t, box, func(context.Context, webhooks.Event) error { return errHandler })
	NewWithT(t).Eventually(func() []inbox.AttemptRecord { return find(t, box, id).Failures }).Should(HaveLen(1))
	stop()
}

// longBackoff is longer than any test.
var longBackoff = []time.Duration{time.Hour}

func TestListsHaveWaitingRunningAndDeadEvents(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{MaxAttempts: 2, Backoff: longBackoff, Concurrency: 4})
	receive(t, box, "dead", "fails", "runs")
	release := make(chan struct{})
	stop := run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		switch ev.ID {
		case "dead":
			return inbox.Discard(errors.New("no such customer"))
		case "fails":
			return errors.New("database is away")
		}
		<-release
		return nil
	})
	g.Eventually(func() int { return stats(t, box).InProgress }).Should(Equal(1))
	g.Eventually(func() string { return find(t, box, "fails").Error }).Should(Equal("database is away"))
	g.Eventually(func() uint64 { return stats(t, box).Dead }).Should(BeEquivalentTo(1))

	g.Expect(keys(t, box, inbox.Query{State: inbox.StateRunning})).To(Equal([]string{"runs"}))
	g.Expect(keys(t, box, inbox.Query{State: inbox.StateWaiting})).To(Equal([]string{"fails"}))
	g.Expect(keys(t, box, inbox.Query{State: inbox.StateDead})).To(Equal([]string{"dead"}))

	running := find(t, box, "runs")
	g.Expect(running.State).To(Equal(inbox.StateRunning))
	g.Expect(running.Attempts).To(Equal(1))
	g.Expect(running.Began).To(BeTemporally("~", time.Now(), 10*time.Second))

	waiting := find(t, box, "fails")
	g.Expect(waiting.State).To(Equal(inbox.StateWaiting))
	g.Expect(waiting.Type).To(Equal(webhooks.GeneratedAvatarVideoSuccess))
	g.Expect(waiting.Next).To(BeTemporally("~", time.Now().Add(66*time.Minute), 7*time.Minute))
	g.Expect(waiting.Event).To(Equal(event(t, "fails")))
	g.Expect(waiting.Size).To(Equal(len(event(t, "fails").Raw)))
	g.Expect(waiting.Failures).To(HaveLen(1))
	g.Expect(waiting.Failures[0].Number).To(Equal(1))
	g.Expect(waiting.Failures[0].Error).To(Equal("database is away"))
	g.Expect(waiting.Failures[0].Worker).To(ContainSubstring(":"))
	g.Expect(waiting.Failures[0].Began).To(BeTemporally("<=", waiting.Failures[0].Ended))

	dead := find(t, box, "dead")
	g.Expect(dead.State).To(Equal(inbox.StateDead))
	g.Expect(dead.Attempts).To(Equal(1))
	g.Expect(dead.Error).To(ContainSubstring("no such customer"))
	g.Expect(dead.Failures).To(HaveLen(1))
	g.Expect(dead.Failures[0].Next).To(BeZero())

	close(release)
	g.Eventually(func() int { return stats(t, box).InProgress }).Should(BeZero())
	stop()
	_, err := box.Find(t.Context(), keyOf("runs"))
	g.Expect(err).To(MatchError(inbox.ErrNoEvent))
}

func TestFailedAttemptsOutlastTheProcess(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), Backoff: longBackoff}
	box := open(t, opts)
	failOnce(t, box, "e1")
	g.Expect(box.Close()).To(Succeed())
	d := find(t, open(t, opts), "e1")
	g.Expect(d.Failures).To(HaveLen(1))
	g.Expect(d.Next).NotTo(BeZero())
}

func TestAListIsFiltered(t *testing.T) {
	box := open(t, inbox.Options{MaxAttempts: 1})
	begin := time.Now()
	for _, ev := range []webhooks.Event{
		eventOfType(t, webhooks.GeneratedScriptSuccess, "alpha-1"), eventOfType(t, webhooks.GeneratedScriptFailed, "alpha-2"),
		eventOfType(t, webhooks.GeneratedScriptSuccess, "Beta-1"),
	} {
		if err := box.Receive(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	run(t, box, func(_ context.Context, ev webhooks.Event) error { return fmt.Errorf("Bad thing about %s", ev.ID) })
	NewWithT(t).Eventually(func() int { return len(deadLetters(t, box)) }).Should(Equal(3))
	for _, c := range []struct {
		name  string
		query inbox.Query
		want  []string
	}{
		{"by nothing", inbox.Query{}, []string{"alpha-1", "alpha-2", "Beta-1"}},
		{"by type", inbox.Query{Types: []webhooks.EventType{webhooks.GeneratedScriptFailed}}, []string{"alpha-2"}},
		{
			"by types",
			inbox.Query{Types: []webhooks.EventType{webhooks.GeneratedScriptFailed, webhooks.GeneratedScriptSuccess}},
			[]string{"alpha-1", "alpha-2", "Beta-1"},
		},
		{"by no type", inbox.Query{Types: []webhooks.EventType{""}}, []string{}},
		{"by a part of the key", inbox.Query{Key: "beta"}, []string{"Beta-1"}},
		{"by a part of the reason", inbox.Query{Reason: "bad THING about alpha"}, []string{"alpha-1", "alpha-2"}},
		{"by a later time", inbox.Query{From: begin.Add(time.Hour)}, []string{}},
		{"by an earlier time", inbox.Query{Until: begin}, []string{}},
		{"by time", inbox.Query{From: begin.Add(-time.Hour), Until: begin.Add(time.Hour)}, []string{"alpha-1", "alpha-2", "Beta-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.query.State = inbox.StateDead
			NewWithT(t).Expect(keys(t, box, c.query)).To(ConsistOf(c.want))
		})
	}
}

func TestAListComesInPages(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Concurrency: 1})
	var ids, all []string
	for i := range 150 {
		ids, all = append(ids, fmt.Sprint("e", i)), append(all, keyOf(fmt.Sprint("e", i)))
	}
	receive(t, box, ids...)
	// Make gaps in the middle and at the end, as handled events do.
	g.Expect(box.Discard(t.Context(), slices.Concat(all[20:120], all[140:])...)).To(Succeed())
	left := slices.Concat(ids[:20], ids[120:140])

	for _, limit := range []int{1, 7, 40, 1000} {
		q := inbox.Query{State: inbox.StateWaiting, Limit: limit}
		g.Expect(keys(t, box, q)).To(Equal(left), "limit %d", limit)
		q.Newest = true
		newest := slices.Clone(left)
		slices.Reverse(newest)
		g.Expect(keys(t, box, q)).To(Equal(newest), "limit %d", limit)
	}
	page, err := box.List(t.Context(), inbox.Query{State: inbox.StateDead, Limit: 3, Newest: true})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Entries).To(HaveLen(3))
	g.Expect(page.Next).NotTo(BeEmpty())
}

func TestRunningEventsComeInPages(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Concurrency: 5})
	ids := []string{"e1", "e2", "e3", "e4", "e5"}
	receive(t, box, ids...)
	release := make(chan struct{})
	run(t, box, func(context.Context, webhooks.Event) error {
		<-release
		return nil
	})
	defer close(release)
	g.Eventually(func() int { return stats(t, box).InProgress }).Should(Equal(5))
	q := inbox.Query{State: inbox.StateRunning, Limit: 2}
	g.Eventually(func() []string { return keys(t, box, q) }).Should(Equal(ids))
	q.Newest = true
	g.Expect(keys(t, box, q)).To(Equal([]string{"e5", "e4", "e3", "e2", "e1"}))
}

func TestInvalidQueriesAreErrors(t *testing.T) {
	box := open(t, inbox.Options{})
	for field, query := range map[string]inbox.Query{
		"State": {},
		"Limit": {State: inbox.StateDead, Limit: 1001},
		"After": {State: inbox.StateDead, After: "x"},
	} {
		_, err := box.List(t.Context(), query)
		wrong, ok := errors.AsType[*inbox.QueryError](err)
		if !ok || wrong.Field != field {
			t.Errorf("%+v: %v", query, err)
		}
	}
}

func TestAnUndecodableEventIsListed(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	put(t, box, "not JSON")
	entries, err := box.List(t.Context(), inbox.Query{State: inbox.StateWaiting})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(entries.Entries).To(HaveLen(1))
	g.Expect(entries.Entries[0].Key).To(Equal("put"))
	g.Expect(entries.Entries[0].Type).To(BeEmpty())
	d, err := box.Find(t.Context(), "put")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Event.Raw).To(BeEquivalentTo("not JSON"))
}
