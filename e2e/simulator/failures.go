package simulator

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Fault is one failure that FailNext makes happen instead of an answer. The zero Fault answers HTTP 200 with code 50000.
type Fault struct {
	// HTTPStatus is the status of the answer; 0 stands for 200.
	HTTPStatus int
	// Code is the code of the envelope; 0 stands for 50000.
	Code int
	// Message is the message of the envelope; "" stands for one that goes with the code.
	Message string
	// RetryAfter is named in the answer as WaitIn says, in whole seconds, if it is not 0.
	RetryAfter time.Duration
	// WaitIn says where RetryAfter is named; 0 stands for what WithWaitIn says.
	WaitIn WaitPlace
	// Header is added to the answer.
	Header http.Header
	// Body replaces the envelope, if it is not nil. An empty one that is not nil makes an empty answer.
	Body []byte
	// ContentType is that of Body; "" stands for text/html.
	ContentType string
	// CutShort ends the answer in the middle of its body and closes the connection. If TakesEffect is set and nothing says what the
	// answer is, it is the true answer that is cut.
	CutShort bool
	// HangUp closes the connection without an answer. Note that net/http's client repeats a GET by itself if that happens on a
	// connection that it used before.
	HangUp bool
	// Delay passes on the simulator's clock before the answer.
	Delay time.Duration
	// TakesEffect runs the operation before it fails, as when only the answer was lost: a task is created and paid for.
	TakesEffect bool
}

// ProxyPage is a Fault that answers as a proxy in front of the service does, with a page for people, for example with status 502.
func ProxyPage(status int) Fault {
	title := http.StatusText(status)
	return Fault{
		HTTPStatus: status, ContentType: "text/html; charset=utf-8",
		Body: []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
			"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"),
	}
}

// EmptyAnswer is a Fault that answers nothing but a status.
func EmptyAnswer(status int) Fault {
	return Fault{HTTPStatus: status, Body: []byte{}, ContentType: "application/json"}
}

// Operations that are no operations of the contract but can be given to FailNext like one.
const (
	PutAsset     = "putAsset" // the upload of a file's bytes to the second host
	GetMedia     = "getMedia" // a download from the second host
	AnyOperation = "*"        // whichever operation is called next, on the first host
)

// FailNext makes the next calls of the operation fail, one call for each fault, in order. The operation is an operationId of the
// contract, the method and path of an extra operation, PutAsset, GetMedia or AnyOperation. The wrong key, the POST limit and the contract do not come into it.
func (s *Simulator) FailNext(operation string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[operation] = append(s.faults[operation], faults...)
	s.notify()
}

// ClearFaults forgets every fault that has not happened yet.
func (s *Simulator) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
	s.notify()
}

// takeFault returns the fault that the call is to suffer. s.mu is held.
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

// fail answers a call with a fault.
func (s *Simulator) fail(x *exchange, r *http.Request, f Fault) response {
	var lost response
	if f.TakesEffect {
		lost = s.perform(x, r)
	}
	s.sleep(r, f.Delay)
	resp := s.faultResponse(x, f)
	if f.TakesEffect && f.CutShort && f.Code == 0 && f.Body == nil {
		resp = lost
	}
	if f.CutShort {
		resp.cut = len(resp.body) / 2
	}
	resp.hangUp = f.HangUp
	if f.HangUp {
		resp.status = 0
	}
	return resp
}

func (s *Simulator) faultResponse(x *exchange, f Fault) response {
	code := cmp.Or(f.Code, CodeSystem)
	e := envelope{Code: code, Msg: cmp.Or(f.Message, messageOf(code))}
	header := http.Header{}
	if f.RetryAfter > 0 {
		cmp.Or(f.WaitIn, s.config.waits).name(f.RetryAfter, s.clock.Now(), header, &e)
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

// sleep waits on the simulator's clock, but no longer than the client and the simulator do.
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
