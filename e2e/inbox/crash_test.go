package inbox_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// kills returns how many times the receiver is killed.
func kills() int { return number("INBOX_E2E_KILLS", 30) }

// number returns the number in an environment variable, or fallback if it is not set.
func number(variable string, fallback int) int {
	GinkgoHelper()
	value := os.Getenv(variable)
	if value == "" {
		return fallback
	}
	n, err := strconv.Atoi(value)
	Expect(err).NotTo(HaveOccurred(), variable)
	return n
}

var _ = Describe("A receiver that is killed", func() {
	It("loses no acknowledged event", func(ctx SpecContext) {
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))
		ledger := newLedger()
		config := nodeConfig{
			Receive: true, Work: true, Ledger: string(ledger), Dir: GinkgoT().TempDir(), Concurrency: 8,
			AckWait: 2 * time.Second, Backoff: []time.Duration{100 * time.Millisecond},
		}
		var killed []outage
		startNext := func() (*process, string) {
			config.Name = fmt.Sprintf("life-%d", len(killed)+1)
			return start("node", config.Name, config)
		}
		p, url := startNext()
		sender := newSender(url)
		finish := sender.keepSending(16, 2*time.Millisecond)
		defer finish()

		for len(killed) < kills() {
			before, _ := sender.count()
			target := before + 1 + random.IntN(300) // acknowledged deliveries, so that the receiver is killed under load
			Eventually(func() int { accepted, _ := sender.count(); return accepted }).WithPolling(time.Millisecond).
				Should(BeNumerically(">=", target))
			killed = append(killed, killedNow(p.name))
			p.kill()
			p, url = startNext()
			sender.to(url)
			again := sender.all()
			random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
			sender.deliverAll(ctx, 16, again[:min(len(again), 20)]) // JoggAI may redeliver acknowledged events
		}
		finish()
		expectIdle(url)
		p.stop()

		ledger.expectNothingLost(sender, "crash", fmt.Sprintf("%d kills", len(killed)), killed...)
		accepted, _ := sender.count()
		Expect(accepted).To(BeNumerically(">", 10*kills()))
	})

	It("holds the lock of the directory until it is killed", func(ctx SpecContext) {
		config := nodeConfig{Name: "holder", Receive: true, Ledger: string(newLedger()), Dir: GinkgoT().TempDir()}
		p, _ := start("node", config.Name, config)
		_, err := inbox.Open(ctx, inbox.Options{Dir: config.Dir})
		Expect(err).To(BeAssignableToTypeOf(&inbox.LockedError{}))
		Expect(err).To(HaveField("PID", p.cmd.Process.Pid))
		p.kill()

		box, err := inbox.Open(ctx, inbox.Options{Dir: config.Dir})
		Expect(err).NotTo(HaveOccurred())
		Expect(box.Close()).To(Succeed())
	})
})
