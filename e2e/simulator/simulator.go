// Package simulator is an in-memory fake of the JoggAI API, for testing programs that use it.
//
// A [Simulator] serves the contract, which is the OpenAPI document in api/openapi.yaml, over HTTP. It keeps its state in memory and takes
// the time from a clock that a test can replace with a fake one.
//
// # Starting
//
//	sim, err := simulator.Start(simulator.WithAPIKey("key", 100))
//	defer sim.Close()
//	client, err := jogg.New("key", jogg.WithBaseURL(sim.BaseURL()))
//
// [Start] listens on two loopback ports: one for the API and one for uploads and media, which JoggAI serves from a second host too. [New]
// returns a Simulator that does not listen. It is an http.Handler for the API; MediaHandler returns the handler of the second host.
//
// # Time
//
// The clock drives the states of tasks, the retries of deliveries and the POST rate limit. With WithClock(clockwork.NewFakeClock()) nothing
// happens until the test advances the clock. Deliveries are real HTTP requests, so a test has to let them arrive before it continues:
//
//	clock.Advance(10 * time.Second)      // completes the video and sends its event
//	err := sim.Settle(ctx)               // returns when every delivery has finished or waits for its next attempt
//	clock.Advance(5 * time.Second)       // starts the next attempt
//
// FastForward repeats this until no task and no delivery is left.
//
// # Failures
//
// PlanNext, FailTask and HoldTask make tasks fail or never end. FailNext makes calls fail in every way that a server, or a proxy in front
// of it, can fail. SetCredits, SetPermission and RevokeKey produce the error codes of accounts. WithSpelling, WithPages, WithRetryAfterIn,
// WithErrorStatuses and WithGuideForms choose between documented and observed behavior of the service.
//
// # Webhooks
//
// Every event is delivered to the enabled endpoints that are subscribed to it, and to the webhook_url of its task. Deliveries are signed
// and retried as JoggAI does. Trigger sends any event with realistic data; its options produce the variations that have been observed.
// Redeliver sends an earlier event again. Deliveries, Attempts and FollowAttempts report what was sent and how receivers responded.
//
// # Validation
//
// The simulator validates each request and each response against the contract. An invalid request gets code 40000 and a message that
// names the parameter. So does a file URL outside of JoggAI's storage in a body whose schema sets additionalProperties to false.
//
// An invalid response or delivery of the simulator is a bug in the simulator or in the contract. It is sent anyway, logged and recorded.
// A test should end with
//
//	if v := sim.ContractViolations(); len(v) > 0 { t.Error(v) }
//
// # Derived operations
//
// Every operation of the contract is served. Most have an implementation. The others are derived from their schemas: they return valid
// values, which are the same for the same seed, and follow these rules:
//
//   - A POST starts a task if its response contains the id that a status operation takes. A status operation is a GET with one id
//     parameter and a TaskStatus in its response. The TaskKind of the task is the operationId of the POST. Plans, FailTask, HoldTask,
//     WaitTask and the spelling of states apply to it as to any other task.
//   - An operation that the contract marks as billed costs one credit. If the account has less, it returns code 18020.
//   - When the task has completed, its status operation returns URLs, durations, lists and objects. The URLs lead to media that the second
//     host serves. A failed task has its reason in the field with the schema TaskFailure, or in a string field such as err_msg.
//   - A list returns the resources that were created, if its items have the field of their id, and generated items otherwise. WithPages
//     applies to every operation with a page parameter.
//   - GET, PUT, PATCH and DELETE by id return code 10104 if some POST issues such ids and has not issued this one. If no operation creates
//     such resources, a resource is generated for any id. A PUT does not change what later calls return. A DELETE makes the id unknown.
//
// Trigger sends every event of the contract. Where no data is implemented for an event, it is generated from the event's schema. Tasks of
// derived operations send no events by themselves. WithExtraOperation adds an operation that is not in the contract.
//
// # Undocumented behavior
//
// JoggAI does not document everything. The simulator makes these choices:
//
//   - Deliveries to the webhook_url of a task are signed with a secret of the account (AccountSecret). If an endpoint with the same URL
//     gets the event anyway, there is one delivery only, signed with the secret of the endpoint.
//   - The motion of a photo avatar sends two events when it ends: generated_motion and generated_photo_avatar. That of a product avatar
//     sends generated_motion and generated_product_avatar. Product avatar images send generated_image with the id of their batch. Previews
//     send generated_product_video. Lip sync videos, speech, transcriptions and the models of other providers send no events.
//   - Besides the id and the status, speech has the fields voice_id, audio_url, subtitle_url and duration_seconds, and a transcription has
//     text, segments and duration_seconds. Both have created_at, completed_at and error. The recording of speech is a moment of silence,
//     but a transcription of it returns the text.
//   - A request that repeats an idempotency key gets the data of the first response and is not charged again. A different request with the
//     same key gets code 40000. Keys belong to an account and an operation. A rejected request does not use up its key.
//   - The storage is the second host. Hosts under the domain in the contract's x-jogg-storage count as well, so that requests written for
//     the service are accepted.
//   - An unknown event type goes to every enabled endpoint.
//   - A failed task does not refund its credits.
//   - The ids of avatars, voices and music in a request are not checked. Those of products, templates, previews, styles, languages and
//     generated images are. The ids in the examples of the documentation exist: products NTIzMzc0NjI5 and NTQ0MTkzNjg, template 1234,
//     preview preview_123.
//   - Lists of videos are sorted by created_at, whatever sort_by says.
//   - Derived operations match ids by field name only: an operation that takes a video_id accepts the video_id of any operation that issues
//     one. A parameter named id stands for the ids in the response of the GET at the same path. Derived lists ignore filters, but not
//     sort_order.
package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// Simulator is an in-memory fake of the JoggAI API. It is an http.Handler. All methods are safe for concurrent use.
type Simulator struct {
	clock           clockwork.Clock
	logger          *slog.Logger
	contract        *contract
	handler         http.Handler // the API and the console
	mediaHost       http.Handler
	implementations map[string]implementation // by operationId
	extraPaths      *http.ServeMux            // routes the extra operations
	extraNames      []string
	sender          *http.Client

	ctx        context.Context //nolint:containedctx // canceled by Close; for work that outlives a request
	stop       context.CancelFunc
	goroutines sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced on every change of state
	closed  bool
	config  config
	servers []*http.Server
	baseURL string
	ids     identifiers
	rids    identifiers // request ids; separate, so that polling does not change the generated ids

	accounts     []*account
	faults       map[string][]Fault
	plans        map[TaskKind][]Plan
	tasks        map[string]*task
	tasksInOrder []*task
	running      map[*task]struct{} // tasks that end by their timer
	uploads      map[string]*upload // by asset name
	started      time.Time          // when New was called
	mediaKey     string             // HMAC key of the tags in media URLs
	refusals     []UploadRejection

	events        []*event
	deliveries    []*delivery
	unfinished    map[*delivery]struct{} // sending, or waiting for the next attempt
	attempts      []AttemptRecord
	sequence      int64 // Sequence of the last attempt
	eventCount    int   // events so far
	deliveryCount int   // deliveries so far
	requests      []RequestRecord
	violations    []Violation
}

