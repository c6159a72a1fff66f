package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
)

// script returns a generated_script_success event with that ID.
func script(t *testing.T, id string) webhooks.Event {
	t.Helper()
	ev, err := webhooks.Parse(fmt.Appendf(nil,
		`{"event":"generated_script_success","event_id":%q,"data":{"script_task_id":"s","scripts":["hidden text"],"status":"success"}}`, id))
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// filled returns the directory of a closed inbox: w1 and w2 wait for their first attempt, f1 waits after a failed one, and d1 and d2 are dead
// letters.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	box, err := inbox.Open(t.Context(), inbox.Options{
		Dir: dir, Stream: "MINE", Subject: "my.own", DuplicateWindow: time.Hour, Backoff: []time.Duration{time.Hour},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	receive := func(ids ...string) {
		for _, id := range ids {
			if err := box.Receive(t.Context(), script(t, id)); err != nil {
				t.Fatal(err)
			}
		}
	}
	receive("f1", "d1", "d2")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ran := make(chan error, 1)
	go func() {
		ran <- box.Run(ctx, webhooks.ReceiverFunc(func(_ context.Context, ev webhooks.Event) error {
			if ev.ID == "f1" {
				return errors.New("database is away\x1b[31m")
			}
			return inbox.Discard(errors.New("no such customer"))
		}))
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c := box.Counts(); c.Failed < 3 || c.Dead < 2; c = box.Counts() {
		<-tick.C
	}
	cancel()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	receive("w1", "w2")
	return dir
}

func key(id string) string { return "generated_script_success:" + id }

// joggbox runs the command and returns its standard output, followed by its standard error if it fails.
func joggbox(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err = run(t.Context(), args, &stdout, &stderr)
	if err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}

// mustRun runs the command, fails the test if the command fails, and returns its standard output.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := joggbox(t, args...)
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
	return out
}

