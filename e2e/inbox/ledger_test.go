package inbox_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// entry is a line of a ledger.
type entry struct {
	node, what, key string
	attempt         int
	at              time.Time
}

// ledger is a file that nodes enter in what they have done with which event, in the order in which they did it.
type ledger string

func newLedger() ledger { return ledger(filepath.Join(GinkgoT().TempDir(), "ledger")) }

func (l ledger) entries() (entries []entry) {
	GinkgoHelper()
	f, err := os.Open(string(l))
	if os.IsNotExist(err) {
		return nil
	}
	Expect(err).NotTo(HaveOccurred())
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		var e entry
		var ns int64
		_, err := fmt.Sscan(in.Text(), &e.node, &e.what, &e.key, &e.attempt, &ns)
		Expect(err).NotTo(HaveOccurred(), in.Text())
		e.at = time.Unix(0, ns)
		entries = append(entries, e)
	}
	return entries
}

// handled returns the entries about an event's handling, by its key.
func (l ledger) handled() map[string][]entry {
	GinkgoHelper()
	return l.all("handled")
}

func (l ledger) all(what string) map[string][]entry {
	GinkgoHelper()
	byKey := map[string][]entry{}
	for _, e := range l.entries() {
		if e.what == what {
			byKey[e.key] = append(byKey[e.key], e)
		}
	}
	return byKey
}

// account is what a ledger says about events that were answered 200.
type account struct {
	handled int      // events
	lost    []string // keys of those that were not handled
	twice   int      // handlings of an event that was handled before, where its node was killed before it was done with it
	wrong   []string // the same, but without that reason
}

func (a account) String() string {
	return fmt.Sprintf("%d handled, %d lost, %d handled again after a kill before the acknowledgement, %d without a reason",
		a.handled, len(a.lost), a.twice, len(a.wrong))
}

// settle does the accounts. A node is done with an event when the inbox says so, which is after the acknowledgement.
func (l ledger) settle(accepted []string, killed map[string]bool) (a account) {
	GinkgoHelper()
	settled := map[string]bool{} // by node and key
	for _, e := range l.entries() {
		if e.what == "settled" {
			settled[e.node+" "+e.key] = true
		}
	}
	handled := l.handled()
	a.handled = len(handled)
	for _, key := range accepted {
		if len(handled[key]) == 0 {
			a.lost = append(a.lost, key)
		}
	}
	for key, entries := range handled {
		for i := range entries[1:] {
			before, after := entries[i], entries[i+1]
			if killed[before.node] && !settled[before.node+" "+key] && after.node != before.node {
				a.twice++
			} else {
				a.wrong = append(a.wrong, strings.Join([]string{key, before.node, after.node}, " "))
			}
		}
	}
	return a
}
