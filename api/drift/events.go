package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jogg-go/jogg"
)

// eventLister returns the event types that the running service lists.
type eventLister func(context.Context) ([]string, error)

const (
	eventsOperation = "GET /v2/events"
	eventsPlace     = "event types"
)

func isAboutEvents(where string) bool {
	return strings.HasPrefix(where, eventsOperation+" "+eventsPlace)
}

// listedEvents returns an eventLister that calls the service with an API key, or nil if the key is empty.
func listedEvents(key string, opts ...jogg.Option) eventLister {
	if key == "" {
		return nil
	}
	return func(ctx context.Context) ([]string, error) {
		client, err := jogg.New(key, opts...)
		if err != nil {
			return nil, err
		}
		list, err := client.ListWebhookEvents(ctx)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, event := range list.Events {
			names = append(names, string(event))
		}
		if len(names) == 0 {
			return nil, errors.New("the service lists no event type")
		}
		return names, nil
	}
}

// compareEvents returns the differences between the event types of the contract and those that the running service lists.
func compareEvents(ctx context.Context, contract string, list eventLister) ([]difference, error) {
	listed, err := list(ctx)
	if err != nil {
		return nil, err
	}
	d := documents{ctx: ctx, read: map[string]*document{}}
	document, err := d.open(contract)
	if err != nil {
		return nil, err
	}
	enum := document.get("components").get("schemas").get("EventType").get("enum")
	if enum.Node == nil {
		return nil, document.fault("it has no schema EventType with an enum")
	}
	slices.Sort(listed)
	var differences []difference
	for _, name := range without(enum.texts(), listed) {
		differences = append(differences, difference{eventsOperation, eventsPlace, name + " is not listed by the service", true, enum.Line})
	}
	for _, name := range slices.Compact(without(listed, enum.texts())) {
		differences = append(differences, difference{eventsOperation, eventsPlace, name + " is listed by the service only", false, enum.Line})
	}
	return differences, nil
}
