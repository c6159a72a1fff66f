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
	b := &attemptTable{interrupted: make(map[uint64]int)}
	err := reserveFile(path, attemptSlots*8)
	if err == nil {
		b.slots, b.unmap, err = mapWords(path, attemptSlots)
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		log.Warn("inbox cannot record the attempts in progress", "error", err)
	}
	for i := range b.slots {
		if sequence := atomic.LoadUint64(&b.slots[i]) >> attemptBits; sequence > 0 {
			b.interrupted[sequence] = i
		} else {
			b.free = append(b.free, i)
		}
	}
	return b
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
func (b *attemptTable) interruptedEvents() (sequences []uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for sequence := range b.interrupted {
		sequences = append(sequences, sequence)
	}
	return sequences
}

// attempts returns the number of the attempt of an event that a crash interrupted, or 0 if the table has none.
func (b *attemptTable) attempts(sequence uint64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i, ok := b.interrupted[sequence]; ok {
		return int(atomic.LoadUint64(&b.slots[i]) & attemptMask)
	}
	return 0
}

// begin records that an attempt begins. The returned function records that it has ended.
func (b *attemptTable) begin(sequence uint64, attempt int) (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, ok := b.interrupted[sequence]
	switch {
	case ok:
		delete(b.interrupted, sequence)
	case len(b.free) > 0:
		i = b.free[len(b.free)-1]
		b.free = b.free[:len(b.free)-1]
	default:
		return func() {}
	}
	b.set(i, sequence<<attemptBits|uint64(min(attempt, attemptMask)))
	return func() { b.release(i) }
}

// forget frees the slot of an interrupted attempt.
func (b *attemptTable) forget(sequence uint64) {
	b.mu.Lock()
	i, ok := b.interrupted[sequence]
	delete(b.interrupted, sequence)
	b.mu.Unlock()
	if ok {
		b.release(i)
	}
}

func (b *attemptTable) release(i int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.slots == nil { // closed while an abandoned handler was still running
		return
	}
	b.set(i, 0)
	b.free = append(b.free, i)
}

// set stores a slot. Some file systems need free space even to overwrite allocated blocks. If there is none, the store to the mapping is a
// memory fault, which is ignored.
func (b *attemptTable) set(i int, value uint64) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _ = recover() }()
	atomic.StoreUint64(&b.slots[i], value)
}

func (b *attemptTable) close() error {
	if b == nil || b.unmap == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slots, b.free = nil, nil
	clear(b.interrupted)
	return b.unmap()
}
