package soak

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jogg-go/jogg/webhooks"
)

// load is what the senders send, and counts the responses.
type load struct {
	address  string
	receiver *receiver
	failures []int // how often an event fails; one of these at random
	direct   bool  // whether the receiver's errors decide the response, without an inbox in between

	accepted, failed, rejected, undecodable, repeated, waited atomic.Int64
}

// run sends for the duration of the flag. Memory may grow by a quarter plus slack bytes.
func (l *load) run(t *testing.T, slack uint64) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 4 * *senders}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), *length)
	defer cancel()
	var sending sync.WaitGroup
	for i := range *senders {
		s := &sender{load: l, client: &http.Client{Transport: transport}, random: rand.New(rand.NewPCG(1, uint64(i))), name: i}
		sending.Go(func() {
			for ctx.Err() == nil {
				if err := s.step(t.Context()); err != nil {
					t.Errorf("sender %d: %v", i, err)
					return
				}
			}
		})
	}
	memory := watch(ctx, *length)
	sending.Wait()
	memory.check(t, slack)
	if l.accepted.Load() == 0 || l.rejected.Load() == 0 || l.repeated.Load() == 0 {
		t.Error("a kind of delivery was never sent")
	}
	t.Logf("%v: %d events accepted, %d deliveries failed, %d forged or modified ones rejected, %d repeated, %d told to retry later; %s", *length,
		l.accepted.Load(), l.failed.Load(), l.rejected.Load(), l.repeated.Load(), l.waited.Load(), memory)
}

// sender simulates JoggAI or a forger, and sends one event at a time.
type sender struct {
	*load
	client *http.Client
	random *rand.Rand
	name   int
	count  int
}

// step sends one event until it is accepted, or a delivery that must be rejected.
func (s *sender) step(ctx context.Context) error {
	s.count++
	failures := s.failures[s.random.IntN(len(s.failures))]
	mark := fmt.Sprintf("%d_%d_%d", s.name, s.count, failures)
	body := s.body(mark)
	switch s.random.IntN(10) {
	case 0:
		return s.expectRejection(ctx, body, strings.Repeat("0f", 32), http.StatusUnauthorized)
	case 1:
		return s.expectRejection(ctx, body+" ", webhooks.Sign([]byte(body), secret), http.StatusUnauthorized)
	case 2:
		return s.sendUndecodable(ctx, body[:len(body)-1])
	case 3:
		return s.burst(ctx, mark, body)
	default:
		return s.deliver(ctx, mark, body, failures)
	}
}

// body returns the body of a random event type with mark as its ID.
func (s *sender) body(mark string) string {
	switch s.random.IntN(4) {
	case 0:
		return fmt.Sprintf(`{"event":"generated_avatar_video_success","event_id":"evt_%s","timestamp":1732806631,"data":{"video_id":%q}}`, mark, mark)
	case 1:
		return fmt.Sprintf(`{"event":"generated_product_video_failed","event_id":"evt_%s","timestamp":1732806631,"data":{"project_id":%q,"error":"no"}}`,
			mark, mark)
	case 2:
		return fmt.Sprintf(`{"event":"generated_image_failed","timestamp":1732806631,"data":{"photo_id":%q,"error":"no"}}`, mark)
	default:
		return fmt.Sprintf(`{"event":"generated_script_success","timestamp":1732806631,"data":{"task_id":%q,"scripts":[{"script_paragraphs":%q}]}}`,
			mark, strings.Repeat("Sip or swig. ", s.random.IntN(2000)))
	}
}

// deliver sends an event until it is accepted, and sometimes once more.
func (s *sender) deliver(ctx context.Context, mark, body string, failures int) error {
	s.receiver.expect(mark)
	if s.direct {
		for range failures {
			status, err := s.post(ctx, body, webhooks.Sign([]byte(body), secret))
			if err != nil {
				return err
			}
			if status != http.StatusInternalServerError && status != http.StatusServiceUnavailable {
				return fmt.Errorf("the response to a delivery that failed is %d", status)
			}
			s.failed.Add(1)
		}
	}
	if err := s.insist(ctx, body); err != nil {
		return err
	}
	s.accepted.Add(1)
	if s.random.IntN(3) == 0 {
		s.repeated.Add(1)
		return s.insist(ctx, body)
	}
	return nil
}

// insist sends a delivery that must be accepted, and retries while the receiver is full.
func (s *sender) insist(ctx context.Context, body string) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		status, err := s.post(ctx, body, webhooks.Sign([]byte(body), secret))
		switch {
		case err != nil:
			return err
		case status == http.StatusOK:
			return nil
		case status != http.StatusServiceUnavailable || s.direct:
			return fmt.Errorf("the response to a valid delivery is %d", status)
		}
		s.waited.Add(1)
		<-ticker.C
	}
}

// burst sends several concurrent deliveries of an event that does not fail.
func (s *sender) burst(ctx context.Context, mark, body string) error {
	never := mark[:strings.LastIndexByte(mark, '_')] + "_0"
	mark, body = never, strings.ReplaceAll(body, mark, never)
	s.receiver.expect(mark)
	const times = 3
	results := make(chan error, times)
	for range times {
		go func() { results <- s.insist(ctx, body) }()
	}
	for range times {
		if err := <-results; err != nil {
			return err
		}
	}
	s.accepted.Add(1)
	s.repeated.Add(times - 1)
	return nil
}

// sendUndecodable sends a signed body that cannot be decoded. It reaches the receiver, which always fails.
func (s *sender) sendUndecodable(ctx context.Context, body string) error {
	s.undecodable.Add(1)
	if !s.direct {
		return s.insist(ctx, body)
	}
	status, err := s.post(ctx, body, webhooks.Sign([]byte(body), secret))
	if err == nil && status != http.StatusInternalServerError {
		err = fmt.Errorf("the response to an undecodable body is %d", status)
	}
	return err
}

func (s *sender) expectRejection(ctx context.Context, body, signature string, want int) error {
	status, err := s.post(ctx, body, signature)
	if err == nil && status != want {
		err = fmt.Errorf("the response to a delivery that must be rejected is %d, want %d", status, want)
	}
	s.rejected.Add(1)
	return err
}

func (s *sender) post(ctx context.Context, body, signature string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header[webhooks.SignatureHeader] = []string{signature}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}
