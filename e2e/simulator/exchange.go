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

// Codes in the envelope of a response.
const (
	CodeSuccess            = 0
	CodeRateLimited        = 429   // more than 20 POST requests per minute
	CodeNotFound           = 10104 // unknown id
	CodeInvalidAPIKey      = 10105
	CodeInsufficientCredit = 18020
	CodeNoPermission       = 18025 // the account may not call the API
	CodeInvalidParameter   = 40000 // the message names the parameter
	CodeSystem             = 50000
)

// RequestRecord is one call of the API or the second host in the simulator's log. It contains neither the API key nor a body.
type RequestRecord struct {
	Operation string // the operationId, such as "createAvatarVideo", or another name that FailNext takes
	Method    string
	Path      string // including the query
	RequestID string // rid of the response
	Time      time.Time
	Status    int  // HTTP status; 0 if the connection was closed without a response
	Code      int  // code of the envelope; also 0 for a response without an envelope
	Injected  bool // whether a fault of FailNext was applied
}

// maxRequestBody is the size limit of request bodies in bytes.
const maxRequestBody = 1 << 20

// exchange is one call while it is processed.
type exchange struct {
	operation string
	rid       string
	request   *routed         // nil for an extra operation and for the second host
	extra     *extraOperation // nil for an operation of the contract
	account   *account        // nil until admit accepted the API key
	remaining int             // POST requests left in the window; -1 if the call is not limited
	// deviates is set if the response deviates from the contract because a test asked for it. It is not a violation then.
	deviates bool
}

// response is an HTTP response before it is sent.
type response struct {
	status int
	header http.Header
	body   []byte
	code   int
	// cut truncates the body after that many bytes, while Content-Length is that of the whole body. A negative value does not truncate.
	cut int
	// hangUp closes the connection without sending anything.
	hangUp bool
}

// envelope is the JSON object of every response.
type envelope struct {
	Code       int    `json:"code"`
	Msg        string `json:"msg"`
	RID        string `json:"rid"`
	RetryAfter int    `json:"retryAfter,omitzero"`
	Data       any    `json:"data"`
}

// refusal is an error that becomes a response with a code other than 0.
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

// serveAPI handles one call of the API. The steps, in order:
//
//	route        find the operation; respond with 404 or 405 if there is none
//	fault        apply a fault of FailNext, instead of the next steps or to their response only
//	admit        check the API key, the permission and the POST limit
//	request      validate the request, and the file URLs in its body, against the contract
//	deduplicate  return the first response for a repeated idempotency key
//	operation    run the implementation of the operation, or derive the response from its schema
//	response     validate the response against the contract; record a violation, and send it anyway
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

// perform runs the call and validates its response against the contract.
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

// operate returns the data of the response to an admitted call.
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

// behave runs the implementation of the operation, or derives the response. s.mu is held.
func (s *Simulator) behave(x *exchange, c *call) (any, error) {
	implementation := s.implementations[x.operation]
	if implementation == nil || s.isDerived(x) {
		return s.derive(x)
	}
	model, err := implementation(c)
	if err != nil {
		return nil, err
	}
	data := wire(model) // the generated types omit zero values
	s.remember(x, data)
	return data, nil
}

// status returns the HTTP status of a successful response.
func (x *exchange) status() int {
	if x.request == nil {
		return http.StatusOK
	}
	return x.request.operation.success
}

type exchangeKey struct{}

// exchangeOf returns the exchange of an operation's context.
func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// errorResponse turns an error of an operation into a response.
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

// statusOf returns the HTTP status that matches a code, for WithErrorStatuses.
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
		panic(fmt.Sprintf("simulator: encode the response of %s: %v", x.operation, err)) // a bug: the data is the simulator's own
	}
	return response{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body, code: e.Code, cut: -1}
}

// setRateLimitHeader sets X-RateLimit-Remaining, if the call counts against the POST limit.
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

// recordViolation logs and records a violation. s.mu is held.
func (s *Simulator) recordViolation(operation string, err error) {
	s.logger.Error("simulator: contract violated", "operation", operation, "problem", err.Error())
	s.violations = append(s.violations, Violation{Operation: operation, Time: s.clock.Now(), Problem: err.Error()})
}

// ContractViolations returns the simulator's responses and deliveries that were invalid in the contract. A test that uses the simulator
// should find none. Deviations that a test asked for, such as an unknown state or a truncated response, are not included. Events that
// an option of Trigger makes invalid are, unless the option is Body.
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

// Requests returns the calls of the API and of the second host so far, oldest first, including those with a fault. Only the last ones are
// retained: see WithLogSize. Calls that match no operation are not recorded.
func (s *Simulator) Requests() []RequestRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]RequestRecord(nil), s.requests...)
}

// keepLast drops the oldest elements of a log that is a quarter longer than size, so that appending stays cheap.
func keepLast[T any](log []T, size int) []T {
	if len(log) <= size+size/4 {
		return log
	}
	return append(make([]T, 0, size+size/4+1), log[len(log)-size:]...)
}
