package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
)

const (
	videoEvent = "generated_avatar_video_success"
	marker     = "PAYLOADMARKER"
)

// video is the body of a delivery with a marker that must not be in any log or response.
func video(id string) []byte {
	return fmt.Appendf(nil, `{"event":%q,"event_id":"evt_%s","timestamp":1732806631,
		"data":{"video_id":%q,"status":"completed","video_url":"https://res.jogg.ai/%s.mp4"}}`, videoEvent, id, id, marker)
}

// expectResponse checks the status code, and that the body is only the status text.
func expectResponse(response *http.Response, status int) {
	GinkgoHelper()
	body, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.StatusCode).To(Equal(status))
	Expect(strings.TrimSpace(string(body))).To(Equal(http.StatusText(status)))
}

var _ = Describe("A response", func() {
	It("is 200 if the receiver accepts the event", func(ctx SpecContext) {
		s := newSite([]string{secret})
		expectResponse(s.post(ctx, videoEvent, video("1")), http.StatusOK)
		Expect(s.received()).To(HaveLen(1))
		Expect(s.received()[0].Data).To(BeAssignableToTypeOf(&webhooks.VideoSucceeded{}))
		Expect(s.log.String()).NotTo(ContainSubstring(marker))
	})

	It("is 200 to a redelivery, and the receiver is not called again", func(ctx SpecContext) {
		s := newSite([]string{secret})
		for range 3 {
			expectResponse(s.post(ctx, videoEvent, video("1")), http.StatusOK)
		}
		Expect(s.received()).To(HaveLen(1))
	})

	DescribeTable("to a redelivery in progress is the same as to the first delivery", func(ctx SpecContext, result error, status int) {
		s := newSite([]string{secret})
		begun, release := make(chan struct{}, 10), make(chan struct{})
		s.respondWith(func(context.Context, webhooks.Event) error {
			begun <- struct{}{}
			<-release
			return result
		})
		responses := make(chan *http.Response)
		send := func() {
			defer GinkgoRecover()
			responses <- s.post(ctx, videoEvent, video("1"))
		}
		go send()
		Eventually(begun).Should(Receive())
		go send()
		Eventually(s.log.String).Should(ContainSubstring("event in progress"))
		close(release)
		expectResponse(<-responses, status)
		expectResponse(<-responses, status)
		Expect(s.received()).To(HaveLen(1))
	},
		Entry("when it is accepted", nil, http.StatusOK),
		Entry("when it fails", errors.New("no database"), http.StatusInternalServerError),
	)

	It("is 405 with Allow when the method is not POST", func(ctx SpecContext) {
		s := newSite([]string{secret})
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
			response := s.post(ctx, videoEvent, video("1"), func(r *http.Request) { r.Method = method })
			Expect(response.Header.Get("Allow")).To(Equal(http.MethodPost))
			expectResponse(response, http.StatusMethodNotAllowed)
		}
		Expect(s.received()).To(BeEmpty())
	})

	It("is 413 above the size limit, but not at the limit", func(ctx SpecContext) {
		body := video("1")
		s := newSite([]string{secret}, webhooks.WithMaxBodySize(int64(len(body))))
		expectResponse(s.post(ctx, videoEvent, body), http.StatusOK)
		longer := append(slices.Clip(body), ' ')
		expectResponse(s.post(ctx, videoEvent, longer), http.StatusRequestEntityTooLarge)
		chunked := func(r *http.Request) { r.ContentLength, r.Body = -1, io.NopCloser(bytes.NewReader(longer)) }
		expectResponse(s.post(ctx, videoEvent, longer, chunked), http.StatusRequestEntityTooLarge)
		Expect(s.received()).To(HaveLen(1))
	})

	DescribeTable("is 401 if the signature is invalid, and the body is not parsed", func(ctx SpecContext, change func(*http.Request)) {
		s := newSite([]string{secret})
		expectResponse(s.post(ctx, videoEvent, video("1"), change), http.StatusUnauthorized)
		expectResponse(s.post(ctx, videoEvent, []byte("no JSON"), change), http.StatusUnauthorized)
		Expect(s.received()).To(BeEmpty())
		Expect(s.log.String()).NotTo(ContainSubstring(marker))
	},
		Entry("missing", func(r *http.Request) { r.Header.Del(webhooks.SignatureHeader) }),
		Entry("empty", func(r *http.Request) { r.Header.Set(webhooks.SignatureHeader, "") }),
		Entry("too short", func(r *http.Request) { r.Header.Set(webhooks.SignatureHeader, "abc") }),
		Entry("not hexadecimal", func(r *http.Request) { r.Header.Set(webhooks.SignatureHeader, strings.Repeat("z", 64)) }),
		Entry("of another body", func(r *http.Request) { r.Header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte("{}"), secret)) }),
		Entry("with the secret without its prefix", func(r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.Header.Set(webhooks.SignatureHeader, webhooks.Sign(body, strings.TrimPrefix(secret, "whsec_")))
		}),
		Entry("twice", func(r *http.Request) { r.Header.Add(webhooks.SignatureHeader, strings.Repeat("0", 64)) }),
	)

	DescribeTable("is 500 or 503 if the receiver", func(ctx SpecContext, result func(context.Context, webhooks.Event) error, status int) {
		s := newSite([]string{secret}, webhooks.WithDeadline(50*time.Millisecond))
		s.respondWith(result)
		expectResponse(s.post(ctx, videoEvent, video("1")), status)
		s.respondWith(nil)
		Eventually(func() int { return s.post(ctx, videoEvent, video("1")).StatusCode }).Should(Equal(http.StatusOK), "the redelivery")
		Expect(s.log.String()).NotTo(ContainSubstring(marker))
	},
		Entry("returns an error", func(context.Context, webhooks.Event) error { return errors.New("no database") },
			http.StatusInternalServerError),
		Entry("panics", func(context.Context, webhooks.Event) error { panic(marker) }, http.StatusInternalServerError),
		Entry("exits its goroutine", func(context.Context, webhooks.Event) error { runtime.Goexit(); return nil },
			http.StatusInternalServerError),
		Entry("exceeds the deadline", func(ctx context.Context, _ webhooks.Event) error { <-ctx.Done(); return ctx.Err() },
			http.StatusServiceUnavailable),
	)

	It("is 503 with Retry-After if the receiver is full", func(ctx SpecContext) {
		s := newSite([]string{secret})
		s.respondWith(func(context.Context, webhooks.Event) error {
			return fmt.Errorf("wrapped: %w", &webhooks.UnavailableError{RetryAfter: 1500 * time.Millisecond, Err: errors.New("full")})
		})
		response := s.post(ctx, videoEvent, video("1"))
		Expect(response.Header.Get("Retry-After")).To(Equal("2"))
		expectResponse(response, http.StatusServiceUnavailable)
	})

	It("does not wait for a receiver that ignores the deadline, whose result still counts", func(ctx SpecContext) {
		s := newSite([]string{secret}, webhooks.WithDeadline(50*time.Millisecond))
		release := make(chan struct{})
		s.respondWith(func(context.Context, webhooks.Event) error { <-release; return nil })
		expectResponse(s.post(ctx, videoEvent, video("1")), http.StatusServiceUnavailable)
		expectResponse(s.post(ctx, videoEvent, video("1")), http.StatusServiceUnavailable)
		close(release)
		Eventually(func() int { return s.post(ctx, videoEvent, video("1")).StatusCode }).Should(Equal(http.StatusOK))
		Expect(s.received()).To(HaveLen(1))
	})
})

var _ = Describe("A secret", func() {
	It("is rotated without losing a delivery", func(ctx SpecContext) {
		const newSecret = "whsec_new"
		signed := func(key string) func(*http.Request) {
			return func(r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				r.Header.Set(webhooks.SignatureHeader, webhooks.Sign(body, key))
			}
		}
		for _, step := range []struct {
			secrets        []string
			oldOne, newOne int
		}{
			{[]string{secret}, http.StatusOK, http.StatusUnauthorized},
			{[]string{secret, newSecret}, http.StatusOK, http.StatusOK},
			{[]string{newSecret}, http.StatusUnauthorized, http.StatusOK},
		} {
			s := newSite(step.secrets)
			expectResponse(s.post(ctx, videoEvent, video("1"), signed(secret)), step.oldOne)
			expectResponse(s.post(ctx, videoEvent, video("2"), signed(newSecret)), step.newOne)
		}
	})
})
