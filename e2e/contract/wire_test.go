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

// wire records what passes.
type wire struct {
	next http.RoundTripper

	mu        sync.Mutex
	exchanges []exchange
}

// exchange is a request and the answer to it.
type exchange struct {
	request        *http.Request
	sent, answered []byte
}

// RoundTrip sends the request.
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
	if x.answered, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(x.answered))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanges = append(w.exchanges, x)
	return response, nil
}

// expectSent holds a request against the input that it was made of: nothing is lost and nothing added.
func expectSent(x exchange, o operation, in input) {
	GinkgoHelper()
	path := o.path
	for name, value := range in.path {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(fmt.Sprint(value)))
	}
	Expect(x.request.Method + " " + x.request.URL.EscapedPath()).To(Equal(o.verb + " " + path))
	query := url.Values{}
	for name, value := range in.query {
		query.Set(name, fmt.Sprint(value))
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
	Expect(sent).To(Equal(made))
}

// canned answers every request with the same body.
type canned []byte

// RoundTrip answers the request.
func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(c)), Request: r,
	}, nil
}
