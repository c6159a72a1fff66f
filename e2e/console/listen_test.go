package console_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// listen collects the errors, warnings and uncaught exceptions that the browser logs.
func listen(ctx context.Context, t *testing.T) (logged func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	add := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, text)
	}
	err := chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			add(event.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if event.Entry.Level == log.EntryLevelError || event.Entry.Level == log.EntryLevelWarning {
				add(event.Entry.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// keys returns the keys of all events in a state.
func keys(t testing.TB, box *inbox.Inbox, state inbox.State) (all []string) {
	t.Helper()
	for e, err := range box.Entries(t.Context(), inbox.Query{State: state}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.Key)
	}
	return all
}
