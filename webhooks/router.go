package webhooks

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
)

// Router is a Receiver that hands each event to the function registered for the type of its data. Register everything before the
// first event; from then on a Router is safe for concurrent use.
type Router struct {
	routes map[reflect.Type]ReceiverFunc

	mu      sync.Mutex
	unknown map[EventType]struct{} // the unknown event types that were dropped, as far as they were logged
}

// NewRouter returns a router with no function registered. It accepts every event that can be decoded and does nothing about it.
func NewRouter() *Router {
	return &Router{routes: make(map[reflect.Type]ReceiverFunc), unknown: make(map[EventType]struct{})}
}

// On registers handle for the events whose data is a D, a pointer such as *VideoSucceeded. Where several event types share it, as
// all five kinds of video do, the event's Type tells them apart. If D is Data itself, handle gets every event that has no function
// of its own, unknown and undecodable ones included.
//
// What handle returns is what [Router.Receive] returns. On panics if handle is nil, if there is a function for D already, or if D is a type
// that no event has, such as an interface or a type of your own around one of this package.
func On[D Data](r *Router, handle func(ctx context.Context, ev Event, data D) error) {
	route := reflect.TypeFor[D]()
	if handle == nil {
		panic(fmt.Sprintf("webhooks: no function for %v", route))
	}
	if !canBeData(route) {
		panic(fmt.Sprintf("webhooks: no event has a %v", route))
	}
	if _, taken := r.routes[route]; taken {
		panic(fmt.Sprintf("webhooks: a second function for %v", route))
	}
	r.routes[route] = func(ctx context.Context, ev Event) error {
		return handle(ctx, ev, ev.Data.(D))
	}
}

// canBeData reports whether a type that implements Data is Data itself or one of this package's types, which alone implement it by themselves.
func canBeData(t reflect.Type) bool {
	if t == reflect.TypeFor[Data]() {
		return true
	}
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == reflect.TypeFor[Event]().PkgPath()
}

// Receive calls the function registered for the event and returns what it returns.
//
// Without such a function, an event is accepted, since sending it again would change nothing; the first of each type that this package does not
// know is logged as a warning to slog.Default(). Only an event that cannot be decoded is an error then, which names the field: it stands for
// something that happened, and that nobody has been told of.
func (r *Router) Receive(ctx context.Context, ev Event) error {
	if ev.Data == nil {
		return fmt.Errorf("webhooks: event %q has no data", string(ev.Type))
	}
	if handle, ok := r.routes[reflect.TypeOf(ev.Data)]; ok {
		return handle(ctx, ev)
	}
	if handle, ok := r.routes[reflect.TypeFor[Data]()]; ok {
		return handle(ctx, ev)
	}
	switch data := ev.Data.(type) {
	case *Undecodable:
		return fmt.Errorf("webhooks: no function for an event that cannot be decoded: %w", data.Err)
	case *Unknown:
		r.logUnknown(ctx, ev)
	}
	return nil
}

// logUnknown logs that an event of an unknown type is dropped, once for each type.
func (r *Router) logUnknown(ctx context.Context, ev Event) {
	const most = 1000
	r.mu.Lock()
	_, logged := r.unknown[ev.Type]
	if logged = logged || len(r.unknown) >= most; !logged {
		r.unknown[ev.Type] = struct{}{}
	}
	r.mu.Unlock()
	if !logged {
		slog.Default().WarnContext(ctx, "webhook event of an unknown type dropped, as are all of that type: no function is registered for it",
			"event", string(ev.Type), "key", ev.Key())
	}
}
