package jogg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"path"
	"strings"
)

// file is a file to be uploaded.
type file struct {
	name        string
	contentType string
	size        int64 // -1 if it is unknown
	limit       int64 // 0 if none is documented
	reader      io.Reader
	seeker      io.Seeker     // nil if the reader can be read only once
	start       int64         // the position of seeker at the beginning
	turn        chan struct{} // held while the reader is in use
}

// newFile determines what can be known about a file before it is sent, and rejects what the service would not accept.
func newFile(ctx context.Context, name string, reader io.Reader, options uploadOptions) (*file, error) {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	switch {
	case name == "" || base == "." || base == ".." || base == "/":
		return nil, fmt.Errorf("jogg: Upload: %q is not the name of a file", name)
	case reader == nil:
		return nil, fmt.Errorf("jogg: Upload: %q: the reader is nil", base)
	case options.sized && options.size < 0:
		return nil, fmt.Errorf("jogg: Upload: %q: the size of %d bytes is negative", base, options.size)
	}
	f := &file{name: base, reader: reader, turn: make(chan struct{}, 1)}
	if err := f.measure(); err != nil {
		return nil, fmt.Errorf("jogg: Upload: %q: measuring: %w", base, err)
	}
	if f.size >= 0 && options.sized && f.size != options.size {
		return nil, fmt.Errorf("jogg: Upload: %q: %w: it holds %d bytes, not %d", base, ErrUploadSize, f.size, options.size)
	}
	if options.sized {
		f.size = options.size
	}
	if err := f.identify(ctx, options.contentType); err != nil {
		return nil, fmt.Errorf("jogg: Upload: %q: %w", base, err)
	}
	if f.size == 0 {
		return nil, fmt.Errorf("jogg: Upload: %q: %w", base, ErrEmptyUpload)
	}
	f.limit = limits[f.kind()]
	if f.limit > 0 && f.size > f.limit {
		return nil, f.tooLarge(f.size)
	}
	return f, nil
}

// identify sets the content type, and the size as well if the reader ends within the first bytes.
func (f *file) identify(ctx context.Context, wanted string) error {
	if wanted != "" {
		if _, _, err := mime.ParseMediaType(wanted); err != nil || !strings.Contains(wanted, "/") {
			return fmt.Errorf("%w: %q is not a media type", ErrUploadType, wanted)
		}
	}
	f.contentType = wanted
	if f.contentType == "" {
		f.contentType = formats[strings.ToLower(path.Ext(f.name))]
	}
	if f.contentType != "" && f.size >= 0 {
		return nil
	}
	head, err := f.peek(ctx)
	switch {
	case err != nil:
		return err
	case len(head) == 0:
		return ErrEmptyUpload
	}
	if f.contentType == "" {
		f.contentType = sniff(head)
	}
	if f.contentType == "" {
		return fmt.Errorf("%w: name it with an extension such as .png, .mp4 or .mp3, or use WithContentType", ErrUploadType)
	}
	return nil
}

// kind returns the part of the content type that limits depend on.
func (f *file) kind() string {
	kind, _, _ := strings.Cut(strings.ToLower(f.contentType), "/")
	return strings.TrimSpace(kind)
}

func (f *file) tooLarge(size int64) error {
	return &UploadLimitError{Name: f.name, Kind: f.kind(), Limit: f.limit, Size: size}
}

// measure determines how many bytes the reader still holds and whether it can be read again. What is not a regular file, such as a pipe or
// a terminal, can look like a Seeker without being one.
func (f *file) measure() error {
	f.size = -1
	if opened, ok := f.reader.(fs.File); ok {
		if info, err := opened.Stat(); err == nil && !info.Mode().IsRegular() {
			return nil
		}
	}
	if seeker, ok := f.reader.(io.Seeker); ok {
		if start, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			return f.measureFrom(seeker, start)
		}
	}
	if sized, ok := f.reader.(interface{ Len() int }); ok {
		f.size = int64(sized.Len())
	}
	return nil
}

