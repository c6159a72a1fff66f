package simulator

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Fault is a failure that FailNext injects into a call. The zero Fault responds with HTTP status 200 and code 50000.
type Fault struct {
	// HTTPStatus is the status of the response; 0 means 200, or 503 for PutAsset and GetMedia.
	HTTPStatus int
	// Code is the code of the envelope; 0 means 50000. PutAsset and GetMedia respond with XML that has a Message, but no code.
	Code int
	// Message is the message of the envelope; "" means a default message for the code.
	Message string
	// RetryAfter is the wait that the response states, rounded up to seconds; 0 states none.
	RetryAfter time.Duration
	// RetryAfterIn is where the response states RetryAfter; 0 means the places of the option WithRetryAfterIn.
	RetryAfterIn RetryAfterPlace
	// Header is added to the response and replaces headers of the same names.
	Header http.Header
	// Body replaces the envelope if it is not nil. If it is empty but not nil, the response has an empty body.
	Body []byte
	// ContentType is the Content-Type of Body; "" means text/html.
	ContentType string
	// Truncate truncates the response in the middle of its body and closes the connection. With TakesEffect, and without Code and Body, it
	// truncates the response of the operation.
	Truncate bool
	// CloseConnection closes the connection without a response. The client of net/http retries a GET by itself if that happens on a reused
	// connection.
	CloseConnection bool
	// Delay is the time before the response, on the simulator's clock.
	Delay time.Duration
	// TakesEffect runs the operation and then fails the call, as if only the response was lost: a task is created and charged. It has no
	// effect on PutAsset and GetMedia.
	TakesEffect bool
}

// ProxyPage returns a Fault that responds like a proxy in front of the service: with the HTTP status, for example 502, and an HTML page.
func ProxyPage(status int) Fault {
	title := http.StatusText(status)
	return Fault{
		HTTPStatus: status, ContentType: "text/html; charset=utf-8",
		Body: []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
			"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"),
	}
}

// EmptyResponse returns a Fault that responds with the HTTP status and an empty body.
func EmptyResponse(status int) Fault {
	return Fault{HTTPStatus: status, Body: []byte{}, ContentType: "application/json"}
}

// Names for FailNext that are not operations of the contract.
const (
	PutAsset     = "putAsset" // an upload of a file to the second host
	GetMedia     = "getMedia" // a download from the second host
	AnyOperation = "*"        // any operation of the API, but not of the second host
)

// FailNext makes the next calls of the operation fail, one call for each fault, in order. The operation is an operationId of the contract,
// the method and path of an extra operation, PutAsset, GetMedia or AnyOperation. Faults of an operation come before those of AnyOperation.
// A fault without TakesEffect applies before the API key, the POST limit and the request are checked.
func (s *Simulator) FailNext(operation string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[operation] = append(s.faults[operation], faults...)
	s.notify()
}

// ClearFaults removes all faults that have not been applied yet.
func (s *Simulator) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
	s.notify()
}

// takeFault removes and returns the next fault for the operation. s.mu is held.
func (s *Simulator) takeFault(operation string) (Fault, bool) {
	for _, name := range []string{operation, AnyOperation} {
		waiting := s.faults[name]
		if len(waiting) == 0 || name == AnyOperation && (operation == PutAsset || operation == GetMedia) {
			continue
		}
		s.faults[name] = waiting[1:]
		return waiting[0], true
	}
	return Fault{}, false
}

// fail applies a fault to a call and returns the response.
func (s *Simulator) fail(x *exchange, r *http.Request, f Fault) response {
	var lost response
	if f.TakesEffect {
		lost = s.perform(x, r)
	}
	s.sleep(r, f.Delay)
	resp := s.faultResponse(x, f)
	if f.TakesEffect && f.Truncate && f.Code == 0 && f.Body == nil {
		resp = lost
	}
	if f.Truncate {
		resp.cut = len(resp.body) / 2
	}
	resp.hangUp = f.CloseConnection
	if f.CloseConnection {
		resp.status = 0
	}
	return resp
}

func (s *Simulator) faultResponse(x *exchange, f Fault) response {
	code := cmp.Or(f.Code, CodeSystem)
	e := envelope{Code: code, Msg: cmp.Or(f.Message, messageOf(code))}
	header := http.Header{}
	if f.RetryAfter > 0 {
		cmp.Or(f.RetryAfterIn, s.config.waits).name(f.RetryAfter, s.clock.Now(), header, &e)
	}
	resp := newResponse(x, cmp.Or(f.HTTPStatus, http.StatusOK), e)
	if f.Body != nil {
		resp.body, resp.code = slices.Clone(f.Body), 0
		resp.header.Set("Content-Type", cmp.Or(f.ContentType, "text/html"))
	}
	maps.Copy(resp.header, header)
	for name, values := range f.Header {
		resp.header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	return resp
}

func messageOf(code int) string {
	switch code {
	case CodeRateLimited:
		return "rate limit exceeded"
	case CodeNotFound:
		return "record not found"
	case CodeInvalidAPIKey:
		return "invalid API key"
	case CodeInsufficientCredit:
		return "insufficient credit"
	case CodeNoPermission:
		return "no permission to call the API"
	case CodeInvalidParameter:
		return "invalid parameter"
	case CodeSystem:
		return "system error"
	}
	return "failed"
}

// sleep waits on the simulator's clock, until the request is canceled or the simulator is closed.
func (s *Simulator) sleep(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.Chan():
	case <-r.Context().Done():
	case <-s.ctx.Done():
	}
}
