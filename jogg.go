// Package jogg is a client for the JoggAI v2 API, which creates videos, avatars, scripts and translations. It is not an official library.
//
//	client, err := jogg.New(os.Getenv("JOGG_API_KEY"))
//	task, err := client.CreateAvatarVideo(ctx, gen.CreateAvatarVideoRequest{…})
//	video, err := client.WaitAvatarVideo(ctx, task.VideoID)
//
// A [Client] has one method for each operation of the API. A method takes the context, the path parameters, the query parameters and the
// body, the last two as structs of package gen. It returns the content of the response without the envelope around it. Values that arrive
// in another form are converted to the types of package gen: numbers sent as strings and strings sent as numbers, booleans sent as 0, 1 or
// words, times sent as RFC 3339, and failure reasons sent in any form.
//
// A field that cannot be converted stays zero and is a [FieldProblem]. The call succeeds with the rest of the response, and one bad item
// does not fail its list. An essential field that is missing or does not fit is an error: a task's id, or the items of a list as a whole.
//
// On top of the operations, there are:
//   - Wait methods such as [Client.WaitAvatarVideo], one for each kind of task, which return when the task has ended.
//   - Iterators such as [Client.PublicAvatars], one for each list with pages, which end where the list ends.
//   - [Client.Upload], which uploads a file to the service.
//   - [Client.EnsureWebhookEndpoint], which registers a URL for deliveries once, however often a program is deployed. Package webhooks
//     receives them.
//
// Every operation and every iterator takes options for a single call as its last arguments. A [CallOption] sets what to send beyond the
// contract, how to retry, and what to report about the response.
//
// # Waiting
//
// A task that takes minutes is created by one method and waited for by another, which takes the id that the first one returned.
// [WaitOption] says what all the Wait methods have in common.
//
// # Lists
//
// An iterator fetches the pages of a list as the loop reaches them, so leaving the loop early skips the remaining requests. The loop starts
// with the page in the parameters, or with the first page if that is zero. A page size of zero means 100, the maximum of the API, which
// takes the fewest requests. The other parameters filter and sort as they do in the List operation.
//
// An error comes with a zero item, names its page, and ends the loop. An iterator can be ranged over several times, also concurrently, and
// starts over each time.
//
// The iterator detects the end from whatever the service reports: a number of pages, a number of items, or a flag that says whether there
// are more. If the service reports nothing, the end is an empty page or one that is smaller than the page before it. The first page never
// counts as too small, because the service may send smaller pages than it was asked for.
//
// The service has been seen to ignore the page number and to return the same page over and over. A page without new items therefore ends
// the loop, whatever the service reports, and no item is yielded twice. To detect that, the ids of all items stay in memory while the loop
// runs. An item without an id counts as new, unless the whole page equals the previous one.
//
// # Errors
//
// Every error response is an [*APIError], even one with HTTP status 200. So is a response that does not come from the service, such as a
// proxy's HTML page, and a success that lacks an essential field. Its Body has the response and is never printed. [errors.Is] tells the
// kinds apart:
//
//	ErrInvalidAPIKey       the key is unknown                              code 10105, HTTP 401
//	ErrInsufficientCredit  the account has too few credits for the task    code 18020, HTTP 402
//	ErrNoPermission        the account may not call the API                code 18025, HTTP 403
//	ErrNotFound            the requested resource does not exist           code 10104, HTTP 404
//	ErrInvalidParameter    a parameter is missing or wrong; the message    code 40000, HTTP 400 and 422
//	                       says which
//	ErrRateLimited         more than 20 POST requests in a minute          code 429, HTTP 429
//	ErrSystem              the service failed                              code 50000, HTTP 5xx
//
// The error of a request that got no response names the operation and wraps the error of the network or the context.
//
// Whatever its kind, an error also matches [ErrOutcomeUnknown] if the service may have processed the request.
//
//	task, err := client.CreateAvatarVideo(ctx, body)
//	switch {
//	case errors.Is(err, jogg.ErrOutcomeUnknown): // the video may exist and be billed: check before creating it again
//	case err != nil:                             // nothing was created
//	}
//
// # Retries
//
// Creating something consumes credits. A POST, and any other billable request, is therefore retried only if it was rejected before
// processing, by code or status 429, or never sent, because no connection could be opened. SynthesizeSpeech takes an idempotency key. If
// the request has none, the client sets a random one, which is the same for each attempt. [RetryPolicy.RepeatWithKey] decides whether such
// a request is then retried like a PUT.
//
// GET, PUT and DELETE are retried after 429, code 50000, status 502, 503 or 504, and after a broken connection. GET is also retried after
// status 408, 500 and 520 to 524. A code that is more specific than its status takes precedence. If the first attempt of a deletion
// succeeded but its response was lost, the next attempt returns [ErrNotFound], and the outcome is unknown. A wait that the service asks for
// replaces the computed one. [WithRetry] sets the limits and turns retries off.
//
// A call waits at most one minute for the response header, unless [WithHTTPClient] brings its own transport. It waits at most two minutes
// for the response body, unless the context or the HTTP client has a timeout.
//
// # Beyond the contract
//
// The service changes faster than this package. [WithField] sets a field of a request, [WithQuery] a parameter and [WithHeader] a header
// that the contract does not have. [Client.Call] calls an operation that it does not have, with the same envelope, errors, retries and
// protection of the key as every other. [WithResponse] keeps the response as received, and [Response.Unknown] lists its fields that the
// contract does not have. All of these keep working when the contract has caught up.
//
//	var resp jogg.Response
//	task, err := client.CreateProductVideo(ctx, body, jogg.WithField("/script/tone", "calm"), jogg.WithResponse(&resp))
//	err = client.Call(ctx, http.MethodGet, "/v2/new/thing", nil, &out)
//
// [OperationName] tells a transport which operation a request belongs to.
//
// # The API key
//
// The key is sent in a header to the host of the base URL, and nowhere else. A redirect to another host ends the call with
// [ErrRedirectRefused], as does one that would turn another method into GET. No error, no log record and no printed [Client] shows the key.
package jogg

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Version is the version of this library, as sent in the User-Agent.
const Version = "0.1.0"

