package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// smallDisk returns a directory on a file system in memory.
func smallDisk(size string) string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		Skip(fmt.Sprintf("a small file system cannot be mounted, which takes root: %v", err))
	}
	DeferCleanup(func() { Expect(syscall.Unmount(dir, syscall.MNT_DETACH)).To(Succeed()) })
	return dir
}

// fillDisk writes a file until the disk is full.
func fillDisk(path string) {
	GinkgoHelper()
	f, err := os.Create(path)
	Expect(err).NotTo(HaveOccurred())
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err = f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			chunk, err = chunk[:len(chunk)/2], nil
		}
		Expect(err).NotTo(HaveOccurred())
	}
	Expect(f.Close()).To(Succeed())
}

var _ = Describe("A receiver whose disk is full", func() {
	It("answers 503 at once, and recovers in the same process without having lost or repeated anything", func(ctx SpecContext) {
		const outages = 3
		disk, ledger := smallDisk("96m"), newLedger()
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: filepath.Join(disk, "inbox"), AckWait: 5 * time.Second,
		})
		sender := newSender(url)
		finish := sender.keepSending(8, time.Millisecond)
		defer finish()
		accepted := func() int { n, _ := sender.count(); return n }
		refused := func() int { _, n := sender.count(); return n }

		var refusals []time.Duration
		var longest time.Duration
		for outage := range outages {
			before := accepted()
			Eventually(accepted).Should(BeNumerically(">", before+100))
			before = refused()
			filler := filepath.Join(disk, "filler")
			fillDisk(filler)
			Eventually(refused).Should(BeNumerically(">", before+50))
			for i := range 50 {
				begin := time.Now()
				Expect(sender.try(ctx, fmt.Sprintf("refused-%d-%d", outage, i))).To(Equal(503))
				refusals = append(refusals, time.Since(begin))
			}
			before = accepted()
			Expect(os.Remove(filler)).To(Succeed())
			begin := time.Now()
			Eventually(accepted).WithTimeout(10 * time.Second).Should(BeNumerically(">", before))
			longest = max(longest, time.Since(begin))
		}
		finish()
		expectIdle(url)
		var s inbox.Stats
		Expect(ask("GET", url+"/stats", &s)).To(Succeed())
		Expect(s).To(HaveField("Problem", BeEmpty()))
		p.stop()

		slices.Sort(refusals)
		slowest, nearlyAll := refusals[len(refusals)-1], refusals[len(refusals)*95/100]
		answered, again := sender.count()
		account := ledger.settle(sender.all())
		AddReportEntry("full disk", fmt.Sprintf("%d times, %d answers 200, %d deliveries refused, within %v, accepting again after %v, %d restarts of the store: %v",
			outages, answered, again, slowest, longest, s.Restarts, account), ReportEntryVisibilityAlways)
		Expect(account.lost).To(BeEmpty())
		Expect(account.twice).To(BeEmpty())
		Expect(account.wrong).To(BeEmpty())
		Expect(s.Restarts).To(BeNumerically(">", 0))
		// The machine's other work can hold up a few of them. What waits for the store would take seconds.
		Expect(nearlyAll).To(BeNumerically("<", 100*time.Millisecond))
	})
})

var _ = Describe("A receiver that is killed while its disk is full", func() {
	It("starts on the full disk, and loses nothing that it has answered 200", func() {
		disk, ledger := smallDisk("96m"), newLedger()
		config := nodeConfig{
			Receive: true, Work: true, Ledger: string(ledger), Dir: filepath.Join(disk, "inbox"), AckWait: 2 * time.Second,
			Backoff: []time.Duration{100 * time.Millisecond},
		}
		var killed []outage
		startNext := func() (*process, string) {
			config.Name = fmt.Sprintf("life-%d", len(killed)+1)
			return start("node", config.Name, config)
		}
		p, url := startNext()
		sender := newSender(url)
		finish := sender.keepSending(8, time.Millisecond)
		defer finish()
		for range 5 {
			before, refused := sender.count()
			Eventually(func() int { n, _ := sender.count(); return n }).Should(BeNumerically(">", before+100))
			filler := filepath.Join(disk, "filler")
			fillDisk(filler)
			Eventually(func() int { _, n := sender.count(); return n }).Should(BeNumerically(">", refused+20))
			killed = append(killed, forGood(p.name))
			p.kill()
			p, url = startNext()
			sender.to(url)
			Expect(os.Remove(filler)).To(Succeed())
		}
		finish()
		expectIdle(url)
		p.stop()

		accepted, refused := sender.count()
		account := ledger.settle(sender.all(), killed...)
		AddReportEntry("full disk and kills", fmt.Sprintf("%d kills, %d answers 200, %d deliveries refused or cut off: %v",
			len(killed), accepted, refused, account), ReportEntryVisibilityAlways)
		Expect(account.lost).To(BeEmpty())
		Expect(account.wrong).To(BeEmpty())
	})
})

var _ = Describe("A process that is suspended for longer than the acknowledgement may take", func() {
	It("does not begin again with the events that it is at", func() {
		ledger := newLedger()
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: GinkgoT().TempDir(),
			AckWait: time.Second, Takes: 6 * time.Second, Concurrency: 8,
		})
		events := keys(4, "suspended-%d")
		newSender(url).deliverAll(context.Background(), 4, events)
		Eventually(func() map[string][]entry { return ledger.all("taken") }).Should(HaveLen(len(events)))
		Expect(p.cmd.Process.Signal(syscall.SIGSTOP)).To(Succeed())
		<-time.After(3 * time.Second) // the time that the process does not have
		Expect(p.cmd.Process.Signal(syscall.SIGCONT)).To(Succeed())
		expectIdle(url)
		Expect(ledger.all("taken")).To(And(HaveLen(len(events)), HaveEach(HaveLen(1))))
		Expect(ledger.handled()).To(And(HaveLen(len(events)), HaveEach(HaveLen(1))))
		p.stop()
	})
})
