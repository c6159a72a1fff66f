package jogg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jogg-go/jogg/gen"
)

// MaxWebhookEndpoints is the number of endpoints that the service allows per account.
const MaxWebhookEndpoints = 20

// ErrEndpointLimit means that the account has [MaxWebhookEndpoints] endpoints, and none of them has the requested URL.
var ErrEndpointLimit = errors.New("endpoint limit reached")

const ensureWebhookEndpoint = "EnsureWebhookEndpoint"

// EnsureWebhookEndpoint registers endpointURL for deliveries of the events, and returns the endpoint with its secret. It is meant to run at
// every deployment of a program: it creates an endpoint if the account has none with this URL, updates the existing one if it is disabled
// or subscribed to other events, and otherwise changes nothing. The secret of an endpoint never changes.
//
// Without events, the endpoint is subscribed to all events that the service lists at the time. The order of events and duplicates among
// them do not matter. URLs are compared without regard to the case of scheme and host, a default port, and a missing path. If no URL is
// equal, a slash at the end of the path is ignored too, because the service may trim or add it. If several endpoints have the URL, enabled
// ones come before disabled ones, then the oldest counts, then the one with the smaller id. The others are left alone, unless this call
// created them.
//
// Several programs that run this concurrently for a new URL agree on one endpoint. The service does not compare URLs, so each program may
// create an endpoint before it can see those of the others. Each program therefore lists the endpoints again after creating its own, and
// deletes its own if there is an older one. If the two oldest were created in the same second, their order is unknown, and the programs
// involved wait several seconds for each other's decision. Two races remain: a program that is delayed for longer than that between two of
// its requests, and a program that starts in the same second and finds an endpoint that is then deleted. The next run of either program
// finds the endpoint that remained.
//
// Nothing is changed if the URL is not an absolute https URL or has a fragment, or if the service does not list one of the events; the
// error then wraps [ErrInvalidParameter]. Nothing is changed either if a new endpoint would exceed the limit; that error wraps
// [ErrEndpointLimit]. Plain http is accepted if both the client's base URL and endpointURL are loopback addresses. An error response is an
// [*APIError] of the operation that failed. No error and no log record shows the URL, which may hold a token.
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
	existing := first(endpointsAt(list.Endpoints, address))
	if existing == nil && len(list.Endpoints) >= MaxWebhookEndpoints {
		return nil, fmt.Errorf("jogg: %s: %w: the account holds %d endpoints, and none has this URL",
			ensureWebhookEndpoint, ErrEndpointLimit, len(list.Endpoints))
	}
	if existing == nil {
		created, err := c.CreateWebhookEndpoint(ctx, wanted)
		if err != nil {
			return nil, err
		}
		if existing, err = c.agreeOnEndpoint(ctx, created, address); err != nil || existing == created {
			return existing, err
		}
	}
	if existing.Status == gen.EndpointStatusEnabled && sameEvents(existing.Events, wanted.Events) {
		return existing, nil
	}
	return c.replaceEndpoint(ctx, existing, wanted)
}

// replaceEndpoint updates an endpoint to the wanted settings. Fields that the response omits keep their known values.
func (c *Client) replaceEndpoint(ctx context.Context, existing *gen.WebhookEndpoint, wanted gen.WebhookEndpointRequest) (*gen.WebhookEndpoint, error) {
	updated, err := c.UpdateWebhookEndpoint(ctx, existing.EndpointID, wanted)
	if err != nil {
		return nil, err
	}
	if updated.EndpointID == "" { // the response may be no more than a confirmation
		*updated = *existing
		updated.URL, updated.Status, updated.Events = wanted.URL, wanted.Status, wanted.Events
	}
	updated.Secret = cmp.Or(updated.Secret, existing.Secret) // it never changes, whether or not the response has it
	return updated, nil
}

// settleTime is how long a program waits if another endpoint was created in the same second as its own. It is real time, because it covers
// requests of the other program: between the second in which both endpoints were created and the deletion of the other one, there are a
// creation, a list and a deletion.
const settleTime = 4 * time.Second

// agreeOnEndpoint returns the one endpoint that all programs which concurrently create one for the address agree on: the oldest, then the
// one with the smaller id. It deletes created if that is another one.
//
// A program that sees only its own endpoint keeps it. A program that sees an older one deletes its own, because the program behind the
// older one may not have seen it and keeps its own. Creation times are whole seconds, so two equal times do not tell which program could
// see the other's endpoint. In that case, the program with the larger id deletes its endpoint. The program with the smaller id waits to see
// whether the endpoints that it saw are deleted. If one is not, its program has not seen this endpoint, and this endpoint is deleted after
// all. An endpoint that appears in the meantime belongs to a program that has seen this one, and that waits in turn. So every program gives
// way to one that has listed the endpoints before it, and one endpoint remains. A program that has deleted its own lists the endpoints once
// more to find the one that remains.
func (c *Client) agreeOnEndpoint(ctx context.Context, created *gen.WebhookEndpoint, address string) (*gen.WebhookEndpoint, error) {
	own, others, err := c.duplicates(ctx, created, address)
	if err == nil && isTied(own, others) && own.EndpointID < others[0].EndpointID {
		seen := others
		if err = sleep(ctx, settleTime); err == nil {
			own, others, err = c.duplicates(ctx, created, address)
			others = slices.DeleteFunc(others, func(other gen.WebhookEndpoint) bool { return !slices.ContainsFunc(seen, sameID(other)) })
		}
	}
	switch {
	case err != nil:
		c.logger.LogAttrs(ctx, slog.LevelWarn, "jogg: created an endpoint without checking for duplicates",
			slog.String("operation", ensureWebhookEndpoint), slog.String("endpoint_id", created.EndpointID))
		return created, nil //nolint:nilerr // the endpoint works, and a duplicate does no harm
	case len(others) == 0 || own.CreatedAt < others[0].CreatedAt:
		return created, nil
	}
	if err := c.deleteDuplicate(ctx, created); err != nil {
		return nil, err
	}
	if !isTied(own, others) && !isTied(others[0], others[1:]) {
		return &others[0], nil
	}
	if err := sleep(ctx, 3*settleTime); err != nil { // longer than a waiting program takes to delete its endpoint after all
		return nil, fmt.Errorf("jogg: %s: %w", ensureWebhookEndpoint, err)
	}
	if _, others, err = c.duplicates(ctx, created, address); err != nil {
		return nil, err
	}
	if len(others) == 0 {
		return nil, fmt.Errorf("jogg: %s: other programs created and deleted endpoints with this URL at the same time; run it again",
			ensureWebhookEndpoint)
	}
	return &others[0], nil
}

