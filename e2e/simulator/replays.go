package simulator

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// What the contract says of operations as a whole.
const (
	billedKey      = "x-jogg-billed"
	idempotencyKey = "x-jogg-idempotency-key"
)

// replays are the answers to the orders that an account gave an idempotency key. Only the last ones are kept: see WithLogSize.
type replays struct {
	byKey   map[replayKey]replay
	inOrder []replayKey
}

type replayKey struct{ operation, key string }

// replay is an answer and the body that it was given to.
type replay struct {
	body     string
	data     any
	deviates bool
}

// deduplicate performs an operation, or gives the answer of before to an order that comes again with its key. The same key with another body is
// refused. What was refused is not remembered, so it can be tried again. The service documents none of this: it is the simulator's choice,
// and that of most services that take such keys.
func (s *Simulator) deduplicate(x *exchange, perform func() (any, error)) (any, error) {
	key := replayKey{x.operation, x.request.key()}
	if key.key == "" {
		return perform()
	}
	body := jsontext.Value(slices.Clone(x.request.body))
	if err := body.Canonicalize(); err != nil {
		return nil, invalid("at the top of the body", "a name comes twice")
	}
	all := &x.account.replays
	if before, ok := all.byKey[key]; ok {
		if before.body != string(body) {
			return nil, invalid(x.request.keyName(), "it was given to another order")
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

func (r *replays) add(key replayKey, answer replay, size int) {
	if r.byKey == nil {
		r.byKey = map[replayKey]replay{}
	}
	r.byKey[key] = answer
	r.inOrder = append(r.inOrder, key)
	if len(r.inOrder) <= size+size/4 {
		return
	}
	for _, old := range r.inOrder[:len(r.inOrder)-size] {
		delete(r.byKey, old)
	}
	r.inOrder = slices.Clone(r.inOrder[len(r.inOrder)-size:])
}

// keyName is where the operation takes an idempotency key, with dots between the names; "" if it takes none.
func (r *routed) keyName() string {
	pointer, _ := r.operation.route.Operation.Extensions[idempotencyKey].(string)
	return strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
}

// key returns the idempotency key of a request, or "".
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
