package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// DeliveryState is the state of a delivery.
type DeliveryState string

// States of deliveries. The last three are final.
const (
	DeliverySending  DeliveryState = "sending"  // an attempt is in progress
	DeliveryWaiting  DeliveryState = "waiting"  // waiting for the next attempt
	DeliveryAccepted DeliveryState = "accepted" // the receiver responded with a 2xx status
	DeliveryFailed   DeliveryState = "failed"   // all attempts failed
	DeliveryDropped  DeliveryState = "dropped"  // the endpoint was deleted or disabled, or the simulator closed, before it was accepted
)

// DeliveryRecord is the delivery of an event to one receiver, with its attempts. It is a snapshot.
type DeliveryRecord struct {
	ID         string // assigned by the simulator, such as "delivery-3"; not sent
	Event      string // Ref of the EventRecord
	Type       gen.EventType
	EventID    string // the event_id sent, or ""
	EndpointID string // "" for the webhook_url of a task
	URL        string
	Redelivery bool // caused by Redeliver
	Forged     bool // signed with an unknown secret
	State      DeliveryState
	Next       time.Time // when the next attempt is due; zero unless State is DeliveryWaiting
	Attempts   []AttemptRecord
}

// AttemptRecord is one attempt to deliver an event, and its result.
type AttemptRecord struct {
	Sequence   int64  // number among all attempts of the simulator, from 1
	Delivery   string // ID of the DeliveryRecord
	Type       gen.EventType
	EventID    string // the event_id sent, or ""
	EndpointID string // "" for the webhook_url of a task
	URL        string
	Number     int // number among the attempts of the delivery, from 1
	Redelivery bool
	Forged     bool
	Started    time.Time // Started and Ended are on the simulator's clock
	Ended      time.Time
	Status     int    // HTTP status; 0 without a response
	Err        string // why there was no response, or ""
	Accepted   bool   // Status is 2xx
}

// delivery is guarded by Simulator.mu. The fields event, url, secret, redelivery and forged are immutable.
type delivery struct {
	id         string
	event      *event
	endpoint   *endpoint // nil for the webhook_url of a task
	url        string
	secret     string
	redelivery bool
	forged     bool

	state    DeliveryState
	next     time.Time
	attempts []AttemptRecord
}

var errAnswerLimit = errors.New("no response within the limit")

// newSender returns the HTTP client for deliveries. It does not follow redirects, so a redirect is a response that does not accept.
func newSender(transport http.RoundTripper) *http.Client {
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = 64
		transport = own
	}
	noRedirects := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: noRedirects}
}

// dispatch starts a goroutine that delivers an event to one receiver. s.mu is held.
func (s *Simulator) dispatch(d *delivery) {
	if s.closed {
		return
	}
	s.deliveryCount++
	d.id = fmt.Sprintf("delivery-%d", s.deliveryCount)
	d.state = DeliverySending
	s.deliveries = append(s.deliveries, d)
	s.unfinished[d] = struct{}{}
	s.forgetDeliveries()
	s.goroutines.Go(func() { s.deliver(d) })
	s.notify()
}

// deliver makes attempts until the receiver accepts, the retries are exhausted, or the delivery is dropped.
func (s *Simulator) deliver(d *delivery) {
	for number := 1; ; number++ {
		if s.attempt(d, number) {
			s.finish(d, DeliveryAccepted)
			return
		}
		if number > s.config.retries {
			s.finish(d, DeliveryFailed)
			return
		}
		if !s.pause(d) {
			s.finish(d, DeliveryDropped)
			return
		}
	}
}

