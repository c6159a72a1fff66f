package simulator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/getkin/kin-openapi/routers"
	"github.com/go-json-experiment/json"
)

// The codes of JoggAI's envelope.
const (
	CodeSuccess            = 0
	CodeRateLimited        = 429   // more than 20 POST requests in a minute
	CodeNotFound           = 10104 // no record with that id
	CodeInvalidAPIKey      = 10105
	CodeInsufficientCredit = 18020
	CodeNoPermission       = 18025 // the account may not call the API
	CodeInvalidParameter   = 40000 // the message names the parameter
	CodeSystem             = 50000
)

// RequestRecord is one call of the API, as the simulator's log keeps it. It holds neither key nor body.
type RequestRecord struct {
	Operation string // the operationId, such as "createAvatarVideo"
	Method    string
	Path      string // with the query
	RequestID string // the rid of the answer
	Time      time.Time
	Status    int  // the HTTP status of the answer; 0 if the connection was closed without one
	Code      int  // the code of the answer's envelope; 0 too where the answer was no envelope
	Injected  bool // whether the answer came from FailNext
}

const maxRequestBody = 1 << 20

// exchange is one call on its way through the simulator.
type exchange struct {
	operation string
	rid       string
	request   *routed         // nil for what the contract does not know
	extra     *extraOperation // in its place
	account   *account        // nil until the key was found good
	remaining int             // POST requests left in this window; -1 if the call is not limited
	// beyond says that the answer leaves the contract because a test asked for it, so it is no violation.
	deviates bool
}

// response is what goes back over the wire.
type response struct {
	status int
	header http.Header
	body   []byte
	code   int
	// cut ends the answer after that many bytes of the body, though Content-Length announces all of it. Negative: it is sent whole.
	cut int
	// hangUp closes the connection without a byte.
	hangUp bool
}

// envelope is the object around every answer.
type envelope struct {
	Code       int    `json:"code"`
	Msg        string `json:"msg"`
	RID        string `json:"rid"`
	RetryAfter int    `json:"retryAfter,omitzero"`
	Data       any    `json:"data"`
}

// refusal is the error of an operation that answers with another code than 0.
type refusal struct {
	code    int
	message string
	wait    time.Duration
}

func (r *refusal) Error() string { return fmt.Sprintf("code %d: %s", r.code, r.message) }

func invalid(parameter, why string) error {
	return &refusal{code: CodeInvalidParameter, message: "invalid parameter " + parameter + ": " + why}
}

func missing(parameter string) error {
	return &refusal{code: CodeInvalidParameter, message: "missing parameter " + parameter}
}

func notFound(what string) error {
	return &refusal{code: CodeNotFound, message: "record not found: " + what}
}

