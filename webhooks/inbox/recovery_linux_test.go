package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// smallDisk mounts an in-memory file system with these options and returns its directory.
func smallDisk(t testing.TB, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a small file system cannot be mounted, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestTheStoreRecoversFromAFullDisk(t *testing.T) {
	for _, c := range []struct {
		name    string
		reserve int64
		leave   int64
		restart bool
	}{
		{"without a reserve", 1, 64 << 10, true},
		{"with a reserve", 0, 64 << 10, false},
		{"to the last byte", 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := smallDisk(t, "size=64m")
			box := open(t, inbox.Options{
				Dir: filepath.Join(disk, "inbox"), AckWait: 2 * time.Second, Reserve: c.reserve, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			})
			filler := filepath.Join(disk, "filler")
			expectRecovery(t, box, 100, fault{
				restart: c.restart,
				start:   func() error { return fill(filler, c.leave) },
				end:     func() error { return os.Remove(filler) },
			})
		})
	}
}

func TestTheStoreRecoversFromADiskWithoutInodes(t *testing.T) {
	disk := smallDisk(t, "size=256m,nr_inodes=100")
	box := open(t, inbox.Options{Dir: filepath.Join(disk, "inbox"), AckWait: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	var files []string
	expectRecovery(t, box, 200_000, fault{
		restart: true,
		start: func() error {
			for {
				f, err := os.CreateTemp(disk, "filler")
				if errors.Is(err, syscall.ENOSPC) {
					return nil
				}
				if err != nil {
					return err
				}
				files = append(files, f.Name())
				if err := f.Close(); err != nil {
					return err
				}
			}
		},
		end: func() (err error) {
			for _, f := range files {
				err = errors.Join(err, os.Remove(f))
			}
			return err
		},
	})
}

func TestTheStoreRecoversFromAnImmutableFile(t *testing.T) {
	dir := t.TempDir()
	box := open(t, inbox.Options{Dir: dir, AckWait: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	chattr := func(flag string) func() error {
		return func() error {
			files, err := filepath.Glob(filepath.Join(streamDir(dir, "JOGG"), "msgs", "*.blk"))
			if err != nil {
				return err
			}
			return exec.Command("chattr", append([]string{flag}, files...)...).Run()
		}
	}
	if err := chattr("+i")(); err != nil {
		t.Skipf("files cannot be made immutable, which takes root and a file system that can: %v", err)
	}
	if err := chattr("-i")(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chattr("-i")() })
	expectRecovery(t, box, 100, fault{restart: true, start: chattr("+i"), end: chattr("-i")})
}

// The free space is measured now and then, and what is stored in between has to count.
func TestAStoredEventReducesTheFreeSpaceImmediately(t *testing.T) {
	g := NewWithT(t)
	box := open(t, inbox.Options{Dir: filepath.Join(smallDisk(t, "size=256m"), "inbox")})
	for i := range 20 {
		before := stats(t, box).FreeBytes
		g.Expect(box.Receive(t.Context(), bigEvent(t, fmt.Sprint("e", i), 1<<20))).To(Succeed())
		g.Expect(stats(t, box).FreeBytes).To(BeNumerically("<=", before-1<<20))
	}
}

func TestAnInboxOpensOnAFullDisk(t *testing.T) {
	g := NewWithT(t)
	disk := smallDisk(t, "size=16m")
	opts := inbox.Options{Dir: filepath.Join(disk, "inbox")}
	box := open(t, opts)
	receive(t, box, "e1", "e2")
	g.Expect(box.Close()).To(Succeed())
	filler := filepath.Join(disk, "filler")
	g.Expect(fill(filler, 0)).To(Succeed())

	box = open(t, opts)
	g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(2))
	g.Expect(box.Healthy(t.Context())).To(MatchError(inbox.ErrFull))
	g.Expect(box.Receive(t.Context(), event(t, "e3"))).To(MatchError(inbox.ErrFull))
	g.Expect(os.Remove(filler)).To(Succeed())
	g.Eventually(func() error { return box.Receive(t.Context(), event(t, "e3")) }).Should(Succeed())
}

// finishOnFullDisk returns an inbox whose handlers return when the disk is full, so that their results are the first writes that fail.
func finishOnFullDisk(t *testing.T, grace time.Duration) (box *inbox.Inbox, got *tally, empty func()) {
	t.Helper()
	const events = 100 // more results than fit into the last page of a file
	g := NewWithT(t)
	disk := smallDisk(t, "size=32m")
	box = open(t, inbox.Options{
		Dir: filepath.Join(disk, "inbox"), Reserve: 1, AckWait: 2 * time.Second, Grace: grace, Concurrency: events,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	got = &tally{}
	release := make(chan struct{})
	run(t, box, func(ctx context.Context, ev webhooks.Event) error {
		got.add(ctx, ev)
		<-release
		return nil
	})
	for i := range events {
		receive(t, box, fmt.Sprintf("event-%03d", i))
	}
	g.Eventually(func() int { return stats(t, box).InProgress }).Should(Equal(events))
	filler := filepath.Join(disk, "filler")
	g.Expect(fill(filler, 0)).To(Succeed())
	close(release)
	g.Eventually(func() bool {
		_, failed := errors.AsType[*inbox.StoreError](box.Healthy(t.Context()))
		return failed
	}).Should(BeTrue())
	return box, got, func() { g.Expect(os.Remove(filler)).To(Succeed()) }
}

func TestHandlerResultsAreKeptUntilTheyCanBeStored(t *testing.T) {
	g := NewWithT(t)
	box, got, empty := finishOnFullDisk(t, 0)
	_, err := box.Stats(t.Context())
	_, failed := errors.AsType[*inbox.StoreError](err)
	g.Expect(failed).To(BeTrue(), "%v", err)
	for _, err := range box.DeadLetters(t.Context()) {
		_, failed := errors.AsType[*inbox.StoreError](err)
		g.Expect(failed).To(BeTrue(), "%v", err)
	}
	empty()
	g.Eventually(func() (inbox.Stats, error) { return box.Stats(t.Context()) }).Should(And(HaveField("Waiting", BeZero()), HaveField("InProgress", BeZero())))
	g.Expect(got.attempts()).To(HaveLen(100))
	g.Expect(got.attempts()).To(HaveEach(1))
}

func TestAnInboxWithAFailedStoreCanBeClosed(t *testing.T) {
	g := NewWithT(t)
	box, _, _ := finishOnFullDisk(t, time.Hour)
	closed := make(chan error)
	go func() { closed <- box.Close() }()
	g.Eventually(closed).WithTimeout(10 * time.Second).Should(Receive(Succeed()))
}
