package simulator

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/jogg-go/jogg/gen"
)

// DefaultAPIKey is the API key of the only account if WithAPIKey is not used. That account has 1000 credits.
const DefaultAPIKey = "simulator-key"

// Option configures a Simulator. Invalid options make New and Start return an error.
type Option func(*config) error

type config struct {
	clock   clockwork.Clock
	logger  *slog.Logger
	seed    uint64
	logSize int

	address      string
	mediaAddress string
	mediaURL     string

	keys          []accountConfig
	postLimit     int
	postWindow    time.Duration
	errorStatuses bool
	waits         RetryAfterPlace
	guideForms    bool

	pending    time.Duration
	processing time.Duration
	spelling   Spelling
	pages      map[string]PageMode
	pageModes  []pageChoice // in the order of the options
	httpsOnly  bool

	document          []byte // replaces the contract; nil for the published one
	noImplementations bool   // derive every operation from its schemas
	extra             []*extraOperation

	extraEvents     []gen.EventType
	answerLimit     time.Duration
	answerLimitReal bool
	retries         int
	retryPause      time.Duration
	transport       http.RoundTripper
}

type accountConfig struct {
	key     string
	credits float64
}

func newConfig(options []Option) (config, error) {
	c := config{
		clock:        clockwork.NewRealClock(),
		logger:       slog.Default(),
		seed:         1,
		logSize:      10_000,
		address:      "127.0.0.1:0",
		mediaAddress: "127.0.0.1:0",
		mediaURL:     "https://media.jogg.invalid",
		postLimit:    20,
		postWindow:   time.Minute,
		waits:        RetryAfterInHeader | RetryAfterInBody,
		pending:      2 * time.Second,
		processing:   8 * time.Second,
		pages:        map[string]PageMode{},
		answerLimit:  5 * time.Second,
		retries:      3,
		retryPause:   5 * time.Second,
	}
	for _, option := range options {
		if err := option(&c); err != nil {
			return config{}, fmt.Errorf("simulator: %w", err)
		}
	}
	if len(c.keys) == 0 {
		c.keys = []accountConfig{{key: DefaultAPIKey, credits: 1000}}
	}
	return c, nil
}

// WithClock sets the clock for tasks, retries, limits and timestamps. The default is the real clock. With a *clockwork.FakeClock nothing
// happens until the test advances it: see Settle and FastForward.
func WithClock(clock clockwork.Clock) Option {
	return func(c *config) error {
		if clock == nil {
			return errors.New("clock is nil")
		}
		c.clock = clock
		return nil
	}
}

// WithLogger sets the logger. The default is slog.Default(). Keys, secrets and payloads are never logged.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) error {
		if logger == nil {
			return errors.New("logger is nil")
		}
		c.logger = logger
		return nil
	}
}

// WithSeed sets the seed of generated ids, secrets and values. The same seed and the same calls in the same order generate the same ones.
// The default is 1.
func WithSeed(seed uint64) Option {
	return func(c *config) error {
		c.seed = seed
		return nil
	}
}

// WithLogSize bounds the memory of a long run: it limits how many calls, events, attempts, upload refusals, finished deliveries and ended
// tasks are retained, and how many idempotency keys of an account. The default is 10000. Up to a quarter more may be retained at times.
// Uploads, products and other resources that are created without a task are kept until Close.
func WithLogSize(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("log size %d is below 1", n)
		}
		c.logSize = n
		return nil
	}
}

// WithAddr sets the address on which Listen serves the API. The default is 127.0.0.1:0, which chooses a free port.
func WithAddr(address string) Option {
	return func(c *config) error {
		c.address = address
		return nil
	}
}

// WithMediaAddr sets the address on which Listen serves the second host, for uploads and media. The default is 127.0.0.1:0, which chooses
// a free port.
func WithMediaAddr(address string) Option {
	return func(c *config) error {
		c.mediaAddress = address
		return nil
	}
}

// WithMediaURL sets the base URL of uploads and media, without a trailing slash. It is for programs that serve MediaHandler themselves;
// Listen replaces it.
func WithMediaURL(base string) Option {
	return func(c *config) error {
		c.mediaURL = base
		return nil
	}
}

// WithAPIKey adds an account with the API key and the credits. Each key is an account with its own tasks and endpoints. Methods without a
// key, such as Trigger, use the first account.
func WithAPIKey(key string, credits float64) Option {
	return func(c *config) error {
		if key == "" {
			return errors.New("API key is empty")
		}
		if slices.ContainsFunc(c.keys, func(k accountConfig) bool { return k.key == key }) {
			return errors.New("API key was given twice")
		}
		c.keys = append(c.keys, accountConfig{key: key, credits: credits})
		return nil
	}
}

