package inbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/jogg-go/jogg/webhooks"
)

// sender delivers events as JoggAI does: what is not answered 200 it sends again. It is less patient between two tries, and never
// gives up.
type sender struct {
	client *http.Client
	urls   atomic.Pointer[[]string] // of the receivers there are

	mu       sync.Mutex
	accepted []string // the keys of the events that were answered 200
	refused  int      // deliveries that were not
}

func newSender(urls ...string) *sender {
	s := &sender{client: &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
	s.to(urls...)
	DeferCleanup(s.client.CloseIdleConnections)
	return s
}

// to sets the receivers to deliver to, one of them at random each time.
func (s *sender) to(urls ...string) { s.urls.Store(&urls) }

// deliver delivers the event with that key until it is answered 200 or ctx ends.
func (s *sender) deliver(ctx context.Context, key string) {
	for ctx.Err() == nil {
		if s.try(ctx, key) == http.StatusOK {
			s.mu.Lock()
			s.accepted = append(s.accepted, key)
			s.mu.Unlock()
			return
		}
		s.mu.Lock()
		s.refused++
		s.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// try delivers an event once and returns the status of the answer, or 0 if there was none.
func (s *sender) try(ctx context.Context, key string) int {
	urls := *s.urls.Load()
	return post(ctx, s.client, urls[rand.IntN(len(urls))]+"/jogg", body(key))
}

// post sends a signed delivery and returns the status of the answer, or 0 if there was none.
func post(ctx context.Context, client *http.Client, url string, body []byte) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(webhooks.EventHeader, "generated_avatar_video_success")
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign(body, secret))
	response, err := client.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func body(key string) []byte {
	return fmt.Appendf(nil, `{"event":"generated_avatar_video_success","event_id":%q,"timestamp":1732806631,"data":{"video_id":"v-%s",`+
		`"status":"completed","video_url":"https://example.com/%s.mp4","cover_url":"https://example.com/%s.jpg","duration":12.5}}`,
		key, key, key, key)
}

// deliverAll delivers events, many at a time, and waits for all of them.
func (s *sender) deliverAll(ctx context.Context, connections int, keys []string) {
	next := make(chan string)
	var senders sync.WaitGroup
	for range connections {
		senders.Go(func() {
			for key := range next {
				s.deliver(ctx, key)
			}
		})
	}
	for _, key := range keys {
		next <- key
	}
	close(next)
	senders.Wait()
}

// keepSending delivers events with new keys, many at a time, until the function that it returns is called, which waits for the last
// answers.
func (s *sender) keepSending(connections int, pause time.Duration) (finish func()) {
	stop := make(chan struct{})
	var number atomic.Int64
	var senders sync.WaitGroup
	for range connections {
		senders.Go(func() {
			for {
				s.deliver(context.Background(), fmt.Sprintf("event-%06d", number.Add(1)))
				select {
				case <-stop:
					return
				case <-time.After(pause):
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		close(stop)
		senders.Wait()
	})
}

// all returns the keys of the events that were answered 200.
func (s *sender) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.accepted)
}

// count returns how many times an event has been answered 200, and how many deliveries have not.
func (s *sender) count() (accepted, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.accepted), s.refused
}

// ask asks a node something and decodes the answer into v.
func ask(method, url string, v any) error {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return json.NewDecoder(response.Body).Decode(v)
}
