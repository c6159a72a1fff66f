package simulator

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ExtraOperation handles a call of an operation that is not in the contract. It returns the data of the response, which is encoded as JSON
// in the envelope, or an error. An error of Refuse sets the code and the message of the envelope; any other error is logged and becomes
// code 50000. It is called concurrently.
type ExtraOperation func(r *http.Request) (data any, err error)

// Refuse returns an error that makes an ExtraOperation respond with the code, which is not 0, and the message.
func Refuse(code int, message string) error {
	return &refusal{code: code, message: message}
}

// extraOperation is an operation that is not in the contract.
type extraOperation struct {
	method, path string
	serve        ExtraOperation
}

// name returns the method and path, which serve as the operationId.
func (e *extraOperation) name() string { return e.method + " " + e.path }

func (e *extraOperation) perform(r *http.Request) (any, error) {
	data, err := e.serve(r)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(data, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode the response: %w", err)
	}
	return jsontext.Value(encoded), nil
}

// WithExtraOperation serves an operation that is not in the contract. The service may add operations at any time. API keys, the envelope,
// the POST limit and faults work as for every operation. Its name for FailNext and in the log is the method and the path, such as
// "POST /v2/create_hologram". The path is a pattern of http.ServeMux without method and host: with /v2/hologram/{id} the id is in the
// request's PathValue. New returns an error if the operation is in the contract.
func WithExtraOperation(method, path string, serve ExtraOperation) Option {
	return func(c *config) error {
		if method == "" || path == "" || path[0] != '/' || serve == nil {
			return fmt.Errorf("extra operation %q needs a method, a path that begins with a slash, and a function", method+" "+path)
		}
		c.extra = append(c.extra, &extraOperation{method: method, path: path, serve: serve})
		return nil
	}
}

// addExtraOperations registers the extra operations with a router of their own.
func (s *Simulator) addExtraOperations(extra []*extraOperation) error {
	s.extraPaths = http.NewServeMux()
	for _, e := range extra {
		for _, known := range s.contract.operations {
			if known.route.Method == e.method && known.route.Path == e.path {
				return fmt.Errorf("extra operation %s: already in the contract as %s", e.name(), known.id)
			}
		}
		if err := addExtra(s.extraPaths, e); err != nil {
			return err
		}
		s.extraNames = append(s.extraNames, e.name())
	}
	return nil
}

func addExtra(mux *http.ServeMux, e *extraOperation) (err error) {
	defer func() {
		if problem := recover(); problem != nil { // ServeMux panics on an invalid or conflicting pattern
			err = fmt.Errorf("extra operation %s: %v", e.name(), problem)
		}
	}()
	mux.Handle(e.name(), e)
	return nil
}

// ServeHTTP reports the operation to the extraFinder that it gets as the ResponseWriter.
func (e *extraOperation) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.(*extraFinder).found = e
}

type extraFinder struct {
	found *extraOperation
	pathFinder
}

// findExtra reports whether a request is for an extra operation, and sets the request's path values.
func (s *Simulator) findExtra(x *exchange, r *http.Request) bool {
	var finder extraFinder
	s.extraPaths.ServeHTTP(&finder, r)
	if finder.found == nil {
		return false
	}
	x.operation, x.extra = finder.found.name(), finder.found
	return true
}

// operationNames returns the names of all operations, those of the contract first.
func (s *Simulator) operationNames() []string {
	return slices.Concat(s.contract.operationNames(), s.extraNames)
}
