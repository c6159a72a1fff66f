// Package jogg is the front door to the JoggAI v2 API, which makes videos, avatars, scripts and translations. It is not an
// official library.
//
//	client, err := jogg.New(os.Getenv("JOGG_API_KEY"))
//	task, err := client.CreateAvatarVideo(ctx, gen.CreateAvatarVideoRequest{…})
//	video, err := client.WaitAvatarVideo(ctx, task.VideoID)
//
// A [Client] has one method for each operation of the API. A method takes the context, the parameters of the path, those of the
// query and the body, the last two as structs of package gen, and returns the content of the answer. The envelope around it is
// opened already, and what arrives in another form is what package gen says it is: numbers as texts and texts as numbers, booleans as 0, 1
// and words, times as RFC 3339, the reason of a failure as anything.
//
// A field that cannot be understood stays zero and is a [FieldProblem]; the call succeeds with all the rest, and one bad item does not fail
// its list. Only what the caller cannot do without is an error: the id of an order, the items of a list as a whole.
//
// On top of the operations stand:
//   - Wait methods such as [Client.WaitAvatarVideo], one for each kind of long work, which return when the work is done.
//   - Iterators such as [Client.PublicAvatars], one for each list that comes in pages, which end where the list ends.
//   - [Client.Upload], which brings a file to the service.
//   - [Client.EnsureWebhookEndpoint], which registers a URL for deliveries once, however often a program is deployed. Package
//     webhooks receives them.
//
// Every operation takes options for one call last, as do the iterators, each a [CallOption]: what to send beside what the contract knows, how to repeat it, and
// what to report of the answer.
//
// # Waiting
//
// Work that takes minutes is ordered with one method and waited for with another, which takes the id that the order returned. [WaitOption]
// says what all the Wait methods have in common.
//
// # Lists
//
// An iterator fetches the pages of a list as the loop reaches them, so leaving the loop leaves the rest unfetched. The loop begins with
// the page that the parameters name, or with the first one if that is zero. Zero for their page size stands for 100, the most the API
// sends at once, so that the fewest requests are made. The other parameters filter and sort as they do in the List operation.
//
// An error comes with a zero item, says which page it is about, and ends the loop. The same iterator can be ranged over again, also
// concurrently, and begins anew each time.
//
// The end is found in whichever way the service tells it: by a number of pages, by a number of items, or by a word that there is no more.
// Where it tells nothing, an empty page or one that is smaller than those before is the end; the first page is never taken for too small,
// because the service may send smaller pages than it was asked for. The service has been seen to ignore the page and to answer the same
// over and over, so a page that brings nothing new is the end, whatever it says, and an item that was yielded once is not yielded again.
// For that the ids of all items stay in memory as long as the loop runs. An item without an id counts as new, unless the whole page is
// the previous one again.
//
// # Errors
//
// Whatever the service refuses is an [*APIError], also where it says so in an answer with HTTP status 200, and also what is no
// answer of the service's at all, such as a proxy's HTML page, and a success without what the caller cannot do without. Its Body has the
// answer, and is never printed. [errors.Is] tells the kinds apart:
//
//	ErrInvalidAPIKey       the key is unknown                              code 10105, HTTP 401
//	ErrInsufficientCredit  the account cannot pay for the task             code 18020, HTTP 402
//	ErrNoPermission        the account may not call the API                code 18025, HTTP 403
//	ErrNotFound            what the request names does not exist           code 10104, HTTP 404
//	ErrInvalidParameter    a parameter is missing or wrong, the message    code 40000, HTTP 400 and 422
//	                       says which
//	ErrRateLimited         more than 20 POST requests in a minute          code 429, HTTP 429
//	ErrSystem              the service failed                              code 50000, HTTP 5xx
//
// A request that got no answer gives an error that names the operation and wraps what the network or the context reported.
//
// Beside its kind, an error tells what became of the request: [ErrOutcomeUnknown] holds where the service may have taken it.
//
//	task, err := client.CreateAvatarVideo(ctx, order)
//	switch {
//	case errors.Is(err, jogg.ErrOutcomeUnknown): // the video may be under way and paid for: look before ordering again
//	case err != nil:                             // nothing was ordered
//	}
//
// # Repetition
//
// Creating consumes credits, so a POST, and whatever else is billed, is sent again only when it was rejected before processing, by code or
// status 429, or never sent, because no connection could be opened. SynthesizeSpeech takes an idempotency key, and is given one that is
// random for each call and the same for each attempt; whether it is then repeated like a GET is up to [RetryPolicy.RepeatWithKey]. GET, PUT
// and DELETE are sent again after 429, code 50000, status 502, 503 or 504, and after a broken connection; GET also after status 408, 500
// and 520 to 524. A code that says more than its status counts. A deletion whose first attempt went through unseen is then answered with
// [ErrNotFound], and its outcome is unknown. The wait that the service names comes before the computed one. [WithRetry] sets the limits and
// turns repetition off.
//
// A call without a deadline, by its context or by the HTTP client, waits two minutes for the end of an answer that has begun, and for its
// beginning one minute, unless [WithHTTPClient] says otherwise.
//
// # What the contract does not have
//
// The service grows before this package does. A field of a request is set by [WithField], a parameter by [WithQuery], a header by
// [WithHeader], and an operation is called by [Client.Call], with the same envelope, errors, repetition and care for the key as every other.
// [WithResponse] keeps the answer as it came; [Response.Unknown] lists what it has beyond the contract. All of that works on when the
// contract has caught up.
//
//	var resp jogg.Response
//	task, err := client.CreateProductVideo(ctx, body, jogg.WithField("/script/tone", "calm"), jogg.WithResponse(&resp))
//	err = client.Call(ctx, http.MethodGet, "/v2/new/thing", nil, &out)
//
// [OperationName] tells a transport which operation a request belongs to.
//
// # The API key
//
// The key travels in a header, to the host of the base URL and nowhere else: a redirect to another host ends the call with
// [ErrRedirectRefused], as does one that would turn another method into GET. No error, no log record and no printed [Client] shows it.
package jogg

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Version is the version of this library, as the User-Agent of its requests tells it.
const Version = "0.1.0"

