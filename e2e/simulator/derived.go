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

// Operations without an implementation are derived from the contract: from their identity and, in content.go, from the schemas of their
// responses.

// resource is what an operation has created and other operations find by its id. It is guarded by Simulator.mu.
type resource struct {
	creator *operation
	ids     map[string]string // by the response field that held it
	task    *task             // nil if its creation started no task
	derived bool              // its creator has no implementation
	created time.Time
}

// resources are the resources that an account has created.
type resources struct {
	inOrder []*resource
	byID    map[string][]*resource // by each of its ids
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

// find returns the resource with the id that the operation takes, or nil.
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

// derivedKind returns the kind of the tasks that a derived operation starts.
func derivedKind(o *operation) TaskKind { return TaskKind(o.id) }

// derivedTraits are the traits of the tasks of derived operations. They send no events. They cost nothing themselves, because the operation
// that starts them is charged.
var derivedTraits = traits{statuses: defaultStatuses}

// derivedCost is the price of a billed derived operation in credits.
const derivedCost = 1

// derive handles a call of an operation without an implementation. It returns the data of the response. s.mu is held.
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

// isDerived reports whether a call is about a resource of a derived operation, which implementations do not know.
func (s *Simulator) isDerived(x *exchange) bool {
	found := x.account.resources.find(x.request.operation, x.request.id())
	return found != nil && found.derived
}

// askedFor returns the resource that a call is about, or nil. It generates a resource if no operation creates such resources.
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

// id returns the value of the operation's id parameter, or "".
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

// asText formats an id, which may be a JSON number, as it appears in a parameter.
func asText(id any) string {
	if number, ok := id.(float64); ok {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return fmt.Sprint(id)
}

// refresh brings the task of a resource up to date before a response contains it.
func (s *Simulator) refresh(x *exchange, t *resource) {
	if t != nil && t.task != nil {
		s.catchUp(t.task)
		x.deviates = x.deviates || t.task.deviates()
	}
}

// create generates the ids in the operation's response, and starts a task if the operation does.
func (s *Simulator) create(x *exchange) (*resource, error) {
	o := x.request.operation
	made := &resource{creator: o, ids: map[string]string{}, derived: true, created: s.clock.Now()}
	names := slices.Clone(o.creates)
	slices.SortStableFunc(names, func(a, b string) int { // the id of the task first: the others equal it if their schemas allow it
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

// newID generates an id for a field. A plain string gets the first id of the response, if there is one.
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
	fresh.Example, fresh.Examples, fresh.Default = nil, nil, nil // they would be the same on every call
	id, err := sample.Maker{Seed: s.ids.rng.Uint64()}.Make(o.id+"."+name, &openapi3.SchemaRef{Value: &fresh})
	if err != nil {
		return "", fmt.Errorf("generate an id: %w", err)
	}
	return asText(id), nil
}

// fieldOf returns the schema of a field of an object or a nested object, but not one in an array. It returns nil if there is none.
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

// isPlainText reports whether a schema allows any string and lists string as its first type. Another first type is preferred.
func isPlainText(schema *openapi3.Schema) bool {
	types := schema.Type.Slice()
	return len(types) > 0 && types[0] == openapi3.TypeString && schema.Format == "" && schema.Pattern == "" && schema.MinLength == 0 &&
		schema.MaxLength == nil && schema.Enum == nil && schema.Const == nil && len(alternatives(schema)) == 0
}

// remember records the ids in the response of an implementation, so that derived operations find the resource.
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

// valueOf returns a field of an object or a nested object, but not one in an array, as a string. It returns "" if there is none.
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

// resourcesIn returns the resources of a list, newest first unless the call has sort_order=asc.
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
