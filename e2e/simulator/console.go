package simulator

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jogg-go/jogg/gen"
)

// The console is the HTML page at /_console/. It is rendered on the server and has no scripts. It shows keys and secrets without
// authentication, so it accepts only an IP address or localhost as the Host, which prevents DNS rebinding.

//go:embed console.html
var consoleText string

var consoleTemplate = template.Must(template.New("console").Funcs(template.FuncMap{
	"clock":   func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"outcome": outcomeOf,
}).Parse(consoleText))

// consoleRows is the maximum number of rows of each table.
const consoleRows = 40

// outcomeOf returns the CSS class of a state or an HTTP status.
func outcomeOf(state any) string {
	switch fmt.Sprint(state) {
	case "completed", "success", "accepted", "enabled", "200":
		return "good"
	case "failed", "fail", "error", "dropped":
		return "bad"
	case "disabled":
		return "quiet"
	}
	return "open"
}

// consoleFaults are the faults offered on the page.
var consoleFaults = []struct {
	Name, Label string
	fault       Fault
}{
	{"429", "429: rate limit exceeded, wait 30 s", Fault{Code: CodeRateLimited, RetryAfter: 30 * time.Second}},
	{"10104", "10104: record not found", Fault{Code: CodeNotFound}},
	{"10105", "10105: invalid API key", Fault{Code: CodeInvalidAPIKey}},
	{"18020", "18020: insufficient credit", Fault{Code: CodeInsufficientCredit}},
	{"18025", "18025: no permission", Fault{Code: CodeNoPermission}},
	{"40000", "40000: invalid parameter", Fault{Code: CodeInvalidParameter}},
	{"50000", "50000: system error", Fault{Code: CodeSystem}},
	{"502", "HTTP 502 with an HTML page of a proxy", ProxyPage(http.StatusBadGateway)},
	{"503", "HTTP 503 with an HTML page of a proxy", ProxyPage(http.StatusServiceUnavailable)},
	{"empty", "empty response body", EmptyResponse(http.StatusOK)},
	{"cut", "truncated response", Fault{Truncate: true}},
	{"hangup", "connection closed without a response", Fault{CloseConnection: true}},
}

// consoleVariations are the options of Trigger offered on the page.
var consoleVariations = []struct {
	Name, Label string
	option      EventOption
}{
	{"string", "error as a string", ErrorAsString()},
	{"object", "error as an object", ErrorAsObject()},
	{"errmsg", "error in err_msg", ErrorAsErrMsg()},
	{"project", "id as project_id", IDAsProjectID()},
	{"numeric", "ids as numbers", NumericIDs()},
	{"text", "ids as strings", StringIDs()},
	{"fraction", "fractional duration", FractionalDuration()},
	{"noid", "no event_id", WithoutEventID()},
	{"extra", "undocumented fields", ExtraFields()},
	{"forged", "signed with a wrong secret", Forged()},
}

type consoleView struct {
	BaseURL, MediaURL string
	Now               time.Time
	Problem           string // the error of the submitted form; "" for none
	Following         bool
	Accounts          []consoleAccount
	Tasks             []TaskRecord
	Events            []EventRecord
	Deliveries        []DeliveryRecord
	Requests          []RequestRecord
	Violations        []Violation
	EventTypes        []gen.EventType
	Operations        []string
	Faults, Variants  any
}

type consoleAccount struct {
	Key, Secret, Username string
	Credits               float64
	State                 string
	Endpoints             []EndpointRecord
}

func (s *Simulator) newConsole() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_console/{$}", func(w http.ResponseWriter, r *http.Request) { s.showConsole(w, r, http.StatusOK, nil) })
	for action, perform := range map[string]func(*http.Request) error{
		"account": s.consoleAccount, "task": s.consoleTask, "trigger": s.consoleTrigger, "redeliver": s.consoleRedeliver,
		"fault": s.consoleFault,
	} {
		mux.HandleFunc("POST /_console/"+action, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
			if err := perform(r); err != nil {
				s.showConsole(w, r, http.StatusBadRequest, err)
				return
			}
			http.Redirect(w, r, "/_console/", http.StatusSeeOther)
		})
	}
	sameOrigin := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isIPOrLocalhost(r.Host) {
			http.Error(w, "the console must be addressed by IP address or as localhost", http.StatusForbidden)
			return
		}
		header := w.Header()
		header.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		sameOrigin.ServeHTTP(w, r)
	})
}

