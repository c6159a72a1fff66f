package simulator

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/jogg-go/jogg/gen"
)

// UploadRejection is a request that the second host rejected.
type UploadRejection struct {
	Time   time.Time // on the simulator's clock
	Method string
	Path   string // without the query
	Status int    // HTTP status of the response
	Reason string // why it was rejected
	// KeyLeaked is set if the request had an X-Api-Key header, which a client must not send to another host.
	KeyLeaked bool
}

// UploadRejections returns the requests that the second host rejected, oldest first. It does not include requests that a fault made fail.
// Only the last ones are retained: see WithLogSize.
func (s *Simulator) UploadRejections() []UploadRejection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]UploadRejection(nil), s.refusals...)
}

const (
	megabyte = 1 << 20
	// signedURLLifetime is how long a sign_url is valid. JoggAI does not document it.
	signedURLLifetime = 15 * time.Minute
)

// uploadKinds are the documented media types of uploads with their size limits.
var uploadKinds = map[string]struct {
	prefix  string
	maxSize int64
}{
	"image/jpeg": {"img", 10 * megabyte}, "image/png": {"img", 10 * megabyte},
	"image/webp": {"img", 10 * megabyte}, "image/gif": {"img", 10 * megabyte},
	"video/mp4": {"vid", 100 * megabyte}, "video/webm": {"vid", 100 * megabyte}, "video/quicktime": {"vid", 100 * megabyte},
	"audio/mpeg": {"aud", 20 * megabyte}, "audio/mp3": {"aud", 20 * megabyte},
	"audio/wav": {"aud", 20 * megabyte}, "audio/x-wav": {"aud", 20 * megabyte}, "audio/wave": {"aud", 20 * megabyte},
	"audio/mp4": {"aud", 20 * megabyte}, "audio/x-m4a": {"aud", 20 * megabyte}, "audio/m4a": {"aud", 20 * megabyte},
}

// upload is guarded by Simulator.mu.
type upload struct {
	name         string
	signature    string
	contentType  string
	declaredSize int64 // file_size of the request; 0 if unknown
	maxSize      int64
	expires      time.Time
	body         []byte // nil until it was uploaded
	etag         string
	stored       time.Time
}

func (s server) CreateAssetUpload(_ context.Context, body gen.CreateAssetUploadRequest) (*gen.AssetUpload, error) {
	mediaType, _, err := mime.ParseMediaType(body.ContentType)
	kind, ok := uploadKinds[mediaType]
	if err != nil || !ok {
		return nil, invalid("content_type", "not supported")
	}
	if strings.TrimSpace(body.Filename) == "" {
		return nil, invalid("filename", "must not be empty")
	}
	if body.FileSize > kind.maxSize {
		return nil, invalid("file_size", fmt.Sprintf("%s is limited to %d MB", mediaType, kind.maxSize/megabyte))
	}
	u := &upload{
		name:         kind.prefix + "_" + s.ids.hex(12) + plainExtension(body.Filename),
		signature:    s.ids.hex(40),
		contentType:  body.ContentType,
		declaredSize: body.FileSize,
		maxSize:      kind.maxSize,
		expires:      s.clock.Now().Add(signedURLLifetime),
	}
	s.uploads[u.name] = u
	base := s.config.mediaURL
	return &gen.AssetUpload{
		SignURL:  fmt.Sprintf("%s/upload/%s?expires=%d&signature=%s", base, u.name, u.expires.Unix(), u.signature),
		AssetURL: base + "/assets/" + u.name,
	}, nil
}

// plainExtension returns the extension of a file name in lower case, or "" if it is too long or needs escaping in a URL.
func plainExtension(filename string) string {
	extension := strings.ToLower(path.Ext(filename))
	if extension == "" || len(extension) > 6 || strings.Trim(extension[1:], "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return ""
	}
	return extension
}

// newMediaHost returns the handler of the second host: uploads, uploaded files, and the media of finished tasks and of the catalog.
func (s *Simulator) newMediaHost() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /upload/{name}", s.guard(PutAsset, s.putAsset))
	mux.HandleFunc("GET /assets/{name}", s.guard(GetMedia, s.getAsset))
	mux.HandleFunc("GET /{kind}/{file}", s.guard(GetMedia, s.getMedia))
	return mux
}

// storageError is an error of the second host. Its response is a status and an XML body, as that of object stores.
type storageError struct {
	status int
	code   string
	reason string
}

func (r *storageError) Error() string { return r.reason }

