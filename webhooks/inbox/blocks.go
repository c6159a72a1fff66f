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

// blocksFile lists the message files of a directory that has been closed. It is there until the directory is opened again. A server whose
// file is missing does not notice: it takes the messages in it for deleted.
const blocksFile = "blocks.json"

// blockList is the content of blocksFile.
type blockList struct {
	Holder string                      `json:"holder"` // the content of holderFile at that time; another one opened it since if it differs
	Blocks map[string]map[string]int64 `json:"blocks"` // sizes by name, by stream
}

// listBlocks writes the list. The server must have stopped.
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

// verifyBlockList compares the files with the list, if there is one.
func (d *directory) verifyBlockList() error {
	var list blockList
	switch err := d.read(blocksFile, &list); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.As(err, new(*fs.PathError)):
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

// dropBlockList deletes the list, which the server is about to make untrue.
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
