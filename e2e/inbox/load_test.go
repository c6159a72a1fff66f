package inbox_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// statsOf returns a function that requests the stats of a node.
func statsOf(url string) func() (inbox.Stats, error) {
	return func() (s inbox.Stats, err error) {
		err = call("GET", url+"/stats", &s)
		return s, err
	}
}

// beIdle matches the stats of a node without waiting or running events.
var beIdle = And(HaveField("Waiting", BeZero()), HaveField("InProgress", BeZero()))

// expectIdle waits until a node has no events left. It fails if the number of waiting events does not fall within the default timeout.
func expectIdle(url string) {
	GinkgoHelper()
	for waiting := uint64(math.MaxUint64); waiting > 0; {
		var s inbox.Stats
		Eventually(func() (uint64, error) {
			var err error
			s, err = statsOf(url)()
			return s.Waiting, err
		}).Should(BeNumerically("<", waiting))
		waiting = s.Waiting
	}
	Eventually(statsOf(url)).Should(beIdle)
}

var _ = Describe("A receiver in a process of its own", func() {
	It("handles 1000 events once each although each is delivered 50 times", func(ctx SpecContext) {
		const times = 50
		ledger := newLedger()
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: GinkgoT().TempDir(), AckWait: 10 * time.Second,
		})
		events := numbered(1000, "storm-%04d")
		sender := newSender(url)
		sender.deliverAll(ctx, 64, slices.Repeat(events, times))
		expectIdle(url)
		p.stop()

		accepted, rejected := sender.count()
		account := ledger.settle(events)
		AddReportEntry("storm", fmt.Sprintf("%d deliveries acknowledged, %d rejected: %v", accepted, rejected, account), ReportEntryVisibilityAlways)
		Expect(accepted).To(Equal(times * len(events)))
		Expect(account.handled).To(Equal(len(events)))
		Expect(account.lost).To(BeEmpty())
		Expect(account.unexplained).To(BeEmpty())
	})

	It("is not held up by one event in ten that always fails, and handles those once redriven after a fix", func(ctx SpecContext) {
		const attempts = 5
		ledger, fixed := newLedger(), filepath.Join(GinkgoT().TempDir(), "fixed")
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: GinkgoT().TempDir(), AckWait: 10 * time.Second,
			MaxAttempts: attempts, Backoff: []time.Duration{500 * time.Millisecond}, Concurrency: 2, FixFile: fixed,
		})
		good, bad := numbered(180, "good-%03d"), numbered(20, "bad-%03d")
		all := slices.Concat(bad, good)
		sender := newSender(url)
		sender.deliverAll(ctx, 8, all)
		Eventually(func() (dead map[string]int, err error) {
			err = call("GET", url+"/dead", &dead)
			return dead, err
		}).Should(And(HaveLen(len(bad)), HaveEach(attempts)))
		expectIdle(url)
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
		AddReportEntry("poison", fmt.Sprintf("%d good events handled %v before the last of %d bad ones was dead-lettered after %d attempts",
			len(handled), lastBad.Sub(lastGood).Round(time.Millisecond), len(failed), attempts), ReportEntryVisibilityAlways)
		Expect(lastGood).To(BeTemporally("<", lastBad))

		Expect(os.WriteFile(fixed, nil, 0o600)).To(Succeed())
		var redriven int
		Expect(call("POST", url+"/redrive", &redriven)).To(Succeed())
		Expect(redriven).To(Equal(len(bad)))
		expectIdle(url)
		var dead map[string]int
		Expect(call("GET", url+"/dead", &dead)).To(Succeed())
		Expect(dead).To(BeEmpty())
		Expect(ledger.handled()).To(And(HaveLen(len(all)), HaveEach(HaveLen(1))))
		p.stop()
	})

	It("runs a handler once although it takes longer than AckWait", func() {
		ledger := newLedger()
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: GinkgoT().TempDir(),
			AckWait: 2 * time.Second, Takes: 6 * time.Second, Concurrency: 4,
		})
		events := numbered(4, "slow-%d")
		newSender(url).deliverAll(context.Background(), 4, events)
		expectIdle(url)
		Expect(ledger.handled()).To(And(HaveLen(len(events)), HaveEach(HaveLen(1))))
		p.stop()
	})
})

// backlog returns how many events wait in the end: INBOX_E2E_BACKLOG, or 20,000.
func backlog() int { return number("INBOX_E2E_BACKLOG", 20_000) }

var _ = Describe("A backlog", func() {
	It("does not slow the receiver down or use more memory as it grows", func(ctx SpecContext) {
		const tenths = 10
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Ledger: string(newLedger()), Dir: GinkgoT().TempDir(), Window: time.Second,
		})
		sender, events := newSender(url), numbered(backlog(), "event-%07d")
		var took [tenths]time.Duration
		var used [tenths]memory
		for tenth := range tenths {
			size := len(events) / tenths
			begin := time.Now()
			sender.deliverAll(ctx, 64, events[tenth*size:][:size])
			took[tenth] = time.Since(begin)
			Expect(call("GET", url+"/memory", &used[tenth])).To(Succeed())
			_, rejected := sender.count()
			AddReportEntry(fmt.Sprintf("%9d waiting: %6.0f a second, heap %d MiB, process %s, %d deliveries rejected", (tenth+1)*size,
				float64(size)/took[tenth].Seconds(), used[tenth].Heap>>20, used[tenth].Resident, rejected))
		}
		Expect(statsOf(url)()).To(HaveField("Waiting", BeEquivalentTo(len(events))))
		// Other load on the machine can slow any tenth. If the time depended on the size, the last tenths would be slower by much more than this.
		Expect(took[8] + took[9]).To(BeNumerically("<", 8*(took[0]+took[1])))
		Expect(used[tenths-1].Heap).To(BeNumerically("<", used[0].Heap+64<<20))
		p.stop()
	})
})

// numbered returns n event IDs, formatted from 0 to n-1.
func numbered(n int, format string) []string {
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
