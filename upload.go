package jogg

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jogg-go/jogg/gen"
)

// The faults of a file that errors.Is tells apart. A file that is too large is an [*UploadLimitError].
var (
	// ErrEmptyUpload says that a reader holds no byte. Nothing was sent.
	ErrEmptyUpload = errors.New("the file is empty")
	// ErrUploadSize says that a reader holds fewer or more bytes than [WithUploadSize] said, or than it held when it was measured.
	ErrUploadSize = errors.New("the file does not have the size it was said to have")
	// ErrUploadType says that neither the name nor the first bytes of a file show a format that the service takes. Nothing was
	// sent.
	ErrUploadType = errors.New("unknown format")
)

// Asset is a file that was uploaded.
type Asset struct {
	// URL stands for the file in other operations, such as the AudioURL of a voice.
	URL string
	// Name is the file's name, without the folders that it was given with.
	Name string
	// ContentType is the media type that it was sent with.
	ContentType string
	// Size is its size in bytes.
	Size int64
}

// UploadLimitError says that a file is larger than the service takes.
type UploadLimitError struct {
	// Name is the file's name.
	Name string
	// Kind is "image", "video" or "audio".
	Kind string
	// Limit is the most bytes that a file of this kind can have.
	Limit int64
	// Size is the file's size in bytes. Where it was not known beforehand, it is what had been read when the limit was passed.
	Size int64
}

// Error implements error.
func (e *UploadLimitError) Error() string {
	return fmt.Sprintf("jogg: Upload: %q: %d bytes are more than the limit of %d MB (%d bytes) for %s files",
		e.Name, e.Size, e.Limit/megabyte, e.Limit, e.Kind)
}

// UploadOption changes how [Client.Upload] sends a file.
type UploadOption func(*uploadOptions)

type uploadOptions struct {
	contentType string
	size        int64
	sized       bool
	progress    func(sent, total int64)
}

// WithContentType sends the file as this media type instead of the one that its name or its bytes show. It allows formats that the
// documentation does not list; whether the service can use them is the service's to say.
func WithContentType(mediaType string) UploadOption {
	return func(o *uploadOptions) { o.contentType = mediaType }
}

// WithUploadSize tells the size in bytes of a file whose reader cannot be measured. A reader that turns out to hold fewer or more
// bytes is an error, and the upload does not take place.
func WithUploadSize(bytes int64) UploadOption {
	return func(o *uploadOptions) { o.size, o.sized = bytes, true }
}

// WithUploadProgress calls report whenever a part of the file was handed to the network: with the bytes handed over so far, and the
// size of the file, which is -1 as long as it is not known. The calls come one after the other, from another goroutine than the one
// that called Upload, and the transfer stands still meanwhile. They begin anew when the file is sent again, and none begins after
// Upload has returned. Upload returns without one that blocks if the context ends.
func WithUploadProgress(report func(sent, total int64)) UploadOption {
	return func(o *uploadOptions) { o.progress = report }
}

// Upload stores a file with the service and returns the URL that stands for it in other operations. It asks the service for a
// place, then sends the bytes from where reader stands to its end; they pass through, and never lie in memory as a whole. The
// reader is not closed.
//
// The media type follows from the extension of name: .jpg, .jpeg, .png, .webp and .gif, .mp4, .webm and .mov, .mp3, .wav and .m4a.
// For another name it is read from the first bytes. [WithContentType] overrides both.
//
// The service takes images of up to 10 MB, videos of up to 100 MB and 5 minutes, and audio of up to 20 MB and 10 minutes. The sizes
// are checked before anything is sent, or while sending where the size is not known; the durations are not checked. A megabyte is
// taken for 1048576 bytes, the larger of its two meanings, so that no file is refused here that the service might take.
//
// The size is measured where reader is an [io.Seeker], such as an [os.File], or has a Len method, such as a [bytes.Buffer]; for
// others [WithUploadSize] tells it. Without a size the file is sent in chunks, which some storage hosts refuse.
//
// The bytes go to a storage host of the service's choice, without the API key, over https or to a loopback address, and no
// redirect is followed. After a broken connection, status 429 and any status from 500 on, the file is sent again by the client's
// [RetryPolicy] if reader is an io.Seeker; other readers can be read only once. A timeout of [WithHTTPClient] does not count for
// the transfer; the context does. When the context ends while reader is being read, that one Read may outlast Upload.
//
// Errors: [*UploadLimitError], [ErrEmptyUpload], [ErrUploadSize], [ErrUploadType], what reader returned, an [*APIError] from the
// service, and [*UploadError] from the storage host.
func (c *Client) Upload(ctx context.Context, name string, reader io.Reader, opts ...UploadOption) (*Asset, error) {
	var options uploadOptions
	for _, opt := range opts {
		opt(&options)
	}
	f, err := newFile(ctx, name, reader, options)
	if err != nil {
		return nil, err
	}
	place, err := c.CreateAssetUpload(ctx, gen.CreateAssetUploadRequest{
		Filename: f.name, ContentType: f.contentType, FileSize: max(f.size, 0),
	})
	if err != nil {
		return nil, err
	}
	sent, err := c.transfer(ctx, f, place.SignURL, options.progress)
	if err != nil {
		return nil, err
	}
	return &Asset{URL: place.AssetURL, Name: f.name, ContentType: f.contentType, Size: sent}, nil
}
