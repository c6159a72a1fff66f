// Package jogg is a client for the JoggAI v2 API.
package jogg

import (
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// Version is the version of this library, as it stands in the User-Agent of its requests.
const Version = "0.1.0"

// DefaultBaseURL is the address of the service.
const DefaultBaseURL = "https://api.jogg.ai"

// Client calls the JoggAI API. It is safe for concurrent use.
type Client struct {
	server string
	key    string
	http   *http.Client
	agent  string
	logger *slog.Logger
	clock  Clock
	retry  RetryPolicy
}

// New returns a client that authenticates with apiKey.
func New(apiKey string, opts ...Option) (*Client, error) {
	if apiKey == "" {
		return nil, errors.New("jogg: the API key is empty")
	}
	c := &Client{
		server: DefaultBaseURL,
		key:    apiKey,
		http:   &http.Client{},
		agent:  "jogg-go/" + Version + " (+https://github.com/jogg-go/jogg)",
		logger: slog.New(slog.DiscardHandler),
		clock:  systemClock{},
	}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Ptr returns a pointer to v, for the request fields whose zero value differs from their absence.
func Ptr[T any](v T) *T {
	return &v
}

// Clock tells the time and wakes up a waiting call. The clocks of github.com/jonboulle/clockwork are Clocks.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