// DefaultBaseURL is the address of the service.
const DefaultBaseURL = "https://api.jogg.ai"

const defaultUserAgent = "jogg-go/" + Version + " (+https://github.com/jogg-go/jogg)"

// Client calls the JoggAI API. It is made by [New] and is safe for concurrent use.
type Client struct {
	server string
	key    func() string // a function, because nothing that prints a struct prints what a function returns
	http   *http.Client
	agent  string
	logger *slog.Logger
	clock  Clock
	retry  RetryPolicy
	pace   *pacer
	do     step
}

// New returns a client that authenticates with apiKey. A key that is empty or holds anything but visible ASCII is refused with an
// error that wraps [ErrInvalidAPIKey] and does not show it; nothing is sent. An option that cannot be is an error as well.
func New(apiKey string, opts ...Option) (*Client, error) {
	if err := checkKey(apiKey); err != nil {
		return nil, err
	}
	c := &Client{
		server: DefaultBaseURL,
		key:    func() string { return apiKey },
		http:   &http.Client{Transport: sharedTransport()},
		agent:  defaultUserAgent,
		logger: slog.New(slog.DiscardHandler),
		clock:  systemClock{},
		retry:  RetryPolicy{}.withDefaults(),
	}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	c.http.CheckRedirect = sameRequestOnly(c.http.CheckRedirect)
	c.do = c.assemble()
	return c, nil
}

// checkKey refuses what no key is. The usual cause is a key read from a file together with the end of its line.
func checkKey(key string) error {
	if key == "" {
		return fmt.Errorf("jogg: %w: it is empty", ErrInvalidAPIKey)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return fmt.Errorf("jogg: %w: byte %d of %d is white space, a control character or outside ASCII", ErrInvalidAPIKey, i+1, len(key))
		}
	}
	return nil
}

// sharedTransport is what clients send with unless they are given an HTTP client. They share its connections, so that making a
// client for each task costs none. It waits one minute for the beginning of an answer; net/http's own default waits for ever.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	shared, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // the program has put its own in place
	}
	own := shared.Clone()
	own.ResponseHeaderTimeout = time.Minute
	own.MaxIdleConnsPerHost = 16
	return own
})

// CloseIdleConnections closes the connections that no request is using. Clients that were not given an HTTP client of their own share their
// connections, so that this closes those of others as well; they open new ones.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Ptr returns a pointer to a copy of v. It fills the request fields that are pointers because their zero value differs from their
// absence.
func Ptr[T any](v T) *T {
	return &v
}
