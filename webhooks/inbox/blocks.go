package inbox

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// blocksFile lists the message blocks of a closed directory. It exists until the directory is opened again. The NATS server does not detect
// a missing message block: it takes the messages in it for deleted.
const blocksFile = "blocks.json"

// blockList is the content of blocksFile.
type blockList struct {
	Holder string                      `json:"holder"` // the content of holderFile at that time; if it differs now, the list is outdated
	Blocks map[string]map[string]int64 `json:"blocks"` // stream name to file name to size
}

// writeBlockList writes the list. The server must have stopped.
func (d *directory) writeBlockList() error {
	list := blockList{Blocks: make(map[string]map[string]int64)}
	var err error
	if list.Holder, err = d.readHolder(); err != nil {
		return err
	}
	for _, name := range d.manifest.Streams {
		if list.Blocks[name], err = d.blockSizes(name); err != nil {
			return fmt.Errorf("inbox: list files: %w", err)
		}
	}
	return d.write(blocksFile, list)
}

func (d *directory) blockSizes(stream string) (map[string]int64, error) {
	blocks, err := blockFiles(filepath.Join(d.streamDir(stream), "msgs"))
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64)
	for _, b := range blocks {
		info, err := os.Stat(b.path)
		if err != nil {
			return nil, err
		}
		sizes[filepath.Base(b.path)] = info.Size()
	}
	return sizes, nil
}

// verifyBlockList returns ErrCorrupt if a listed message block is missing or shorter than listed. It returns nil if there is no list, or if
// it is outdated.
func (d *directory) verifyBlockList() error {
	var list blockList
	switch err := d.read(blocksFile, &list); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case isPathError(err):
		return fmt.Errorf("inbox: read directory: %w", err)
	case err != nil:
		return fmt.Errorf("%w: %q: %w", ErrCorrupt, d.path, err)
	}
	if list.Holder != d.holder {
		return nil
	}
	for _, stream := range slices.Sorted(maps.Keys(list.Blocks)) {
		if err := d.verifyBlocks(stream, list.Blocks[stream]); err != nil {
			return err
		}
	}
	return nil
}

// dropBlockList deletes the list before the server changes the message blocks.
func (d *directory) dropBlockList() error {
	if err := removeIfThere(filepath.Join(d.path, blocksFile)); err != nil {
		return fmt.Errorf("inbox: %w", err)
	}
	return nil
}

func (d *directory) verifyBlocks(stream string, listed map[string]int64) error {
	sizes, err := d.blockSizes(stream)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errDamage) {
		return fmt.Errorf("inbox: read directory: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if size, ok := sizes[name]; !ok {
			return fmt.Errorf("%w: %q: stream %s: %s is missing", ErrCorrupt, d.path, stream, name)
		} else if size < listed[name] {
			return fmt.Errorf("%w: %q: stream %s: %s has %d bytes of %d", ErrCorrupt, d.path, stream, name, size, listed[name])
		}
	}
	return nil
}
