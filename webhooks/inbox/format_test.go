package inbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/e2e/logbuffer"
	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// rewrite changes a file.
func rewrite(t testing.TB, path string, change func(data []byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAChecksumThatACrashLeftStaleIsRepaired(t *testing.T) {
	g := NewWithT(t)
	dir := filled(t)
	meta := filepath.Join(streamDir(dir, "JOGG"), "meta.inf")
	// The server replaced the stream's description to change a limit, and was killed before it replaced the checksum.
	limit := regexp.MustCompile(`"max_msgs":-1`)
	rewrite(t, meta, func(data []byte) []byte {
		g.Expect(limit.FindAll(data, -1)).To(HaveLen(1))
		return limit.ReplaceAll(data, []byte(`"max_msgs":1000`))
	})
	g.Expect(os.Remove(filepath.Join(dir, "blocks.json"))).To(Succeed())

	var log logbuffer.Buffer
	box := open(t, inbox.Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(4))
	g.Expect(deadLetters(t, box)).To(HaveLen(1))
	g.Expect(log.String()).To(ContainSubstring("repaired a checksum"))
	receive(t, box, "e5")
	g.Expect(box.Close()).To(Succeed())
	g.Expect(stats(t, open(t, inbox.Options{Dir: dir})).Waiting).To(BeEquivalentTo(5))
}

func TestTheMetadataOfAnotherStreamIsNotRepaired(t *testing.T) {
	g := NewWithT(t)
	dir := filled(t)
	other, err := os.ReadFile(filepath.Join(streamDir(dir, "JOGG_DEAD"), "meta.inf"))
	g.Expect(err).NotTo(HaveOccurred())
	rewrite(t, filepath.Join(streamDir(dir, "JOGG"), "meta.inf"), func([]byte) []byte { return other })
	_, err = inbox.Open(t.Context(), inbox.Options{Dir: dir})
	g.Expect(err).To(MatchError(inbox.ErrCorrupt))
}

func TestAFirstOpenKilledBetweenTwoFilesIsFinished(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	g.Expect(open(t, inbox.Options{Dir: dir}).Close()).To(Succeed())
	g.Expect(os.Remove(filepath.Join(streamDir(dir, "JOGG_DEAD"), "meta.sum"))).To(Succeed())
	g.Expect(os.RemoveAll(streamDir(dir, "JOGG_HANDLED"))).To(Succeed())
	g.Expect(os.Remove(filepath.Join(dir, "blocks.json"))).To(Succeed())
	rewrite(t, filepath.Join(dir, "inbox.json"), func(data []byte) []byte {
		return bytes.Replace(data, []byte(`"complete":true`), []byte(`"complete":false`), 1)
	})
	box := open(t, inbox.Options{Dir: dir})
	receive(t, box, "e1")
	g.Expect(box.Close()).To(Succeed())
	g.Expect(stats(t, open(t, inbox.Options{Dir: dir})).Waiting).To(BeEquivalentTo(1))
}

func TestAMissingMessageFileIsDamage(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(path string) error
	}{
		{"missing", os.Remove},
		{"truncated", func(path string) error { return os.Truncate(path, 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			dir := filled(t)
			files, err := filepath.Glob(filepath.Join(streamDir(dir, "JOGG"), "msgs", "*.blk"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(files).To(HaveLen(1))
			data, err := os.ReadFile(files[0])
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(c.damage(files[0])).To(Succeed())
			for range 2 { // the failed Open changes nothing
				_, err = inbox.Open(t.Context(), inbox.Options{Dir: dir})
				g.Expect(err).To(MatchError(inbox.ErrCorrupt))
				g.Expect(err).To(MatchError(ContainSubstring(filepath.Base(files[0]))))
			}
			g.Expect(os.WriteFile(files[0], data, 0o600)).To(Succeed())
			g.Expect(stats(t, open(t, inbox.Options{Dir: dir})).Waiting).To(BeEquivalentTo(4))
		})
	}
}

func TestAListOfMessageFilesIsForTheNextOpenOnly(t *testing.T) {
	g := NewWithT(t)
	dir := filled(t)
	list, err := os.ReadFile(filepath.Join(dir, "blocks.json"))
	g.Expect(err).NotTo(HaveOccurred())
	box := open(t, inbox.Options{Dir: dir})
	g.Expect(filepath.Join(dir, "blocks.json")).NotTo(BeAnExistingFile())
	run(t, box, func(context.Context, webhooks.Event) error { return nil })
	g.Eventually(func() bool { return idle(t, box) }).Should(BeTrue())
	g.Expect(box.Close()).To(Succeed())
	// A version without block lists has opened the directory and left an outdated list.
	g.Expect(os.WriteFile(filepath.Join(dir, "blocks.json"), list, 0o600)).To(Succeed())
	g.Expect(stats(t, open(t, inbox.Options{Dir: dir})).Waiting).To(BeZero())
}

// linked returns the release of the linked server, for example "2.12".
func linked() string { return server.VERSION[:strings.LastIndex(server.VERSION, ".")] }

// setServer changes the server version that a directory records.
func setServer(t testing.TB, dir, version string) {
	t.Helper()
	rewrite(t, filepath.Join(dir, "inbox.json"), func(data []byte) []byte {
		var about map[string]any
		if err := json.Unmarshal(data, &about); err != nil {
			t.Fatal(err)
		}
		about["server"] = version
		data, err := json.Marshal(about)
		if err != nil {
			t.Fatal(err)
		}
		return data
	})
}

func lastServer(t testing.TB, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "inbox.json"))
	if err != nil {
		t.Fatal(err)
	}
	var about struct{ Server string }
	if err := json.Unmarshal(data, &about); err != nil {
		t.Fatal(err)
	}
	return about.Server
}

func TestTheLastServerVersionIsRecorded(t *testing.T) {
	g := NewWithT(t)
	dir := filled(t)
	g.Expect(lastServer(t, dir)).To(Equal(server.VERSION))
	setServer(t, dir, "2.11.4")
	g.Expect(open(t, inbox.Options{Dir: dir}).Close()).To(Succeed())
	g.Expect(lastServer(t, dir)).To(Equal(server.VERSION))
}

// TestUnknownServerReleases changes package variables, so it is not parallel.
func TestUnknownServerReleases(t *testing.T) {
	everyBlock := func(change func(data []byte)) func(dir string) {
		return func(dir string) {
			files, err := filepath.Glob(filepath.Join(streamDir(dir, "*"), "msgs", "*.blk"))
			if err != nil || len(files) == 0 {
				t.Error(files, err)
			}
			for _, path := range files {
				rewrite(t, path, func(data []byte) []byte {
					change(data)
					return data
				})
			}
		}
	}
	inverted := everyBlock(func(data []byte) { // breaks the checksum at the end of a record
		if len(data) > 0 {
			data[len(data)-1] ^= 0xff
			data[30] ^= 0xff
		}
	})
	for _, c := range []struct {
		name    string
		server  string           // the server that wrote last
		release string           // the release that is unknown
		spoil   func(dir string) // makes the sample store unreadable
		damage  func(dir string) // damages the directory
		corrupt bool             // whether Open fails
		log     string           // what Open logs
	}{
		{"writes the known format", server.VERSION, linked(), nil, nil, false, ""},
		{"writes the known format, and the directory is damaged", server.VERSION, linked(), nil, inverted, true, ""},
		{"writes another format", server.VERSION, linked(), inverted, nil, false, "cannot be checked for damage"},
		{"wrote last, in the known format", "9.9.9", "", nil, nil, false, ""},
		{"is linked, but a known one wrote last", "2.11.4", linked(), nil, nil, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			dir := filled(t)
			setServer(t, dir, c.server)
			if c.damage != nil {
				c.damage(dir)
			}
			defer inbox.WithUnknownServer(c.release, c.spoil)()
			var log logbuffer.Buffer
			box, err := inbox.Open(t.Context(), inbox.Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if c.corrupt {
				g.Expect(err).To(MatchError(inbox.ErrCorrupt))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(stats(t, box).Waiting).To(BeEquivalentTo(4))
			g.Expect(box.Close()).To(Succeed())
			if c.log == "" {
				g.Expect(log.String()).To(BeEmpty())
			}
			g.Expect(log.String()).To(ContainSubstring(c.log))
			g.Expect(filepath.Join(dir, "format.tmp")).NotTo(BeADirectory())
		})
	}
	t.Run("wrote last, in an unreadable format", func(t *testing.T) {
		g := NewWithT(t)
		dir := filled(t)
		setServer(t, dir, "9.9.9")
		rewrite(t, filepath.Join(streamDir(dir, "JOGG_DEAD"), "meta.sum"), func([]byte) []byte { return []byte("another kind of checksum") })
		rewrite(t, filepath.Join(streamDir(dir, "JOGG"), "obs", "worker", "o.dat"), func(data []byte) []byte { return append(data[:1], 99) })
		var log logbuffer.Buffer
		box, err := inbox.Open(t.Context(), inbox.Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		g.Expect(log.String()).To(ContainSubstring("from a server with an unknown format"))
		// The files are left to the linked server, which does not find the stream.
		g.Expect(err).To(MatchError(ContainSubstring("JOGG_DEAD")))
		g.Expect(box).To(BeNil())
		g.Expect(lastServer(t, dir)).To(Equal("9.9.9"))
	})
}
