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
// twice, make no difference. URLs are compared without regard to the case of scheme and host, a default port, and a missing path; where none
// is equal, also without regard to a slash at the end of the path, which the service may trim or add. Should several endpoints have the URL,
// the enabled ones come before the disabled, then the oldest counts, then the one with the smaller id; those that this call did not create
// are left alone.
//
// Several programs that run this at the same moment for a new URL agree on one endpoint. The service does not compare URLs, so each may
// create one before it can see those of the others. Each therefore lists the endpoints once more after it has created its own, and deletes it
// if there is an older one. Where the two oldest were created in the same second, nobody can tell which program has seen which, and those
// involved wait for some seconds until the others have made up their minds. What remains is a program that is held up for longer than that
// between two of its requests, and one that comes in the same second and finds an endpoint that then gives way. The next run of either finds
// the endpoint that counts.
//
// Nothing is changed if the URL is not an absolute https URL or has a fragment, or if the service does not list one of the
// events, which is an error that wraps [ErrInvalidParameter]; or if an endpoint would have to be created beyond the limit, which
// is one that wraps [ErrEndpointLimit]. Plain http is accepted between loopback addresses, that of the client's base URL and that
// of the endpoint. What the service refuses is an [*APIError] of the operation that it refused. No error and no log record shows
// the URL, which may hold a token.
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

// replaceEndpoint gives an endpoint the settings that are wanted. What the service does not repeat stands as it is known.
func (c *Client) replaceEndpoint(ctx context.Context, existing *gen.WebhookEndpoint, wanted gen.WebhookEndpointRequest) (*gen.WebhookEndpoint, error) {
	updated, err := c.UpdateWebhookEndpoint(ctx, existing.EndpointID, wanted)
	if err != nil {
		return nil, err
	}
	if updated.EndpointID == "" { // the service need not answer more than that it is done
		*updated = *existing
		updated.URL, updated.Status, updated.Events = wanted.URL, wanted.Status, wanted.Events
	}
	updated.Secret = cmp.Or(updated.Secret, existing.Secret) // it stays the same, whether or not the answer repeats it
	return updated, nil
}

// settling is how long an endpoint that was created in the same second as another one waits for the program behind the other. It is real
// time, because it is the requests of other programs that take it: from the second in which both were created until the other has given way,
// a creation, a list and a deletion pass.
const settling = 4 * time.Second

// agreeOnEndpoint returns the one endpoint that all programs which create one for the address at the same moment agree on: the oldest, then
// the one with the smaller id. If it is not created, created is deleted.
//
// A program whose endpoint is the only one that it sees is done. One that sees an older one gives way; the program behind that, if it has not
// seen this one, relies on its own. The creation times are whole seconds, so two that are equal do not tell which of the two programs could
// see the other's endpoint. Then the one that is to give way does so, and the one that is to stay waits to see whether those that it saw do: one
// that does not has not seen this one, and this one gives way after all. One that appears meanwhile has seen this one, and waits in turn. Thus
// each gives way to one that has looked before it, and one stays. Who gave way asks last which one that is.
func (c *Client) agreeOnEndpoint(ctx context.Context, created *gen.WebhookEndpoint, address string) (*gen.WebhookEndpoint, error) {
	own, rivals, err := c.rivals(ctx, created, address)
	if err == nil && isTied(own, rivals) && own.EndpointID < rivals[0].EndpointID {
		seen := rivals
		if err = rest(ctx, settling); err == nil {
			own, rivals, err = c.rivals(ctx, created, address)
			rivals = slices.DeleteFunc(rivals, func(rival gen.WebhookEndpoint) bool { return !slices.ContainsFunc(seen, is(rival)) })
		}
	}
	switch {
	case err != nil:
		c.logger.LogAttrs(ctx, slog.LevelWarn, "jogg: created an endpoint without looking for duplicates",
			slog.String("operation", ensureWebhookEndpoint), slog.String("endpoint_id", created.EndpointID))
		return created, nil //nolint:nilerr // the endpoint stands, and a program can do with two
	case len(rivals) == 0 || own.CreatedAt < rivals[0].CreatedAt:
		return created, nil
	}
	if err := c.deleteDuplicate(ctx, created); err != nil {
		return nil, err
	}
	if !isTied(own, rivals) && !isTied(rivals[0], rivals[1:]) {
		return &rivals[0], nil
	}
	if err := rest(ctx, 3*settling); err != nil { // longer than one that waits takes to give way after all
		return nil, fmt.Errorf("jogg: %s: %w", ensureWebhookEndpoint, err)
	}
	if _, rivals, err = c.rivals(ctx, created, address); err != nil {
		return nil, err
	}
	if len(rivals) == 0 {
		return nil, fmt.Errorf("jogg: %s: other programs created and deleted endpoints with this URL at the same time; run it again",
			ensureWebhookEndpoint)
	}
	return &rivals[0], nil
}

// is returns a function that recognizes an endpoint by its id.
func is(endpoint gen.WebhookEndpoint) func(gen.WebhookEndpoint) bool {
	return func(other gen.WebhookEndpoint) bool { return other.EndpointID == endpoint.EndpointID }
}

// isTied tells whether the creation times do not say which of an endpoint and the first of its rivals is the older one.
func isTied(endpoint gen.WebhookEndpoint, rivals []gen.WebhookEndpoint) bool {
	return len(rivals) > 0 && endpoint.CreatedAt == rivals[0].CreatedAt
}

// rivals lists the endpoints with the address: the one that was created, as the list shows it if it does, and the others, the one that counts
// first.
func (c *Client) rivals(
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
		return fmt.Errorf("jogg: %s: the endpoint %s is one too many and could not be deleted: %w", ensureWebhookEndpoint, created.EndpointID, err)
	}
	return nil
}

// rest lets a stretch of real time pass.
func rest(ctx context.Context, d time.Duration) error { return pause(ctx, systemClock{}, d) }

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

// endpointsAt returns the endpoints with the address, the one that counts first. Those that differ in a slash at the end count only where no
// other does.
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
			cmp.Compare(disabled(a), disabled(b)),
			cmp.Compare(a.CreatedAt, b.CreatedAt),
			strings.Compare(a.EndpointID, b.EndpointID),
		)
	})
	return exact
}

// first returns the endpoint that counts, nil if there is none.
func first(endpoints []gen.WebhookEndpoint) *gen.WebhookEndpoint {
	if len(endpoints) == 0 {
		return nil
	}
	return &endpoints[0]
}

// withoutSlash returns an address without a slash at the end of its path.
func withoutSlash(address string) string {
	path, query, asked := strings.Cut(address, "?")
	path = strings.TrimSuffix(path, "/")
	if asked {
		return path + "?" + query
	}
	return path
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