// DefaultBaseURL is the base URL of the service.
const DefaultBaseURL = "https://api.jogg.ai"

const defaultUserAgent = "jogg-go/" + Version + " (+https://github.com/jogg-go/jogg)"

// Client calls the JoggAI API. It is created by [New] and is safe for concurrent use.
type Client struct {
	server string
	key    func() string // a function, because printing a struct does not show what a function returns
	http   *http.Client
	agent  string
	logger *slog.Logger
	clock  Clock
	retry  RetryPolicy
	pace   *pacer
	do     step
}

// New returns a client that authenticates with apiKey. It sends nothing. A key that is empty or contains anything but visible ASCII is an
// error that wraps [ErrInvalidAPIKey] and does not show the key. Invalid options are errors as well.
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

// checkKey rejects invalid keys. The usual cause is a key that was read from a file together with the end of its line.
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

// sharedTransport returns the transport of clients that are not given an HTTP client. They share its connections, so creating a client for
// each task costs no connections. It waits one minute for the response header; net/http's default waits forever.
var sharedTransport = sync.OnceValue(func() http.RoundTripper {
	shared, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // the program has replaced it
	}
	own := shared.Clone()
	own.ResponseHeaderTimeout = time.Minute
	own.MaxIdleConnsPerHost = 16
	return own
})

// CloseIdleConnections closes the connections that no request is using. Clients that were not given an HTTP client share their connections,
// so this closes those of the others as well; they open new ones.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// Ptr returns a pointer to a copy of v. It is for request fields that are pointers because their zero value differs from their absence.
func Ptr[T any](v T) *T {
	return &v
}
