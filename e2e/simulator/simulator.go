// Package simulator is a JoggAI that fits in a process: it serves the contract in api/openapi.yaml over HTTP, with its state in memory
// and its time on a clock that the test owns.
//
// # Starting
//
//	sim, err := simulator.Start(simulator.WithAPIKey("key", 100))
//	defer sim.Close()
//	client, err := jogg.New("key", jogg.WithBaseURL(sim.BaseURL()))
//
// Start listens on two ports of the loopback: one for the API, one for uploads and media, which JoggAI has on another host too. New
// makes a Simulator without listening, which is an http.Handler; MediaHandler is its second host.
//
// # Time
//
// Tasks go from pending through processing to their end, deliveries are sent again and the POST limit is counted on the simulator's
// clock. With WithClock(clockwork.NewFakeClock()) nothing happens until the test advances the clock. Deliveries still travel over real
// HTTP, so a test lets them arrive before it goes on:
//
//	clock.Advance(10 * time.Second)      // the video is finished, its event is sent
//	err := sim.Settle(ctx)               // until nothing is on its way: accepted, or waiting for its next attempt
//	clock.Advance(5 * time.Second)       // the next attempt
//
// FastForward does this until nothing is left to do.
//
// # What goes wrong
//
// PlanNext, FailTask and HoldTask let tasks fail or never end. FailNext lets calls fail in every way that a server, or a proxy in front
// of it, can fail. SetCredits, SetPermission and RevokeKey bring about the codes of accounts. WithSpelling, WithPages, WithWaitIn,
// WithErrorStatuses and WithGuideForms choose among what is documented and what was seen.
//
// # Webhooks
//
// Every event goes to the enabled endpoints that are subscribed to it, and to the webhook_url of its task, signed and repeated as
// JoggAI does. Trigger sends any event with realistic data, in the variations that were seen; Redeliver sends an earlier one again.
// Deliveries, Attempts and FollowAttempts tell what was sent and how it was answered.
//
// # The contract
//
// Each request and each answer is checked against the contract. A request that does not fit is refused with code 40000 and a message
// that names the parameter; so is a file outside of the storage in a body that the contract closes. An answer
// of the simulator's own that does not fit is a bug; it is logged and kept, and a test should end with
//
//	if v := sim.ContractViolations(); len(v) > 0 { t.Error(v) }
//
// Every operation of the contract is served. For most of them a behaviour is written; the others are answered from their schemas, with
// values that are valid and the same for the same seed:
//
//   - A POST whose answer gives the id that a status operation takes starts a task. A status operation is a GET that is read by one id and
//     answers a TaskStatus. The task's TaskKind is the operationId of the POST; plans, FailTask, HoldTask, WaitTask and the
//     spelling of states apply to it as to any other.
//   - An operation that the contract marks as billed costs one credit, or answers code 18020.
//   - Once the task has completed, its status operation has URLs, durations, lists and objects, and the URLs lead to media that the second
//     host serves. A failed task gives its reason in the field that is a TaskFailure, or a text such as err_msg.
//   - A list has what was created, if its items have the field of the id, and made-up items otherwise. WithPages applies to every operation
//     with a parameter page.
//   - GET, PUT, PATCH and DELETE by an id answer code 10104 if some POST gives such ids and did not give this one. What nobody creates is
//     made up for any id. A PUT changes nothing that is read later; a DELETE makes the id unknown.
//
// Trigger sends every event of the contract, with data from its schema if none are written; tasks of operations without a written behaviour
// send no events by themselves. WithExtraOperation adds an operation that the contract does not have.
//
// # Choices
//
// Some things are not documented, and the simulator had to choose:
//
//   - Deliveries to the webhook_url of a task are signed with a secret of the account (AccountSecret), unless an endpoint with the same
//     URL gets the event anyway: then there is one delivery, signed with the endpoint's secret.
//   - The end of a photo avatar's motion is told as generated_motion and as generated_photo_avatar, that of a product avatar's motion
//     as generated_motion and as generated_product_avatar. Product avatar images are told as generated_image with the id of their batch,
//     previews as generated_product_video. Nothing tells of lip sync videos, speech,
//     transcriptions or the models of other providers.
//   - Which fields speech and transcriptions have beside the id and the status: audio_url, subtitle_url and duration_seconds, or text,
//     segments and duration_seconds; created_at, completed_at and error in both. The recording of speech is a moment of silence, but
//     whoever has it transcribed gets the text.
//   - An order that comes again with its idempotency key gets the first answer, word for word, and is charged for once; another order with
//     the same key is refused with code 40000. Keys are those of an account, and an order that was refused does not use its key up.
//   - The storage is the second host and, so that orders made for the service are taken, every host under the contract's x-jogg-storage.
//   - An event type that is not known goes to every enabled endpoint.
//   - A failed task gives no credits back.
//   - The ids of avatars, voices and music in an order are not looked up; products, templates, previews, styles, languages and generated
//     images are. The ids of the documentation's examples exist: products NTIzMzc0NjI5 and NTQ0MTkzNjg, template 1234, preview
//     preview_123.
//   - Lists of videos are sorted by created_at, whatever sort_by says.
//   - Where no behaviour is written, ids are told apart by the name of their field alone: an operation that takes a video_id takes that of
//     any operation that gives one. A parameter called id stands for the ids in the answer that is read with it. Filters of lists are
//     ignored; sort_order is not.
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

