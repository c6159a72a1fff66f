package contract

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// wire is a transport that records requests and responses.
type wire struct {
	next http.RoundTripper

	mu        sync.Mutex
	exchanges []exchange
}

// exchange is a request and its response.
type exchange struct {
	request        *http.Request
	sent, received []byte // bodies
}

// RoundTrip sends the request and records the exchange.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	x := exchange{request: r}
	if r.Body != nil {
		var err error
		if x.sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(x.sent))
	}
	response, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if x.received, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(x.received))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanges = append(w.exchanges, x)
	return response, nil
}

// expectSent checks that a request has exactly the values of its input.
func expectSent(x exchange, o operation, in input) {
	GinkgoHelper()
	path := o.path
	for name, value := range in.path {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(fmt.Sprint(value)))
	}
	Expect(x.request.Method + " " + x.request.URL.EscapedPath()).To(Equal(o.verb + " " + path))
	query := url.Values{}
	for name, value := range in.query {
		items, isList := value.([]any)
		if !isList {
			items = []any{value}
		}
		for _, item := range items {
			query.Add(name, fmt.Sprint(item))
		}
	}
	Expect(x.request.URL.Query()).To(Equal(query))
	if o.RequestBody == nil {
		Expect(x.sent).To(BeEmpty())
		return
	}
	sent, err := asJSON(x.sent)
	Expect(err).NotTo(HaveOccurred())
	made, err := asJSON(in.body)
	Expect(err).NotTo(HaveOccurred())
	o.agree(made)
	o.removeGeneratedKey(sent, made)
	Expect(sent).To(Equal(made))
}

// agree sets the places of a body that have the same meaning to the same value.
func (o operation) agree(body any) {
	for name, field := range o.RequestBody.Value.Content.Get("application/json").Schema.Value.Properties {
		pointer, ok := field.Value.Extensions["x-jogg-same-as"].(string)
		if !ok {
			continue
		}
		all := append(spots(body, []string{name}), spots(body, strings.Split(strings.TrimPrefix(pointer, "/"), "/"))...)
		var common any
		for _, s := range all {
			if value, set := s.object[s.name]; set && common == nil {
				common = value
			}
		}
		for _, s := range all {
			if common != nil {
				s.object[s.name] = common
			}
		}
	}
}

// removeGeneratedKey removes the idempotency key from what was sent, if the client generated it.
func (o operation) removeGeneratedKey(sent, made any) {
	pointer, ok := o.Extensions["x-jogg-idempotency-key"].(string)
	if !ok {
		return
	}
	names := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	given, added := spots(made, names)[0], spots(sent, names)[0]
	if _, ok := given.object[given.name]; !ok {
		Expect(added.object[added.name]).NotTo(BeEmpty())
		delete(added.object, added.name)
	}
}

// spot is a member of an object, which need not exist.
type spot struct {
	object map[string]any
	name   string
}

// spots returns the members at a pointer, in which * matches each item of a list.
func spots(value any, names []string) []spot {
	object, isObject := value.(map[string]any)
	items, isList := value.([]any)
	switch {
	case isObject && len(names) == 1:
		return []spot{{object, names[0]}}
	case isObject:
		return spots(object[names[0]], names[1:])
	case isList && names[0] == "*":
		var all []spot
		for _, item := range items {
			all = append(all, spots(item, names[1:])...)
		}
		return all
	}
	return nil
}

// canned responds to every request with the same body.
type canned []byte

// RoundTrip returns the response.
func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(c)), Request: r,
	}, nil
}
