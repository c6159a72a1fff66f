package inbox

import (
	"math"

	"golang.org/x/sys/windows"
)

// diskSpace returns the bytes that are free for this process on the volume of a path, and the total size of the volume.
func diskSpace(path string) (free, total int64, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, 0, err
	}
	var available, all, unused uint64
	if err := windows.GetDiskFreeSpaceEx(name, &available, &all, &unused); err != nil {
		return 0, 0, err
	}
	return int64(min(available, math.MaxInt64)), int64(min(all, math.MaxInt64)), nil
}
