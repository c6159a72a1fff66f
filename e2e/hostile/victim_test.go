package hostile

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
)

const (
	secret         = "whsec_abc123xyz"
	victimDeadline = "JOGG_HOSTILE_VICTIM_DEADLINE"
)

// figures are the victim's metrics, after a garbage collection.
type figures struct {
	Heap, Stacks uint64 // bytes
	Goroutines   int
	Events       int64 // calls of its receiver
}

func (f figures) memory() uint64 { return f.Heap + f.Stacks }

// serveVictim serves a handler as the documentation recommends, and its figures at another address. It exits when its standard input is
// closed.
func serveVictim(deadline string) {
	limit, err := time.ParseDuration(deadline)
	exitIf(err)
	verifier, err := webhooks.NewVerifier(secret)
	exitIf(err)
	var events atomic.Int64
	receiver := webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
		if undecodable, ok := ev.Data.(*webhooks.Undecodable); ok { // like a router without a function for it
			return undecodable.Err
		}
		events.Add(1)
		return nil
	})
	logger := slog.New(slog.DiscardHandler)
	server := webhooks.NewServer("", webhooks.NewHandler(verifier, receiver, webhooks.WithDeadline(limit), webhooks.WithLogger(logger)))
	server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelError)

	control := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		_ = json.NewEncoder(w).Encode(figures{stats.HeapAlloc, stats.StackInuse, runtime.NumGoroutine(), events.Load()})
	})
	var addresses []string
	for _, s := range []*http.Server{server, {Handler: control, ReadHeaderTimeout: time.Minute}} {
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		exitIf(err)
		addresses = append(addresses, listener.Addr().String())
		go func() { exitIf(s.Serve(listener)) }()
	}
	_, err = fmt.Println(addresses[0], addresses[1]) //nolint:forbidigo // the process that started this one reads it
	exitIf(err)
	_, err = io.Copy(io.Discard, os.Stdin)
	exitIf(err)
}

func exitIf(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "victim:", err)
		os.Exit(1)
	}
}

// victim is the process under attack.
type victim struct {
	address, control string
	client           *http.Client
	process          *exec.Cmd
	stdin            io.Closer // closing it ends the process
	before           figures
	delivered        int64 // valid deliveries, each of a different event
}

// victims are the running victims, by the deadline of their handler.
var victims = make(map[time.Duration]*victim)

// victimWith returns a victim whose handler has this deadline. Specs share it, because each leaves it in its initial state.
func victimWith(deadline time.Duration) *victim {
	GinkgoHelper()
	if victims[deadline] == nil {
		victims[deadline] = startVictim(deadline)
	}
	return victims[deadline]
}

var _ = AfterSuite(func() {
	for _, v := range victims {
		v.client.CloseIdleConnections()
		Expect(v.stdin.Close()).To(Succeed())
		Expect(v.process.Wait()).To(Succeed())
	}
})

func startVictim(deadline time.Duration) *victim {
	GinkgoHelper()
	program, err := os.Executable()
	Expect(err).NotTo(HaveOccurred())
	command := exec.Command(program)
	command.Env = append(os.Environ(), victimDeadline+"="+deadline.String())
	command.Stderr = GinkgoWriter
	stdin, err := command.StdinPipe()
	Expect(err).NotTo(HaveOccurred())
	stdout, err := command.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(command.Start()).To(Succeed())
	v := &victim{client: &http.Client{Transport: &http.Transport{}}, process: command, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	Expect(err).NotTo(HaveOccurred())
	_, err = fmt.Sscan(line, &v.address, &v.control)
	Expect(err).NotTo(HaveOccurred())
	v.before = v.figures()
	return v
}

func (v *victim) figures() (f figures) {
	GinkgoHelper()
	response, err := v.client.Get("http://" + v.control)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	Expect(json.NewDecoder(response.Body).Decode(&f)).To(Succeed())
	return f
}