// New returns a Simulator that does not listen. Use it as an http.Handler for the API and the console, and MediaHandler for the second
// host, or call Listen. The caller must call Close. New returns an error for an invalid option or an invalid contract.
func New(options ...Option) (*Simulator, error) {
	c, err := newConfig(options)
	if err != nil {
		return nil, err
	}
	contract, err := c.loadContract()
	if err == nil {
		err = c.choosePages(contract)
	}
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s := &Simulator{
		clock: c.clock, logger: c.logger, contract: contract, config: c,
		changed: make(chan struct{}),
		ids:     newIdentifiers(c.seed), rids: newIdentifiers(^c.seed),
		faults: map[string][]Fault{}, plans: map[TaskKind][]Plan{}, tasks: map[string]*task{}, running: map[*task]struct{}{},
		uploads: map[string]*upload{}, unfinished: map[*delivery]struct{}{},
	}
	s.started = s.clock.Now()
	s.mediaKey = s.ids.hex(32)
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.sender = newSender(c.transport)
	s.findImplementations()
	if err := s.addExtraOperations(c.extra); err != nil {
		s.stop()
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s.mediaHost = s.newMediaHost()
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.serveAPI)
	mux.Handle("/_console/", s.newConsole())
	mux.Handle("GET /{$}", http.RedirectHandler("/_console/", http.StatusSeeOther))
	s.handler = mux
	for _, account := range c.keys {
		s.addAccount(account.key, account.credits)
	}
	return s, nil
}

// Start calls New and Listen. The caller must call Close.
func Start(options ...Option) (*Simulator, error) {
	s, err := New(options...)
	if err != nil {
		return nil, err
	}
	if err := s.Listen(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// ServeHTTP serves the API and, under /_console/, the console: an HTML page that shows and controls the simulator.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// MediaHandler returns the handler of the second host, which accepts uploads and serves media. Its URLs begin with MediaURL.
func (s *Simulator) MediaHandler() http.Handler { return s.mediaHost }

// Listen serves the API and the second host over HTTP on the addresses of WithAddr and WithMediaAddr until Close is called. It returns
// without blocking. It fails if an address cannot be used, if it was called before, or after Close.
func (s *Simulator) Listen() error {
	api, err := new(net.ListenConfig).Listen(s.ctx, "tcp", s.config.address)
	if err != nil {
		return fmt.Errorf("simulator: listen for the API: %w", err)
	}
	media, err := new(net.ListenConfig).Listen(s.ctx, "tcp", s.config.mediaAddress)
	if err != nil {
		_ = api.Close()
		return fmt.Errorf("simulator: listen for media: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.baseURL != "" {
		_, _ = api.Close(), media.Close()
		return errors.New("simulator: listen: already listening, or closed")
	}
	s.baseURL = "http://" + api.Addr().String()
	s.config.mediaURL = "http://" + media.Addr().String()
	s.serve(api, s)
	s.serve(media, s.mediaHost)
	return nil
}

func (s *Simulator) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
	}
	s.servers = append(s.servers, server)
	s.goroutines.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("simulator: server stopped", "address", listener.Addr().String(), "error", err)
		}
	})
}

// BaseURL returns the base URL of the API, such as http://127.0.0.1:8080, or "" before Listen.
func (s *Simulator) BaseURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.baseURL
}

// MediaURL returns the base URL of uploads and media on the second host. Before Listen it is that of WithMediaURL.
func (s *Simulator) MediaURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.mediaURL
}

// Close shuts the simulator down. It gives running calls up to a second to finish, drops unfinished deliveries, and returns when all
// goroutines have ended. Further calls do nothing.
func (s *Simulator) Close() {
	s.mu.Lock()
	servers := s.servers
	s.closed, s.servers = true, nil
	for t := range s.running {
		t.timer.Stop()
	}
	s.notify()
	s.mu.Unlock()

	s.stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, server := range servers {
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}
	s.goroutines.Wait()
	if s.config.transport == nil {
		s.sender.CloseIdleConnections()
	}
}
