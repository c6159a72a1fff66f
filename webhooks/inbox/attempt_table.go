package inbox

import (
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// attemptTableFile stores the attempts in progress: which event, and which attempt of it. JetStream counts deliveries, but writes the count
// up to a tenth of a second late, so an event that crashes its process immediately would be retried forever. The file is mapped into
// memory: a store to the mapping is in the page cache, which survives a crash of the process without a system call.
const attemptTableFile = "attempts.map"

// attemptSlots is the capacity of the file. If it is full, further attempts are started without an entry.
const attemptSlots = 1024

// A slot is 0, or the sequence of an event and the number of its attempt.
const (
	attemptBits = 16
	attemptMask = 1<<attemptBits - 1
)

// attemptTable records the attempts in progress, so that they count even if they crash the process.
type attemptTable struct {
	unmap func() error

	mu          sync.Mutex
	slots       []uint64       // nil if the file could not be mapped
	free        []int          // indexes of slots that are 0
	interrupted map[uint64]int // slots of attempts that a crash interrupted, by the sequence of the event
}

// openAttemptTable opens the file and reads the entries of the last process. If the file cannot be created, for example because the disk is
// full, the inbox works without it.
func openAttemptTable(path string, log *slog.Logger) *attemptTable {
	t := &attemptTable{interrupted: make(map[uint64]int)}
	err := reserveFile(path, attemptSlots*8)
	if err == nil {
		t.slots, t.unmap, err = mapWords(path, attemptSlots)
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		log.Warn("inbox cannot record the attempts in progress", "error", err)
	}
	for i := range t.slots {
		if sequence := atomic.LoadUint64(&t.slots[i]) >> attemptBits; sequence > 0 {
			t.interrupted[sequence] = i
		} else {
			t.free = append(t.free, i)
		}
	}
	return t
}

// reserveFile creates a file of that size with its space allocated, so that later writes need no space.
func reserveFile(path string, size int) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() == int64(size) {
		return nil
	}
	return replaceFile(path, make([]byte, size))
}

// interruptedEvents returns the sequences of the events whose attempts a crash interrupted.
func (t *attemptTable) interruptedEvents() (sequences []uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for sequence := range t.interrupted {
		sequences = append(sequences, sequence)
	}
	return sequences
}

// attempts returns the number of the attempt of an event that a crash interrupted, or 0 if the table has none.
func (t *attemptTable) attempts(sequence uint64) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := t.interrupted[sequence]; ok {
		return int(atomic.LoadUint64(&t.slots[i]) & attemptMask)
	}
	return 0
}

// begin records that an attempt begins. The returned function records that it has ended.
func (t *attemptTable) begin(sequence uint64, attempt int) (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.interrupted[sequence]
	switch {
	case ok:
		delete(t.interrupted, sequence)
	case len(t.free) > 0:
		i = t.free[len(t.free)-1]
		t.free = t.free[:len(t.free)-1]
	default:
		return func() {}
	}
	t.set(i, sequence<<attemptBits|uint64(min(attempt, attemptMask)))
	return func() { t.release(i) }
}

// forget frees the slot of an interrupted attempt.
func (t *attemptTable) forget(sequence uint64) {
	t.mu.Lock()
	i, ok := t.interrupted[sequence]
	delete(t.interrupted, sequence)
	t.mu.Unlock()
	if ok {
		t.release(i)
	}
}

func (t *attemptTable) release(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots == nil { // closed while an abandoned handler was still running
		return
	}
	t.set(i, 0)
	t.free = append(t.free, i)
}

// set stores a slot. Some file systems need free space even to overwrite allocated blocks. If there is none, the store to the mapping is a
// memory fault, which is ignored.
func (t *attemptTable) set(i int, value uint64) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _ = recover() }()
	atomic.StoreUint64(&t.slots[i], value)
}

func (t *attemptTable) close() error {
	if t == nil || t.unmap == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slots, t.free = nil, nil
	clear(t.interrupted)
	return t.unmap()
}
