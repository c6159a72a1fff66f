package webhooks

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
)

// Router is a Receiver that passes each event to the function registered for the type of its data. Register all functions before the first
// event; from then on a Router is safe for concurrent use.
type Router struct {
	routes map[reflect.Type]ReceiverFunc

	mu      sync.Mutex
	unknown map[EventType]struct{} // unknown event types that were logged when they were dropped
}

// NewRouter returns a router without any functions. It accepts every event that can be decoded, and ignores it.
func NewRouter() *Router {
	return &Router{routes: make(map[reflect.Type]ReceiverFunc), unknown: make(map[EventType]struct{})}
}

// On registers handle for events with data of type D, a pointer type such as *VideoSucceeded. Where event types share a data type, as the
// five kinds of video do, the event's Type tells them apart. If D is Data itself, handle gets every event without a function of its own,
// including unknown and undecodable ones.
//
// [Router.Receive] returns the error of handle. On panics if handle is nil, if a function for D is registered already, or if no event can
// have data of type D: an interface other than Data, or a type of another package that embeds one of this package.
func On[D Data](r *Router, handle func(ctx context.Context, ev Event, data D) error) {
	route := reflect.TypeFor[D]()
	if handle == nil {
		panic(fmt.Sprintf("webhooks: nil function for %v", route))
	}
	if !canBeData(route) {
		panic(fmt.Sprintf("webhooks: no event has data of type %v", route))
	}
	if _, registered := r.routes[route]; registered {
		panic(fmt.Sprintf("webhooks: function for %v registered twice", route))
	}
	r.routes[route] = func(ctx context.Context, ev Event) error {
		return handle(ctx, ev, ev.Data.(D))
	}
}

// canBeData reports whether t, which implements Data, is Data itself or one of this package's types. Types of other packages can implement
// Data only by embedding one of those.
func canBeData(t reflect.Type) bool {
	if t == reflect.TypeFor[Data]() {
		return true
	}
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == reflect.TypeFor[Event]().PkgPath()
}

// Receive calls the function registered for the event's data and returns its error.
//
// An event without a function is accepted, because a redelivery would change nothing. If this package does not know its type, the first
// event of that type is logged as a warning to slog.Default(). An undecodable event without a function is an error, which names the field:
// the event reports something that happened, and no code has been told about it.
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

// logUnknown logs that an event of an unknown type was dropped, once per type and for a bounded number of types.
func (r *Router) logUnknown(ctx context.Context, ev Event) {
	const maxTypes = 1000
	r.mu.Lock()
	_, logged := r.unknown[ev.Type]
	if logged = logged || len(r.unknown) >= maxTypes; !logged {
		r.unknown[ev.Type] = struct{}{}
	}
	r.mu.Unlock()
	if !logged {
		slog.Default().WarnContext(ctx, "webhook event of an unknown type dropped: no function is registered for it (logged once per type)",
			"event", string(ev.Type), "key", ev.Key())
	}
}
