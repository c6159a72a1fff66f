package simulator

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ExtraOperation answers a call of an operation that the contract does not know. It returns the content of the answer, which is encoded as
// JSON and put into the envelope, or an error. The error of Refuse becomes the code and the message of the envelope, any other one code
// 50000. Calls can come from several goroutines at once.
type ExtraOperation func(r *http.Request) (data any, err error)

// Refuse returns an error with which an ExtraOperation answers a code other than 0.
func Refuse(code int, message string) error {
	return &refusal{code: code, message: message}
}

// extraOperation is an operation beside the contract.
type extraOperation struct {
	method, path string
	serve        ExtraOperation
}

// name is what the operation is called where those of the contract have an operationId.
func (e *extraOperation) name() string { return e.method + " " + e.path }

func (e *extraOperation) perform(r *http.Request) (any, error) {
	data, err := e.serve(r)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(data, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return jsontext.Value(encoded), nil
}

// WithExtraOperation serves an operation that the contract does not know, as the service may have one any day. Keys, the envelope, the
// POST limit and faults are those of every operation; FailNext and the log call it by its method and path, such as
// "POST /v2/create_hologram". The path is a pattern of net/http.ServeMux without method and host, so that /v2/hologram/{id} puts the id
// into the request's PathValue. New fails if the contract has the operation.
func WithExtraOperation(method, path string, serve ExtraOperation) Option {
	return func(c *config) error {
		if method == "" || path == "" || path[0] != '/' || serve == nil {
			return fmt.Errorf("extra operation %q needs a method, a path that begins with a slash, and a function", method+" "+path)
		}
		c.extra = append(c.extra, &extraOperation{method: method, path: path, serve: serve})
		return nil
	}
}

// addExtraOperations makes the operations beside the contract known to a router of their own.
func (s *Simulator) addExtraOperations(extra []*extraOperation) error {
	s.extraPaths = http.NewServeMux()
	for _, e := range extra {
		for _, known := range s.contract.operations {
			if known.route.Method == e.method && known.route.Path == e.path {
				return fmt.Errorf("extra operation %s: the contract has it, as %s", e.name(), known.id)
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
		if problem := recover(); problem != nil { // ServeMux refuses patterns in no other way
			err = fmt.Errorf("extra operation %s: %v", e.name(), problem)
		}
	}()
	mux.Handle(e.name(), e)
	return nil
}

// ServeHTTP tells the finder which operation was found.
func (e *extraOperation) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.(*extraFinder).found = e
}

type extraFinder struct {
	found *extraOperation
	pathFinder
}

// findExtra reports whether a request is for an operation beside the contract, and sets the request's path values.
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
