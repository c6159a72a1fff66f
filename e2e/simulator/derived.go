package simulator

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"

	"github.com/jogg-go/jogg/e2e/sample"
	"github.com/jogg-go/jogg/gen"
)

// The operations that no behaviour is written for are served from the contract alone: see identity for what it says of them. Made-up content
// is in made.go.

// resource is what an operation created and other operations can be asked about. It is guarded by Simulator.mu.
type resource struct {
	creator *operation
	ids     map[string]string // by the field that gave it
	task    *task             // nil if it took no long work
	derived bool              // no behaviour is written for what created it
	created time.Time
}

// resources are what an account created.
type resources struct {
	inOrder []*resource
	byID    map[string][]*resource // what creates a thing can give its id in any of several fields
}

func (all *resources) add(t *resource) {
	if all.byID == nil {
		all.byID = map[string][]*resource{}
	}
	all.inOrder = append(all.inOrder, t)
	for _, id := range t.ids {
		if !slices.Contains(all.byID[id], t) {
			all.byID[id] = append(all.byID[id], t)
		}
	}
}

// find returns what an operation is asked about by its id, or nil.
func (all *resources) find(o *operation, id string) *resource {
	for _, t := range all.byID[id] {
		if o.takes(t.creator) {
			return t
		}
	}
	return nil
}

func (all *resources) forget(gone func(*resource) bool) {
	all.inOrder = slices.DeleteFunc(all.inOrder, gone)
	for id, sharing := range all.byID {
		if all.byID[id] = slices.DeleteFunc(sharing, gone); len(all.byID[id]) == 0 {
			delete(all.byID, id)
		}
	}
}

// derivedKind is the kind of the tasks that an operation starts which no behaviour is written for.
func derivedKind(o *operation) TaskKind { return TaskKind(o.id) }

// derivedTraits are those of every kind of task that no behaviour is written for. No event tells of their end, and the operation that
// starts one is charged for, not the task.
var derivedTraits = traits{statuses: defaultStatuses}

// derivedCost is what a call of a billed operation costs, in credits.
const derivedCost = 1

// derive answers a call of an operation for which no behaviour is written. s.mu is held.
func (s *Simulator) derive(x *exchange) (any, error) {
	o := x.request.operation
	asked, err := s.askedFor(x)
	if err != nil {
		return nil, err
	}
	if o.route.Operation.Extensions[billedKey] == true {
		if err := x.account.spend(derivedCost); err != nil {
			return nil, err
		}
	}
	if len(o.creates) > 0 {
		if asked, err = s.create(x); err != nil {
			return nil, err
		}
	}
	s.refresh(x, asked)
	data, err := s.content(x, asked)
	if err != nil {
		return nil, err
	}
	if o.route.Method == http.MethodDelete {
		x.account.resources.forget(func(t *resource) bool { return t == asked })
	}
	return data, nil
}

// isDerived reports whether a call is about something that a behaviour which is written does not know.
func (s *Simulator) isDerived(x *exchange) bool {
	found := x.account.resources.find(x.request.operation, x.request.id())
	return found != nil && found.derived
}

// askedFor returns the thing that a call is about, or nil if it is about none. What nobody creates is made up.
func (s *Simulator) askedFor(x *exchange) (*resource, error) {
	o := x.request.operation
	if o.idParam == "" {
		return nil, nil
	}
	id := x.request.id()
	if found := x.account.resources.find(o, id); found != nil {
		return found, nil
	}
	if o.hasCreator {
		return nil, notFound(o.idParam)
	}
	return &resource{creator: o, ids: map[string]string{o.idParam: id}, created: s.clock.Now()}, nil
}

// id returns what the request says of the operation's id.
func (r *routed) id() string {
	switch o := r.operation; o.idIn {
	case "path":
		return r.input.PathParams[o.idParam]
	case "query":
		return r.input.GetQueryParams().Get(o.idParam)
	case "body":
		var body map[string]any
		if err := json.Unmarshal(r.body, &body); err != nil || body[o.idParam] == nil {
			return ""
		}
		return asText(body[o.idParam])
	}
	return ""
}

