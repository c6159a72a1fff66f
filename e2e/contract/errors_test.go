package contract

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/jonboulle/clockwork"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/gen"
)

var sentinels = []error{
	jogg.ErrRateLimited, jogg.ErrNotFound, jogg.ErrInvalidAPIKey, jogg.ErrInsufficientCredit, jogg.ErrNoPermission,
	jogg.ErrInvalidParameter, jogg.ErrSystem,
}

// expectAPIError checks that err is an *APIError of that kind and no other.
func expectAPIError(err error, operation string, kind error) *jogg.APIError {
	GinkgoHelper()
	apiErr, ok := errors.AsType[*jogg.APIError](err)
	Expect(ok).To(BeTrue(), "%v", err)
	Expect(apiErr.Operation).To(Equal(operation))
	for _, sentinel := range sentinels {
		Expect(errors.Is(err, sentinel)).To(Equal(errors.Is(sentinel, kind)), "errors.Is %v for %v", sentinel, err)
	}
	Expect(err.Error()).NotTo(ContainSubstring("\n"))
	Expect(err.Error()).NotTo(ContainSubstring(apiKey))
	return apiErr
}

var _ = Describe("Every rejection", func() {
	DescribeTable("is one kind of error", func(ctx SpecContext, fault simulator.Fault, kind error, status, code int) {
		b := newBench()
		b.sim.FailNext("getCurrentUser", fault)
		_, err := b.client.GetCurrentUser(limited(ctx))
		apiErr := expectAPIError(err, "GetCurrentUser", kind)
		Expect(apiErr.HTTPStatus).To(Equal(status))
		Expect(apiErr.Code).To(Equal(code))
		Expect(apiErr.RetryAfter).To(Equal(fault.RetryAfter))
	},
		Entry("code 429", simulator.Fault{Code: 429}, jogg.ErrRateLimited, 200, 429),
		Entry("code 10104", simulator.Fault{Code: 10104}, jogg.ErrNotFound, 200, 10104),
		Entry("code 10105", simulator.Fault{Code: 10105}, jogg.ErrInvalidAPIKey, 200, 10105),
		Entry("code 18020", simulator.Fault{Code: 18020}, jogg.ErrInsufficientCredit, 200, 18020),
		Entry("code 18025", simulator.Fault{Code: 18025}, jogg.ErrNoPermission, 200, 18025),
		Entry("code 40000", simulator.Fault{Code: 40000}, jogg.ErrInvalidParameter, 200, 40000),
		Entry("code 50000", simulator.Fault{Code: 50000}, jogg.ErrSystem, 200, 50000),
		Entry("an undocumented code", simulator.Fault{Code: 77777}, nil, 200, 77777),
		Entry("a code with an HTTP status", simulator.Fault{HTTPStatus: 404, Code: 10104}, jogg.ErrNotFound, 404, 10104),
		Entry("429 with the wait in a header", simulator.Fault{Code: 429, RetryAfter: 7 * time.Second, RetryAfterIn: simulator.RetryAfterInHeader},
			jogg.ErrRateLimited, 200, 429),
		Entry("429 with the wait in the body", simulator.Fault{Code: 429, RetryAfter: 7 * time.Second, RetryAfterIn: simulator.RetryAfterInBody},
			jogg.ErrRateLimited, 200, 429),
		Entry("429 with the wait in the data", simulator.Fault{Code: 429, RetryAfter: 7 * time.Second, RetryAfterIn: simulator.RetryAfterInData},
			jogg.ErrRateLimited, 200, 429),
		Entry("a proxy's page with 502", simulator.ProxyPage(http.StatusBadGateway), jogg.ErrSystem, 502, 0),
		Entry("a proxy's page with 403", simulator.ProxyPage(http.StatusForbidden), jogg.ErrNoPermission, 403, 0),
		Entry("a proxy's page with 401", simulator.ProxyPage(http.StatusUnauthorized), jogg.ErrInvalidAPIKey, 401, 0),
		Entry("a proxy's page with 200", simulator.ProxyPage(http.StatusOK), nil, 200, 0),
		Entry("an empty response", simulator.EmptyResponse(http.StatusOK), nil, 200, 0),
		Entry("an empty response with 500", simulator.EmptyResponse(http.StatusInternalServerError), jogg.ErrSystem, 500, 0),
	)

	It("is an APIError if the response is cut short", func(ctx SpecContext) {
		b := newBench()
		b.sim.FailNext("getCurrentUser", simulator.Fault{Truncate: true, TakesEffect: true})
		_, err := b.newClient(jogg.WithHTTPClient(&http.Client{})).GetCurrentUser(limited(ctx))
		expectAPIError(err, "GetCurrentUser", nil)
	})

	It("has the request ID and names the parameter", func(ctx SpecContext) {
		b := newBench()
		wrong := avatarVideo
		wrong.AspectRatio = "triangle"
		_, err := b.client.CreateAvatarVideo(limited(ctx), wrong)
		apiErr := expectAPIError(err, "CreateAvatarVideo", jogg.ErrInvalidParameter)
		Expect(apiErr.Message).To(ContainSubstring("aspect_ratio"))
		Expect(apiErr.RequestID).NotTo(BeEmpty())
		Expect(apiErr.RequestID).To(Equal(b.sim.Requests()[0].RequestID))
	})

	It("has different kinds for unknown IDs, keys, permissions and credits", func(ctx SpecContext) {
		b := newBench()
		_, err := b.client.GetAvatarVideo(limited(ctx), "video_unknown")
		expectAPIError(err, "GetAvatarVideo", jogg.ErrNotFound)

		Expect(b.sim.SetCredits(apiKey, 0)).To(Succeed())
		_, err = b.client.CreateAvatarVideo(ctx, avatarVideo)
		expectAPIError(err, "CreateAvatarVideo", jogg.ErrInsufficientCredit)

		Expect(b.sim.SetPermission(apiKey, false)).To(Succeed())
		_, err = b.client.GetCurrentUser(ctx)
		expectAPIError(err, "GetCurrentUser", jogg.ErrNoPermission)

		Expect(b.sim.RevokeKey(apiKey)).To(Succeed())
		_, err = b.client.GetCurrentUser(ctx)
		expectAPIError(err, "GetCurrentUser", jogg.ErrInvalidAPIKey)
	})
})

