package inbox

import (
	"math"
	"sync"
	"time"
)

// Counts are the counters of one Inbox. They do not include other processes that share its cluster.
type Counts struct {
	// Received counts new events that were stored, Duplicates redeliveries that were deduplicated, and Refused events for which Receive
	// returned an error.
	Received, Duplicates, Refused uint64
	// Handled counts attempts that succeeded, each of which completes its event. Failed counts attempts that failed, including last ones.
	Handled, Failed uint64
	// Dead counts events that became dead letters, and Redriven dead letters that were returned to the queue.
	Dead, Redriven uint64
}

// Minute is the history of one minute.
type Minute struct {
	// Begin is when the minute began.
	Begin time.Time
	Counts
	// HandlingMedian and HandlingP95 are the median and the 95th percentile of the durations of attempts, rounded up by at most a fifth.
	// They are zero if no attempt ended in that minute.
	HandlingMedian, HandlingP95 time.Duration
}

// historyMinutes is the length of the history in minutes.
const historyMinutes = 60

// History returns the last 60 minutes, oldest first; the last element is the current minute. It starts empty when the inbox is opened.
func (b *Inbox) History() []Minute { return b.recorder.history.minutes() }

// Counts returns the counters since the inbox was opened.
func (b *Inbox) Counts() Counts { return b.recorder.history.counts() }

// history counts in total and for each minute of the last hour.
type history struct {
	now func() time.Time

	mu    sync.Mutex
	total Counts
	slots [historyMinutes]slot
}

// slot has the counters of one minute. It is reused an hour later.
type slot struct {
	minute int64 // since 1970
	counts Counts
	took   durations
}

// add applies change to the total and to the current minute.
func (h *history) add(change func(c *Counts)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.total)
	change(&h.slot().counts)
}

// took records the duration of an attempt.
func (h *history) took(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slot().took.add(d)
}

// slot returns the slot of the current minute, reset if it is an old one.
func (h *history) slot() *slot {
	minute := h.now().Unix() / 60
	s := &h.slots[minute%historyMinutes]
	if s.minute != minute {
		*s = slot{minute: minute}
	}
	return s
}

func (h *history) counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total
}

func (h *history) minutes() []Minute {
	h.mu.Lock()
	defer h.mu.Unlock()
	current := h.now().Unix() / 60
	all := make([]Minute, 0, historyMinutes)
	for minute := current - historyMinutes + 1; minute <= current; minute++ {
		m := Minute{Begin: time.Unix(minute*60, 0)}
		if s := &h.slots[minute%historyMinutes]; s.minute == minute {
			m.Counts = s.counts
			m.HandlingMedian, m.HandlingP95 = s.took.quantile(0.5), s.took.quantile(0.95)
		}
		all = append(all, m)
	}
	return all
}

// durations is a histogram. The upper bound of each bucket is about a fifth larger than the one before: by a factor of 2 to the power of
// 1/4.
type durations struct {
	n       uint64
	buckets [bucketCount]uint32
}

const (
	// firstBound is the upper bound of the first bucket. The last bucket begins at about an hour and a half.
	firstBound  = 100 * time.Microsecond
	bucketCount = 104
	perDoubling = 4
)

func (d *durations) add(took time.Duration) {
	bucket := 0
	if took > firstBound {
		bucket = int(math.Ceil(perDoubling * math.Log2(float64(took)/float64(firstBound))))
	}
	d.buckets[min(bucket, bucketCount-1)]++
	d.n++
}

// quantile returns the upper bound of the bucket that contains the quantile.
func (d *durations) quantile(q float64) time.Duration {
	if d.n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(d.n)))
	var below uint64
	for bucket, n := range d.buckets {
		if below += uint64(n); below >= rank {
			return time.Duration(float64(firstBound) * math.Exp2(float64(bucket)/perDoubling))
		}
	}
	return 0 // not reached: the buckets add up to n
}