// WithPostLimit limits the POST requests of each API key to n within a sliding window. The default is 20 per minute, as JoggAI documents.
// A limit of 0 allows any number.
func WithPostLimit(n int, window time.Duration) Option {
	return func(c *config) error {
		if n < 0 || window <= 0 {
			return fmt.Errorf("POST limit of %d per %s is invalid", n, window)
		}
		c.postLimit, c.postWindow = n, window
		return nil
	}
}

// WithErrorStatuses makes failed calls return the 4xx or 5xx status that matches their code. By default they return 200, as the service
// mostly does.
func WithErrorStatuses() Option {
	return func(c *config) error {
		c.errorStatuses = true
		return nil
	}
}

// WithRetryAfterIn sets where a response with code 429 states how long to wait. The default is RetryAfterInHeader|RetryAfterInBody.
func WithRetryAfterIn(places RetryAfterPlace) Option {
	return func(c *config) error {
		c.waits = places
		return nil
	}
}

// WithGuideForms makes responses follow JoggAI's guides where the guides and the published schema disagree: product_video_id instead of
// video_id, id instead of template_id in a template, template videos without a nested data object, and video_duration instead of duration.
func WithGuideForms() Option {
	return func(c *config) error {
		c.guideForms = true
		return nil
	}
}

// WithDurations sets how long a task is pending and how long it is processing, on the simulator's clock. The defaults are 2 and 8 seconds.
// PlanNext overrides them for single tasks.
func WithDurations(pending, processing time.Duration) Option {
	return func(c *config) error {
		if pending < 0 || processing < 0 {
			return fmt.Errorf("task durations of %s and %s are invalid", pending, processing)
		}
		c.pending, c.processing = pending, processing
		return nil
	}
}

// WithSpelling sets the spelling of task states. The default is Documented.
func WithSpelling(spelling Spelling) Option {
	return func(c *config) error {
		c.spelling = spelling
		return nil
	}
}

// WithPages sets how the operations handle pagination. Without operations it applies to all that have a page parameter. The default is
// PagesHonest. New returns an error if one of the operations has no page parameter.
func WithPages(mode PageMode, operations ...string) Option {
	return func(c *config) error {
		c.pageModes = append(c.pageModes, pageChoice{mode, operations})
		return nil
	}
}

// WithHTTPSOnly rejects plain http URLs of endpoints and tasks on the loopback interface too, as the service does.
func WithHTTPSOnly() Option {
	return func(c *config) error {
		c.httpsOnly = true
		return nil
	}
}

// WithExtraEventTypes adds event types that are not in the contract to those that listWebhookEvents returns and that endpoints can
// subscribe to. The service may add event types at any time.
func WithExtraEventTypes(types ...gen.EventType) Option {
	return func(c *config) error {
		c.extraEvents = append(c.extraEvents, types...)
		return nil
	}
}

// WithResponseTimeout sets how long a receiver may take to respond to a delivery. The default is 5 seconds, as JoggAI documents. It is measured
// on the simulator's clock: advancing a fake clock while a delivery is being sent can make it time out.
func WithResponseTimeout(limit time.Duration) Option {
	return func(c *config) error {
		if limit <= 0 {
			return fmt.Errorf("answer limit %s is not positive", limit)
		}
		c.answerLimit = limit
		return nil
	}
}

// WithRealResponseTimeout measures the limit of WithResponseTimeout in real time instead of on the simulator's clock.
func WithRealResponseTimeout() Option {
	return func(c *config) error {
		c.answerLimitReal = true
		return nil
	}
}

// WithRetries sets how often a delivery that was not accepted is retried, and the pause before each retry. The default is 3 retries with
// pauses of 5 seconds, as JoggAI documents for version 1 of its API.
func WithRetries(n int, pause time.Duration) Option {
	return func(c *config) error {
		if n < 0 || pause < 0 {
			return fmt.Errorf("%d retries with pauses of %s are invalid", n, pause)
		}
		c.retries, c.retryPause = n, pause
		return nil
	}
}

// WithDeliveryTransport sets the transport for deliveries, for example that of the client of an httptest.Server, which trusts the server's
// certificate. Close does not close its idle connections.
func WithDeliveryTransport(transport http.RoundTripper) Option {
	return func(c *config) error {
		c.transport = transport
		return nil
	}
}

// withContract serves an OpenAPI document instead of the published contract.
func withContract(document []byte) Option {
	return func(c *config) error {
		c.document = document
		return nil
	}
}

// withoutImplementations derives every operation from its schemas.
func withoutImplementations() Option {
	return func(c *config) error {
		c.noImplementations = true
		return nil
	}
}

func (c *config) loadContract() (*contract, error) {
	if c.document != nil {
		return loadContract(c.document)
	}
	return publishedContract()
}
