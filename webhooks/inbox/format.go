package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// knownServers are the releases of the NATS server whose file format verify is known to read.
var knownServers = []string{"2.11", "2.12", "2.14", "2.15"}

func serverKnown(version string) bool {
	return slices.ContainsFunc(knownServers, func(release string) bool { return strings.HasPrefix(version, release+".") })
}

// format says whether verify can read the files of a directory.
type format int

const (
	formatKnown      format = iota // it can
	formatUnreadable               // it cannot
	formatUnknown                  // undetermined: the server that wrote them is neither known nor the linked one
)

// format is determined by the server that wrote to the directory last. If that server is the linked one and not a known release, it writes
// a sample store, to test whether verify can read it.
func (d *directory) format(ctx context.Context) format {
	switch written := d.manifest.Server; {
	case written == "", serverKnown(written):
		return formatKnown
	case written != server.VERSION:
		return formatUnknown
	case d.probeFormat(ctx) != nil:
		return formatUnreadable
	}
	return formatKnown
}

// sampleStoreDir is the temporary directory of the sample store.
const sampleStoreDir = "format.tmp"

// corruptSampleStore is a hook for tests.
var corruptSampleStore func(dir string)

// probeFormat writes a sample store with the linked server and verifies it.
func (d *directory) probeFormat(ctx context.Context) (err error) {
	path := filepath.Join(d.path, sampleStoreDir)
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(path) }() // if it fails, the next probe removes it
	opts := Options{Dir: path}.withDefaults()
	opts.Logger = slog.New(slog.DiscardHandler)
	if err := writeSampleStore(ctx, &opts); err != nil {
		return err
	}
	if corruptSampleStore != nil {
		corruptSampleStore(path)
	}
	sample := &directory{path: path, manifest: manifest{Streams: opts.streamNames(), Complete: true}}
	checksums, err := sample.verifyStreams()
	if err == nil && len(checksums) > 0 {
		err = fmt.Errorf("%w: %d checksums differ", errDamage, len(checksums))
	}
	return err
}

// writeSampleStore writes every kind of file that an inbox has: messages with and without headers, a deleted message, and a consumer with
// one acknowledged and one unacknowledged message.
func writeSampleStore(ctx context.Context, o *Options) error {
	l := &local{log: o.Logger, checkNow: make(chan struct{}, 1)}
	s, err := startServer(ctx, o.Dir, l)
	if err != nil {
		return err
	}
	defer stopServer(s)
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.Name(connName))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	streams, err := setUp(ctx, js, o, false)
	if err != nil {
		return err
	}
	for i := range 4 {
		msg := nats.NewMsg(o.eventsSubject())
		msg.Data = fmt.Appendf(nil, "message %d", i)
		if i > 0 {
			msg.Header.Set(jetstream.MsgIDHeader, strconv.Itoa(i))
		}
		if _, err := js.PublishMsg(ctx, msg); err != nil {
			return err
		}
	}
	batch, err := streams.consumer.FetchNoWait(2)
	if err != nil {
		return err
	}
	first := true
	for msg := range batch.Messages() {
		if !first {
			continue
		}
		first = false
		if err := msg.DoubleAck(ctx); err != nil {
			return err
		}
	}
	if err := batch.Error(); err != nil {
		return err
	}
	return streams.events.DeleteMsg(ctx, 3)
}