// attempt sends the delivery once, records the result and reports whether the delivery was accepted.
func (s *Simulator) attempt(d *delivery, number int) bool {
	record := AttemptRecord{
		Delivery: d.id, Type: d.event.kind, EventID: d.event.id, URL: d.url, Number: number,
		Redelivery: d.redelivery, Forged: d.forged, Started: s.clock.Now(),
	}
	if d.endpoint != nil {
		record.EndpointID = d.endpoint.id
	}
	ctx, release := s.attemptContext()
	defer release()
	status, err := s.send(ctx, d)
	record.Ended, record.Status = s.clock.Now(), status
	if err != nil {
		record.Err = err.Error()
	}
	record.Accepted = status >= 200 && status < 300
	if !record.Accepted && s.ctx.Err() != nil {
		return false // interrupted by Close, so not a failure of the receiver
	}
	s.logger.Debug("simulator: delivery attempt", "delivery", d.id, "event", string(record.Type), "attempt", number,
		"status", status, "error", record.Err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence++
	record.Sequence = s.sequence
	d.attempts = append(d.attempts, record)
	s.attempts = keepLast(append(s.attempts, record), s.config.logSize)
	s.notify()
	return record.Accepted
}

func (s *Simulator) send(ctx context.Context, d *delivery) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(d.event.body))
	if err != nil {
		return 0, errors.New("invalid URL")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "JoggAI-Webhook/2.0")
	request.Header.Set("X-Webhook-Event", d.event.header)
	request.Header.Set("X-Webhook-Signature", webhooks.Sign(d.event.body, d.secret))
	response, err := s.sender.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // the record has the URL
		}
		return 0, err
	}
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be reused
	_ = response.Body.Close()
	return response.StatusCode, nil
}

// attemptContext returns a context that is canceled with errAnswerLimit when the receiver's time is up.
func (s *Simulator) attemptContext() (context.Context, func()) {
	if s.config.answerLimitReal {
		ctx, cancel := context.WithTimeoutCause(s.ctx, s.config.answerLimit, errAnswerLimit)
		return ctx, cancel
	}
	ctx, cancel := context.WithCancelCause(s.ctx)
	timer := s.clock.AfterFunc(s.config.answerLimit, func() { cancel(errAnswerLimit) })
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}

// pause waits until the next attempt is due. It returns false if the endpoint was deleted or disabled, or the simulator is closing.
func (s *Simulator) pause(d *delivery) bool {
	timer := s.clock.NewTimer(s.config.retryPause)
	defer timer.Stop()
	s.mu.Lock()
	d.state, d.next = DeliveryWaiting, s.clock.Now().Add(s.config.retryPause)
	s.notify()
	s.mu.Unlock()
	select {
	case <-timer.Chan():
	case <-s.ctx.Done():
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.state = DeliverySending
	return d.endpoint == nil || d.endpoint.enabled && !d.endpoint.gone
}

func (s *Simulator) finish(d *delivery, state DeliveryState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil && state != DeliveryAccepted {
		state = DeliveryDropped
	}
	d.state = state
	delete(s.unfinished, d)
	s.notify()
}

// forgetDeliveries drops the oldest finished deliveries when the log is full.
func (s *Simulator) forgetDeliveries() {
	excess := len(s.deliveries) - s.config.logSize
	if excess < max(s.config.logSize/4, 1) {
		return
	}
	s.deliveries = slices.DeleteFunc(s.deliveries, func(d *delivery) bool {
		_, underway := s.unfinished[d]
		if excess <= 0 || underway {
			return false
		}
		excess--
		return true
	})
}

// Deliveries returns the deliveries so far, oldest first. Only the last ones are retained: see WithLogSize.
func (s *Simulator) Deliveries() []DeliveryRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deliveryRecords()
}

func (s *Simulator) deliveryRecords() []DeliveryRecord {
	records := make([]DeliveryRecord, len(s.deliveries))
	for i, d := range s.deliveries {
		records[i] = d.record()
	}
	return records
}

func (d *delivery) record() DeliveryRecord {
	record := DeliveryRecord{
		ID: d.id, Event: d.event.ref, Type: d.event.kind, EventID: d.event.id, URL: d.url,
		Redelivery: d.redelivery, Forged: d.forged, State: d.state, Attempts: slices.Clone(d.attempts),
	}
	if d.endpoint != nil {
		record.EndpointID = d.endpoint.id
	}
	if d.state == DeliveryWaiting {
		record.Next = d.next
	}
	return record
}

// Attempts returns the delivery attempts so far, oldest first. Only the last ones are retained: see WithLogSize.
func (s *Simulator) Attempts() []AttemptRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.attempts)
}
