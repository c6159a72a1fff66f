package webhooks

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
)

var _ = Describe("A connection", func() {
	DescribeTable("that stalls gets a response at the deadline and is closed", func(ctx SpecContext, request string, status int) {
		s := newSite([]string{secret}, webhooks.WithDeadline(50*time.Millisecond))
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Listener.Addr().String())
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(conn.Close)
		_, err = io.WriteString(conn, request)
		Expect(err).NotTo(HaveOccurred())

		reader := bufio.NewReader(conn)
		response, err := http.ReadResponse(reader, nil)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(response.Body.Close)
		expectResponse(response, status)
		Expect(reader.ReadByte()).Error().To(MatchError(io.EOF))
		Expect(s.received()).To(BeEmpty())
	},
		Entry("before the end of the body",
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n"+webhooks.SignatureHeader+": 00\r\n\r\n{", http.StatusRequestTimeout),
		Entry("between two chunks",
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"+webhooks.SignatureHeader+": 00\r\n\r\n1\r\n{\r\n", http.StatusRequestTimeout),
		Entry("in a body that is not read",
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{", http.StatusUnauthorized),
	)

	It("that is closed by the client does not stop the receiver", func(ctx SpecContext) {
		s := newSite([]string{secret}, webhooks.WithDeadline(time.Minute))
		begun, left := make(chan struct{}), make(chan struct{})
		s.respondWith(func(ctx context.Context, _ webhooks.Event) error {
			close(begun)
			<-left
			return ctx.Err()
		})
		sender, leave := context.WithCancel(ctx)
		gone := make(chan error)
		go func() {
			defer GinkgoRecover()
			_, err := s.Client().Do(signed(sender, s.URL, video("1")))
			gone <- err
		}()
		<-begun
		leave()
		Expect(<-gone).To(MatchError(context.Canceled))
		close(left)
		expectResponse(s.post(ctx, videoEvent, video("1")), http.StatusOK)
		Expect(s.received()).To(HaveLen(1))
	})

	It("with HTTP/2 behaves like one with HTTP/1.1", func(ctx SpecContext) {
		s := newSite([]string{secret}, webhooks.WithDeadline(50*time.Millisecond))
		server := httptest.NewUnstartedServer(s.Config.Handler)
		server.EnableHTTP2 = true
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		server.StartTLS()
		DeferCleanup(server.Close)
		send := func(request *http.Request) *http.Response {
			GinkgoHelper()
			response, err := server.Client().Do(request)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(response.Body.Close)
			Expect(response.ProtoMajor).To(Equal(2))
			return response
		}
		expectResponse(send(signed(ctx, server.URL, video("1"))), http.StatusOK)

		forged := signed(ctx, server.URL, video("2"))
		forged.Header.Del(webhooks.SignatureHeader)
		expectResponse(send(forged), http.StatusUnauthorized)

		slow := signed(ctx, server.URL, video("3"))
		never, stop := io.Pipe() // a body that never arrives
		DeferCleanup(stop.Close)
		slow.Body, slow.GetBody, slow.ContentLength = never, nil, -1
		expectResponse(send(slow), http.StatusRequestTimeout)
		Expect(s.received()).To(HaveLen(1))
	})
})

// signed returns a request with a signed delivery of body.
func signed(ctx context.Context, url string, body []byte) *http.Request {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set(webhooks.EventHeader, videoEvent)
	request.Header.Set(webhooks.SignatureHeader, webhooks.Sign(body, secret))
	return request
}

var _ = Describe("Many deliveries at once", func() {
	It("are received once for each event", func(ctx SpecContext) {
		s := newSite([]string{secret}, webhooks.WithDeadline(time.Minute))
		const events, redeliveries = 20, 8
		var senders sync.WaitGroup
		for sender := range redeliveries {
			senders.Go(func() {
				defer GinkgoRecover()
				for i := range events {
					expectResponse(s.post(ctx, videoEvent, video(strconv.Itoa((i+sender)%events))), http.StatusOK)
				}
			})
		}
		senders.Wait()
		keys := make(map[string]int)
		for _, ev := range s.received() {
			keys[ev.Key()]++
		}
		Expect(keys).To(HaveLen(events))
		Expect(keys).To(HaveEach(1))
	})

	It("are deduplicated within the window, which forged deliveries do not change", func(ctx SpecContext) {
		s := newSite([]string{secret}, webhooks.WithDeduplicationWindow(2))
		forge := func(r *http.Request) {
			r.Header.Set(webhooks.SignatureHeader, webhooks.Sign(video("forged"), "whsec_forger"))
		}
		expectResponse(s.post(ctx, videoEvent, video("1"), forge), http.StatusUnauthorized)
		for _, id := range []string{"1", "2"} {
			expectResponse(s.post(ctx, videoEvent, video(id)), http.StatusOK)
		}
		Expect(s.received()).To(HaveLen(2))
		for i := range 10 {
			expectResponse(s.post(ctx, videoEvent, video(fmt.Sprint("forged", i)), forge), http.StatusUnauthorized)
		}
		for _, id := range []string{"1", "2"} {
			expectResponse(s.post(ctx, videoEvent, video(id)), http.StatusOK)
		}
		Expect(s.received()).To(HaveLen(2))
		expectResponse(s.post(ctx, videoEvent, video("3")), http.StatusOK) // evicts 1
		expectResponse(s.post(ctx, videoEvent, video("1")), http.StatusOK)
		Expect(s.received()).To(HaveLen(4))
	})
})
