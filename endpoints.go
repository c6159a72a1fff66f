package jogg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// MaxWebhookEndpoints is the number of endpoints that the service allows an account.
const MaxWebhookEndpoints = 20

// ErrEndpointLimit tells that the account holds [MaxWebhookEndpoints] endpoints, none of them for the URL that was asked for.
var ErrEndpointLimit = errors.New("endpoint limit reached")

const ensureWebhookEndpoint = "EnsureWebhookEndpoint"

// EnsureWebhookEndpoint sees to it that deliveries of the events arrive at endpointURL, and returns the endpoint with its secret.
// It is meant to run each time that a program is deployed: it creates an endpoint if the account has none with this URL, updates
// the one it has if it is disabled or subscribed to other events, and otherwise changes nothing. The secret of an endpoint stays
// the same throughout.
//
// Without events, the endpoint is subscribed to all that the service lists at the time. The order of events, and events given
// twice, make no difference. URLs are compared without regard to the case of scheme and host, a default port, and a missing path.
// Should several endpoints have the URL, the enabled ones come before the disabled, then the oldest counts, then the one with the
// smaller id; the others are left alone.
//
// Nothing is changed if the URL is not an absolute https URL or has a fragment, or if the service does not list one of the
// events, which is an error that wraps [ErrInvalidParameter]; or if an endpoint would have to be created beyond the limit, which
// is one that wraps [ErrEndpointLimit]. Plain http is accepted between loopback addresses, that of the client's base URL and that
// of the endpoint. What the service refuses is an [*APIError] of the operation that it refused. No error and no log record shows
// the URL, which may hold a token.
//
// Two programs that run this at the same moment for a new URL can make two endpoints, because the service does not compare URLs.
func (c *Client) EnsureWebhookEndpoint(ctx context.Context, endpointURL string, events ...gen.EventType) (*gen.WebhookEndpoint, error) {
	address, err := c.checkEndpointURL(endpointURL)
	if err != nil {
		return nil, fmt.Errorf("jogg: %s: %w: %w", ensureWebhookEndpoint, ErrInvalidParameter, err)
	}
	wanted := gen.WebhookEndpointRequest{URL: endpointURL, Status: gen.EndpointStatusEnabled}
	if wanted.Events, err = c.chooseEvents(ctx, events); err != nil {
		return nil, err
	}
	list, err := c.ListWebhookEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	existing := endpointAt(list.Endpoints, address)
	switch {
	case existing == nil && len(list.Endpoints) >= MaxWebhookEndpoints:
		return nil, fmt.Errorf("jogg: %s: %w: the account holds %d endpoints, and none has this URL",
			ensureWebhookEndpoint, ErrEndpointLimit, len(list.Endpoints))
	case existing == nil:
		return c.CreateWebhookEndpoint(ctx, wanted)
	case existing.Status == gen.EndpointStatusEnabled && sameEvents(existing.Events, wanted.Events):
		return existing, nil
	}
	updated, err := c.UpdateWebhookEndpoint(ctx, existing.EndpointID, wanted)
	if err != nil {
		return nil, err
	}
	updated.Secret = cmp.Or(updated.Secret, existing.Secret) // it stays the same, whether or not the answer repeats it
	return updated, nil
}

// checkEndpointURL returns the address that a URL stands for. Its errors do not quote the URL.
func (c *Client) checkEndpointURL(endpointURL string) (string, error) {
	u, err := url.Parse(endpointURL)
	switch {
	case err != nil || u.Hostname() == "":
		return "", errors.New("the URL is not an absolute URL")
	case strings.Contains(endpointURL, "#"): // an empty fragment leaves no trace in u
		return "", errors.New("the URL has a fragment")
	case u.Scheme == "http" && isLoopback(u) && c.isLocal():
		return endpointAddress(u), nil
	case u.Scheme != "https":
		return "", errors.New("the URL is not an https URL")
	}
	return endpointAddress(u), nil
}

// isLocal tells whether the client talks to a server on this machine, such as the simulator. Only such a server can reach a
// loopback URL.
func (c *Client) isLocal() bool {
	u, err := url.Parse(c.server)
	return err == nil && isLoopback(u)
}

// endpointAddress spells a URL so that those which lead to the same place are equal.
func endpointAddress(u *url.URL) string {
	same := *u
	same.Scheme, same.Host = "", ""
	same.Path = cmp.Or(same.Path, "/")
	return origin(u) + " " + same.String()
}

// chooseEvents returns the events to subscribe to, each once, after comparing them with those that the service lists.
func (c *Client) chooseEvents(ctx context.Context, wanted []gen.EventType) ([]gen.EventType, error) {
	list, err := c.ListWebhookEvents(ctx)
	if err != nil {
		return nil, err
	}
	if len(wanted) == 0 {
		wanted = list.Events
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("jogg: %s: the service lists no events to subscribe to", ensureWebhookEndpoint)
	}
	chosen := make([]gen.EventType, 0, len(wanted))
	for _, event := range wanted {
		if !slices.Contains(list.Events, event) {
			return nil, fmt.Errorf("jogg: %s: %w: the service does not list the event %q",
				ensureWebhookEndpoint, ErrInvalidParameter, event)
		}
		if !slices.Contains(chosen, event) {
			chosen = append(chosen, event)
		}
	}
	return chosen, nil
}

// endpointAt returns the endpoint that counts among those with the address, nil if there is none.
func endpointAt(endpoints []gen.WebhookEndpoint, address string) *gen.WebhookEndpoint {
	var there []gen.WebhookEndpoint
	for _, endpoint := range endpoints {
		if u, err := url.Parse(endpoint.URL); err == nil && endpointAddress(u) == address {
			there = append(there, endpoint)
		}
	}
	if len(there) == 0 {
		return nil
	}
	first := slices.MinFunc(there, func(a, b gen.WebhookEndpoint) int {
		return cmp.Or(
			cmp.Compare(disabled(a), disabled(b)),
			cmp.Compare(a.CreatedAt, b.CreatedAt),
			strings.Compare(a.EndpointID, b.EndpointID),
		)
	})
	return &first
}

// disabled sorts the endpoints that receive deliveries before the others.
func disabled(endpoint gen.WebhookEndpoint) int {
	if endpoint.Status == gen.EndpointStatusEnabled {
		return 0
	}
	return 1
}

// sameEvents compares two lists of events as sets.
func sameEvents(a, b []gen.EventType) bool {
	return contains(a, b) && contains(b, a)
}

func contains(all, some []gen.EventType) bool {
	return !slices.ContainsFunc(some, func(event gen.EventType) bool { return !slices.Contains(all, event) })
}