// guard wraps a handler of the second host: it applies faults, rejects requests with an API key, and records every request.
func (s *Simulator) guard(operation string, serve func(http.ResponseWriter, *http.Request) *storageError) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{operation: operation, remaining: -1}
		s.mu.Lock()
		x.rid = s.rids.hex(16)
		fault, injected := s.takeFault(operation)
		s.mu.Unlock()
		if injected {
			s.failStorage(w, r, x, fault)
			return
		}
		leaked := r.Header.Get("X-Api-Key") != ""
		refused := &storageError{http.StatusForbidden, "AccessDenied", "the API key was sent to another host"}
		if !leaked {
			refused = serve(w, r)
		}
		if refused == nil {
			s.recordRequest(x, r, response{status: http.StatusOK}, false)
			return
		}
		s.recordRequest(x, r, response{status: refused.status}, false)
		s.mu.Lock()
		s.refusals = keepLast(append(s.refusals, UploadRejection{
			Time: s.clock.Now(), Method: r.Method, Path: r.URL.Path,
			Status: refused.status, Reason: refused.reason, KeyLeaked: leaked,
		}), s.config.logSize)
		s.mu.Unlock()
		refused.response(x).send(w)
	}
}

func (r *storageError) response(x *exchange) *response {
	const form = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId></Error>"
	body := fmt.Sprintf(form,
		r.code, r.reason, x.rid)
	return &response{status: r.status, header: http.Header{"Content-Type": {"application/xml"}}, body: []byte(body), cut: -1}
}

// failStorage responds with a fault; its default status is 503. The request body is read first, so that the client gets the response.
func (s *Simulator) failStorage(w http.ResponseWriter, r *http.Request, x *exchange, f Fault) {
	if !f.CloseConnection {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 200*megabyte))
	}
	s.sleep(r, f.Delay)
	resp := s.faultResponse(x, f)
	if f.Body == nil {
		plain := (&storageError{resp.status, "ServiceUnavailable", cmp.Or(f.Message, "please try again")}).response(x)
		resp.body = plain.body
		resp.header.Set("Content-Type", plain.header.Get("Content-Type"))
	}
	resp.code, resp.status, resp.hangUp = 0, cmp.Or(f.HTTPStatus, http.StatusServiceUnavailable), f.CloseConnection
	if f.Truncate {
		resp.cut = len(resp.body) / 2
	}
	s.recordRequest(x, r, resp, true)
	resp.send(w)
}

func (s *Simulator) putAsset(w http.ResponseWriter, r *http.Request) *storageError {
	s.mu.Lock()
	u := s.uploads[r.PathValue("name")]
	s.mu.Unlock()
	if u == nil || subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("signature")), []byte(u.signature)) != 1 {
		return &storageError{http.StatusForbidden, "SignatureDoesNotMatch", "the signature does not match"}
	}
	if !s.clock.Now().Before(u.expires) {
		return &storageError{http.StatusForbidden, "AccessDenied", "the signed URL has expired"}
	}
	if r.Header.Get("Content-Type") != u.contentType {
		return &storageError{http.StatusForbidden, "SignatureDoesNotMatch", "the Content-Type differs from the declared content_type"}
	}
	if r.ContentLength < 0 {
		return &storageError{http.StatusLengthRequired, "MissingContentLength", "the Content-Length is missing"}
	}
	if r.ContentLength > u.maxSize {
		return &storageError{http.StatusRequestEntityTooLarge, "EntityTooLarge", "the file is too large"}
	}
	if u.declaredSize > 0 && r.ContentLength != u.declaredSize {
		return &storageError{http.StatusBadRequest, "InvalidSize", "the size differs from the declared file_size"}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return &storageError{http.StatusBadRequest, "IncompleteBody", "the body ended early"}
	}
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(body))
	s.mu.Lock()
	u.body, u.etag, u.stored = body, etag, s.clock.Now()
	s.notify()
	s.mu.Unlock()
	w.Header().Set("ETag", etag)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Simulator) getAsset(w http.ResponseWriter, r *http.Request) *storageError {
	s.mu.Lock()
	u := s.uploads[r.PathValue("name")]
	if u == nil || u.body == nil {
		s.mu.Unlock()
		return &storageError{http.StatusNotFound, "NoSuchKey", "no such object"}
	}
	body, etag, stored := u.body, u.etag, u.stored
	s.mu.Unlock()
	w.Header().Set("Content-Type", u.contentType)
	w.Header().Set("ETag", etag)
	http.ServeContent(w, r, "", stored, bytes.NewReader(body))
	return nil
}

func (s *Simulator) getMedia(w http.ResponseWriter, r *http.Request) *storageError {
	file := r.PathValue("file")
	name, extension, _ := strings.Cut(file, ".")
	id, tag, _ := cutLast(name, "-")
	if subtle.ConstantTimeCompare([]byte(tag), []byte(s.mediaTag(r.PathValue("kind"), id, extension))) != 1 {
		return &storageError{http.StatusNotFound, "NoSuchKey", "no such object"}
	}
	body, contentType := mediaBytes(id, extension, s.subtitleText(id))
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
	return nil
}

// subtitleText returns the text of a task's subtitles: the text of its request, or else its id.
func (s *Simulator) subtitleText(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tasks[id]; t != nil && t.spec.text != "" {
		return strings.Join(strings.Fields(t.spec.text), " ") // an empty line would end the subtitle
	}
	return id
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}
