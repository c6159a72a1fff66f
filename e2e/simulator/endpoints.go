package simulator

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// maxEndpoints is the maximum number of endpoints of an account.
const maxEndpoints = 20

// endpoint is guarded by Simulator.mu.
type endpoint struct {
	id      string
	url     string
	secret  string
	enabled bool
	events  []gen.EventType
	created time.Time
	account *account
	gone    bool
}

// EndpointRecord is a registered endpoint. Printing it with package fmt does not show the secret.
type EndpointRecord struct {
	ID      string
	URL     string
	Secret  string
	Enabled bool
	Events  []gen.EventType
	Created time.Time
}

// String returns the id and the URL.
func (e EndpointRecord) String() string { return e.ID + " " + e.URL }

// GoString omits the secret.
func (e EndpointRecord) GoString() string {
	return fmt.Sprintf("simulator.EndpointRecord{%s}", e.String())
}

// Endpoints returns the endpoints of the account of the key, oldest first. The error is ErrUnknownKey.
func (s *Simulator) Endpoints(key string) ([]EndpointRecord, error) {
	var records []EndpointRecord
	err := s.withAccount(key, func(a *account) { records = a.records() })
	return records, err
}

func (a *account) records() []EndpointRecord {
	records := make([]EndpointRecord, len(a.endpoints))
	for i, e := range a.endpoints {
		records[i] = EndpointRecord{e.id, e.url, e.secret, e.enabled, slices.Clone(e.events), e.created}
	}
	return records
}

func (s server) ListWebhookEvents(_ context.Context) (*gen.WebhookEventList, error) {
	return &gen.WebhookEventList{Events: s.eventTypes()}, nil
}

func (s *Simulator) eventTypes() []gen.EventType {
	types := webhooks.EventTypes()
	for _, more := range slices.Concat(s.contract.eventTypes, s.config.extraEvents) {
		if !slices.Contains(types, more) {
			types = append(types, more)
		}
	}
	return types
}

func (s server) ListWebhookEndpoints(ctx context.Context) (*gen.WebhookEndpointList, error) {
	var list gen.WebhookEndpointList
	for _, e := range exchangeOf(ctx).account.endpoints {
		list.Endpoints = append(list.Endpoints, *e.model())
	}
	return &list, nil
}

func (s server) CreateWebhookEndpoint(ctx context.Context, body gen.WebhookEndpointRequest) (*gen.WebhookEndpoint, error) {
	a := exchangeOf(ctx).account
	if len(a.endpoints) >= maxEndpoints {
		return nil, &refusal{code: CodeInvalidParameter, message: fmt.Sprintf("an account holds at most %d endpoints", maxEndpoints)}
	}
	e := &endpoint{account: a, created: s.clock.Now()}
	if err := s.set(e, body); err != nil {
		return nil, err
	}
	e.id, e.secret = s.ids.named("wh"), s.ids.secret()
	a.endpoints = append(a.endpoints, e)
	s.notify()
	return e.model(), nil
}

func (s server) UpdateWebhookEndpoint(
	ctx context.Context, endpointID string, body gen.WebhookEndpointRequest,
) (*gen.WebhookEndpoint, error) {
	e := exchangeOf(ctx).account.endpoint(endpointID)
	if e == nil {
		return nil, notFound("endpoint")
	}
	if err := s.set(e, body); err != nil {
		return nil, err
	}
	s.notify()
	return e.model(), nil
}

func (s server) DeleteWebhookEndpoint(ctx context.Context, endpointID string) (*gen.WebhookEndpointDeletion, error) {
	a := exchangeOf(ctx).account
	e := a.endpoint(endpointID)
	if e == nil {
		return nil, notFound("endpoint")
	}
	e.gone = true
	a.endpoints = slices.DeleteFunc(a.endpoints, func(other *endpoint) bool { return other == e })
	s.notify()
	return &gen.WebhookEndpointDeletion{Message: "endpoint deleted"}, nil
}

// set applies the settings to an endpoint, or returns an error and changes nothing.
func (s *Simulator) set(e *endpoint, settings gen.WebhookEndpointRequest) error {
	if err := s.checkReceiver("url", settings.URL); err != nil {
		return err
	}
	known := s.eventTypes()
	var events []gen.EventType
	for _, event := range settings.Events {
		if !slices.Contains(known, event) {
			return invalid("events", fmt.Sprintf("unknown event type %q", event))
		}
		if !slices.Contains(events, event) {
			events = append(events, event)
		}
	}
	e.url, e.enabled, e.events = settings.URL, settings.Status == gen.EndpointStatusEnabled, events
	return nil
}

// checkReceiver rejects a URL that is not absolute or not https. Unlike the service, it accepts plain http on the loopback interface,
// unless WithHTTPSOnly is set.
func (s *Simulator) checkReceiver(parameter, address string) error {
	if address == "" {
		return nil // an optional parameter
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return invalid(parameter, "must be an absolute URL")
	}
	if u.Scheme == "https" || u.Scheme == "http" && !s.config.httpsOnly && onLoopback(u.Hostname()) {
		return nil
	}
	return invalid(parameter, "must be HTTPS")
}

func onLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (a *account) endpoint(id string) *endpoint {
	i := slices.IndexFunc(a.endpoints, func(e *endpoint) bool { return e.id == id })
	if i < 0 {
		return nil
	}
	return a.endpoints[i]
}

func (e *endpoint) model() *gen.WebhookEndpoint {
	status := gen.EndpointStatusDisabled
	if e.enabled {
		status = gen.EndpointStatusEnabled
	}
	return &gen.WebhookEndpoint{
		EndpointID: e.id, URL: e.url, Secret: e.secret, Status: status, Events: e.events,
		Username: e.account.user.Username, CreatedAt: e.created.Unix(),
	}
}
