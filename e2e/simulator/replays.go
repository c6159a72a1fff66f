package simulator

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Extensions of operations in the contract.
const (
	billedKey      = "x-jogg-billed"
	idempotencyKey = "x-jogg-idempotency-key"
)

// replays are the responses to an account's requests with an idempotency key. Only the last ones are retained: see WithLogSize.
type replays struct {
	byKey   map[replayKey]replay
	inOrder []replayKey
}

type replayKey struct{ operation, key string }

// replay is the data of a response and the canonical body of its request.
type replay struct {
	body     string
	data     any
	deviates bool
}

// deduplicate performs an operation, or returns the data of the first response if the request repeats an idempotency key. A different body
// with the same key is an error. Failed requests are not recorded, so they can be retried. JoggAI documents none of this: it is the
// simulator's choice, and what most services with idempotency keys do.
func (s *Simulator) deduplicate(x *exchange, perform func() (any, error)) (any, error) {
	key := replayKey{x.operation, x.request.key()}
	if key.key == "" {
		return perform()
	}
	body := jsontext.Value(slices.Clone(x.request.body))
	if err := body.Canonicalize(); err != nil {
		return nil, invalid("body", "duplicate member name")
	}
	all := &x.account.replays
	if before, ok := all.byKey[key]; ok {
		if before.body != string(body) {
			return nil, invalid(x.request.keyName(), "already used by a different request")
		}
		x.deviates = x.deviates || before.deviates
		return before.data, nil
	}
	data, err := perform()
	if err == nil {
		all.add(key, replay{string(body), data, x.deviates}, s.config.logSize)
	}
	return data, err
}

func (r *replays) add(key replayKey, first replay, size int) {
	if r.byKey == nil {
		r.byKey = map[replayKey]replay{}
	}
	r.byKey[key] = first
	r.inOrder = append(r.inOrder, key)
	if len(r.inOrder) <= size+size/4 {
		return
	}
	for _, old := range r.inOrder[:len(r.inOrder)-size] {
		delete(r.byKey, old)
	}
	r.inOrder = slices.Clone(r.inOrder[len(r.inOrder)-size:])
}

// keyName returns the path of the idempotency key in the request body, joined with dots, or "" if the operation has none.
func (r *routed) keyName() string {
	pointer, _ := r.operation.route.Operation.Extensions[idempotencyKey].(string)
	return strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
}

// key returns the idempotency key of the request, or "".
func (r *routed) key() string {
	name := r.keyName()
	if name == "" {
		return ""
	}
	var value any
	if err := json.Unmarshal(r.body, &value, jsontext.AllowDuplicateNames(true)); err != nil {
		return ""
	}
	for step := range strings.SplitSeq(name, ".") {
		object, _ := value.(map[string]any)
		value = object[step]
	}
	key, _ := value.(string)
	return key
}
