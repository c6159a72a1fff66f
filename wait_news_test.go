package jogg

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestNewsBringsAPollForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var news News
		server := &statusServer{answer: inTurn("success")}
		begin := time.Now()
		time.AfterFunc(2*time.Second, func() { news.Tell("vid_1") })
		video, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1", WithNews(&news))
		if err != nil || video.Status != "success" || time.Since(begin) != 2*time.Second {
			t.Errorf("video %+v, error %v after %v, want success after 2s", video, err, time.Since(begin))
		}
	})
}

func TestNewsThatIsEarlyLeavesTheWaitInItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var news News
		server := &statusServer{answer: inTurn("processing", "processing", "success")}
		begin := time.Now()
		time.AfterFunc(2*time.Second, func() { news.Tell("vid_1") })
		if _, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1", WithNews(&news)); err != nil {
			t.Fatal(err)
		}
		if got, want := server.seconds(begin), []float64{2, 12, 22}; !slices.Equal(got, want) {
			t.Errorf("polls after seconds %v, want %v", got, want)
		}
	})
}

func TestNewsInAFloodDoesNotMakePollsFasterThanAllowed(t *testing.T) {
	cases := []struct {
		name     string
		interval func(time.Duration) time.Duration
		polls    []float64
	}{
		{"5 seconds apart", DefaultPollInterval, []float64{0.1, 5.1, 10.1, 15.1, 20}},
		{"as far apart as a faster interval has them", Every(8 * time.Second / 2), []float64{0.1, 4.1, 8.1, 12.1, 16.1, 20}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var news News
				server := &statusServer{answer: always("processing")}
				begin := time.Now()
				flood := make(chan struct{})
				var flooding sync.WaitGroup
				flooding.Go(func() {
					ticker := time.NewTicker(100 * time.Millisecond)
					defer ticker.Stop()
					for {
						select {
						case <-flood:
							return
						case <-ticker.C:
							news.Tell("vid_1")
						}
					}
				})
				_, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1",
					WithNews(&news), WithPollInterval(c.interval), WithWaitLimit(20*time.Second))
				close(flood)
				flooding.Wait()
				if !errors.Is(err, ErrWaitLimit) {
					t.Errorf("error %v, want the limit", err)
				}
				if got := server.seconds(begin); !slices.Equal(got, c.polls[:len(got)]) || len(got) < len(c.polls)-1 {
					t.Errorf("polls after seconds %v, want %v", got, c.polls)
				}
			})
		})
	}
}

func TestNewsHeldBackDoesNotHoldTheContextBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var news News
		server := &statusServer{answer: always("processing")}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		for _, when := range []time.Duration{time.Second, 2 * time.Second} {
			time.AfterFunc(when, func() { news.Tell("vid_1") })
		}
		_, err := waitClient(t, server).WaitAvatarVideo(ctx, "vid_1", WithNews(&news))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 3*time.Second || len(server.polls) != 1 {
			t.Errorf("error %v after %v and %d polls, want the context's after 3s and 1 poll", err, time.Since(begin), len(server.polls))
		}
	})
}

func TestNewsReachesEveryWaitForTheTaskAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var news News
		begin := time.Now()
		var waits sync.WaitGroup
		ended := make([]time.Duration, 3)
		for i, id := range []string{"vid_1", "vid_1", "vid_2"} {
			waits.Go(func() {
				server := &statusServer{answer: always("success")}
				if _, err := waitClient(t, server).WaitAvatarVideo(t.Context(), id, WithNews(&news)); err != nil {
					t.Error(err)
				}
				ended[i] = time.Since(begin)
			})
		}
		synctest.Wait()
		news.Tell("vid_1")
		waits.Wait()
		if want := []time.Duration{0, 0, 10 * time.Second}; !slices.Equal(ended, want) {
			t.Errorf("waits ended after %v, want %v", ended, want)
		}
		if len(news.listeners) != 0 {
			t.Errorf("%d ids are still listened for after the waits ended", len(news.listeners))
		}
	})
}

func TestNewsAboutATaskWithoutAWaitIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var news News
		for range 1000 {
			news.Tell("vid_1")
		}
		if len(news.listeners) != 0 {
			t.Errorf("news keeps %d ids, want none", len(news.listeners))
		}
		server := &statusServer{answer: always("success")}
		begin := time.Now()
		_, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1", WithNews(&news))
		if err != nil || time.Since(begin) != 10*time.Second {
			t.Errorf("error %v after %v, want success in the usual interval", err, time.Since(begin))
		}
	})
}

func TestNewsArrivingDuringAPollIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var news News
		server := &statusServer{answer: inTurn("processing", "success")}
		begin := time.Now()
		_, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1", WithNews(&news), WithPollInterval(Every(time.Minute)),
			WithWaitProgress(func(WaitProgress) { news.Tell("vid_1") }))
		if got, want := server.seconds(begin), []float64{60, 65}; err != nil || !slices.Equal(got, want) {
			t.Errorf("error %v, polls after seconds %v, want %v", err, got, want)
		}
	})
}
