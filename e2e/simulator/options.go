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

// DefaultAPIKey is the key of the account that a Simulator has when WithAPIKey gives none.
const DefaultAPIKey = "simulator-key"

// Option changes what New makes.
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
	waits         WaitPlace
	guideForms    bool

	pending    time.Duration
	processing time.Duration
	spelling   Spelling
	pages      map[string]PageMode
	pageModes  []pageChoice // as the options have them
	httpsOnly  bool

	document          []byte // instead of the contract
	noImplementations bool   // no behaviour is used that is written
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
		waits:        WaitInHeader | WaitInBody,
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

// WithClock makes tasks, retries, limits and times follow the clock. By default it is the real one. With a *clockwork.FakeClock nothing
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

// WithLogger sends the simulator's log to the logger. By default it is slog.Default(). Keys, secrets and payloads are never logged.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) error {
		if logger == nil {
			return errors.New("logger is nil")
		}
		c.logger = logger
		return nil
	}
}

// WithSeed chooses the ids, secrets and names that are made up. The same seed and the same calls in the same order make the same
// ones. By default it is 1.
func WithSeed(seed uint64) Option {
	return func(c *config) error {
		c.seed = seed
		return nil
	}
}

// WithLogSize says how many calls, events, finished deliveries and ended tasks are remembered, so that a long run stays within bounds.
// By default it is 10000. Somewhat more can be kept for a while. Uploads, products and whatever else is created without long work are kept
// until Close.
func WithLogSize(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return fmt.Errorf("log size %d is below 1", n)
		}
		c.logSize = n
		return nil
	}
}

// WithAddr says where Listen serves the API. By default it is 127.0.0.1:0, which chooses a port.
func WithAddr(address string) Option {
	return func(c *config) error {
		c.address = address
		return nil
	}
}

// WithMediaAddr says where Listen serves uploads and media, the second host. By default it is 127.0.0.1:0, which chooses a port.
func WithMediaAddr(address string) Option {
	return func(c *config) error {
		c.mediaAddress = address
		return nil
	}
}

// WithMediaURL says what the URLs of uploads and media begin with, for programs that serve MediaHandler themselves instead of calling
// Listen. It has no slash at its end.
func WithMediaURL(base string) Option {
	return func(c *config) error {
		c.mediaURL = base
		return nil
	}
}

// WithAPIKey adds an account with the key and so many credits. Several keys are several accounts, each with tasks and endpoints of
// its own. The first is the account that calls without a key, such as Trigger, are about.
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

// WithPostLimit changes how many POST requests a key may send within a sliding window. By default it is 20 in a minute, as JoggAI
// documents it. A limit of 0 allows any number.
func WithPostLimit(n int, window time.Duration) Option {
	return func(c *config) error {
		if n < 0 || window <= 0 {
			return fmt.Errorf("POST limit of %d in %s is not possible", n, window)
		}
		c.postLimit, c.postWindow = n, window
		return nil
	}
}

// WithErrorStatuses makes failed calls answer a 4xx or 5xx status that goes with their code. By default they answer 200, as the
// service mostly does.
func WithErrorStatuses() Option {
	return func(c *config) error {
		c.errorStatuses = true
		return nil
	}
}

// WithWaitIn says where an answer with code 429 names how long to wait. By default it is WaitInHeader|WaitInBody.
func WithWaitIn(places WaitPlace) Option {
	return func(c *config) error {
		c.waits = places
		return nil
	}
}

// WithGuideForms makes the answers that the guides and the published schema disagree about follow the guides: product_video_id instead
// of video_id, a template's id instead of template_id, flat template videos, video_duration instead of duration.
func WithGuideForms() Option {
	return func(c *config) error {
		c.guideForms = true
		return nil
	}
}

// WithDurations says how long every task waits before it is processed and how long that takes, on the simulator's clock. By default it
// is 2 and 8 seconds. PlanNext overrides it for single tasks.
func WithDurations(pending, processing time.Duration) Option {
	return func(c *config) error {
		if pending < 0 || processing < 0 {
			return fmt.Errorf("durations of %s and %s are not possible", pending, processing)
		}
		c.pending, c.processing = pending, processing
		return nil
	}
}

// WithSpelling chooses the words for the states of tasks. By default it is Documented.
func WithSpelling(spelling Spelling) Option {
	return func(c *config) error {
		c.spelling = spelling
		return nil
	}
}

// WithPages chooses how the lists of the operations end, or of all operations that list something if none is named. By default they
// are PagesHonest. New fails if one of them has no pages.
func WithPages(mode PageMode, operations ...string) Option {
	return func(c *config) error {
		c.pageModes = append(c.pageModes, pageChoice{mode, operations})
		return nil
	}
}

// WithHTTPSOnly refuses plain-http URLs of endpoints and tasks even if they are on the loopback, as the service does.
func WithHTTPSOnly() Option {
	return func(c *config) error {
		c.httpsOnly = true
		return nil
	}
}

// WithExtraEventTypes adds event types that the contract does not know to those that listWebhookEvents lists and endpoints can subscribe
// to, as the service may do any day.
func WithExtraEventTypes(types ...gen.EventType) Option {
	return func(c *config) error {
		c.extraEvents = append(c.extraEvents, types...)
		return nil
	}
}

// WithAnswerLimit changes how long a receiver may take to answer a delivery. By default it is 5 seconds, as JoggAI documents it, on the
// simulator's clock: a test that advances a fake clock while a delivery is on its way lets it time out.
func WithAnswerLimit(limit time.Duration) Option {
	return func(c *config) error {
		if limit <= 0 {
			return fmt.Errorf("answer limit %s is not positive", limit)
		}
		c.answerLimit = limit
		return nil
	}
}

// WithRealAnswerLimit measures the limit for answering a delivery in real time, whatever the simulator's clock does.
func WithRealAnswerLimit() Option {
	return func(c *config) error {
		c.answerLimitReal = true
		return nil
	}
}

// WithRetries changes how often a delivery that was not accepted is sent again, and the pause before each time. By default it is 3 times
// with 5 seconds between them, as JoggAI documents it for version 1.
func WithRetries(n int, pause time.Duration) Option {
	return func(c *config) error {
		if n < 0 || pause < 0 {
			return fmt.Errorf("%d retries with pauses of %s are not possible", n, pause)
		}
		c.retries, c.retryPause = n, pause
		return nil
	}
}

// WithDeliveryTransport sends deliveries through the transport, for example the one of an httptest.Server's client, which trusts
// its certificate. The simulator does not close it.
func WithDeliveryTransport(transport http.RoundTripper) Option {
	return func(c *config) error {
		c.transport = transport
		return nil
	}
}

// withContract serves an OpenAPI document in place of the contract.
func withContract(document []byte) Option {
	return func(c *config) error {
		c.document = document
		return nil
	}
}

// withoutImplementations serves every operation from the contract, as if nothing had been written for it.
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
