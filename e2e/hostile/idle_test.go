package hostile

import (
	"context"
	"fmt"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
)

// idle is the number of connections that are opened and not used.
const idle = 10_000

// perIdle is the memory that one of them may cost the victim, in KiB: the buffers of net/http and the stack of a goroutine.
const perIdle = 32

var _ = DescribeTable("Valid deliveries get a response in time beside many connections that",
	func(ctx SpecContext, begin func(*sender) error) {
		n := min(idle, allowed())
		if n < idle {
			AddReportEntry("figures", fmt.Sprintf("%d connections instead of %d, because this machine does not allow more", n, idle))
		}
		v := victimWith(webhooks.DefaultDeadline)
		senders := make(chan *sender, n)
		var opening sync.WaitGroup
		for range 50 {
			opening.Go(func() {
				defer GinkgoRecover()
				for range n / 50 {
					s, err := dial(ctx, v.address)
					Expect(err).NotTo(HaveOccurred())
					Expect(begin(s)).To(Succeed())
					senders <- s
				}
			})
		}
		opening.Wait()
		close(senders)
		outcome := v.besiege(ctx, 0, nil)
		Expect(outcome.peak.Goroutines).To(BeNumerically(">", n/2), "connections still open")
		Expect(outcome.peak.memory()).To(BeNumerically("<", v.before.memory()+uint64(base+n*perIdle)<<10))
		for s := range senders {
			_ = s.Close()
		}
		v.expectRecovered()
	},
	Entry("got a response", func(s *sender) error {
		_, err := headOnly(length(0))(context.Background(), s)
		return err
	}),
	Entry("send nothing", func(*sender) error { return nil }),
)
