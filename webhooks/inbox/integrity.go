package inbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats-server/v2/server"
)

// verify returns ErrCorrupt if the files of the directory are damaged. It must run before the server starts. The server truncates a file
// where it cannot read it and continues, which is right for one of several replicas, but loses data of the only one.
//
// A crash is not damage. It can leave an incomplete record at the end of the last message block, which was never acknowledged to its
// publisher, and a new stream description with the checksum of the old one. If everything else is intact, verify repairs such a checksum.
// It changes nothing else.
//
// The file format is internal to the server, so a program can be linked with a server whose files verify cannot read. verify then logs a
// warning and does not check them.
func (d *directory) verify(ctx context.Context, log *slog.Logger) error {
	format := d.format(ctx)
	if format == formatUnreadable {
		log.WarnContext(ctx, "inbox directory cannot be checked for damage: its files are from a server with an unknown format",
			"server", d.manifest.Server)
		return nil
	}
	checksums, err := d.verifyStreams()
	if errors.Is(err, ErrCorrupt) && format == formatUnknown {
		log.WarnContext(ctx, "inbox directory is damaged, or from a server with an unknown format", "server", d.manifest.Server, "error", err)
		d.unverified = true
		return nil
	}
	if err != nil {
		return err
	}
	if format != formatUnknown {
		d.dropDamagedFailures(ctx, log)
	}
	for path, sum := range checksums {
		if err := replaceFile(path, []byte(sum)); err != nil {
			return fmt.Errorf("inbox: repair checksum: %w", err)
		}
		log.WarnContext(ctx, "inbox repaired a checksum that was outdated after a crash", "file", path)
	}
	return nil
}

// verifyStreams verifies the streams. It returns the checksums that must be repaired, by the path of their file.
func (d *directory) verifyStreams() (checksums map[string]string, err error) {
	checksums = make(map[string]string)
	for _, name := range d.manifest.Streams {
		switch err := d.verifyStream(name, checksums); {
		case errors.Is(err, fs.ErrNotExist) && !d.manifest.Complete: // the first Open was interrupted
		case errors.Is(err, errDamage), errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%w: %q: stream %s: %w", ErrCorrupt, d.path, name, err)
		case err != nil:
			return nil, fmt.Errorf("inbox: read directory: %w", err)
		}
	}
	return checksums, nil
}

// errDamage marks errors about the content of a file, as opposed to errors of reading it.
var errDamage = errors.New("damaged")

func damage(format string, v ...any) error {
	return fmt.Errorf("%w: %w", errDamage, fmt.Errorf(format, v...))
}

func (d *directory) verifyStream(name string, checksums map[string]string) error {
	dir := d.streamDir(name)
	if err := d.verifyMeta(dir, name, checksums); err != nil {
		return err
	}
	consumers, err := filepath.Glob(filepath.Join(dir, "obs", "*", server.JetStreamMetaFile))
	if err != nil {
		return err
	}
	for _, path := range consumers {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !json.Valid(data) {
			return damage("%s is not JSON", path)
		}
		state, err := os.ReadFile(filepath.Join(filepath.Dir(path), consumerStateFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !consumerStateValid(state) {
			return damage("%s of consumer %s", consumerStateFile, filepath.Base(filepath.Dir(path)))
		}
	}
	blocks, err := blockFiles(filepath.Join(dir, "msgs"))
	if err != nil {
		return err
	}
	return verifyAllBlocks(name, blocks)
}

// verifyMeta compares a stream's description with its checksum, whose hash key is the name of the stream. The server replaces first the
// description and then the checksum, each atomically. After a crash in between, the description is still byte for byte what a server
// writes, which a damaged one almost never is. verifyMeta then adds the right checksum to checksums. The content is compared with the
// options later, see ensureStream.
func (d *directory) verifyMeta(dir, name string, checksums map[string]string) error {
	meta, err := os.ReadFile(filepath.Join(dir, server.JetStreamMetaFile))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, server.JetStreamMetaFileSum)
	sum, err := os.ReadFile(path)
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && !d.manifest.Complete) {
		return err
	}
	key := sha256.Sum256([]byte(name))
	digest, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		return err
	}
	_, _ = digest.Write(meta) // never fails, see hash.Hash
	wanted := hex.EncodeToString(digest.Sum(nil))
	if wanted == string(sum) {
		return nil
	}
	var info server.FileStreamInfo
	if err := json.Unmarshal(meta, &info); err != nil {
		return damage("%s: %w", server.JetStreamMetaFile, err)
	}
	if written, err := json.Marshal(info); err != nil || !bytes.Equal(written, meta) || info.Name != name {
		return damage("%s does not have the checksum in %s", server.JetStreamMetaFile, server.JetStreamMetaFileSum)
	}
	checksums[path] = wanted
	return nil
}

const consumerStateFile = "o.dat"