func isIPOrLocalhost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil
}

func (s *Simulator) showConsole(w http.ResponseWriter, r *http.Request, status int, problem error) {
	view := s.consoleView()
	view.Following = r.URL.Query().Has("follow")
	if problem != nil {
		view.Problem = strings.TrimPrefix(problem.Error(), "simulator: ")
	}
	var page bytes.Buffer
	if err := consoleTemplate.Execute(&page, view); err != nil {
		s.logger.ErrorContext(r.Context(), "simulator: render console", "error", err)
		http.Error(w, "cannot render the page", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

func (s *Simulator) consoleView() consoleView {
	view := consoleView{
		BaseURL: s.BaseURL(), MediaURL: s.MediaURL(), Now: s.clock.Now(),
		Tasks: newest(s.Tasks()), Events: newest(s.Events()), Deliveries: newest(s.Deliveries()), Requests: newest(s.Requests()),
		Violations: s.ContractViolations(),
		EventTypes: s.eventTypes(), Operations: s.operationNames(),
		Faults: consoleFaults, Variants: consoleVariations,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		state := "enabled"
		switch {
		case a.revoked:
			state = "revoked"
		case a.denied:
			state = "no permission"
		}
		view.Accounts = append(view.Accounts, consoleAccount{
			Key: a.key, Secret: a.secret, Username: a.user.Username, Credits: a.credits, State: state, Endpoints: a.records(),
		})
	}
	return view
}

// newest returns the last rows of a log, the last one first.
func newest[T any](log []T) []T {
	log = slices.Clone(log[max(0, len(log)-consoleRows):])
	slices.Reverse(log)
	return log
}

func (s *Simulator) consoleAccount(r *http.Request) error {
	key := r.PostFormValue("key")
	switch action := r.PostFormValue("action"); action {
	case "credits":
		credits, err := strconv.ParseFloat(r.PostFormValue("credits"), 64)
		if err != nil || !(credits >= 0 && credits < 1e12) {
			return errors.New("credits must be a non-negative number below 1e12")
		}
		return s.SetCredits(key, credits)
	case "deny", "allow":
		return s.SetPermission(key, action == "allow")
	}
	return errors.New("unknown action")
}

func (s *Simulator) consoleTask(r *http.Request) error {
	id := r.PostFormValue("id")
	switch r.PostFormValue("action") {
	case "finish":
		return s.FinishTask(id)
	case "fail":
		return s.FailTask(id, Reason{})
	}
	return errors.New("unknown action")
}

func (s *Simulator) consoleTrigger(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return errors.New("invalid form")
	}
	event := strings.TrimSpace(r.PostForm.Get("other"))
	if event == "" {
		event = r.PostForm.Get("event")
	}
	if event == "" {
		return errors.New("missing event")
	}
	options := []EventOption{OfAccount(r.PostForm.Get("key"))}
	for _, variation := range consoleVariations {
		if slices.Contains(r.PostForm["vary"], variation.Name) {
			options = append(options, variation.option)
		}
	}
	if address := strings.TrimSpace(r.PostForm.Get("url")); address != "" {
		if err := s.checkReceiver("URL", address); err != nil {
			return errors.New("the URL must be absolute, and https unless it is on the loopback interface")
		}
		options = append(options, ToURL(address))
	}
	_, err := s.Trigger(gen.EventType(event), options...)
	return err
}

func (s *Simulator) consoleRedeliver(r *http.Request) error {
	return s.Redeliver(r.PostFormValue("ref"))
}

func (s *Simulator) consoleFault(r *http.Request) error {
	operation := r.PostFormValue("operation")
	if !slices.Contains(append(s.operationNames(), AnyOperation, PutAsset, GetMedia), operation) {
		return errors.New("unknown operation")
	}
	for _, choice := range consoleFaults {
		if choice.Name == r.PostFormValue("fault") {
			fault := choice.fault
			fault.TakesEffect = r.PostFormValue("effect") != ""
			s.FailNext(operation, fault)
			return nil
		}
	}
	return errors.New("unknown fault")
}
