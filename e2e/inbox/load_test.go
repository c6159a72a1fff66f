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

// idle says that a node has nothing left to do.
func idle(url string) func() (inbox.Stats, error) {
	return func() (s inbox.Stats, err error) {
		err = ask("GET", url+"/stats", &s)
		return s, err
	}
}

var beIdle = And(HaveField("Waiting", BeZero()), HaveField("InProgress", BeZero()))

// expectIdle waits until a node has nothing left to do, as long as there is less and less.
func expectIdle(url string) {
	GinkgoHelper()
	for waiting := uint64(math.MaxUint64); waiting > 0; {
		var s inbox.Stats
		Eventually(func() (uint64, error) {
			var err error
			s, err = idle(url)()
			return s.Waiting, err
		}).Should(BeNumerically("<", waiting))
		waiting = s.Waiting
	}
	Eventually(idle(url)).Should(beIdle)
}

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
		expectIdle(url)
		p.stop()

		accepted, refused := sender.count()
		account := ledger.settle(events)
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
		AddReportEntry("poison", fmt.Sprintf("%d good events handled %v before the last of %d bad ones died after %d attempts",
			len(handled), lastBad.Sub(lastGood).Round(time.Millisecond), len(failed), attempts), ReportEntryVisibilityAlways)
		Expect(lastGood).To(BeTemporally("<", lastBad))

		Expect(os.WriteFile(mended, nil, 0o600)).To(Succeed())
		var redriven int
		Expect(ask("POST", url+"/redrive", &redriven)).To(Succeed())
		Expect(redriven).To(Equal(len(bad)))
		expectIdle(url)
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
		expectIdle(url)
		Expect(ledger.handled()).To(And(HaveLen(len(events)), HaveEach(HaveLen(1))))
		p.stop()
	})
})

// backlog is how many events wait in the end. INBOX_E2E_BACKLOG=1000000 makes it a million.
func backlog() int { return number("INBOX_E2E_BACKLOG", 20_000) }

var _ = Describe("A backlog", func() {
	It("costs neither speed nor memory as it grows", func(ctx SpecContext) {
		const tenths = 10
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Ledger: string(newLedger()), Dir: GinkgoT().TempDir(), Window: time.Second,
		})
		sender, events := newSender(url), keys(backlog(), "event-%07d")
		var took [tenths]time.Duration
		var used [tenths]memory
		for tenth := range tenths {
			size := len(events) / tenths
			begin := time.Now()
			sender.deliverAll(ctx, 64, events[tenth*size:][:size])
			took[tenth] = time.Since(begin)
			Expect(ask("GET", url+"/memory", &used[tenth])).To(Succeed())
			_, refused := sender.count()
			AddReportEntry(fmt.Sprintf("%9d waiting: %6.0f a second, heap %d MiB, process %s, %d asked to come again", (tenth+1)*size,
				float64(size)/took[tenth].Seconds(), used[tenth].Heap>>20, used[tenth].Resident, refused))
		}
		Expect(idle(url)()).To(HaveField("Waiting", BeEquivalentTo(len(events))))
		// The machine's other work can slow any tenth; growth would slow the last ones against the first ones by much more than this.
		Expect(took[8] + took[9]).To(BeNumerically("<", 8*(took[0]+took[1])))
		Expect(used[tenths-1].Heap).To(BeNumerically("<", used[0].Heap+64<<20))
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
