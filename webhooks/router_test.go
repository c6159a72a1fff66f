package webhooks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
)

// calls counts the calls of a router's functions, by the type of their data.
type calls struct {
	mu   sync.Mutex
	made map[string]int
	err  error // what the functions return
}

func (c *calls) called(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made[name]++
	return c.err
}

// on registers a function for D that counts its calls.
func on[D webhooks.Data](t *testing.T, r *webhooks.Router, c *calls) {
	t.Helper()
	name := reflect.TypeFor[D]().String()
	webhooks.On(r, func(_ context.Context, ev webhooks.Event, data D) error {
		if webhooks.Data(data) != ev.Data {
			t.Errorf("the function for %s got other data than the event has", name)
		}
		return c.called(name)
	})
}

func TestRouterCallsTheFunctionForTheData(t *testing.T) {
	c := &calls{made: make(map[string]int)}
	r := webhooks.NewRouter()
	on[*webhooks.VideoSucceeded](t, r, c)
	on[*webhooks.VideoFailed](t, r, c)
	on[*webhooks.AvatarSucceeded](t, r, c)
	on[*webhooks.AvatarFailed](t, r, c)
	on[*webhooks.ScriptSucceeded](t, r, c)
	on[*webhooks.ScriptFailed](t, r, c)
	on[*webhooks.ImageSucceeded](t, r, c)
	on[*webhooks.ImageFailed](t, r, c)
	on[*webhooks.MotionSucceeded](t, r, c)
	on[*webhooks.MotionFailed](t, r, c)
	on[*webhooks.Unknown](t, r, c)
	on[*webhooks.Undecodable](t, r, c)

	for _, d := range documented() {
		if err := r.Receive(t.Context(), d.event()); err != nil {
			t.Errorf("%s: %v", d.want.Type, err)
		}
	}
	if err := r.Receive(t.Context(), mustParse(t, `{"event":"video_archived"}`)); err != nil {
		t.Error(err)
	}
	if err := r.Receive(t.Context(), mustParse(t, `{"event":"generated_video_failed"}`)); err != nil {
		t.Error(err)
	}
	want := map[string]int{
		"*webhooks.Undecodable":    1,
		"*webhooks.VideoSucceeded": 5, "*webhooks.VideoFailed": 5, "*webhooks.AvatarSucceeded": 3, "*webhooks.AvatarFailed": 3,
		"*webhooks.ScriptSucceeded": 1, "*webhooks.ScriptFailed": 1, "*webhooks.ImageSucceeded": 1, "*webhooks.ImageFailed": 1,
		"*webhooks.MotionSucceeded": 1, "*webhooks.MotionFailed": 1, "*webhooks.Unknown": 1,
	}
	if !reflect.DeepEqual(c.made, want) {
		t.Errorf("called %v, want %v", c.made, want)
	}
}

func TestRouterCallsTheFunctionForDataForTheRest(t *testing.T) {
	c := &calls{made: make(map[string]int)}
	r := webhooks.NewRouter()
	on[webhooks.Data](t, r, c)
	on[*webhooks.VideoFailed](t, r, c)

	for _, d := range documented() {
		if err := r.Receive(t.Context(), d.event()); err != nil {
			t.Errorf("%s: %v", d.want.Type, err)
		}
	}
	if err := r.Receive(t.Context(), mustParse(t, `{"event":"video_archived"}`)); err != nil {
		t.Error(err)
	}
	if want := map[string]int{"webhooks.Data": 18, "*webhooks.VideoFailed": 5}; !reflect.DeepEqual(c.made, want) {
		t.Errorf("called %v, want %v", c.made, want)
	}
}