// consumerStateValid reports whether the state of a consumer can be decoded. The state has no checksum. It begins with two bytes for the
// format, followed by varints: the acknowledgement floor as consumer and stream sequence, and the last delivery as consumer and stream
// sequence; the number of pending messages and, if there are any, a base time and an entry for each; the number of redelivered messages and
// an entry for each. The state of a consumer that has delivered nothing is empty.
func consumerStateValid(data []byte) bool {
	if len(data) == 0 {
		return true
	}
	head := []byte{22, 2}
	data, ok := bytes.CutPrefix(data, head)
	number := func() uint64 {
		n, size := binary.Uvarint(data)
		if ok = ok && size > 0; !ok {
			return 0
		}
		data = data[size:]
		return n
	}
	each := func(count uint64, numbers int) {
		for ; count > 0 && ok; count-- {
			for range numbers {
				number()
			}
		}
	}
	acknowledged, acknowledgedInStream, delivered, deliveredInStream := number(), number(), number(), number()
	if acknowledged > delivered || acknowledgedInStream > deliveredInStream {
		return false
	}
	if pending := number(); pending > 0 {
		number() // the time is a signed varint, which has the same length
		each(pending, 3)
	}
	each(number(), 2)
	return ok
}

// block is a message block: a file with records of messages. Blocks of a stream are numbered.
type block struct {
	path   string
	number int
}

func blockFiles(dir string) ([]block, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var blocks []block
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".blk")
		if !ok {
			continue
		}
		number, err := strconv.Atoi(name)
		if err != nil {
			return nil, damage("%s has no number", e.Name())
		}
		blocks = append(blocks, block{filepath.Join(dir, e.Name()), number})
	}
	slices.SortFunc(blocks, func(a, b block) int { return cmp.Compare(a.number, b.number) })
	return blocks, nil
}

// maxParallelBlocks limits how many blocks are in memory at the same time. Their size is a few megabytes.
const maxParallelBlocks = 4

// verifyAllBlocks verifies blocks in parallel, because this takes most of the time of opening a large directory. It returns the error of
// the first block that has one.
func verifyAllBlocks(stream string, blocks []block) error {
	errs := make([]error, len(blocks))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(maxParallelBlocks, runtime.GOMAXPROCS(0), len(blocks)) {
		readers.Go(func() {
			var content bytes.Buffer
			for {
				i := int(next.Add(1)) - 1
				if i >= len(blocks) {
					return
				}
				content.Reset()
				if errs[i] = blocks[i].read(&content); errs[i] == nil {
					errs[i] = blocks[i].verify(stream, content.Bytes(), i == len(blocks)-1)
				}
			}
		})
	}
	readers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b block) read(content *bytes.Buffer) error {
	f, err := os.Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		content.Grow(int(info.Size()) + bytes.MinRead)
	}
	_, err = content.ReadFrom(f)
	return err
}

// verify verifies the records of a block. The last block may end with an incomplete record, if no complete record follows it.
func (b block) verify(stream string, data []byte, last bool) error {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, b.number))
	sum, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		return err
	}
	for offset := 0; offset < len(data); {
		size := recordSize(data[offset:], sum)
		if size > 0 {
			offset += size
			continue
		}
		if last && truncated(data[offset:]) && !containsRecord(data[offset+1:], sum) {
			return nil
		}
		return damage("%s at byte %d", filepath.Base(b.path), offset)
	}
	return nil
}

// A record of JetStream's file store consists of, in little-endian order: the size of the record with a flag for headers, the sequence with
// flags, a timestamp, and the size of the subject; the subject; the size of the headers, if there are any; the headers and the data; and a
// keyed hash of everything but the sizes.
const (
	recordHead    = 4 + 8 + 8 + 2
	recordHash    = 8
	recordHeaders = 1 << 31
)

// recordSize returns the size of the record at the beginning of data, or 0 if that record is incomplete or damaged.
func recordSize(data []byte, sum hash.Hash) int {
	if len(data) < recordHead {
		return 0
	}
	flagged := binary.LittleEndian.Uint32(data)
	size, subject := int(flagged&^recordHeaders), int(binary.LittleEndian.Uint16(data[20:]))
	head := recordHead + subject
	if flagged&recordHeaders != 0 {
		head += 4
	}
	if size < head+recordHash || size > len(data) {
		return 0
	}
	sum.Reset()
	sum.Write(data[4:20])
	sum.Write(data[recordHead : recordHead+subject])
	sum.Write(data[head : size-recordHash])
	var space [recordHash]byte
	if !bytes.Equal(sum.Sum(space[:0]), data[size-recordHash:size]) {
		return 0
	}
	return size
}

// truncated reports whether data looks like a record that was being written when the process or the machine stopped. It is shorter than its
// size field says, or it ends with zeros, which some file systems leave in allocated but unwritten space.
func truncated(data []byte) bool {
	if len(data) < recordHead {
		return true
	}
	size := int(binary.LittleEndian.Uint32(data) &^ recordHeaders)
	return size > len(data) || bytes.HasSuffix(data, make([]byte, recordHash))
}

// containsRecord reports whether there is a complete record anywhere in data.
func containsRecord(data []byte, sum hash.Hash) bool {
	for offset := range data {
		if recordSize(data[offset:], sum) > 0 {
			return true
		}
	}
	return false
}
