//go:build !linux && !darwin && !freebsd && !windows

package inbox

import "errors"

// diskSpace is not known on this system, so there is no reserve. A disk that is full is noticed when the store fails.
func diskSpace(string) (free, total int64, err error) { return 0, 0, errors.ErrUnsupported }