func (f *file) measureFrom(seeker io.Seeker, start int64) error {
	end, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := seeker.Seek(start, io.SeekStart); err != nil {
		return err
	}
	f.seeker, f.start, f.size = seeker, start, max(end-start, 0)
	return nil
}

// peek returns the first bytes of the file without consuming them. If they are the whole file, it sets the size.
func (f *file) peek(ctx context.Context) ([]byte, error) {
	head, err := f.readHead(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading: %w", err)
	case f.seeker != nil:
		_, err := f.seeker.Seek(f.start, io.SeekStart)
		return head, err
	case len(head) < sniffLen && f.size < 0:
		f.size = int64(len(head))
	}
	f.reader = io.MultiReader(bytes.NewReader(head), f.reader)
	return head, nil
}

// readHead reads until it has enough bytes, or until the file or the context ends.
func (f *file) readHead(ctx context.Context) ([]byte, error) {
	head, err := io.ReadAll(io.LimitReader(stoppable{f, ctx.Done()}, sniffLen))
	if errors.Is(err, errStopped) {
		return nil, ctx.Err() // without head, into which the reader may still write
	}
	return head, err
}

// stoppable reads from a file until done is closed, even while the file's reader blocks. After errStopped, the buffer of the Read must not
// be used.
type stoppable struct {
	file *file
	done <-chan struct{}
}

var errStopped = errors.New("the transfer has ended")

func (s stoppable) Read(p []byte) (int, error) {
	select {
	case s.file.turn <- struct{}{}:
	case <-s.done:
		return 0, errStopped
	}
	if isClosed(s.done) { // while it waited for its turn
		<-s.file.turn
		return 0, errStopped
	}
	type result struct {
		n   int
		err error
	}
	read := make(chan result, 1)
	go func() {
		defer func() { <-s.file.turn }()
		n, err := s.file.reader.Read(p)
		read <- result{n, err}
	}()
	select {
	case r := <-read:
		return r.n, r.err
	case <-s.done:
		return 0, errStopped
	}
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// rewind makes the next read start where the first one did. It waits for a read in progress, because net/http may use a request's body for
// a while after it has returned the response.
func (f *file) rewind(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	_, err := f.seeker.Seek(f.start, io.SeekStart)
	return err
}

// read reads the next bytes after the first sent ones. It returns io.EOF with the last ones, and an error if there are fewer or more than
// expected.
func (f *file) read(done <-chan struct{}, p []byte, sent int64) (int, error) {
	if f.size >= 0 && int64(len(p)) > f.size-sent {
		p = p[:f.size-sent]
	}
	n, err := stoppable{f, done}.Read(p)
	sent += int64(n)
	switch {
	case err != nil && !isEnd(err):
		return 0, f.unreadable(err)
	case f.limit > 0 && sent > f.limit:
		return 0, f.tooLarge(sent)
	case f.size >= 0 && sent < f.size && err != nil:
		return 0, fmt.Errorf("jogg: Upload: %q: %w: it ended after %d bytes of %d", f.name, ErrUploadSize, sent, f.size)
	case sent == f.size && err == nil:
		return n, f.ended(done)
	default:
		return n, err
	}
}

// ended returns io.EOF if the reader is at its end.
func (f *file) ended(done <-chan struct{}) error {
	switch _, err := io.ReadFull(stoppable{f, done}, make([]byte, 1)); {
	case err == nil:
		return fmt.Errorf("jogg: Upload: %q: %w: it goes on after %d bytes", f.name, ErrUploadSize, f.size)
	case isEnd(err):
		return io.EOF
	default:
		return f.unreadable(err)
	}
}

// isEnd reports whether a reader is at its end. It does not unwrap err: an error around io.EOF means that the reader was cut off.
func isEnd(err error) bool {
	return err == io.EOF //nolint:errorlint // see above
}

func (f *file) unreadable(err error) error {
	return fmt.Errorf("jogg: Upload: %q: reading: %w", f.name, err)
}
