package webhooks

import (
	"context"
	"fmt"
	"reflect"
)

// Router is a Receiver that hands each event to the function registered for the type of its data. Register everything before the
// first event; from then on a Router is safe for concurrent use.
type Router struct {
	routes map[reflect.Type]ReceiverFunc
}

// NewRouter returns a router with no function registered. It accepts every event and does nothing about it.
func NewRouter() *Router {
	return &Router{routes: make(map[reflect.Type]ReceiverFunc)}
}

// On registers handle for the events whose data is a D, a pointer such as *VideoSucceeded. Where several event types share it, as
// all five kinds of video do, the event's Type tells them apart. If D is Data itself, handle gets every event that has no function
// of its own, unknown ones included.
//
// An event for which nothing is registered is accepted, since sending it again would change nothing. What handle returns is what
// [Router.Receive] returns. On panics if handle is nil or there is a function for D already.
func On[D Data](r *Router, handle func(ctx context.Context, ev Event, data D) error) {
	route := reflect.TypeFor[D]()
	if handle == nil {
		panic(fmt.Sprintf("webhooks: no function for %v", route))
	}
	if _, taken := r.routes[route]; taken {
		panic(fmt.Sprintf("webhooks: a second function for %v", route))
	}
	r.routes[route] = func(ctx context.Context, ev Event) error {
		return handle(ctx, ev, ev.Data.(D))
	}
}

// Receive calls the function registered for the event and returns what it returns.
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
	return nil
}
