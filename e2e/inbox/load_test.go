package inbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// idle says that a node has nothing left to do.
func idle(url string) func() (inbox.Stats, error) {
	return func() (s inbox.Stats, err error) {
		err = ask("GET", url+"/stats", &s)
		return s, err
	}
}

var beIdle = And(HaveField("Waiting", BeZero()), HaveField("InProgress", BeZero()))

var _ = Describe("A receiver in a process of its own", func() {
	It("handles a thousand events once that are sent fifty times each", func(ctx SpecContext) {
		const times = 50
		ledger := newLedger()
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: GinkgoT().TempDir(), AckWait: 10 * time.Second,
		})
		events := keys(1000, "storm-%04d")
		sender := newSender(url)
		sender.deliverAll(ctx, 64, slices.Repeat(events, times))
		Eventually(idle(url)).Should(beIdle)
		p.stop()

		accepted, refused := sender.count()
		account := ledger.settle(events, nil)
		AddReportEntry("storm", fmt.Sprintf("%d answers 200, %d deliveries refused: %v", accepted, refused, account), ReportEntryVisibilityAlways)
		Expect(accepted).To(Equal(times * len(events)))
		Expect(account.handled).To(Equal(len(events)))
		Expect(account.lost).To(BeEmpty())
		Expect(account.wrong).To(BeEmpty())
	})

	It("is not held up by one event in ten that always fails, and has them again when that is mended", func(ctx SpecContext) {
		const attempts = 5
		ledger, mended := newLedger(), filepath.Join(GinkgoT().TempDir(), "mended")
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: GinkgoT().TempDir(), AckWait: 10 * time.Second,
			MaxAttempts: attempts, Backoff: []time.Duration{500 * time.Millisecond}, Concurrency: 2, FixFile: mended,
		})
		good, bad := keys(180, "good-%03d"), keys(20, "bad-%03d")
		all := slices.Concat(bad, good)
		sender := newSender(url)
		sender.deliverAll(ctx, 8, all)
		Eventually(func() (dead map[string]int, err error) {
			err = ask("GET", url+"/dead", &dead)
			return dead, err
		}).Should(And(HaveLen(len(bad)), HaveEach(attempts)))
		Eventually(idle(url)).Should(beIdle)
		handled, failed := ledger.handled(), ledger.all("failed")
		Expect(handled).To(And(HaveLen(len(good)), HaveEach(HaveLen(1))))
		Expect(failed).To(And(HaveLen(len(bad)), HaveEach(HaveLen(attempts))))
		var lastGood, lastBad time.Time
		for _, entries := range handled {
			lastGood = latest(lastGood, entries[0].at)
		}
		for _, entries := range failed {
			lastBad = latest(lastBad, entries[attempts-1].at)
		}
		AddReportEntry("poison", fmt.Sprintf("%d good events handled %v before the last of %d bad ones died after %d attempts",
			len(handled), lastBad.Sub(lastGood).Round(time.Millisecond), len(failed), attempts), ReportEntryVisibilityAlways)
		Expect(lastGood).To(BeTemporally("<", lastBad))

		Expect(os.WriteFile(mended, nil, 0o600)).To(Succeed())
		var redriven int
		Expect(ask("POST", url+"/redrive", &redriven)).To(Succeed())
		Expect(redriven).To(Equal(len(bad)))
		Eventually(idle(url)).Should(beIdle)
		var dead map[string]int
		Expect(ask("GET", url+"/dead", &dead)).To(Succeed())
		Expect(dead).To(BeEmpty())
		Expect(ledger.handled()).To(And(HaveLen(len(all)), HaveEach(HaveLen(1))))
		p.stop()
	})

	It("runs handlers once that take longer than the acknowledgement may", func() {
		ledger := newLedger()
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: GinkgoT().TempDir(),
			AckWait: 2 * time.Second, Takes: 6 * time.Second, Concurrency: 4,
		})
		events := keys(4, "slow-%d")
		newSender(url).deliverAll(context.Background(), 4, events)
		Eventually(idle(url)).Should(beIdle)
		Expect(ledger.handled()).To(And(HaveLen(len(events)), HaveEach(HaveLen(1))))
		p.stop()
	})
})

// keys returns keys with numbers.
func keys(n int, format string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
