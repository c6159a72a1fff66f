package inbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// bigEvent returns an event whose body has some padding.
func bigEvent(t testing.TB, id string, padding int) webhooks.Event {
	t.Helper()
	ev, err := webhooks.Parse(fmt.Appendf(nil,
		`{"event":"generated_avatar_video_success","event_id":%q,"timestamp":1732806631,"data":{"video_id":"v1","surprise":%q}}`,
		id, bytes.Repeat([]byte("x"), padding)))
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// traffic runs senders and a handler, regardless of disk errors.
type traffic struct {
	box     *inbox.Inbox
	padding int

	mu         sync.Mutex
	accepted   []string
	refused    []time.Duration // durations of rejected calls of Receive
	unexpected []error         // errors other than *webhooks.UnavailableError
	handled    map[string]int  // number of calls of the handler, by event ID
}

// start starts the traffic. The returned function stops the senders.
func (f *traffic) start(t *testing.T) (stop func()) {
	t.Helper()
	f.handled = make(map[string]int)
	run(t, f.box, func(_ context.Context, ev webhooks.Event) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.handled[ev.ID]++
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	var senders sync.WaitGroup
	var number atomic.Int64
	for range 4 {
		senders.Go(func() {
			for ctx.Err() == nil {
				f.send(bigEvent(t, fmt.Sprintf("event-%06d", number.Add(1)), f.padding))
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		senders.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// send sends an event once and records the result.
func (f *traffic) send(ev webhooks.Event) {
	begin := time.Now()
	err := f.box.Receive(context.Background(), ev)
	took := time.Since(begin)
	f.mu.Lock()
	if _, later := errors.AsType[*webhooks.UnavailableError](err); later {
		f.refused = append(f.refused, took)
	} else if err != nil {
		f.unexpected = append(f.unexpected, err)
	} else {
		f.accepted = append(f.accepted, ev.ID)
	}
	f.mu.Unlock()
	if err != nil {
		<-time.After(5 * time.Millisecond) // JoggAI would wait longer
	}
}

func (f *traffic) counts() (accepted, refused int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.accepted), len(f.refused)
}

// fault is a disk error that a test can start and end.
type fault struct {
	start, end func() error
	restart    bool // whether the store must be restarted afterwards
}

// expectRecovery checks that the inbox recovers from a fault: no accepted event is lost, events are rejected immediately during the fault,
// and within 10 seconds after its end the inbox works again.
func expectRecovery(t *testing.T, box *inbox.Inbox, padding int, f fault) {
	t.Helper()
	g := NewWithT(t)
	run := &traffic{box: box, padding: padding}
	stop := run.start(t)
	accepted := func() int { n, _ := run.counts(); return n }
	refused := func() int { _, n := run.counts(); return n }
	g.Eventually(accepted).Should(BeNumerically(">", 20))
	g.Expect(box.Healthy(t.Context())).To(Succeed())

	g.Expect(f.start()).To(Succeed())
	g.Eventually(refused).Should(BeNumerically(">", 50))
	problem := box.Healthy(t.Context())
	_, failed := errors.AsType[*inbox.StoreError](problem)
	g.Expect(failed || errors.Is(problem, inbox.ErrFull)).To(BeTrue(), "%v", problem)
	s, _ := box.Stats(t.Context())
	g.Expect(s.Problem).NotTo(BeEmpty())
	before := refused()
	g.Eventually(refused).Should(BeNumerically(">", before+300))

	g.Expect(f.end()).To(Succeed())
	ended, last := time.Now(), accepted()
	g.Eventually(accepted).WithTimeout(10*time.Second).Should(BeNumerically(">", last), "accepts again: %v", box.Healthy(t.Context()))
	again := time.Since(ended)
	g.Eventually(func() error { return box.Healthy(t.Context()) }).Should(Succeed())
	last = accepted()
	g.Eventually(accepted).Should(BeNumerically(">", last+20))
	stop()
	g.Eventually(func() (inbox.Stats, error) { return box.Stats(t.Context()) }).WithTimeout(time.Minute).Should(And(
		HaveField("Waiting", BeZero()), HaveField("InProgress", BeZero()), HaveField("Problem", BeEmpty())))
	if f.restart {
		g.Expect(stats(t, box).Restarts).To(BeNumerically(">", 0))
	}

	run.mu.Lock()
	defer run.mu.Unlock()
	g.Expect(run.unexpected).To(BeEmpty())
	for _, id := range run.accepted {
		g.Expect(run.handled).To(HaveKey(id), "accepted and lost")
	}
	var twice []string
	for id, times := range run.handled {
		if times > 1 {
			twice = append(twice, id)
		}
	}
	slices.Sort(run.refused)
	t.Logf("%d accepted, %d handled, %d twice; %d refused, within %v (99 in 100) and %v (all); %d restarts, accepting again after %v",
		len(run.accepted), len(run.handled), len(twice), len(run.refused), run.refused[len(run.refused)*99/100],
		run.refused[len(run.refused)-1], s.Restarts+stats(t, box).Restarts, again)
	g.Expect(twice).To(BeEmpty())
	// The slowest percent is not checked: other load on the machine can delay single calls.
	g.Expect(run.refused[len(run.refused)*99/100]).To(BeNumerically("<", 100*time.Millisecond))
}

// fill fills the disk with a file, except for leave bytes.
func fill(path string, leave int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err = f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			chunk, err = chunk[:len(chunk)/2], nil
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		err = f.Truncate(max(end-leave, 0))
	}
	return errors.Join(err, f.Close())
}

// A stopped server does not respond to pending requests.
func TestOngoingCallsEndWhenTheStoreFails(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{})
	receive(t, box, "e1")
	ctx := t.Context()
	calls := map[string]func() error{
		"Stats":     func() error { _, err := box.Stats(ctx); return err },
		"List":      func() error { _, err := box.List(ctx, inbox.Query{State: inbox.StateWaiting}); return err },
		"List dead": func() error { _, err := box.List(ctx, inbox.Query{State: inbox.StateDead}); return err },
		"Find":      func() error { _, err := box.Find(ctx, keyOf("e1")); return err },
		"DeadLetters": func() error {
			for _, err := range box.DeadLetters(ctx) {
				return err
			}
			return nil
		},
	}
	restarted := make(chan struct{})
	var callers sync.WaitGroup
	var failed atomic.Int64
	for name, call := range calls {
		callers.Go(func() {
			for {
				select {
				case <-restarted:
					return
				default:
				}
				if err := call(); err != nil {
					failed.Add(1)
					if _, ok := errors.AsType[*inbox.StoreError](err); !ok {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		})
	}
	for restarts := range uint64(5) {
		box.Fail(errHandler)
		g.Eventually(func() uint64 { s, _ := box.Stats(ctx); return s.Restarts }).Should(Equal(restarts + 1))
	}
	close(restarted)
	callers.Wait()
	g.Expect(failed.Load()).To(BeNumerically(">", 0))
}
