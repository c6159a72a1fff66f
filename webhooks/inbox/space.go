package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
)

const (
	// maxDefaultReserve and reserveShare are the default of Options.Reserve: that many bytes, or a twentieth of the file system if that is
	// less.
	maxDefaultReserve = 256 << 20
	reserveShare      = 20
	// maxProbeSize is the maximum number of bytes that are written to test whether the disk is writable again.
	maxProbeSize = 256 << 10
)

// space tracks the free space on the disk. It is measured periodically. Between two measurements, events that are received count as used
// space.
type space struct {
	path    string
	reserve int64 // bytes that new events must not use

	free atomic.Int64 // at the last measurement
	used atomic.Int64 // by events since the last measurement
	low  atomic.Bool  // whether the last measurement was below the reserve
}

func newSpace(path string, reserve int64) *space {
	free, total, err := diskSpace(path)
	if err != nil {
		free, total = math.MaxInt64, math.MaxInt64
	}
	if reserve == 0 {
		reserve = min(maxDefaultReserve, total/reserveShare)
	}
	s := &space{path: path, reserve: reserve}
	s.free.Store(free)
	return s
}

// measure updates the free space, and logs when it falls below the reserve or rises above it. If the system does not report the free space,
// the previous value stays: unlimited if it was never known.
func (s *space) measure(ctx context.Context, log *slog.Logger) {
	used := s.used.Load()
	free, _, err := diskSpace(s.path)
	if err != nil {
		return // a disk that is gone is detected elsewhere
	}
	// What is stored meanwhile counts twice until the next measurement, rather than not at all.
	s.free.Store(free)
	s.used.Add(-used)
	low := free < s.reserve
	if s.low.Swap(low) == low {
		return
	}
	if low {
		log.WarnContext(ctx, "inbox disk is nearly full, events are rejected", "free", free, "reserve", s.reserve)
	} else {
		log.InfoContext(ctx, "inbox disk has enough space again", "free", free, "reserve", s.reserve)
	}
}

// left returns the estimated number of free bytes.
func (s *space) left() int64 { return s.free.Load() - s.used.Load() }

// admit returns ErrFull if an event of that many bytes would use the reserve.
func (s *space) admit(size int) error {
	if left := s.left(); left-int64(size) < s.reserve {
		return fmt.Errorf("%w: %d bytes are free on the disk, %d are reserved", ErrFull, max(left, 0), s.reserve)
	}
	return nil
}

// use counts an event of that many bytes as stored.
func (s *space) use(size int) { s.used.Add(int64(size)) }

// scarce reports whether the free space may not be enough to store the result of an event.
func (s *space) scarce() bool { return s.left() < s.probeSize() }

// probeSize returns the number of bytes that must be free for the store to work at all.
func (s *space) probeSize() int64 { return min(maxProbeSize, s.reserve/2) }
