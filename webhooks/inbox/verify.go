package inbox

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats-server/v2/server"
)

// verify looks for damage, without changing anything. A NATS server does not mind damage: it cuts off what it cannot read and goes
// on, which is right for one of several replicas and wrong for the only one. So what it would cut off has to be found before it
// starts. All that a crash leaves behind is the beginning of a record at the end of the last file, which nobody was told is there.
func (d *directory) verify() error {
	for _, name := range d.about.Streams {
		switch err := verifyStream(d.streamDir(name), name); {
		case errors.Is(err, fs.ErrNotExist) && !d.about.Complete: // the first Open was cut short
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("inbox: read directory: %w", err)
		case err != nil:
			return fmt.Errorf("%w: %q: stream %s: %w", ErrCorrupt, d.path, name, err)
		}
	}
	return nil
}

func verifyStream(dir, name string) error {
	if err := verifyMeta(dir, name); err != nil {
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
			return fmt.Errorf("%s is not JSON", path)
		}
		state, err := os.ReadFile(filepath.Join(filepath.Dir(path), consumerStateFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !consumerStateSound(state) {
			return fmt.Errorf("%s of consumer %s is damaged", consumerStateFile, filepath.Base(filepath.Dir(path)))
		}
	}
	blocks, err := blockFiles(filepath.Join(dir, "msgs"))
	if err != nil {
		return err
	}
	for i, block := range blocks {
		if err := block.verify(name, i == len(blocks)-1); err != nil {
			return err
		}
	}
	return nil
}

// verifyMeta compares a stream's description with its checksum, whose key is the stream's name.
func verifyMeta(dir, name string) error {
	meta, err := os.ReadFile(filepath.Join(dir, server.JetStreamMetaFile))
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(dir, server.JetStreamMetaFileSum))
	if err != nil {
		return err
	}
	key := sha256.Sum256([]byte(name))
	digest, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		return err
	}
	_, _ = digest.Write(meta) // never fails, see hash.Hash
	if hex.EncodeToString(digest.Sum(nil)) != string(sum) {
		return fmt.Errorf("%s does not have the checksum in %s", server.JetStreamMetaFile, server.JetStreamMetaFileSum)
	}
	return nil
}

const consumerStateFile = "o.dat"

// consumerStateSound reports whether the state of a consumer can be read. It has no checksum: two bytes that say what it is are
// followed by numbers of variable length, which are how far the consumer has acknowledged and delivered, in its own count and in the
// stream's; how many messages wait for their acknowledgement, and if any since when, then each of them; and how many have been
// delivered again, then each of them. A consumer that has not begun has none.
func consumerStateSound(data []byte) bool {
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
		number() // a time, signed, which takes the same bytes
		each(pending, 3)
	}
	each(number(), 2)
	return ok
}

// block is a file of messages, number by number.
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
			return nil, fmt.Errorf("%s has no number", e.Name())
		}
		blocks = append(blocks, block{filepath.Join(dir, e.Name()), number})
	}
	slices.SortFunc(blocks, func(a, b block) int { return cmp.Compare(a.number, b.number) })
	return blocks, nil
}

// verify goes through the records of a block. The last block may end in the middle of one, as long as none that is whole comes after.
func (b block) verify(stream string, last bool) error {
	data, err := os.ReadFile(b.path)
	if err != nil {
		return err
	}
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
		if last && cutShort(data[offset:]) && !recordIn(data[offset+1:], sum) {
			return nil
		}
		return fmt.Errorf("%s is damaged at byte %d", filepath.Base(b.path), offset)
	}
	return nil
}

// A record of JetStream's file store is, in little-endian order: its size with a flag for headers, a sequence number with flags, a
// time, the size of the subject; the subject; the size of the headers if there are any; headers and data; a keyed hash of all but the
// sizes.
const (
	recordHead    = 4 + 8 + 8 + 2
	recordHash    = 8
	recordHeaders = 1 << 31
)

// recordSize returns the size of the record that data begins with, or 0 if it begins with none that is whole and sound.
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

// cutShort reports whether data looks like a record that was being written when the process or the machine stopped: it ends before
// its size says, or in zeros, which some file systems leave where nothing has been written yet.
func cutShort(data []byte) bool {
	if len(data) < recordHead {
		return true
	}
	size := int(binary.LittleEndian.Uint32(data) &^ recordHeaders)
	return size > len(data) || bytes.HasSuffix(data, make([]byte, recordHash))
}

// recordIn reports whether there is a whole record anywhere in data.
func recordIn(data []byte, sum hash.Hash) bool {
	for offset := range data {
		if recordSize(data[offset:], sum) > 0 {
			return true
		}
	}
	return false
}