// serveAPI answers one call of the API. The steps, in order:
//
//	route        which operation the request is for; no operation answers 404 or 405
//	fault        what FailNext asked for, instead of the rest or of its answer only
//	admit        the key, the permission and the POST limit
//	contract     the request must fit the contract, and a closed body may name files of the storage only
//	replay       an order that comes again with its idempotency key is given the answer of before
//	operation    the behaviour that is written for the operation, or else what the contract says of it
//	contract     the answer must fit the contract; if not, it is sent all the same and recorded
func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request) {
	x := &exchange{remaining: -1}
	request, err := s.contract.route(r)
	switch {
	case err == nil:
		x.operation, x.request = request.operation.id, request
		s.shapePages(x.operation, r)
	case s.findExtra(x, r):
	case errors.Is(err, routers.ErrMethodNotAllowed):
		http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
		return
	default:
		http.NotFound(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxRequestBody)
	s.mu.Lock()
	x.rid = s.rids.hex(32)
	fault, injected := s.takeFault(x.operation)
	s.mu.Unlock()

	var resp response
	if injected {
		resp = s.fail(x, r, fault)
	} else {
		resp = s.perform(x, r)
	}
	s.recordRequest(x, r, resp, injected)
	resp.send(w)
}

// perform runs the call and checks its answer against the contract.
func (s *Simulator) perform(x *exchange, r *http.Request) response {
	resp := s.run(x, r)
	if x.deviates || x.request == nil {
		return resp
	}
	if err := s.contract.checkResponse(r.Context(), x.request, resp); err != nil {
		s.violated(x.operation, err)
	}
	return resp
}

func (s *Simulator) run(x *exchange, r *http.Request) response {
	if err := s.admit(x, r); err != nil {
		return s.errorResponse(x, err)
	}
	data, err := s.operate(x, r)
	if err != nil {
		return s.errorResponse(x, err)
	}
	resp := newResponse(x, x.status(), envelope{Msg: "Success", Data: data})
	resp.setRateLimitHeader(x)
	return resp
}

// operate returns the content of the answer to a call that was admitted.
func (s *Simulator) operate(x *exchange, r *http.Request) (any, error) {
	if x.extra != nil {
		return x.extra.perform(r)
	}
	if err := s.contract.checkRequest(r.Context(), x.request); err != nil {
		return nil, &refusal{code: CodeInvalidParameter, message: err.Error()}
	}
	c := &call{
		ctx:  context.WithValue(r.Context(), exchangeKey{}, x),
		path: x.request.input.PathParams, query: x.request.input.GetQueryParams(), body: x.request.body,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkURLs(x.request); err != nil {
		return nil, err
	}
	return s.deduplicate(x, func() (any, error) { return s.behave(x, c) })
}

// behave runs the behaviour of an operation. s.mu is held.
func (s *Simulator) behave(x *exchange, c *call) (any, error) {
	written := s.implementations[x.operation]
	if written == nil || s.isDerived(x) {
		return s.derive(x)
	}
	model, err := written(c)
	if err != nil {
		return nil, err
	}
	data := wire(model) // the generated types leave out what is zero
	s.remember(x, data)
	return data, nil
}

// status is the HTTP status of a success.
func (x *exchange) status() int {
	if x.request == nil {
		return http.StatusOK
	}
	return x.request.operation.success
}

type exchangeKey struct{}

// exchangeOf returns the call that an operation is running for.
func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// errorResponse turns an error of an operation into an answer.
func (s *Simulator) errorResponse(x *exchange, err error) response {
	refused, ok := errors.AsType[*refusal](err)
	if !ok {
		s.logger.Error("simulator: operation failed", "operation", x.operation, "error", err)
		refused = &refusal{code: CodeSystem, message: "system error"}
	}
	status := http.StatusOK
	if s.config.errorStatuses {
		status = statusOf(refused.code)
	}
	e := envelope{Code: refused.code, Msg: refused.message}
	header := http.Header{}
	if refused.wait > 0 {
		s.config.waits.name(refused.wait, s.clock.Now(), header, &e)
	}
	resp := newResponse(x, status, e)
	maps.Copy(resp.header, header)
	resp.setRateLimitHeader(x)
	return resp
}

// statusOf is the HTTP status that goes with a code where the service chooses one.
func statusOf(code int) int {
	switch code {
	case CodeRateLimited:
		return http.StatusTooManyRequests
	case CodeNotFound:
		return http.StatusNotFound
	case CodeInvalidAPIKey:
		return http.StatusUnauthorized
	case CodeInsufficientCredit:
		return http.StatusPaymentRequired
	case CodeNoPermission:
		return http.StatusForbidden
	case CodeInvalidParameter:
		return http.StatusBadRequest
	case CodeSystem:
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

func newResponse(x *exchange, status int, e envelope) response {
	e.RID = x.rid
	body, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		panic(fmt.Sprintf("simulator: encode the answer of %s: %v", x.operation, err)) // only our own data gets here
	}
	return response{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body, code: e.Code, cut: -1}
}

// setRateLimitHeader tells the client how many POST requests it has left.
func (resp *response) setRateLimitHeader(x *exchange) {
	if x.remaining >= 0 {
		resp.header.Set("X-RateLimit-Remaining", strconv.Itoa(x.remaining))
	}
}

func (resp *response) send(w http.ResponseWriter) {
	if resp.hangUp {
		panic(http.ErrAbortHandler) // net/http closes the connection
	}
	maps.Copy(w.Header(), resp.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(resp.body)))
	w.WriteHeader(resp.status)
	if resp.cut < 0 || resp.cut >= len(resp.body) {
		_, _ = w.Write(resp.body) // the client may be gone
		return
	}
	_, _ = w.Write(resp.body[:resp.cut])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (s *Simulator) violated(operation string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recordViolation(operation, err)
}

// recordViolation makes a bug loud. s.mu is held.
func (s *Simulator) recordViolation(operation string, err error) {
	s.logger.Error("simulator: contract violated", "operation", operation, "problem", err.Error())
	s.violations = append(s.violations, Violation{Operation: operation, Time: s.clock.Now(), Problem: err.Error()})
}

// ContractViolations returns the answers and deliveries of the simulator's own that did not fit the contract. A test that uses the
// simulator should find none. What a test asked for beyond the contract, such as an unknown state or a broken answer, is not counted.
func (s *Simulator) ContractViolations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Violation(nil), s.violations...)
}

func (s *Simulator) recordRequest(x *exchange, r *http.Request, resp response, injected bool) {
	record := RequestRecord{
		Operation: x.operation, Method: r.Method, Path: r.URL.RequestURI(), RequestID: x.rid, Time: s.clock.Now(),
		Status: resp.status, Code: resp.code, Injected: injected,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = keepLast(append(s.requests, record), s.config.logSize)
	s.notify()
}

// Requests returns the calls of the API so far, oldest first, those with a fault included. Only the last ones are kept: see WithLogSize.
func (s *Simulator) Requests() []RequestRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]RequestRecord(nil), s.requests...)
}

// keepLast drops the oldest elements of a log, a quarter of it at a time so that appending stays cheap.
func keepLast[T any](log []T, size int) []T {
	if len(log) <= size+size/4 {
		return log
	}
	return append(make([]T, 0, size+size/4+1), log[len(log)-size:]...)
}