// listed runs a list command with JSON output and returns the IDs of the events.
func listed(t *testing.T, args ...string) (keys []string) {
	t.Helper()
	for line := range strings.Lines(mustRun(t, args...)) {
		var e struct{ Key string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		keys = append(keys, strings.TrimPrefix(e.Key, key("")))
	}
	return keys
}

// expect compares the IDs of events, in order.
func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestStatsOfADirectory(t *testing.T) {
	dir := filled(t)
	var s struct{ Waiting, Dead int }
	if err := json.Unmarshal([]byte(mustRun(t, "-dir", dir, "-json", "stats")), &s); err != nil {
		t.Fatal(err)
	}
	if s.Waiting != 3 || s.Dead != 2 {
		t.Errorf("%+v", s)
	}
	if table := mustRun(t, "-dir", dir, "stats"); !strings.Contains(table, "Dead letters  2\n") {
		t.Error(table)
	}
}

func TestListsAreFiltered(t *testing.T) {
	dir := filled(t)
	for _, c := range []struct {
		args string
		want []string
	}{
		{"list", []string{"f1", "w1", "w2"}},
		{"list -newest", []string{"w2", "w1", "f1"}},
		{"list -limit 2", []string{"f1", "w1"}},
		{"list -key w", []string{"w1", "w2"}},
		{"list -reason database", []string{"f1"}},
		{"list -older 1h", nil},
		{"list -newer 1h -key 1", []string{"f1", "w1"}},
		{"list -type -", nil},
		{"list -state dead -type generated_script_success", []string{"d1", "d2"}},
	} {
		got := listed(t, append([]string{"-dir", dir, "-json"}, strings.Fields(c.args)...)...)
		if strings.HasPrefix(c.args, "list -state") && len(got) == 2 && got[0] == "d2" { // both were dead-lettered at about the same time
			got[0], got[1] = got[1], got[0]
		}
		expect(t, c.args, got, c.want...)
	}
	table := mustRun(t, "-dir", dir, "list")
	if !strings.Contains(table, key("f1")) || strings.Contains(table, "\x1b") || strings.Contains(table, "hidden text") {
		t.Error(table)
	}
}

func TestAnEventIsShown(t *testing.T) {
	dir := filled(t)
	plain := mustRun(t, "-dir", dir, "show", key("f1"))
	for _, part := range []string{"waiting", "database is away", "ATTEMPT"} {
		if !strings.Contains(plain, part) {
			t.Errorf("no %q in %s", part, plain)
		}
	}
	if strings.Contains(plain, "hidden text") || !strings.Contains(mustRun(t, "-dir", dir, "show", "-payload", key("f1")), "hidden text") {
		t.Error("the payload is shown without -payload, or not shown with it")
	}
	if out, err := joggbox(t, "-dir", dir, "show", "nobody"); !errors.Is(err, inbox.ErrNoEvent) {
		t.Error(out, err)
	}
}

func TestEventsAreManaged(t *testing.T) {
	dir := filled(t)
	with := func(args ...string) []string { return append([]string{"-dir", dir, "-json"}, args...) }
	mustRun(t, with("retry", key("f1"))...)
	if out := mustRun(t, with("list", "-key", "f1")...); strings.Contains(out, `"next"`) {
		t.Error(out)
	}
	mustRun(t, with("redrive", key("d1"))...)
	expect(t, "dead after redrive", listed(t, with("list", "-state", "dead")...), "d2")
	mustRun(t, with("discard", "-all", "-key", "w")...)
	expect(t, "dead after discard", listed(t, with("list", "-state", "dead")...), "d2", "w1", "w2")
	expect(t, "waiting after discard", listed(t, with("list")...), "f1", "d1")
	if out := mustRun(t, with("delete", "-all", "-reason", "customer")...); !strings.Contains(out, `"events":1`) {
		t.Error(out)
	}
	expect(t, "dead after delete", listed(t, with("list", "-state", "dead")...), "w1", "w2")
	mustRun(t, with("redrive", "-all")...)
	expect(t, "waiting after redriving all", listed(t, with("list")...), "f1", "d1", "w1", "w2")
	mustRun(t, with("pause", "-for", "1h")...)
	if out := mustRun(t, with("stats")...); strings.Contains(out, `"paused_until":null`) {
		t.Error(out)
	}
	mustRun(t, with("resume")...)
	if out := mustRun(t, with("stats")...); !strings.Contains(out, `"paused_until":null`) {
		t.Error(out)
	}
}

func TestADirectoryIsMovedToACluster(t *testing.T) {
	dir := filled(t)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("server is not ready")
	}
	if out, err := joggbox(t, "-dir", dir, "move", "-to", s.ClientURL()); !errors.Is(err, inbox.ErrNoInbox) {
		t.Error("moved to a cluster without an inbox: ", out, err)
	}
	mustRun(t, "-dir", dir, "-json", "move", "-to", s.ClientURL(), "-create")
	expect(t, "waiting in the directory", listed(t, "-dir", dir, "-json", "list"))
	there := []string{"-url", s.ClientURL(), "-stream", "MINE", "-json"}
	expect(t, "waiting in the cluster", listed(t, append(there, "list")...), "f1", "w1", "w2")
	if dead := listed(t, append(there, "list", "-state", "dead")...); len(dead) != 2 {
		t.Errorf("dead letters in the cluster: %q", dead)
	}
	// The program can open the inbox in the cluster with the settings that it used before.
	box, err := inbox.Open(t.Context(), inbox.Options{URL: s.ClientURL(), Stream: "MINE", Subject: "my.own", DuplicateWindow: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestInvalidArguments(t *testing.T) {
	t.Setenv("NATS_URL", "")
	dir := filled(t)
	for _, args := range [][]string{
		{},
		{"-dir", dir},
		{"-dir", dir, "explode"},
		{"stats"},
		{"-dir", dir, "redrive"},
		{"-dir", dir, "redrive", "-all", "k"},
		{"-dir", dir, "delete", "-key", "x", "k"},
		{"-dir", dir, "show"},
		{"-dir", dir, "move"},
		{"-nothing"},
		{"-dir", dir, "list", "x"},
		{"-dir", dir, "list", "-state", "running"},
	} {
		out, err := joggbox(t, args...)
		if !errors.Is(err, errUsage) || out == "" {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
}

func TestADirectoryThatIsMissingOrInUse(t *testing.T) {
	dir := filled(t)
	if _, err := joggbox(t, "-dir", t.TempDir(), "stats"); !errors.Is(err, inbox.ErrNoInbox) {
		t.Error(err)
	}
	box, err := inbox.Open(t.Context(), inbox.Options{Dir: dir, Stream: "MINE", Subject: "my.own", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	_, err = joggbox(t, "-dir", dir, "stats")
	if _, locked := errors.AsType[*inbox.LockedError](err); !locked {
		t.Error(err)
	}
}
