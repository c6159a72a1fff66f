package jogg

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

// Option changes a setting of a new [Client]. It is a function, so printing one shows an address and no setting. A later option
// overrides an earlier one of the same kind.
type Option func(*Client) error

// WithBaseURL sends requests to another server, such as the simulator. The path of an operation is appended to the path of base, if it has
// one. base must be an https URL; plain http is accepted for localhost and loopback addresses only, because it shows the API key to the
// network. base cannot have user information, a query or a fragment.
func WithBaseURL(base string) Option {
	return func(c *Client) error {
		u, err := url.Parse(base)
		switch {
		case err != nil || u.Hostname() == "":
			return errors.New("jogg: WithBaseURL: not an absolute URL") // without the parser's error, which quotes the URL
		case u.Scheme != "https" && u.Scheme != "http":
			return errors.New("jogg: WithBaseURL: neither an https nor an http URL")
		case u.Scheme == "http" && !isLoopback(u):
			return errors.New("jogg: WithBaseURL: plain http, which shows the API key to the network, is for loopback only")
		case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(base, "#"): // u does not show an empty fragment
			return errors.New("jogg: WithBaseURL: user information, a query or a fragment does not belong there")
		}
		c.server = strings.TrimRight(base, "/")
		return nil
	}
}

// WithHTTPClient sends requests with a copy of client: its transport, its cookies, its timeout, which applies to each attempt, and its
// redirect policy, which is consulted about redirects that stay on the host. client itself is not changed. It cannot be nil.
func WithHTTPClient(client *http.Client) Option {
	return func(c *Client) error {
		if client == nil {
			return errors.New("jogg: WithHTTPClient: the client is nil")
		}
		own := *client
		c.http = &own
		return nil
	}
}

// WithUserAgent replaces the User-Agent of requests. agent is one line of visible ASCII characters and spaces.
func WithUserAgent(agent string) Option {
	return func(c *Client) error {
		if strings.TrimSpace(agent) == "" || strings.ContainsFunc(agent, func(r rune) bool { return r < ' ' || r > '~' }) {
			return errors.New("jogg: WithUserAgent: empty, or not visible ASCII on one line")
		}
		c.agent = agent
		return nil
	}
}

// WithLogger logs each attempt, and each wait before another one, to logger at debug level: operation, method, path, status, code, request
// id, attempt and duration. A response with fields that do not fit the contract is logged at warn level, with the operation and the
// pointers to those fields. No record shows a key, a query or a body. Without this option nothing is logged. logger cannot be nil.
func WithLogger(logger *slog.Logger) Option {
	return func(c *Client) error {
		if logger == nil {
			return errors.New("jogg: WithLogger: the logger is nil")
		}
		c.logger = logger
		return nil
	}
}

// WithClock replaces the clock that the client's waits use. clock cannot be nil.
func WithClock(clock Clock) Option {
	return func(c *Client) error {
		if clock == nil {
			return errors.New("jogg: WithClock: the clock is nil")
		}
		c.clock = clock
		return nil
	}
}
