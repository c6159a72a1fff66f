package hostile

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// joggAIWaits is how long JoggAI waits for a response.
const joggAIWaits = 5 * time.Second

// attack is what a sender does on its connection. It returns the status code of the response.
type attack func(ctx context.Context, s *sender) (status int, err error)

// siege is the outcome of an attack.
type siege struct {
	statuses map[int]int     // count of each status code
	took     []time.Duration // durations of the valid deliveries meanwhile
	peak     figures
}

// besiege runs an attack from n concurrent connections. Until it is over, it sends valid deliveries, at least ten.
func (v *victim) besiege(ctx context.Context, n int, do attack) siege {
	GinkgoHelper()
	outcome := siege{statuses: make(map[int]int)}
	var mu sync.Mutex
	var attackers sync.WaitGroup
	for range n {
		s, err := dial(ctx, v.address)
		Expect(err).NotTo(HaveOccurred())
		attackers.Go(func() {
			defer GinkgoRecover()
			defer s.Close()
			status, err := do(ctx, s)
			mu.Lock()
			defer mu.Unlock()
			Expect(err).NotTo(HaveOccurred())
			outcome.statuses[status]++
		})
	}
	over := make(chan struct{})
	go func() { attackers.Wait(); close(over) }()

	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for i := 0; ; i++ {
		outcome.took = append(outcome.took, v.deliver(ctx))
		if i%20 == 0 {
			if f := v.figures(); f.memory() > outcome.peak.memory() {
				outcome.peak = f
			}
		}
		<-ticker.C
		select {
		case <-over:
			if i >= 10 {
				outcome.report(v, n)
				return outcome
			}
		default:
		}
	}
}

// deliver sends a valid delivery, checks that it is accepted in time, and returns how long that took.
func (v *victim) deliver(ctx context.Context) time.Duration {
	GinkgoHelper()
	v.delivered++
	body := good(fmt.Sprintf("evt_%d", v.delivered))
	start := time.Now()
	s, err := dial(ctx, v.address)
	Expect(err).NotTo(HaveOccurred())
	defer s.Close()
	status, err := signed(body)(ctx, s)
	Expect(err).NotTo(HaveOccurred())
	Expect(status).To(Equal(200), "the response to a valid delivery")
	took := time.Since(start)
	Expect(took).To(BeNumerically("<", joggAIWaits))
	return took
}

func (s siege) report(v *victim, n int) {
	slices.Sort(s.took)
	AddReportEntry("figures", fmt.Sprintf("%d senders got the status codes %v (0: closed). %d valid deliveries meanwhile took %v in the median and %v at most. "+
		"Memory was %.1f MiB before and %.1f MiB at its peak; %d goroutines.", n, s.statuses, len(s.took),
		s.took[len(s.took)/2].Round(10*time.Microsecond), s.took[len(s.took)-1].Round(10*time.Microsecond),
		mebibytes(v.before.memory()), mebibytes(s.peak.memory()), s.peak.Goroutines))
}

func mebibytes(n uint64) float64 { return float64(n) / (1 << 20) }

// expectRecovered checks that an attack leaves no memory or goroutines behind, and that only valid deliveries reached the receiver.
func (v *victim) expectRecovered() {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		after := v.figures()
		g.Expect(after.Goroutines).To(BeNumerically("<=", v.before.Goroutines+2))
		g.Expect(after.Events).To(Equal(v.delivered))
		g.Expect(mebibytes(after.memory())).To(BeNumerically("<", mebibytes(v.before.memory())+8))
	}).WithTimeout(20 * time.Second).WithPolling(50 * time.Millisecond).Should(Succeed())
}
