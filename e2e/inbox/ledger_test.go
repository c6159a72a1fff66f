package inbox_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
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

// outage is a time in which a node perhaps could not have the end of an event stored.
type outage struct {
	node     string // "" for all nodes
	from, to time.Time
}

// forGood returns the outage of a node that is killed now.
func forGood(node string) outage {
	return outage{node: node, from: time.Now(), to: time.Now().Add(time.Hour)}
}

// account is what a ledger says about events that were answered 200.
type account struct {
	handled int      // events
	lost    []string // keys of those that were not handled
	twice   []string // handlings of an event that was handled before, where an outage kept that from being stored: its history
	wrong   []string // the same, but without that reason
}

func (a account) String() string {
	return fmt.Sprintf("%d handled, %d lost, %d handled again after an outage before the acknowledgement, %d without a reason",
		a.handled, len(a.lost), len(a.twice), len(a.wrong))
}

// settle does the accounts of the events with these ids that were answered 200. An event may be handled again only if an outage lies between the times when it was taken up, and if it
// was taken up again before the inbox was done with the handling before.
func (l ledger) settle(accepted []string, outages ...outage) (a account) {
	GinkgoHelper()
	histories := map[string]history{}
	for _, e := range l.entries() {
		histories[e.key] = append(histories[e.key], e)
	}
	for _, id := range accepted {
		ev, err := webhooks.Parse(body(id))
		Expect(err).NotTo(HaveOccurred())
		key := ev.Key()
		if len(histories[key].all("handled")) == 0 {
			a.lost = append(a.lost, key)
		}
	}
	for _, h := range histories {
		handled := h.all("handled")
		if len(handled) == 0 {
			continue
		}
		a.handled++
		for i := range handled[1:] {
			if h.excuse(handled[i], handled[i+1], outages) {
				a.twice = append(a.twice, h.String())
			} else {
				a.wrong = append(a.wrong, h.String())
			}
		}
	}
	return a
}

// history is what happened to one event.
type history []entry

func (h history) String() string {
	lines := []string{h[0].key}
	for _, e := range h {
		lines = append(lines, fmt.Sprintf("%v: %s %s, attempt %d", e.at.Sub(h[0].at), e.node, e.what, e.attempt))
	}
	return strings.Join(lines, "\n\t")
}

func (h history) all(what string) (entries history) {
	for _, e := range h {
		if e.what == what {
			entries = append(entries, e)
		}
	}
	return entries
}

// when returns the time at which the node of e did something with the event in the same attempt, or the zero time.
func (h history) when(e entry, what string) time.Time {
	for _, other := range h.all(what) {
		if other.node == e.node && other.attempt == e.attempt {
			return other.at
		}
	}
	return time.Time{}
}

func (h history) excuse(first, second entry, outages []outage) bool {
	taken, takenAgain, settled := h.when(first, "taken"), h.when(second, "taken"), h.when(first, "settled")
	if !settled.IsZero() && !takenAgain.Before(settled) {
		return false
	}
	return slices.ContainsFunc(outages, func(o outage) bool {
		return (o.node == "" || o.node == first.node) && o.from.Before(takenAgain) && taken.Before(o.to)
	})
}
