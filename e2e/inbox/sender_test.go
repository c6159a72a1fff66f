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

// sender delivers events as JoggAI does: it repeats deliveries until the response is 200. Unlike JoggAI, it waits only 20 ms between
// attempts, and never gives up.
type sender struct {
	client *http.Client
	urls   atomic.Pointer[[]string] // of the current receivers

	mu       sync.Mutex
	accepted []string // IDs of the events that were acknowledged with 200, once for each delivery
	rejected int      // deliveries with another response or none
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

// to sets the receivers. Each delivery goes to a random one.
func (s *sender) to(urls ...string) { s.urls.Store(&urls) }

// deliver delivers the event with that ID until it is acknowledged with 200 or ctx ends.
func (s *sender) deliver(ctx context.Context, id string) {
	for ctx.Err() == nil {
		if s.try(ctx, id) == http.StatusOK {
			s.mu.Lock()
			s.accepted = append(s.accepted, id)
			s.mu.Unlock()
			return
		}
		s.mu.Lock()
		s.rejected++
		s.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// try delivers an event once and returns the status code of the response, or 0 if there was none.
func (s *sender) try(ctx context.Context, id string) int {
	urls := *s.urls.Load()
	return post(ctx, s.client, urls[rand.IntN(len(urls))]+"/jogg", body(id))
}

// post sends a signed delivery and returns the status code of the response, or 0 if there was none.
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

// body returns the body of a delivery of the event with that ID.
func body(id string) []byte {
	return fmt.Appendf(nil, `{"event":"generated_avatar_video_success","event_id":%q,"timestamp":1732806631,"data":{"video_id":"v-%s",`+
		`"status":"completed","video_url":"https://example.com/%s.mp4","cover_url":"https://example.com/%s.jpg","duration":12.5}}`,
		id, id, id, id)
}

// deliverAll delivers events, as many at a time as there are connections, and waits until all are acknowledged.
func (s *sender) deliverAll(ctx context.Context, connections int, ids []string) {
	next := make(chan string)
	var senders sync.WaitGroup
	for range connections {
		senders.Go(func() {
			for id := range next {
				s.deliver(ctx, id)
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	senders.Wait()
}

// keepSending delivers new events over a number of connections until finish is called, which waits until the last ones are acknowledged.
// Each connection pauses between two events.
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

// all returns the IDs of the events that were acknowledged with 200, once for each delivery.
func (s *sender) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.accepted)
}

// count returns how many deliveries were acknowledged with 200, and how many had another response or none.
func (s *sender) count() (accepted, rejected int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.accepted), s.rejected
}

// call calls the control API of a node and decodes the response into v.
func call(method, url string, v any) error {
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
