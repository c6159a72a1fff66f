package simulator

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// CheckedTransport is an http.RoundTripper that holds what a client sends and what it gets against the contract, whichever server
// answers. It can be used by several goroutines at once.
type CheckedTransport struct {
	next     http.RoundTripper
	contract *contract

	mu         sync.Mutex
	operations map[string]int
	violations []Violation
}

// NewCheckedTransport returns a CheckedTransport that sends with next. The error says what is wrong with the contract.
func NewCheckedTransport(next http.RoundTripper) (*CheckedTransport, error) {
	contract, err := publishedContract()
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	return &CheckedTransport{next: next, contract: contract, operations: map[string]int{}}, nil
}

// Violations returns what did not fit the contract so far.
func (t *CheckedTransport) Violations() []Violation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.violations)
}

// Calls returns how often the operation was called.
func (t *CheckedTransport) Calls(operation string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.operations[operation]
}

// RoundTrip sends the request and checks it and its answer.
func (t *CheckedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	checked := r.Clone(r.Context())
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body, checked.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
	}
	request, err := t.contract.route(checked)
	if err != nil {
		t.record("", fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err))
		return t.next.RoundTrip(r)
	}
	operation := request.operation.id
	t.count(operation)
	if err := t.contract.checkRequest(r.Context(), request); err != nil {
		t.record(operation, fmt.Errorf("request: %w", err))
	}
	response, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if err := t.contract.checkAnswer(r.Context(), request, answer{status: response.StatusCode, header: response.Header, body: body}); err != nil {
		t.record(operation, fmt.Errorf("answer: %w", err))
	}
	return response, nil
}

func (t *CheckedTransport) count(operation string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.operations[operation]++
}

func (t *CheckedTransport) record(operation string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.violations = append(t.violations, Violation{Operation: operation, Time: time.Now(), Problem: err.Error()})
}
