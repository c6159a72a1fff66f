package jogg

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jogg-go/jogg/gen"
)

// The errors about a file that errors.Is tells apart. A file that is too large is an [*UploadLimitError].
var (
	// ErrEmptyUpload means that a reader is empty. Nothing was sent.
	ErrEmptyUpload = errors.New("the file is empty")
	// ErrUploadSize means that a reader holds fewer or more bytes than [WithUploadSize] said, or than it held when it was measured.
	ErrUploadSize = errors.New("the file does not have the size it was said to have")
	// ErrUploadType means that neither the name nor the first bytes of a file show a format that the service accepts. Nothing was sent.
	ErrUploadType = errors.New("unknown format")
)

// Asset is an uploaded file.
type Asset struct {
	// URL refers to the file in other operations, such as in the AudioURL of a voice.
	URL string
	// Name is the file's name without directories.
	Name string
	// ContentType is the media type that the file was sent with.
	ContentType string
	// Size is the file's size in bytes.
	Size int64
}

// UploadLimitError means that a file is larger than the service accepts.
type UploadLimitError struct {
	// Name is the file's name.
	Name string
	// Kind is "image", "video" or "audio".
	Kind string
	// Limit is the maximum size of a file of this kind, in bytes.
	Limit int64
	// Size is the file's size in bytes. If it was not known in advance, it is what had been read when the limit was exceeded.
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

// WithContentType sends the file with this media type instead of the one that its name or its bytes show. It allows formats that the
// documentation does not list. The service decides whether it can use them.
func WithContentType(mediaType string) UploadOption {
	return func(o *uploadOptions) { o.contentType = mediaType }
}

// WithUploadSize sets the size in bytes of a file whose reader cannot be measured. The upload fails if the reader holds fewer or more
// bytes.
func WithUploadSize(bytes int64) UploadOption {
	return func(o *uploadOptions) { o.size, o.sized = bytes, true }
}

// WithUploadProgress calls report whenever a part of the file was passed to the network, with the bytes passed so far and the size of the
// file, which is -1 as long as it is unknown. The calls are sequential. They come from another goroutine than the one that called Upload,
// and the transfer pauses during each call. They start over when the file is sent again, and none begins after Upload has returned. If the
// context ends, Upload returns without waiting for a call that blocks.
func WithUploadProgress(report func(sent, total int64)) UploadOption {
	return func(o *uploadOptions) { o.progress = report }
}

// Upload stores a file with the service and returns the URL that refers to it in other operations. It requests an upload URL from the
// service, then streams the bytes from the current position of reader to its end. The file is never in memory as a whole. The reader is not
// closed.
//
// The media type is derived from the extension of name: .jpg, .jpeg, .png, .webp and .gif, .mp4, .webm and .mov, .mp3, .wav and .m4a. For
// another name it is detected from the first bytes. [WithContentType] overrides both.
//
// The service accepts images of up to 10 MB, videos of up to 100 MB and 5 minutes, and audio of up to 20 MB and 10 minutes. The sizes are
// checked before anything is sent, or during the transfer if the size is unknown; the durations are not checked. A megabyte is 1048576
// bytes here, the larger of its two meanings, so that no file is rejected that the service might accept.
//
// The size is measured if reader is an [io.Seeker], such as an [os.File], or has a Len method, such as a [bytes.Buffer]; for other readers
// [WithUploadSize] sets it. A file of unknown size is sent in chunks, which some storage hosts reject.
//
// The bytes go to a storage host that the service chooses, without the API key, over https or to a loopback address. Redirects are not
// followed. If reader is an io.Seeker, the file is sent again after a broken connection, status 429 and any status from 500 on, according
// to the client's [RetryPolicy]; other readers can be read only once. A timeout of [WithHTTPClient] does not apply to the transfer; the
// context does. If the context ends while reader is being read, that one Read may outlast Upload.
//
// Errors: [*UploadLimitError], [ErrEmptyUpload], [ErrUploadSize], [ErrUploadType], the errors of reader, an [*APIError] from the service,
// and [*UploadError] from the storage host.
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
