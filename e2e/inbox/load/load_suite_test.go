// Package load puts an inbox under loads that are out of the ordinary: storms of redeliveries, events that always fail, handlers that take
// long, and a backlog.
package load

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

func TestLoad(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Inbox Load Suite")
}

// open opens an inbox in a directory of the spec's own.
func open(ctx context.Context, opts inbox.Options) *inbox.Inbox {
	GinkgoHelper()
	opts.Dir, opts.Logger = filepath.Join(GinkgoT().TempDir(), "inbox"), slog.New(slog.DiscardHandler)
	box, err := inbox.Open(ctx, opts)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(box.Close)
	return box
}

// run works off what the inbox holds until the spec has ended.
func run(box *inbox.Inbox, receiver webhooks.Receiver) {
	GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx, receiver) }()
	DeferCleanup(func() {
		cancel()
		Eventually(ended).WithTimeout(patience).Should(Receive(BeNil()))
	})
}

func body(n int) []byte {
	return fmt.Appendf(nil, `{"event":"generated_avatar_video_success","event_id":"evt_%07d","timestamp":1732806631,`+
		`"data":{"video_id":"video_%07d","status":"completed","video_url":"https://res.jogg.ai/videos/%07d.mp4"}}`, n, n, n)
}

func event(n int) webhooks.Event {
	GinkgoHelper()
	ev, err := webhooks.Parse(body(n))
	Expect(err).NotTo(HaveOccurred())
	return ev
}

// tally counts by key.
type tally struct {
	mu    sync.Mutex
	times map[string]int
}

func (t *tally) add(key string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.times == nil {
		t.times = map[string]int{}
	}
	t.times[key]++
	return t.times[key]
}

func (t *tally) keys() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.times)
}

// counts returns how many keys were counted how often.
func (t *tally) counts() map[int]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := map[int]int{}
	for _, times := range t.times {
		counts[times]++
	}
	return counts
}
