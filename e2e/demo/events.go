package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// everyEvent registers an endpoint, creates a video and waits for it, and delivers every type of event.
func (d *demo) everyEvent(ctx context.Context) error {
	types, err := d.client.ListWebhookEvents(ctx)
	if err != nil {
		return err
	}
	d.printf("It knows %d event types.\n", len(types.Events))

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	endpoint, err := d.ensureEndpoint(ctx, "http://"+listener.Addr().String()+"/jogg")
	if err != nil {
		return err
	}
	r := newReceiver()
	server, err := r.serve(listener, endpoint.Secret)
	if err != nil {
		return err
	}
	defer server.Close()

	ctx, cancel := context.WithCancel(ctx)
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		for attempt := range d.sim.FollowAttempts(ctx) {
			d.printAttempt(attempt, r)
		}
	}()
	err = d.deliverEverything(ctx)
	cancel()
	<-printed
	if err != nil {
		return err
	}
	return d.checkDeliveries(r)
}

// ensureEndpoint registers the endpoint twice, as two deployments would.
func (d *demo) ensureEndpoint(ctx context.Context, url string) (*gen.WebhookEndpoint, error) {
	first, err := d.client.EnsureWebhookEndpoint(ctx, url)
	if err != nil {
		return nil, err
	}
	second, err := d.client.EnsureWebhookEndpoint(ctx, url)
	if err != nil {
		return nil, err
	}
	if first.EndpointID != second.EndpointID {
		return nil, errors.New("ensuring the endpoint twice created two endpoints")
	}
	d.printf("Endpoint %s at %s gets %d of them. Ensured twice, created once.\n", first.EndpointID, first.URL, len(first.Events))
	return first, nil
}

func (d *demo) deliverEverything(ctx context.Context) error {
	if err := d.makeVideo(ctx); err != nil {
		return err
	}
	d.printf("\nNow every type of event. Some attempts fail at first, some events are redelivered, one delivery is forged.\n\n")
	d.printf("%-34s %-26s %-16s %-14s %s\n", "EVENT", "GO TYPE", "ID", "ATTEMPT", "RESPONSE")
	for i, eventType := range webhooks.EventTypes() {
		event, err := d.sim.Trigger(eventType)
		if err != nil {
			return err
		}
		if i%4 == 0 {
			if err := d.sim.Redeliver(event.Ref); err != nil {
				return err
			}
		}
		if err := d.finishDeliveries(ctx); err != nil {
			return err
		}
	}
	if _, err := d.sim.Trigger(webhooks.GeneratedAvatarVideoSuccess, simulator.Forged()); err != nil {
		return err
	}
	return d.finishDeliveries(ctx)
}

// makeVideo creates a video and waits for it.
func (d *demo) makeVideo(ctx context.Context) error {
	task, err := d.client.CreateAvatarVideo(ctx, gen.CreateAvatarVideoRequest{
		Avatar:      gen.VideoAvatar{AvatarType: gen.AvatarTypePublic, AvatarID: 81},
		Voice:       gen.VideoVoice{Type: gen.VoiceTypeScript, VoiceID: "en-US-ChristopherNeural", Script: "Hello from the demo."},
		AspectRatio: gen.AspectRatioPortrait,
		ScreenStyle: gen.ScreenStyleFullScreen,
		Caption:     jogg.Ptr(true),
	})
	if err != nil {
		return err
	}
	d.printf("\nVideo %s is queued.\n", task.VideoID)
	video, err := d.client.WaitAvatarVideo(ctx, task.VideoID, jogg.WithWaitProgress(func(p jogg.WaitProgress) {
		d.printf("  after %3.0f s: %s\n", p.Waited.Seconds(), p.Status)
	}))
	if err != nil {
		return err
	}
	d.printf("It is at %s, and JoggAI delivers the event:\n", video.VideoURL)
	return d.finishDeliveries(ctx)
}

// finishDeliveries waits until every delivery was accepted or given up.
func (d *demo) finishDeliveries(ctx context.Context) error {
	_, err := d.sim.WaitDeliveries(ctx, func(deliveries []simulator.DeliveryRecord) bool {
		return !slices.ContainsFunc(deliveries, func(r simulator.DeliveryRecord) bool {
			return r.State == simulator.DeliverySending || r.State == simulator.DeliveryWaiting
		})
	})
	return err
}