var _ = Describe("Retries", func() {
	policy := jogg.WithRetry(jogg.RetryPolicy{Attempts: 3, Base: time.Millisecond, Cap: time.Millisecond})

	It("do not pay twice for a billable request whose response was lost", func(ctx SpecContext) {
		b := newBench()
		for _, fault := range []simulator.Fault{
			{TakesEffect: true, CloseConnection: true},
			{TakesEffect: true, Truncate: true},
			{TakesEffect: true, Code: 50000},
			{TakesEffect: true, HTTPStatus: http.StatusServiceUnavailable},
		} {
			b.sim.FailNext("createAvatarVideo", fault)
			_, err := b.newClient(policy, jogg.WithHTTPClient(&http.Client{})).CreateAvatarVideo(limited(ctx), avatarVideo)
			Expect(err).To(HaveOccurred())
		}
		Expect(b.sim.Tasks()).To(HaveLen(4))
	})

	It("repeat a billable request that was rate limited", func(ctx SpecContext) {
		b := newBench()
		b.sim.FailNext("createAvatarVideo", simulator.Fault{Code: 429}, simulator.Fault{HTTPStatus: 429, Code: 429})
		_, err := b.newClient(policy).CreateAvatarVideo(limited(ctx), avatarVideo)
		Expect(err).NotTo(HaveOccurred())
		Expect(b.sim.Tasks()).To(HaveLen(1))
	})

	It("repeat read-only requests", func(ctx SpecContext) {
		b := newBench()
		b.sim.FailNext("getCurrentUser", simulator.Fault{Code: 50000}, simulator.ProxyPage(http.StatusBadGateway))
		user, err := b.newClient(policy).GetCurrentUser(limited(ctx))
		Expect(err).NotTo(HaveOccurred())
		Expect(user.Email).NotTo(BeEmpty())
	})

	It("are not needed with pacing at 20 POSTs per minute", func(ctx SpecContext) {
		b := newBench(simulator.WithPostLimit(20, time.Minute))
		begin := b.clock.Now()
		client := b.newClient(
			jogg.WithPacing(jogg.PostsPerMinute),
			jogg.WithClock(instantClock{b.clock}),
			jogg.WithHTTPClient(&http.Client{Transport: &slowAtFirst{next: b.checked, clock: b.clock, delay: 1500 * time.Millisecond}}),
		)
		for range 45 {
			_, err := client.CreateProduct(ctx, gen.CreateProductRequest{Name: "Watch"})
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(b.clock.Since(begin)).To(BeNumerically("<", 44*4*time.Second), "the time for 45 requests")
	}, NodeTimeout(time.Minute))
})

// instantClock is a fake clock that advances whenever it is waited for.
type instantClock struct{ *clockwork.FakeClock }

func (c instantClock) After(d time.Duration) <-chan time.Time {
	after := c.FakeClock.After(d)
	c.Advance(d)
	return after
}

// slowAtFirst delays the first request, as if it had to open the connection.
type slowAtFirst struct {
	next  http.RoundTripper
	clock *clockwork.FakeClock
	delay time.Duration
}

func (t *slowAtFirst) RoundTrip(r *http.Request) (*http.Response, error) {
	t.clock.Advance(t.delay)
	t.delay = 0
	return t.next.RoundTrip(r)
}

var _ = Describe("The API key", func() {
	It("is not logged", func(ctx SpecContext) {
		var log bytes.Buffer
		b := newBench()
		b.sim.FailNext("getCurrentUser", simulator.Fault{Code: 10105, Message: "invalid API key"})
		client := b.newClient(jogg.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		_, err := client.GetCurrentUser(limited(ctx))
		expectAPIError(err, "GetCurrentUser", jogg.ErrInvalidAPIKey)
		Expect(log.String()).To(ContainSubstring("GetCurrentUser"))
		Expect(log.String()).NotTo(ContainSubstring(apiKey))
	})
})
