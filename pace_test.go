package jogg_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

// timed is a transport that records the times of its requests, and always returns the same response.
type timed struct {
	answer func() (*http.Response, error)
	clock  jogg.Clock

	mu    sync.Mutex
	times []time.Time
}

func (s *timed) RoundTrip(*http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.times = append(s.times, s.clock.Now())
	s.mu.Unlock()
	return s.answer()
}

func okVideo() (*http.Response, error) { return respond(200, `{"code":0,"data":{"video_id":"v"}}`)() }

func create(ctx context.Context, c *jogg.Client) error {
	_, err := c.CreateAvatarVideo(ctx, gen.CreateAvatarVideoRequest{})
	return err
}

func TestPostsOfAllGoroutinesAreSpreadOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &timed{answer: okVideo, clock: clockwork.NewRealClock()}
		client := newClient(t, transport, jogg.WithPacing(jogg.PostsPerMinute))
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				for range 10 {
					if err := create(t.Context(), client); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if len(transport.times) != 50 {
			t.Fatalf("%d requests, want 50", len(transport.times))
		}
		for i, at := range transport.times {
			if i > 0 && at.Sub(transport.times[i-1]) != 3100*time.Millisecond {
				t.Errorf("request %d came %v after the one before, want 3.1s", i, at.Sub(transport.times[i-1]))
			}
			if i >= 20 && at.Sub(transport.times[i-20]) < 62*time.Second {
				t.Errorf("21 requests within %v", at.Sub(transport.times[i-20]))
			}
		}
	})
}

func TestOnlyPostsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		client := newClient(t, responses(`{"code":0,"data":{}}`), jogg.WithPacing(1))
		for method, call := range methods {
			for range 5 {
				if method == http.MethodPost {
					continue
				}
				if err := call(t.Context(), client); err != nil {
					t.Fatal(err)
				}
			}
		}
		if time.Since(begin) != 0 {
			t.Errorf("15 requests that create nothing took %v", time.Since(begin))
		}
	})
}

func TestWithoutPacingNothingIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		client := newClient(t, responses(`{"code":0,"data":{"video_id":"v"}}`))
		for range 50 {
			if err := create(t.Context(), client); err != nil {
				t.Fatal(err)
			}
		}
		if time.Since(begin) != 0 {
			t.Errorf("50 requests took %v", time.Since(begin))
		}
	})
}

func TestARetriedPostTakesATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &timed{answer: respond(429, "", "Retry-After", "1"), clock: clockwork.NewRealClock()}
		client := newClient(t, transport, jogg.WithPacing(4), jogg.WithRetry(jogg.RetryPolicy{Attempts: 3}))
		if err := create(t.Context(), client); !errors.Is(err, jogg.ErrRateLimited) {
			t.Fatal(err)
		}
		for i := range transport.times[1:] {
			if gap := transport.times[i+1].Sub(transport.times[i]); gap != 15500*time.Millisecond {
				t.Errorf("attempt %d came %v after the one before, want 15.5s", i+2, gap)
			}
		}
	})
}

func TestATurnBeyondTheDeadlineFailsAtOnceAndIsLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &timed{answer: okVideo, clock: clockwork.NewRealClock()}
		client := newClient(t, transport, jogg.WithPacing(4), jogg.WithRetry(jogg.RetryPolicy{}))
		if err := create(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			begin := time.Now()
			err := create(ctx, client)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 0 {
				t.Errorf("error %v after %v, want context.DeadlineExceeded at once", err, time.Since(begin))
			}
		}
		if err := create(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if len(transport.times) != 2 || transport.times[1].Sub(transport.times[0]) != 15500*time.Millisecond {
			t.Errorf("requests at %v, want two, 15.5s apart", transport.times)
		}
	})
}

func TestWaitingForATurnEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &timed{answer: okVideo, clock: clockwork.NewRealClock()}
		client := newClient(t, transport, jogg.WithPacing(1))
		if err := create(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		begin := time.Now()
		if err := create(ctx, client); !errors.Is(err, context.Canceled) || time.Since(begin) != 5*time.Second || len(transport.times) != 1 {
			t.Errorf("error %v after %v and %d requests, want context.Canceled after 5s and one", err, time.Since(begin), len(transport.times))
		}
	})
}

func TestThoseWhoLeaveTheLineLeaveTheirTurnsToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &timed{answer: okVideo, clock: clockwork.NewRealClock()}
		client := newClient(t, transport, jogg.WithPacing(4))
		if err := create(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if err := create(ctx, client); !errors.Is(err, context.Canceled) {
					t.Errorf("error %v, want context.Canceled", err)
				}
			})
		}
		synctest.Wait()
		group.Go(func() { // the last in line
			if err := create(t.Context(), client); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		group.Wait()
		if len(transport.times) != 2 || transport.times[1].Sub(transport.times[0]) != 15500*time.Millisecond {
			t.Errorf("requests at %v, want two, 15.5s apart: the five who left took no turn", transport.times)
		}
	})
}

func TestTheLastInLineKnowsTheExpectedWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &timed{answer: okVideo, clock: clockwork.NewRealClock()}
		client := newClient(t, transport, jogg.WithPacing(4))
		var group sync.WaitGroup
		for range 3 { // at 0s, 15.5s and 31s
			group.Go(func() { create(t.Context(), client) })
		}
		synctest.Wait()
		for _, limit := range []time.Duration{46 * time.Second, 47 * time.Second} { // the fourth turn is at 46.5s
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			err := create(ctx, client)
			cancel()
			refused := errors.Is(err, context.DeadlineExceeded) && time.Since(begin) == 0
			if wanted := limit > 46500*time.Millisecond; refused == wanted || wanted && err != nil {
				t.Errorf("error %v after %v with a limit of %v, want success: %v", err, time.Since(begin), limit, wanted)
			}
		}
		group.Wait()
	})
}

func TestTurnsComeOnTheInjectedClock(t *testing.T) {
	clock := clockwork.NewFakeClock()
	transport := &timed{answer: okVideo, clock: clock}
	client := newClient(t, transport, jogg.WithClock(clock), jogg.WithPacing(1))
	done := make(chan error)
	go func() { done <- errors.Join(create(t.Context(), client), create(t.Context(), client)) }()
	if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	clock.Advance(62 * time.Second)
	if err := <-done; err != nil || len(transport.times) != 2 || transport.times[1].Sub(transport.times[0]) != 62*time.Second {
		t.Errorf("error %v, requests at %v, want two, 62s apart", err, transport.times)
	}
}

func TestAPaceIsAtLeastOne(t *testing.T) {
	for _, perMinute := range []int{0, -1} {
		if client, err := jogg.New(testKey, jogg.WithPacing(perMinute)); err == nil || client != nil {
			t.Errorf("WithPacing(%d) was accepted", perMinute)
		}
	}
}