func (d *demo) printAttempt(a simulator.AttemptRecord, r *receiver) {
	goType, id, note := r.goType(a), a.EventID, ""
	if id == "" {
		id = "none sent"
	}
	switch {
	case a.Forged:
		goType, note = "not decoded", ", forged"
	case a.Redelivery:
		note = ", redelivery"
	}
	response := fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status))
	if a.Status == 0 {
		response = "none: " + a.Err
	}
	d.printf("%-34s %-26s %-16s %-14s %s\n", a.Type, goType, shortened(id), fmt.Sprint(a.Number, note), response)
}

func shortened(id string) string {
	const maxLen = 15
	if len(id) <= maxLen {
		return id
	}
	return id[:maxLen-1] + "…"
}

// checkDeliveries counts the outcomes of the deliveries, and returns an error for those that must not happen.
func (d *demo) checkDeliveries(r *receiver) error {
	var accepted, retried, redelivered, forged int
	var faults []error
	for _, delivery := range d.sim.Deliveries() {
		switch {
		case delivery.Forged:
			forged++
			if delivery.State == simulator.DeliveryAccepted {
				faults = append(faults, fmt.Errorf("a forged %s was accepted", delivery.Type))
			}
			continue
		case delivery.State != simulator.DeliveryAccepted:
			faults = append(faults, fmt.Errorf("%s was lost: its delivery is %s", delivery.Type, delivery.State))
			continue
		case delivery.Redelivery:
			redelivered++
		}
		accepted++
		retried += len(delivery.Attempts) - 1
	}
	handled, fault := r.check(d.sim.Events())
	if fault != nil {
		faults = append(faults, fault)
	}
	d.printf("\n%d deliveries accepted, %d of them redeliveries; %d attempts retried; %d forged delivery rejected;\n",
		accepted, redelivered, retried, forged)
	d.printf("%d events handled, each once.\n", handled)
	return errors.Join(faults...)
}

// receiver is the user's code. It handles each event, and fails at the first attempt of some.
type receiver struct {
	mu      sync.Mutex
	handled map[string]int    // number of times, by key
	failed  map[string]bool   // whether the first attempt has failed, by key
	types   map[string]string // Go type, by event type
}

func newReceiver() *receiver {
	return &receiver{handled: map[string]int{}, failed: map[string]bool{}, types: map[string]string{}}
}

func (r *receiver) serve(listener net.Listener, secret string) (*http.Server, error) {
	verifier, err := webhooks.NewVerifier(secret)
	if err != nil {
		return nil, err
	}
	// The table shows what the handler would log.
	handler := webhooks.NewHandler(verifier, r, webhooks.WithLogger(slog.New(slog.DiscardHandler)))
	mux := http.NewServeMux()
	mux.Handle("POST /jogg", handler)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	return server, nil
}

var errFirstTry = errors.New("database unavailable")

// Receive handles an event. For events of failed tasks, the first attempt fails.
func (r *receiver) Receive(_ context.Context, ev webhooks.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := ev.Key()
	r.types[string(ev.Type)] = fmt.Sprintf("%T", ev.Data)
	if ev.Type.Failed() && !r.failed[key] {
		r.failed[key] = true
		return errFirstTry
	}
	r.handled[key]++
	return nil
}

func (r *receiver) goType(a simulator.AttemptRecord) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.TrimPrefix(r.types[string(a.Type)], "*")
}

// check returns the number of handled events, and an error unless every event but the forged one was handled once.
func (r *receiver) check(events []simulator.EventRecord) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var faults []error
	for key, times := range r.handled {
		if times != 1 {
			faults = append(faults, fmt.Errorf("%s was handled %d times", key, times))
		}
	}
	missing := 0
	for _, event := range events {
		if ev, err := webhooks.Parse(event.Body); err != nil || r.handled[ev.Key()] == 0 {
			missing++
		}
	}
	if missing != 1 { // the forged one
		faults = append(faults, fmt.Errorf("%d events were not handled; one was forged", missing))
	}
	return len(r.handled), errors.Join(faults...)
}
