//go:build linux || darwin || freebsd

package inbox

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapWords maps a file of n 64-bit words into memory.
func mapWords(path string, n int) (words []uint64, unmap func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err := unix.Mmap(int(f.Fd()), 0, n*8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	words = unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(data))), n)
	return words, func() error { return unix.Munmap(data) }, nil
}
