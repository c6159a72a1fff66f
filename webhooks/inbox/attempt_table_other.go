//go:build !linux && !darwin && !freebsd

package inbox

import "errors"

// mapWords is not implemented for this system. Attempts that crash the process within a tenth of a second may not be counted.
func mapWords(string, int) (words []uint64, unmap func() error, err error) {
	return nil, nil, errors.ErrUnsupported
}
