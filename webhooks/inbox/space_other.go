//go:build !linux && !darwin && !freebsd && !windows

package inbox

import "errors"

// diskSpace is not implemented for this system, so there is no reserve. A full disk is detected when the store fails.
func diskSpace(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }
