package inbox_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/e2e/logbuffer"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// contents returns the size and hash of every file in a directory, by path.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = fmt.Sprintf("%d %x", len(data), sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// filled returns the directory of a closed inbox with four events and one dead letter, which is in the deduplication window.
func filled(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	box, _, _ := failing(t, inbox.Options{Dir: dir, MaxAttempts: 1})
	receive(t, box, "dead")
	NewWithT(t).Eventually(func() bool { return len(deadLetters(t, box)) == 1 && idle(t, box) }).Should(BeTrue())
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
	box = open(t, inbox.Options{Dir: dir})
	receive(t, box, "e1", "e2", "e3", "e4")
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func streamDir(dir, stream string) string {
	return filepath.Join(dir, "jetstream", "$G", "streams", stream)
}

func TestADirectoryIsOpenedOnce(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir()}
	box := open(t, opts)
	_, err := inbox.Open(t.Context(), opts)
	locked, ok := errors.AsType[*inbox.LockedError](err)
	g.Expect(ok).To(BeTrue(), "%v", err)
	host, err := os.Hostname()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(locked.Dir).To(Equal(opts.Dir))
	g.Expect(locked.PID).To(Equal(os.Getpid()))
	g.Expect(locked.Host).To(Equal(host))
	g.Expect(locked.Since).To(BeTemporally("~", time.Now(), time.Minute))
	g.Expect(locked).To(MatchError(ContainSubstring(fmt.Sprintf("in use by process %d on %s since", os.Getpid(), host))))

	receive(t, box, "e1") // the first inbox still works
	g.Expect(box.Close()).To(Succeed())
	receive(t, open(t, opts), "e2") // the leftover lock file does not prevent Open
}

func TestAForeignDirectoryIsRejected(t *testing.T) {
	for _, name := range []string{"letter.txt", "jetstream/x", "inbox.json.bak"} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			dir := t.TempDir()
			g.Expect(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750)).To(Succeed())
			g.Expect(os.WriteFile(filepath.Join(dir, name), []byte("dear diary"), 0o600)).To(Succeed())
			before := contents(t, dir)
			_, err := inbox.Open(t.Context(), inbox.Options{Dir: dir})
			g.Expect(err).To(MatchError(inbox.ErrForeign))
			g.Expect(contents(t, dir)).To(Equal(before))
		})
	}
}

func TestAFileIsNotADirectory(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "file")
	g.Expect(os.WriteFile(path, []byte("dear diary"), 0o600)).To(Succeed())
	_, err := inbox.Open(t.Context(), inbox.Options{Dir: path})
	g.Expect(err).To(MatchError(syscall.ENOTDIR))
	g.Expect(os.ReadFile(path)).To(Equal([]byte("dear diary")))
}

func TestADamagedDirectoryIsRejectedUnchanged(t *testing.T) {
	change := func(path string, change func(data []byte) []byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			found, err := filepath.Glob(filepath.Join(dir, path))
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			data, err := os.ReadFile(found[0])
			if err == nil {
				err = os.WriteFile(found[0], change(data), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(path string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	events := streamDir("", "JOGG")
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{"no streams", remove("jetstream")},
		{"no stream of events", remove(events)},
		{"no dead letters", remove(streamDir("", "JOGG_DEAD"))},
		{"no messages", remove(filepath.Join(events, "msgs"))},
		{"no description", remove(filepath.Join(events, "meta.inf"))},
		{"no checksum", remove(filepath.Join(events, "meta.sum"))},
		{"a changed description", change(filepath.Join(events, "meta.inf"), func(data []byte) []byte { return append(data, ' ') })},
		{"a changed consumer", change(filepath.Join(events, "obs", "worker", "meta.inf"), func(data []byte) []byte { return data[1:] })},
		{"a changed directory file", change("inbox.json", func([]byte) []byte { return []byte("{") })},
		{"a flipped bit in the first event", change(filepath.Join(events, "msgs", "*.blk"), func(data []byte) []byte {
			data[100] ^= 1
			return data
		})},
		{"a flipped bit in a size", change(filepath.Join(events, "msgs", "*.blk"), func(data []byte) []byte {
			data[2] ^= 0x40
			return data
		})},
		{"zeros in the middle", change(filepath.Join(events, "msgs", "*.blk"), func(data []byte) []byte {
			clear(data[300:400])
			return data
		})},
		{"half of what a consumer knows", change(filepath.Join(events, "obs", "*", "o.dat"), func(data []byte) []byte {
			return data[:len(data)/2]
		})},
		{"zeros in place of what a consumer knows", change(filepath.Join(events, "obs", "*", "o.dat"), func(data []byte) []byte {
			clear(data)
			return data
		})},
		{"a consumer that has acknowledged more than it delivered", change(filepath.Join(events, "obs", "*", "o.dat"), func(data []byte) []byte {
			data[3] = 99
			return data
		})},
		{"a flipped bit in a dead letter", change(filepath.Join(streamDir("", "JOGG_DEAD"), "msgs", "*.blk"), func(data []byte) []byte {
			data[100] ^= 1
			return data
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			dir := filled(t)
			c.damage(t, dir)
			before := contents(t, dir)
			_, err := inbox.Open(t.Context(), inbox.Options{Dir: dir})
			g.Expect(err).To(MatchError(inbox.ErrCorrupt))
			g.Expect(err).To(MatchError(ContainSubstring(dir)))
			after := contents(t, dir)
			delete(before, filepath.Join(dir, "holder.json"))
			delete(after, filepath.Join(dir, "holder.json"))
			g.Expect(after).To(Equal(before))
		})
	}
}

func TestATruncatedLastRecordIsNotDamage(t *testing.T) {
	for _, c := range []struct {
		name string
		tail func(record []byte) []byte
	}{
		{"nothing", func([]byte) []byte { return nil }},
		{"part of a size", func(record []byte) []byte { return record[:3] }},
		{"part of a head", func(record []byte) []byte { return record[:20] }},
		{"part of a record", func(record []byte) []byte { return record[:len(record)-1] }},
		{"space without content", func(record []byte) []byte { return make([]byte, len(record)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			dir := filled(t)
			found, err := filepath.Glob(filepath.Join(streamDir(dir, "JOGG"), "msgs", "*.blk"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(found).To(HaveLen(1))
			path := found[0]
			data, err := os.ReadFile(path)
			g.Expect(err).NotTo(HaveOccurred())
			size := binary.LittleEndian.Uint32(data) &^ (1 << 31)
			tail := c.tail(data[:size])
			g.Expect(os.WriteFile(path, append(data, tail...), 0o600)).To(Succeed())

			box := open(t, inbox.Options{Dir: dir})
			g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(4))
			receive(t, box, "e5")
			g.Expect(box.Close()).To(Succeed())
			g.Expect(stats(t, open(t, inbox.Options{Dir: dir})).Waiting).To(BeEquivalentTo(5))
		})
	}
}

func TestANewerFormatIsRejected(t *testing.T) {
	g := NewWithT(t)
	dir := filled(t)
	g.Expect(os.WriteFile(filepath.Join(dir, "inbox.json"), []byte(`{"format":2,"streams":["JOGG"]}`), 0o600)).To(Succeed())
	_, err := inbox.Open(t.Context(), inbox.Options{Dir: dir})
	g.Expect(err).To(MatchError(ContainSubstring("has format 2, this version supports 1")))
}

func TestAnInterruptedFirstOpenIsFinished(t *testing.T) {
	for _, leftover := range []string{"inbox.lock", "inbox.json.tmp", "holder.json"} {
		t.Run(leftover, func(t *testing.T) {
			g := NewWithT(t)
			dir := t.TempDir()
			g.Expect(os.WriteFile(filepath.Join(dir, leftover), nil, 0o600)).To(Succeed())
			receive(t, open(t, inbox.Options{Dir: dir}), "e1")
		})
	}
}

func TestEventsAcknowledgedBeforeACrashAreSwept(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), Concurrency: 1}
	box := open(t, opts)
	receive(t, box, "e1", "fails", "e2", "e3")
	g.Expect(box.Close()).To(Succeed())
	messages, before := filepath.Join(streamDir(opts.Dir, "JOGG"), "msgs"), t.TempDir()
	g.Expect(os.CopyFS(before, os.DirFS(messages))).To(Succeed())

	box = open(t, opts)
	var got tally
	stop := run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		got.add(ctx, ev)
		if ev.ID == "fails" {
			return inbox.RetryAfter(2*time.Second, errHandler)
		}
		return nil
	})
	g.Eventually(func() inbox.Stats { return stats(t, box) }).Should(And(
		HaveField("Waiting", BeEquivalentTo(1)), HaveField("InProgress", BeZero())))
	stop()
	g.Expect(box.Close()).To(Succeed())

	// As after a crash: the consumer has the acknowledgements, the stream still has all messages, and there is no block list.
	g.Expect(os.Remove(filepath.Join(opts.Dir, "blocks.json"))).To(Succeed())
	g.Expect(os.RemoveAll(messages)).To(Succeed())
	g.Expect(os.CopyFS(messages, os.DirFS(before))).To(Succeed())
	box = open(t, opts)
	g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(1))
	run(t, box, got.handle)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(got.ids()).To(ConsistOf("e1", "fails", "e2", "e3", "fails"))
}

func TestEventsAcknowledgedBeforeAStoreFailureAreSwept(t *testing.T) {
	g := NewWithT(t)
	var log logbuffer.Buffer
	box := open(t, inbox.Options{Concurrency: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	dir := box.Dir()
	receive(t, box, "e1", "e2", "e3")
	restart := func(meanwhile func()) {
		restarts := stats(t, box).Restarts
		blocked := filepath.Join(dir, "inbox.probe")
		g.Expect(os.MkdirAll(filepath.Join(blocked, "not empty"), 0o750)).To(Succeed())
		box.Fail(errHandler)
		g.Eventually(func() error { return box.Healthy(t.Context()) }).Should(MatchError(And(
			ContainSubstring(errHandler.Error()), ContainSubstring("restart: ")))) // the server has stopped
		g.Eventually(log.String).Should(ContainSubstring("inbox store cannot be restarted yet"))
		meanwhile()
		g.Expect(os.RemoveAll(blocked)).To(Succeed())
		g.Eventually(func() uint64 { s, _ := box.Stats(t.Context()); return s.Restarts }).Should(Equal(restarts + 1))
	}
	messages, before := filepath.Join(streamDir(dir, "JOGG"), "msgs"), t.TempDir()
	restart(func() { g.Expect(os.CopyFS(before, os.DirFS(messages))).To(Succeed()) })

	var got tally
	run(t, box, got.handle)
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	// The consumer has the acknowledgements, the stream still has all messages.
	restart(func() {
		g.Expect(os.RemoveAll(messages)).To(Succeed())
		g.Expect(os.CopyFS(messages, os.DirFS(before))).To(Succeed())
	})
	g.Expect(stats(t, box).Waiting).To(BeZero())
	receive(t, box, "e4")
	g.Eventually(got.ids).Should(Equal([]string{"e1", "e2", "e3", "e4"}))
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
}

// Opening the inbox does not sweep every acknowledged event. Here the message counts of the stream and its consumer agree by chance,
// because the consumer also waits for the acknowledgement of an event that is gone. The event is swept later, by the periodic maintenance.
func TestAcknowledgedEventsAreSweptWhileTheInboxIsOpen(t *testing.T) {
	g := NewWithT(t)
	opts := inbox.Options{Dir: t.TempDir(), Concurrency: 1, AckWait: time.Second}
	box := open(t, opts)
	receive(t, box, "acknowledged", "lost")
	g.Expect(box.Close()).To(Succeed())
	stream, before := streamDir(opts.Dir, "JOGG"), t.TempDir()
	g.Expect(os.CopyFS(before, os.DirFS(opts.Dir))).To(Succeed())

	box = open(t, opts)
	stop := run(t, box, func(_ context.Context, ev webhooks.Event) error {
		if ev.ID == "lost" {
			return inbox.RetryAfter(time.Second, errHandler)
		}
		return nil
	})
	g.Eventually(func() inbox.Stats { return stats(t, box) }).Should(And(
		HaveField("Waiting", BeEquivalentTo(1)), HaveField("InProgress", BeZero())))
	stop()
	g.Expect(box.Close()).To(Succeed())
	acknowledgements, err := os.ReadFile(filepath.Join(stream, "obs", "worker", "o.dat"))
	g.Expect(err).NotTo(HaveOccurred())

	// Restore the directory with both events, delete the second event, and use the later state of the consumer.
	opts.Dir = before
	box = open(t, opts)
	js, err := jetstream.New(box.Conn())
	g.Expect(err).NotTo(HaveOccurred())
	events, err := js.Stream(t.Context(), "JOGG")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(events.DeleteMsg(t.Context(), 2)).To(Succeed())
	g.Expect(box.Close()).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(streamDir(opts.Dir, "JOGG"), "obs", "worker", "o.dat"), acknowledgements, 0o600)).To(Succeed())

	box = open(t, opts)
	g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(1))
	run(t, box, func(context.Context, webhooks.Event) error { return errors.New("not to be called") })
	g.Eventually(func() uint64 {
		box.Maintain(t.Context())
		return stats(t, box).Waiting
	}).Should(BeZero())
	g.Expect(stats(t, box).Dead).To(BeZero())
	g.Expect(box.Counts().Failed).To(BeZero())
}
