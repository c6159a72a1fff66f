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

// smallDisk mounts a tmpfs of that size and returns its directory. It skips the spec if mounting fails.
func smallDisk(size string) string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		Skip(fmt.Sprintf("mounting a small file system needs root: %v", err))
	}
	DeferCleanup(func() { Expect(syscall.Unmount(dir, syscall.MNT_DETACH)).To(Succeed()) })
	return dir
}

// fillDisk writes to a file until the disk is full.
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
	It("responds with 503 at once, and recovers in the same process without losing or repeating events", func(ctx SpecContext) {
		const outages = 3
		disk, ledger := smallDisk("96m"), newLedger()
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: filepath.Join(disk, "inbox"), AckWait: 5 * time.Second,
		})
		sender := newSender(url)
		finish := sender.keepSending(8, time.Millisecond)
		defer finish()
		accepted := func() int { n, _ := sender.count(); return n }
		rejected := func() int { _, n := sender.count(); return n }

		var rejections []time.Duration
		var longest time.Duration
		for outage := range outages {
			before := accepted()
			Eventually(accepted).Should(BeNumerically(">", before+100))
			before = rejected()
			filler := filepath.Join(disk, "filler")
			fillDisk(filler)
			Eventually(rejected).Should(BeNumerically(">", before+50))
			for i := range 50 {
				begin := time.Now()
				Expect(sender.try(ctx, fmt.Sprintf("rejected-%d-%d", outage, i))).To(Equal(503))
				rejections = append(rejections, time.Since(begin))
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
		Expect(call("GET", url+"/stats", &s)).To(Succeed())
		Expect(s).To(HaveField("Problem", BeEmpty()))
		p.stop()

		slices.Sort(rejections)
		slowest, p95 := rejections[len(rejections)-1], rejections[len(rejections)*95/100]
		run := fmt.Sprintf("%d times, slowest rejection %v, accepting again after %v, %d restarts of the store",
			outages, slowest, longest, s.Restarts)
		Expect(ledger.expectNothingLost(sender, "full disk", run).repeated).To(BeEmpty())
		Expect(s.Restarts).To(BeNumerically(">", 0))
		// Other load on the machine can delay a few responses. A response that waited for the store would take seconds.
		Expect(p95).To(BeNumerically("<", 100*time.Millisecond))
	})
})

var _ = Describe("A receiver that is killed while its disk is full", func() {
	It("starts on the full disk, and loses no acknowledged event", func() {
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
			before, rejected := sender.count()
			Eventually(func() int { n, _ := sender.count(); return n }).Should(BeNumerically(">", before+100))
			filler := filepath.Join(disk, "filler")
			fillDisk(filler)
			Eventually(func() int { _, n := sender.count(); return n }).Should(BeNumerically(">", rejected+20))
			killed = append(killed, killedNow(p.name))
			p.kill()
			p, url = startNext()
			sender.to(url)
			Expect(os.Remove(filler)).To(Succeed())
		}
		finish()
		expectIdle(url)
		p.stop()

		ledger.expectNothingLost(sender, "full disk and kills", fmt.Sprintf("%d kills", len(killed)), killed...)
	})
})

var _ = Describe("A process that is suspended for longer than AckWait", func() {
	It("does not start the events in progress again", func() {
		ledger := newLedger()
		p, url := start("node", "receiver", nodeConfig{
			Name: "receiver", Receive: true, Work: true, Ledger: string(ledger), Dir: GinkgoT().TempDir(),
			AckWait: time.Second, Takes: 6 * time.Second, Concurrency: 8,
		})
		events := numbered(4, "suspended-%d")
		newSender(url).deliverAll(context.Background(), 4, events)
		Eventually(func() map[string][]entry { return ledger.all("taken") }).Should(HaveLen(len(events)))
		Expect(p.cmd.Process.Signal(syscall.SIGSTOP)).To(Succeed())
		<-time.After(3 * time.Second) // real time that the suspended process does not notice
		Expect(p.cmd.Process.Signal(syscall.SIGCONT)).To(Succeed())
		expectIdle(url)
		Expect(ledger.all("taken")).To(And(HaveLen(len(events)), HaveEach(HaveLen(1))))
		Expect(ledger.handled()).To(And(HaveLen(len(events)), HaveEach(HaveLen(1))))
		p.stop()
	})
})
