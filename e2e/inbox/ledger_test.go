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

// entry is a line of a ledger: what a node did with an event in which attempt.
type entry struct {
	node, what, key string
	attempt         int
	at              time.Time
}

// ledger is the path of a file to which all nodes append what they do with events, in the order in which they do it.
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

// handled returns the entries for completed handlings, by the key of the event.
func (l ledger) handled() map[string][]entry {
	GinkgoHelper()
	return l.all("handled")
}

// all returns the entries of one kind, by the key of the event.
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

// outage is a period in which a node may have been unable to store that it had handled an event.
type outage struct {
	node     string // "" for all nodes
	from, to time.Time
}

// killedNow returns the outage of a node that is killed now. It lasts an hour, which is longer than a run.
func killedNow(node string) outage {
	return outage{node: node, from: time.Now(), to: time.Now().Add(time.Hour)}
}

// account summarizes what a ledger says about the acknowledged events.
type account struct {
	handled     int      // number of events that were handled
	lost        []string // keys of acknowledged events that were not handled
	repeated    []string // histories of events that were handled again because an outage kept the first handling from being stored
	unexplained []string // histories of events that were handled again without an outage that explains it
}

func (a account) String() string {
	return fmt.Sprintf("%d handled, %d lost, %d handled again after an outage before the acknowledgement, %d handled again without an outage",
		a.handled, len(a.lost), len(a.repeated), len(a.unexplained))
}

// settle summarizes the ledger. accepted has the IDs of the events that were acknowledged with 200. A second handling of an event is
// explained only if an outage of the first node overlaps the time between the two starts, and if the second attempt started before the
// inbox had settled the first.
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
			if h.explained(handled[i], handled[i+1], outages) {
				a.repeated = append(a.repeated, h.String())
			} else {
				a.unexplained = append(a.unexplained, h.String())
			}
		}
	}
	return a
}

// expectNothingLost settles the ledger for all events that s delivered, and adds the account to the report, under that name and after a
// summary of the run. It expects that no event was lost, and none handled again without an outage.
func (l ledger) expectNothingLost(s *sender, name, run string, outages ...outage) account {
	GinkgoHelper()
	accepted, rejected := s.count()
	a := l.settle(s.all(), outages...)
	AddReportEntry(name, fmt.Sprintf("%s, %d deliveries acknowledged, %d rejected or cut off: %v", run, accepted, rejected, a),
		ReportEntryVisibilityAlways)
	for _, h := range a.repeated {
		GinkgoWriter.Println(h)
	}
	Expect(a.lost).To(BeEmpty())
	Expect(a.unexplained).To(BeEmpty())
	return a
}

// history has all entries about one event, in their order.
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

// when returns the time of the entry of that kind by the same node in the same attempt as e, or the zero time if there is none.
func (h history) when(e entry, what string) time.Time {
	for _, other := range h.all(what) {
		if other.node == e.node && other.attempt == e.attempt {
			return other.at
		}
	}
	return time.Time{}
}

// explained reports whether an outage explains that an event was handled a second time.
func (h history) explained(first, second entry, outages []outage) bool {
	taken, takenAgain, settled := h.when(first, "taken"), h.when(second, "taken"), h.when(first, "settled")
	if !settled.IsZero() && !takenAgain.Before(settled) {
		return false
	}
	return slices.ContainsFunc(outages, func(o outage) bool {
		return (o.node == "" || o.node == first.node) && o.from.Before(takenAgain) && taken.Before(o.to)
	})
}