// Simulator is a JoggAI in memory. All its methods can be used by several goroutines at once.
type Simulator struct {
	clock           clockwork.Clock
	logger          *slog.Logger
	contract        *contract
	handler         http.Handler // the API and the console
	mediaHost       http.Handler
	implementations map[string]behaviour // by operationId
	extraPaths      *http.ServeMux       // of the operations beside the contract
	extraNames      []string
	sender          *http.Client

	ctx        context.Context //nolint:containedctx // ends with Close; what goes on between calls has no other
	stop       context.CancelFunc
	goroutines sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever something happens
	closed  bool
	config  config
	servers []*http.Server
	baseURL string
	ids     identifiers
	rids    identifiers // of their own, so that polling does not change the ids that are made up

	accounts     []*account
	faults       map[string][]Fault
	plans        map[TaskKind][]Plan
	tasks        map[string]*task
	tasksInOrder []*task
	running      map[*task]struct{} // tasks that a timer will end
	uploads      map[string]*upload // by the asset's name
	started      time.Time          // when New was called
	mediaKey     string             // marks the media URLs that the simulator made
	refusals     []UploadRefusal

	events        []*event
	deliveries    []*delivery
	unfinished    map[*delivery]struct{} // deliveries that are not finished
	attempts      []AttemptRecord
	sequence      int64 // of the last attempt
	eventCount    int   // counts events
	deliveryCount int   // counts deliveries
	requests      []RequestRecord
	violations    []Violation
}

// New makes a Simulator that does not listen yet. It is an http.Handler for the API and the console; MediaHandler is its second host.
// The error says which option is not possible, or what is wrong with the contract. Close it in the end.
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

// Start is New and Listen.
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

// ServeHTTP serves the API and, under /_console/, the page for people.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// MediaHandler is the second host, which takes uploads and serves media. The URLs that lead to it begin with MediaURL.
func (s *Simulator) MediaHandler() http.Handler { return s.mediaHost }

// Listen serves the API and the second host over HTTP at the addresses of WithAddr and WithMediaAddr, until Close.
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
		return errors.New("simulator: listen: it listens already, or was closed")
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
			s.logger.Error("simulator: serving ended", "address", listener.Addr().String(), "error", err)
		}
	})
}

// BaseURL is where Listen serves the API, such as http://127.0.0.1:8080, or "" before.
func (s *Simulator) BaseURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.baseURL
}

// MediaURL is what the URLs of uploads and media begin with.
func (s *Simulator) MediaURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.mediaURL
}

// Close ends everything: it lets running calls finish for up to a second, gives up deliveries that are underway and returns when no
// goroutine is left. Closing twice is fine.
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
