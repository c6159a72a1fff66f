//go:build unix

package hostile

import (
	"syscall"

	. "github.com/onsi/gomega"
)

// allowed is how many connections this process may open, the victim's being as many.
func allowed() int {
	var files syscall.Rlimit
	Expect(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)).To(Succeed())
	const others = 200
	return int(min(files.Cur, 1<<20)) - others
}
