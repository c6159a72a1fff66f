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

// configVariable has the configuration of a process, as JSON.
const configVariable = "INBOX_E2E_CONFIG"

// roleConfig reads the configuration of this process.
func roleConfig[C any]() (config C, err error) {
	err = json.Unmarshal([]byte(os.Getenv(configVariable)), &config)
	return config, err
}

// untilOrphaned returns a context that ends with the standard input, which is with the process that runs the suites.
func untilOrphaned(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx
}

// process is another process of this program.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	lines  chan string // what it says; closed when it ends
	exited chan struct{}
	err    error // after exited
}

// start starts a process and waits for its first line, which says that it is ready. The spec ends it if nobody else does.
func start(role, name string, config any) (_ *process, ready string) {
	GinkgoHelper()
	p, lines := launch(role, name, config)
	ready, ok := <-lines
	Expect(ok).To(BeTrue(), "%s did not start", name)
	return p, ready
}

// launch starts a process and returns what it says line by line.
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

// copyErrors copies the standard error into the report, and fails the spec if the race detector speaks there.
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

// kill ends the process as a crash does, in the middle of whatever it does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails if it has ended already
	<-p.exited
}

// stop asks the process to end and waits until it has, without an error.
func (p *process) stop() {
	GinkgoHelper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		Expect(err).NotTo(HaveOccurred())
	}
	<-p.exited
	Expect(p.err).NotTo(HaveOccurred(), p.name)
}

var givenPorts = map[int]bool{}

// freePort returns a port that nobody listens on, another one each time. It is none of those that systems hand out by themselves, so that nobody else gets it
// while the server that it is for is down.
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
