package inbox_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// A damaged stream of failed attempts does not prevent Open, because all events are intact.
func TestADamagedFailuresStreamIsDeleted(t *testing.T) {
	for name, spoil := range map[string]func(g Gomega, dir string){
		"a truncated description": func(g Gomega, dir string) {
			g.Expect(os.WriteFile(filepath.Join(dir, "meta.inf"), []byte(`{"name"`), 0o600)).To(Succeed())
		},
		"no description": func(g Gomega, dir string) {
			g.Expect(os.Remove(filepath.Join(dir, "meta.inf"))).To(Succeed())
			g.Expect(os.Remove(filepath.Join(dir, "meta.sum"))).To(Succeed())
		},
		"a flipped bit": func(g Gomega, dir string) {
			blocks, err := filepath.Glob(filepath.Join(dir, "msgs", "*.blk"))
			g.Expect(err).NotTo(HaveOccurred())
			data, err := os.ReadFile(blocks[0])
			g.Expect(err).NotTo(HaveOccurred())
			at := bytes.Index(data, []byte(errHandler.Error()[:3]))
			data[at] ^= 1
			g.Expect(os.WriteFile(blocks[0], data, 0o600)).To(Succeed())
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			opts := inbox.Options{Dir: t.TempDir(), Backoff: longBackoff}
			box := open(t, opts)
			failOnce(t, box, "e1")
			g.Expect(box.Close()).To(Succeed())
			spoil(g, streamDir(opts.Dir, "JOGG_FAILURES"))

			box = open(t, opts)
			g.Expect(box.Healthy(t.Context())).To(Succeed())
			g.Expect(keys(t, box, inbox.Query{State: inbox.StateWaiting})).To(Equal([]string{"e1"}))
			g.Expect(find(t, box, "e1").Failures).To(BeEmpty())
			receive(t, box, "e2")
			run(t, box, func(context.Context, webhooks.Event) error { return errHandler })
			g.Eventually(func() []inbox.AttemptRecord { return find(t, box, "e2").Failures }).Should(HaveLen(1))
		})
	}
}

func TestFailuresAreRecordedAfterAStoreRestart(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Backoff: longBackoff})
	g.Expect(box.Pause(t.Context(), time.Now().Add(time.Hour))).To(Succeed())
	run(t, box, func(context.Context, webhooks.Event) error { return errHandler })
	box.Fail(errors.New("a disk that is away for a moment"))
	g.Eventually(func() error {
		if s, err := box.Stats(t.Context()); err != nil || s.Restarts == 0 {
			return errors.New("not yet restarted")
		}
		return box.Healthy(t.Context())
	}).Should(Succeed())
	g.Expect(stats(t, box).Paused).NotTo(BeZero(), "a pause outlasts that, too")
	g.Expect(box.Resume(t.Context())).To(Succeed())
	receive(t, box, "e1")
	g.Eventually(func() []inbox.AttemptRecord { return find(t, box, "e1").Failures }).Should(HaveLen(1))
}
