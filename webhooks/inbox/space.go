package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
)

const (
	// largestReserve and reserveShare say what Options.Reserve is by default: that many bytes, or a twentieth of the file system if that
	// is less.
	maxDefaultReserve = 256 << 20
	reserveShare      = 20
	// largestProbe is how many bytes are written, at most, to see whether the disk can be written again.
	maxProbeSize = 256 << 10
)

// space is what is left on the disk. It is measured now and then; between two measurements, what was received since counts as used.
type space struct {
	path    string
	reserve int64 // bytes that are not for events

	free atomic.Int64 // at the last measurement
	used atomic.Int64 // since then
	low  atomic.Bool  // at the last measurement
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

// measure asks the system how much is left. Where it does not say, the disk is taken to be endless until it is full.
func (s *space) measure(ctx context.Context, log *slog.Logger) {
	free, _, err := diskSpace(s.path)
	if err != nil {
		return // the last measurement stands; a disk that is gone shows itself elsewhere
	}
	s.used.Store(0)
	s.free.Store(free)
	low := free < s.reserve
	if s.low.Swap(low) == low {
		return
	}
	if low {
		log.WarnContext(ctx, "inbox disk is nearly full, events are refused", "free", free, "reserve", s.reserve)
	} else {
		log.InfoContext(ctx, "inbox disk has room again", "free", free, "reserve", s.reserve)
	}
}

// left returns how many bytes are left.
func (s *space) left() int64 { return s.free.Load() - s.used.Load() }

// refusal returns an error that is ErrFull if an event of that many bytes would use the reserve.
func (s *space) admit(size int) error {
	if left := s.left(); left-int64(size) < s.reserve {
		return fmt.Errorf("%w: %d bytes are free on the disk, %d are in reserve", ErrFull, max(left, 0), s.reserve)
	}
	return nil
}

// take counts an event of that many bytes as stored.
func (s *space) use(size int) { s.used.Add(int64(size)) }

// scarce reports whether there may not be enough left to store what becomes of an event.
func (s *space) scarce() bool { return s.left() < s.probeSize() }

// probeSize is how much has to be free for the store to work at all.
func (s *space) probeSize() int64 { return min(maxProbeSize, s.reserve/2) }
