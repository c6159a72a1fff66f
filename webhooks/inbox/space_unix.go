//go:build linux || darwin || freebsd

package inbox

import (
	"math"

	"golang.org/x/sys/unix"
)

// diskSpace returns the bytes that are free for this process on the file system of a path, and the total size of the file system.
func diskSpace(path string) (free, total int64, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return 0, 0, err
	}
	block, available, all := uint64(stat.Bsize), uint64(max(stat.Bavail, 0)), uint64(stat.Blocks) //nolint:unconvert // other types on other systems
	return bytesOf(available, block), bytesOf(all, block), nil
}

func bytesOf(blocks, size uint64) int64 {
	if size > 0 && blocks > math.MaxInt64/size {
		return math.MaxInt64
	}
	return int64(blocks * size)
}
