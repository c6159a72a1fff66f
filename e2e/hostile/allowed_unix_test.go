//go:build unix

package hostile

import (
	"syscall"

	. "github.com/onsi/gomega"
)

// allowed returns how many connections this process may open. The victim process has the same limit.
func allowed() int {
	var files syscall.Rlimit
	Expect(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)).To(Succeed())
	const others = 200 // files that are open for other reasons
	return int(min(files.Cur, 1<<20)) - others
}