func TestRouterAcceptsEventsWithoutAFunction(t *testing.T) {
	c := &calls{made: make(map[string]int), err: errors.New("called")}
	r := webhooks.NewRouter()
	on[*webhooks.VideoFailed](t, r, c)
	for _, body := range []string{document(webhooks.GeneratedVideoSuccess).body, `{"event":"video_archived"}`} {
		if err := r.Receive(t.Context(), mustParse(t, body)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestRouterRejectsUndecodableEvents(t *testing.T) {
	err := webhooks.NewRouter().Receive(t.Context(), mustParse(t, `{"event":"generated_video_failed","data":{}}`))
	if reason, ok := errors.AsType[*webhooks.PayloadError](err); !ok || reason.Field != "/data/video_id" {
		t.Errorf("error is %v", err)
	}
}

// New event types must not be dropped without a trace, nor flood the log.
func TestRouterLogsEachUnknownTypeOnce(t *testing.T) {
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)

	r := webhooks.NewRouter()
	for _, name := range []string{"video_archived", "video_archived", "video_restored", "video_archived", "generated_video_success"} {
		if err := r.Receive(t.Context(), mustParse(t, `{"event":"`+name+`","event_id":"1","data":{"video_id":"`+marker+`"}}`)); err != nil {
			t.Error(err)
		}
	}
	if lines := strings.Count(log.String(), "level=WARN"); lines != 2 || strings.Contains(log.String(), marker) ||
		!strings.Contains(log.String(), "event=video_archived key=video_archived:1") || !strings.Contains(log.String(), "event=video_restored") {
		t.Errorf("the log is\n%s", &log)
	}
}

func TestRouterReturnsTheErrorOfTheFunction(t *testing.T) {
	failure := errors.New("database is away")
	r := webhooks.NewRouter()
	on[*webhooks.VideoFailed](t, r, &calls{made: make(map[string]int), err: failure})
	on[webhooks.Data](t, r, &calls{made: make(map[string]int), err: failure})
	for _, event := range []webhooks.EventType{webhooks.GeneratedVideoFailed, webhooks.GeneratedVideoSuccess} {
		if err := r.Receive(t.Context(), document(event).event()); err != failure { //nolint:errorlint // must be the identical error
			t.Errorf("%s: %v", event, err)
		}
	}
}

func TestRouterPassesTheContextAndTheEvent(t *testing.T) {
	type key struct{}
	sent := document(webhooks.GeneratedVideoFailed).event()
	r := webhooks.NewRouter()
	webhooks.On(r, func(ctx context.Context, ev webhooks.Event, data *webhooks.VideoFailed) error {
		if ctx.Value(key{}) != "value" || !same(ev, sent) || data != sent.Data {
			t.Errorf("got %v, %+v, %+v", ctx, ev, data)
		}
		return nil
	})
	if err := r.Receive(context.WithValue(t.Context(), key{}, "value"), sent); err != nil {
		t.Error(err)
	}
}

func TestRouterRejectsAnEventWithoutData(t *testing.T) {
	err := webhooks.NewRouter().Receive(t.Context(), webhooks.Event{Type: webhooks.GeneratedVideoFailed})
	if err == nil || err.Error() != `webhooks: event "generated_video_failed" has no data` {
		t.Errorf("error is %v", err)
	}
}

func TestOnPanicsOnMisuse(t *testing.T) {
	ignore := func(context.Context, webhooks.Event, *webhooks.VideoFailed) error { return nil }
	for want, misuse := range map[string]func(*webhooks.Router){
		"webhooks: function for *webhooks.VideoFailed registered twice": func(r *webhooks.Router) { webhooks.On(r, ignore) },
		"webhooks: nil function for *webhooks.ImageFailed": func(r *webhooks.Router) {
			webhooks.On[*webhooks.ImageFailed](r, nil)
		},
		"webhooks: function for webhooks.Data registered twice": func(r *webhooks.Router) {
			webhooks.On(r, func(context.Context, webhooks.Event, webhooks.Data) error { return nil })
			webhooks.On(r, func(context.Context, webhooks.Event, webhooks.Data) error { return nil })
		},
		"webhooks: no event has data of type webhooks_test.narrow": func(r *webhooks.Router) {
			webhooks.On(r, func(context.Context, webhooks.Event, narrow) error { return nil })
		},
		"webhooks: no event has data of type webhooks_test.mine": func(r *webhooks.Router) {
			webhooks.On(r, func(context.Context, webhooks.Event, mine) error { return nil })
		},
		"webhooks: no event has data of type *webhooks_test.mine": func(r *webhooks.Router) {
			webhooks.On(r, func(context.Context, webhooks.Event, *mine) error { return nil })
		},
	} {
		r := webhooks.NewRouter()
		webhooks.On(r, ignore)
		checkPanics(t, want, func() { misuse(r) })
	}
}

// Types that implement Data by embedding. No event has data of these types.
type (
	narrow interface {
		webhooks.Data
		fmt.Stringer
	}
	mine struct{ *webhooks.VideoFailed }
)

func checkPanics(t *testing.T, want string, misuse func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
			t.Errorf("panic is %q, want %q", got, want)
		}
	}()
	misuse()
}

func TestRouterIsSafeForConcurrentUse(t *testing.T) {
	c := &calls{made: make(map[string]int)}
	r := webhooks.NewRouter()
	on[*webhooks.VideoFailed](t, r, c)
	on[webhooks.Data](t, r, c)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for _, d := range documented() {
				if err := r.Receive(context.Background(), d.event()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	if c.made["*webhooks.VideoFailed"] != 4*5 || c.made["webhooks.Data"] != 4*17 {
		t.Errorf("called %v", c.made)
	}
}

func TestReceiverFuncCallsTheFunction(t *testing.T) {
	failure := errors.New("no")
	f := webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
		if ev.ID != "evt" {
			t.Errorf("event is %+v", ev)
		}
		return failure
	})
	if err := f.Receive(t.Context(), webhooks.Event{ID: "evt"}); !errors.Is(err, failure) {
		t.Errorf("error is %v", err)
	}
}
