package inbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// configVariable is the environment variable with the configuration of a child process, as JSON.
const configVariable = "INBOX_E2E_CONFIG"

// roleConfig reads the configuration of this child process.
func roleConfig[C any]() (config C, err error) {
	err = json.Unmarshal([]byte(os.Getenv(configVariable)), &config)
	return config, err
}

// untilOrphaned returns a context that is canceled when the standard input is closed, which happens when the parent process ends.
func untilOrphaned(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx
}

// process is a child process that runs this test binary in another role.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	lines  chan string // of its standard output; closed when it ends
	exited chan struct{}
	err    error // valid after exited is closed
}

// start starts a process and waits for its first line of output, which it prints when it is ready. The process is killed after the spec if
// it is still running.
func start(role, name string, config any) (_ *process, ready string) {
	GinkgoHelper()
	p, lines := launch(role, name, config)
	ready, ok := <-lines
	Expect(ok).To(BeTrue(), "%s did not start", name)
	return p, ready
}

// launch starts a process and returns the lines of its standard output.
func launch(role, name string, config any) (*process, <-chan string) {
	GinkgoHelper()
	encoded, err := json.Marshal(config)
	Expect(err).NotTo(HaveOccurred())
	path, err := os.Executable()
	Expect(err).NotTo(HaveOccurred())
	p := &process{name: name, cmd: exec.Command(path), lines: make(chan string, 100), exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role, configVariable+"="+string(encoded))
	p.stdin, err = p.cmd.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	stdout, err := p.cmd.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	stderr, err := p.cmd.StderrPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(p.cmd.Start()).To(Succeed())

	var read sync.WaitGroup
	read.Go(func() { p.readLines(stdout) })
	read.Go(func() { p.copyErrors(stderr) })
	go func() {
		read.Wait()
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	DeferCleanup(p.kill)
	return p, p.lines
}

func (p *process) readLines(r io.Reader) {
	defer close(p.lines)
	for in := bufio.NewScanner(r); in.Scan(); {
		p.lines <- in.Text()
	}
}

// copyErrors copies the standard error into the report, and fails the spec after a panic or a report of the race detector.
func (p *process) copyErrors(r io.Reader) {
	defer GinkgoRecover()
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		fmt.Fprintf(GinkgoWriter, "%s: %s\n", p.name, in.Text())
		if strings.Contains(in.Text(), "DATA RACE") || strings.HasPrefix(in.Text(), "panic:") {
			Fail(p.name + ": " + in.Text())
		}
	}
}

// kill kills the process with SIGKILL, as in a crash, and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails if it has already ended
	<-p.exited
}

// stop shuts the process down gracefully with SIGTERM, waits for its end and expects that it exits without an error.
func (p *process) stop() {
	GinkgoHelper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		Expect(err).NotTo(HaveOccurred())
	}
	<-p.exited
	Expect(p.err).NotTo(HaveOccurred(), p.name)
}

var givenPorts = map[int]bool{}

// freePort returns a port that is not in use, a different one on each call. It is below the usual ephemeral range, so that no other process
// gets it while its server is down.
func freePort() int {
	GinkgoHelper()
	for range 100 {
		port := 20000 + rand.IntN(10000)
		if givenPorts[port] {
			continue
		}
		if listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			Expect(listener.Close()).To(Succeed())
			givenPorts[port] = true
			return port
		}
	}
	Fail("no free port")
	return 0
}
