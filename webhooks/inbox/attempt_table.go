package inbox

import (
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// begunFile has the events that handlers have begun with and not ended, and in which attempt. JetStream counts deliveries, but writes the
// count down up to a tenth of a second later, so an event that ends its process at once would be tried for ever. The file is mapped into
// memory: what is stored there outlives the process without a system call.
const attemptTableFile = "attempts.map"

// begunSlots is how many events can be in the file. More than that are handled all the same.
const attemptSlots = 1024

// A slot is a number with the sequence of an event and the attempt that it is in, or 0.
const (
	attemptBits = 16
	attemptMask = 1<<attemptBits - 1
)

// begun remembers the attempts that are under way.
type attemptTable struct {
	unmap func() error

	mu          sync.Mutex
	slots       []uint64       // nil if the file cannot be had
	free        []int          // slots that are 0
	interrupted map[uint64]int // slots of events whose process has ended, by their sequence
}

// openBegun opens the file and reads what the last process has left. Without the file, for which there may be no space, the inbox works
// as well.
func openAttemptTable(path string, log *slog.Logger) *attemptTable {
	b := &attemptTable{interrupted: make(map[uint64]int)}
	err := reserveFile(path, attemptSlots*8)
	if err == nil {
		b.slots, b.unmap, err = mapWords(path, attemptSlots)
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		log.Warn("inbox cannot keep count of the attempts that are under way", "error", err)
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

// reserveFile makes a file of a size that takes its space, so that writing to it does not need any.
func reserveFile(path string, size int) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() == int64(size) {
		return nil
	}
	return replaceFile(path, make([]byte, size))
}

// sequences returns the events whose process has ended while they were handled.
func (b *attemptTable) interruptedEvents() (sequences []uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for sequence := range b.interrupted {
		sequences = append(sequences, sequence)
	}
	return sequences
}

// attempts returns how many attempts an event has had in processes that ended meanwhile, as far as that is known.
func (b *attemptTable) attempts(sequence uint64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i, ok := b.interrupted[sequence]; ok {
		return int(atomic.LoadUint64(&b.slots[i]) & attemptMask)
	}
	return 0
}

// begin notes that an attempt begins. The function that it returns notes that it has ended.
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

// forget gives up what is known about an event whose process has ended.
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
	if b.slots == nil { // closed before a handler that did not mind its context returned
		return
	}
	b.set(i, 0)
	b.free = append(b.free, i)
}

// set stores a slot. Some file systems need space even for what they have space for, and the system answers that with a fault.
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
