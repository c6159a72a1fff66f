package inbox

import (
	"math"
	"sync"
	"time"
)

// Counts tell what an Inbox has done, without regard to what others do that share its cluster.
type Counts struct {
	// Received is how many new events were stored, Duplicates how many redeliveries were recognized, and Refused how many events
	// Receive returned an error for.
	Received, Duplicates, Refused uint64
	// Handled is how many attempts succeeded, each of which ends its event. Failed is how many did not, the last ones included.
	Handled, Failed uint64
	// Dead is how many events became dead letters, and Redriven how many dead letters were put back into the queue.
	Dead, Redriven uint64
}

// Minute is what happened in one minute.
type Minute struct {
	// Begin is when the minute began.
	Begin time.Time
	Counts
	// HandlingMedian and HandlingP95 are how long half of the attempts took at most, and 95 of 100 of them, to a fifth. They are zero
	// if none ended in that minute.
	HandlingMedian, HandlingP95 time.Duration
}

// historyMinutes is how many minutes are remembered.
const historyMinutes = 60

// History returns the last hour minute by minute, the oldest first and the current one last. It begins anew when the inbox is opened.
func (b *Inbox) History() []Minute { return b.recorder.history.minutes() }

// Counts returns what was counted since the inbox was opened.
func (b *Inbox) Counts() Counts { return b.recorder.history.counts() }

// history counts what happens, in all and for each minute of the last hour.
type history struct {
	now func() time.Time

	mu    sync.Mutex
	total Counts
	slots [historyMinutes]slot
}

// slot is a minute. It is used again for the one an hour later.
type slot struct {
	minute int64 // since 1970
	counts Counts
	took   durations
}

// add counts something: change gets what is counted in all, and then what is counted in this minute.
func (h *history) add(change func(c *Counts)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.total)
	change(&h.slot().counts)
}

// took counts how long an attempt took.
func (h *history) took(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slot().took.add(d)
}

// slot returns the current minute's.
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

// durations is a histogram: each of its classes is a fifth wider than the one before, which is 2 to the power of 1/4.
type durations struct {
	n       uint64
	classes [classCount]uint32
}

const (
	// shortest is the upper bound of the first class. The last one begins at about an hour and a half.
	shortest   = 100 * time.Microsecond
	classCount = 104
	perDouble  = 4
)

func (d *durations) add(took time.Duration) {
	class := 0
	if took > shortest {
		class = int(math.Ceil(perDouble * math.Log2(float64(took)/float64(shortest))))
	}
	d.classes[min(class, classCount-1)]++
	d.n++
}

// quantile returns the upper bound of the class that has it.
func (d *durations) quantile(q float64) time.Duration {
	if d.n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(d.n)))
	var below uint64
	for class, n := range d.classes {
		if below += uint64(n); below >= rank {
			return time.Duration(float64(shortest) * math.Exp2(float64(class)/perDouble))
		}
	}
	return 0 // not reached: the classes add up to n
}