// sameID returns a function that reports whether an endpoint has the id of this one.
func sameID(endpoint gen.WebhookEndpoint) func(gen.WebhookEndpoint) bool {
	return func(other gen.WebhookEndpoint) bool { return other.EndpointID == endpoint.EndpointID }
}

// isTied reports whether the creation times leave open which is older, an endpoint or the first of its duplicates.
func isTied(endpoint gen.WebhookEndpoint, others []gen.WebhookEndpoint) bool {
	return len(others) > 0 && endpoint.CreatedAt == others[0].CreatedAt
}

// duplicates lists the endpoints with the address: created itself, as listed if it is in the list, and the others, starting with the one
// that counts.
func (c *Client) duplicates(
	ctx context.Context, created *gen.WebhookEndpoint, address string,
) (own gen.WebhookEndpoint, others []gen.WebhookEndpoint, err error) {
	list, err := c.ListWebhookEndpoints(ctx)
	if err != nil {
		return *created, nil, err
	}
	own = *created
	for _, endpoint := range endpointsAt(list.Endpoints, address) {
		if endpoint.EndpointID == created.EndpointID {
			own = endpoint
		} else {
			others = append(others, endpoint)
		}
	}
	return own, others, nil
}

// deleteDuplicate deletes an endpoint that this call created.
func (c *Client) deleteDuplicate(ctx context.Context, created *gen.WebhookEndpoint) error {
	_, err := c.DeleteWebhookEndpoint(ctx, created.EndpointID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("jogg: %s: deleting the duplicate endpoint %s: %w", ensureWebhookEndpoint, created.EndpointID, err)
	}
	return nil
}

// sleep waits for d of real time.
func sleep(ctx context.Context, d time.Duration) error { return pause(ctx, systemClock{}, d) }

// checkEndpointURL returns the address of a URL. Its errors do not quote the URL.
func (c *Client) checkEndpointURL(endpointURL string) (string, error) {
	u, err := url.Parse(endpointURL)
	switch {
	case err != nil || u.Hostname() == "":
		return "", errors.New("the URL is not an absolute URL")
	case strings.Contains(endpointURL, "#"): // u does not show an empty fragment
		return "", errors.New("the URL has a fragment")
	case u.Scheme == "http" && isLoopback(u) && c.isLocal():
		return endpointAddress(u), nil
	case u.Scheme != "https":
		return "", errors.New("the URL is not an https URL")
	}
	return endpointAddress(u), nil
}

// isLocal reports whether the client talks to a server on this machine, such as the simulator. Only such a server can reach a loopback URL.
func (c *Client) isLocal() bool {
	u, err := url.Parse(c.server)
	return err == nil && isLoopback(u)
}

// endpointAddress normalizes a URL, so that the addresses of equivalent URLs are equal.
func endpointAddress(u *url.URL) string {
	same := *u
	same.Scheme, same.Host = "", ""
	same.Path = cmp.Or(same.Path, "/")
	return origin(u) + " " + same.String()
}

// chooseEvents returns the events to subscribe to, without duplicates. It checks them against the events that the service lists.
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

// endpointsAt returns the endpoints with the address, starting with the one that counts. Endpoints that differ in a slash at the end are
// returned only if no other matches.
func endpointsAt(endpoints []gen.WebhookEndpoint, address string) []gen.WebhookEndpoint {
	var exact, similar []gen.WebhookEndpoint
	for _, endpoint := range endpoints {
		u, err := url.Parse(endpoint.URL)
		if err != nil {
			continue
		}
		switch other := endpointAddress(u); {
		case other == address:
			exact = append(exact, endpoint)
		case withoutSlash(other) == withoutSlash(address):
			similar = append(similar, endpoint)
		}
	}
	if len(exact) == 0 {
		exact = similar
	}
	slices.SortStableFunc(exact, func(a, b gen.WebhookEndpoint) int {
		return cmp.Or(
			cmp.Compare(statusRank(a), statusRank(b)),
			cmp.Compare(a.CreatedAt, b.CreatedAt),
			strings.Compare(a.EndpointID, b.EndpointID),
		)
	})
	return exact
}

// first returns the endpoint that counts, or nil if there is none.
func first(endpoints []gen.WebhookEndpoint) *gen.WebhookEndpoint {
	if len(endpoints) == 0 {
		return nil
	}
	return &endpoints[0]
}

// withoutSlash returns an address without the slash at the end of its path.
func withoutSlash(address string) string {
	path, query, asked := strings.Cut(address, "?")
	path = strings.TrimSuffix(path, "/")
	if asked {
		return path + "?" + query
	}
	return path
}

// statusRank sorts enabled endpoints before disabled ones.
func statusRank(endpoint gen.WebhookEndpoint) int {
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
