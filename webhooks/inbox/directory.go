package inbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// The files of an inbox directory, besides those of the NATS server.
const (
	manifestFile = "inbox.json"  // marks the directory as an inbox
	lockFile     = "inbox.lock"  // locked while the inbox is open
	holderFile   = "holder.json" // the process that holds the lock, or held it last
)

// manifest is the content of manifestFile.
type manifest struct {
	Format   int      `json:"format"`
	Streams  []string `json:"streams"`
	Complete bool     `json:"complete"` // the streams have been created
	Server   string   `json:"server"`   // the version of the server that wrote last; empty before versions were recorded
}

const formatVersion = 1

// holder is the content of holderFile.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// directory is a directory that this process has locked.
type directory struct {
	path       string
	lock       *flock.Flock
	manifest   manifest
	holder     string // the content of holderFile before this process locked the directory
	unverified bool   // whether the files are damaged or in an unknown format, which cannot be told apart
}

// lockDirectory creates the directory if needed, checks that it is empty or belongs to an inbox, and locks it.
func lockDirectory(path string, streams []string, log *slog.Logger) (_ *directory, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("inbox: directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, fmt.Errorf("inbox: create directory: %w", err)
	}
	if err := checkOwnership(path); err != nil {
		return nil, err
	}
	d := &directory{path: path, lock: flock.New(filepath.Join(path, lockFile), flock.SetPermissions(0o600))}
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("inbox: lock directory: %w", err)
	}
	if !locked {
		return nil, lockedBy(path)
	}
	if err := d.claim(streams, log); err != nil {
		return nil, joined(err, d.release())
	}
	return d, nil
}

// checkOwnership returns ErrForeign if a directory has files but is not an inbox. An interrupted first Open may have left only the files
// that are listed here.
func checkOwnership(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("inbox: read directory: %w", err)
	}
	isManifest := func(e fs.DirEntry) bool { return e.Name() == manifestFile }
	if slices.ContainsFunc(entries, isManifest) {
		return nil
	}
	for _, e := range entries {
		switch e.Name() {
		case lockFile, holderFile, manifestFile + ".tmp", holderFile + ".tmp":
		default:
			return fmt.Errorf("%w: %q has %q but no %s", ErrForeign, path, e.Name(), manifestFile)
		}
	}
	return nil
}

// claim reads the manifest or creates it, and records this process as the holder.
func (d *directory) claim(streams []string, log *slog.Logger) error {
	switch err := d.read(manifestFile, &d.manifest); {
	case errors.Is(err, fs.ErrNotExist):
		d.manifest = manifest{Format: formatVersion, Streams: streams}
		if err := d.write(manifestFile, d.manifest); err != nil {
			return err
		}
	case isPathError(err):
		return fmt.Errorf("inbox: read directory: %w", err)
	case err != nil:
		return fmt.Errorf("%w: %q: %w", ErrCorrupt, d.path, err)
	case d.manifest.Format != formatVersion:
		return fmt.Errorf("inbox: directory %q has format %d, this version supports %d", d.path, d.manifest.Format, formatVersion)
	case !slices.Equal(d.manifest.Streams, streams):
		return &OptionError{Option: "Stream", Err: fmt.Errorf("directory %q has stream %v", d.path, d.manifest.Streams)}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	if d.holder, err = d.readHolder(); err != nil {
		return err
	}
	// The holder is only information for people, so a full disk must not make Open fail here.
	if err := d.write(holderFile, holder{PID: os.Getpid(), Host: host, Since: time.Now()}); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return err // the server could not write either
		}
		log.Warn("inbox cannot record the holder of its directory", "error", err)
	}
	return nil
}

// restoreHolder restores the previous content of holderFile, after a failed Open that has changed nothing else.
func (d *directory) restoreHolder() error {
	path := filepath.Join(d.path, holderFile)
	if d.holder == "" {
		return removeIfThere(path)
	}
	return replaceFile(path, []byte(d.holder))
}

// readHolder returns the content of holderFile, "" if there is none.
func (d *directory) readHolder() (string, error) {
	data, err := os.ReadFile(filepath.Join(d.path, holderFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("inbox: read directory: %w", err)
	}
	return string(data), nil
}

// markComplete records that all streams were created. From now on a missing stream is damage.
func (d *directory) markComplete() error {
	if d.manifest.Complete {
		return nil
	}
	d.manifest.Complete = true
	return d.write(manifestFile, d.manifest)
}

// recordServer records that the linked server writes to the directory. It keeps the previous version if the files could not be verified:
// only that version may be able to read them.
func (d *directory) recordServer() error {
	if d.manifest.Server == server.VERSION || d.unverified {
		return nil
	}
	updated := d.manifest
	updated.Server = server.VERSION
	if err := d.write(manifestFile, updated); err != nil {
		return err
	}
	d.manifest = updated
	return nil
}

// lockedBy returns the error for a directory that another process has locked.
func lockedBy(path string) error {
	other := &directory{path: path}
	var h holder
	if err := other.read(holderFile, &h); err != nil {
		h = holder{} // the other process has not written it yet
	}
	return &LockedError{Dir: path, PID: h.PID, Host: h.Host, Since: h.Since}
}

func (d *directory) release() error {
	if err := d.lock.Unlock(); err != nil {
		return fmt.Errorf("inbox: unlock directory: %w", err)
	}
	return nil
}

func (d *directory) read(name string, v any) error {
	data, err := os.ReadFile(filepath.Join(d.path, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// write replaces a file atomically: after a crash it has either the old or the new content.
func (d *directory) write(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("inbox: write %s: %w", name, err)
	}
	path := filepath.Join(d.path, name)
	if err := replaceFile(path, append(data, '\n')); err != nil {
		return fmt.Errorf("inbox: write %s: %w", name, err)
	}
	return nil
}

func replaceFile(path string, data []byte) error {
	if err := writeFile(path+".tmp", data); err != nil {
		return joined(err, removeIfThere(path+".tmp"))
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// isPathError reports whether err is about accessing a file, as opposed to its content.
func isPathError(err error) bool {
	_, ok := errors.AsType[*fs.PathError](err)
	return ok
}

// writeFile writes and fsyncs a file.
func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir fsyncs a directory, so that a rename in it is durable, where the system supports that.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