// asText returns an id as a parameter has it, also where it is a number.
func asText(id any) string {
	if number, ok := id.(float64); ok {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return fmt.Sprint(id)
}

// refresh brings a task up to now before a call tells of it.
func (s *Simulator) refresh(x *exchange, t *resource) {
	if t != nil && t.task != nil {
		s.catchUp(t.task)
		x.deviates = x.deviates || t.task.deviates()
	}
}

// create makes the ids that the operation's answer gives, and starts the task if there is one.
func (s *Simulator) create(x *exchange) (*resource, error) {
	o := x.request.operation
	made := &resource{creator: o, ids: map[string]string{}, derived: true, created: s.clock.Now()}
	names := slices.Clone(o.creates)
	slices.SortStableFunc(names, func(a, b string) int { // the id of the task first, as the others are the same if they can be
		switch o.starts {
		case a:
			return -1
		case b:
			return 1
		}
		return 0
	})
	first := ""
	for _, name := range names {
		id, err := s.newID(o, name, first)
		if err != nil {
			return nil, err
		}
		made.ids[name] = id
		first = made.ids[names[0]]
	}
	if o.starts != "" {
		t, err := s.beginAs(x, derivedKind(o), made.ids[o.starts], taskSpec{})
		if err != nil {
			return nil, err
		}
		made.task = t
	}
	x.account.resources.add(made)
	return made, nil
}

// newID makes an id for a field. A text without a form of its own is the first id of the answer, if there is one.
func (s *Simulator) newID(o *operation, name, first string) (string, error) {
	schema := fieldOf(o.data, name)
	if schema == nil || isPlainText(schema) {
		if first != "" {
			return first, nil
		}
		return s.ids.named(prefixOf(name)), nil
	}
	if schema.Type.Includes(openapi3.TypeInteger) && schema.Min == nil && schema.Max == nil && schema.MultipleOf == nil {
		return strconv.FormatInt(s.ids.number(), 10), nil
	}
	fresh := *schema
	fresh.Example, fresh.Examples, fresh.Default = nil, nil, nil // they would be the same each time
	id, err := sample.Maker{Seed: s.ids.rng.Uint64()}.Make(o.id+"."+name, &openapi3.SchemaRef{Value: &fresh})
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return asText(id), nil
}

// fieldOf returns the schema of a field of an object or of an object in it, but not in a list; nil if there is none.
func fieldOf(ref *openapi3.SchemaRef, name string) *openapi3.Schema {
	return fieldInside(ref, name, 0)
}

func fieldInside(ref *openapi3.SchemaRef, name string, depth int) *openapi3.Schema {
	fields := properties(ref)
	if len(fields[name]) > 0 {
		return fields[name][0].Value
	}
	for _, inner := range slices.Sorted(maps.Keys(fields)) {
		for _, property := range fields[inner] {
			if depth == maxDepth {
				return nil
			}
			if found := fieldInside(property, name, depth+1); found != nil {
				return found
			}
		}
	}
	return nil
}

// isPlainText reports whether a schema allows any text, and no other type before it: a text that stands for a number is to be one.
func isPlainText(schema *openapi3.Schema) bool {
	types := schema.Type.Slice()
	return len(types) > 0 && types[0] == openapi3.TypeString && schema.Format == "" && schema.Pattern == "" && schema.MinLength == 0 &&
		schema.MaxLength == nil && schema.Enum == nil && schema.Const == nil && len(alternatives(schema)) == 0
}

// remember keeps the ids in an answer of a behaviour that is written, so that operations without one can be asked about them.
func (s *Simulator) remember(x *exchange, data any) {
	o := x.request.operation
	if o.route.Method == http.MethodDelete {
		gone := x.account.resources.find(o, x.request.id())
		x.account.resources.forget(func(t *resource) bool { return t == gone })
	}
	made := &resource{creator: o, ids: map[string]string{}, created: s.clock.Now()}
	for _, name := range o.creates {
		if id := valueOf(data, name); id != "" {
			made.ids[name] = id
			if t := s.tasks[id]; t != nil && t.account == x.account {
				made.task = t
			}
		}
	}
	if len(made.ids) > 0 {
		x.account.resources.add(made)
	}
}

// valueOf returns a field of an object or of an object in it, but not in a list, as a text; "" if there is none.
func valueOf(data any, name string) string {
	object, _ := data.(map[string]any)
	if value, ok := object[name]; ok && value != nil && !reflect.ValueOf(value).IsZero() {
		return asText(value)
	}
	for _, inner := range slices.Sorted(maps.Keys(object)) {
		if found := valueOf(object[inner], name); found != "" {
			return found
		}
	}
	return ""
}

// resourcesIn returns what a list holds, newest first unless the call asks otherwise.
func (s *Simulator) resourcesIn(x *exchange) []*resource {
	o := x.request.operation
	var held []*resource
	for _, t := range x.account.resources.inOrder {
		if o.listsResourcesOf(t.creator) {
			s.refresh(x, t)
			held = append(held, t)
		}
	}
	if x.request.input.GetQueryParams().Get("sort_order") != string(gen.SortOrderAscending) {
		slices.Reverse(held)
	}
	return held
}
