package jogg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/jogg-go/jogg/e2e/paths"
)

const (
	uploadKey = "key-that-must-not-travel"
	signature = "signature-that-must-not-show"
)

// place is the destination of uploads in these tests: the service, which returns URLs, and the storage host, which receives the bytes.
type place struct {
	service, host *httptest.Server

	mu        sync.Mutex
	announced []map[string]any // the request bodies of createAssetUpload
	puts      []put
	responses []func(w http.ResponseWriter, r *http.Request) // the responses of the host, one for each PUT; 200 after the last one
	signURL   string
}

// put is a PUT as received.
type put struct {
	header   http.Header
	uri      string
	length   int64
	encoding []string
	body     []byte
	err      error // the error that reading the body ended with
}

func newPlace(t *testing.T, responses ...func(http.ResponseWriter, *http.Request)) *place {
	t.Helper()
	p := &place{responses: responses}
	p.host = httptest.NewServer(http.HandlerFunc(p.store))
	t.Cleanup(p.host.Close)
	p.signURL = p.host.URL + "/bucket/a%2Fb.bin?X-Signature=" + signature
	p.service = httptest.NewServer(http.HandlerFunc(p.announce))
	t.Cleanup(p.service.Close)
	return p
}

func (p *place) announce(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != paths.Of("createAssetUpload") {
		http.Error(w, "not an announcement", http.StatusBadRequest)
		return
	}
	p.announced = append(p.announced, body)
	fmt.Fprintf(w, `{"code":0,"msg":"Success","data":{"sign_url":%q,"asset_url":"https://res.test/assets/1"}}`, p.signURL)
}

func (p *place) store(w http.ResponseWriter, r *http.Request) {
	got := put{header: r.Header, uri: r.RequestURI, length: r.ContentLength, encoding: r.TransferEncoding}
	p.mu.Lock()
	answer := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	if len(p.responses) > 0 {
		answer, p.responses = p.responses[0], p.responses[1:]
	}
	p.mu.Unlock()
	got.body, got.err = io.ReadAll(r.Body)
	p.mu.Lock()
	p.puts = append(p.puts, got)
	p.mu.Unlock()
	answer(w, r)
}

// arrived returns the PUTs, once the host has processed them.
func (p *place) arrived() []put {
	p.host.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.puts
}

func (p *place) client(t *testing.T, opts ...Option) *Client {
	t.Helper()
	opts = append([]Option{WithBaseURL(p.service.URL), WithRetry(RetryPolicy{Attempts: 3}), WithClock(&instantClock{})}, opts...)
	client, err := New(uploadKey, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// instantClock does not wait, and records how long it should have waited.
type instantClock struct {
	mu    sync.Mutex
	waits []time.Duration
}

func (*instantClock) Now() time.Time { return time.Now() }

func (c *instantClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = append(c.waits, d)
	passed := make(chan time.Time, 1)
	passed <- time.Now()
	return passed
}

// answer makes a host's response with a status.
func answer(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// hangUp is a host that closes the connection instead of responding.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

// plain hides all methods of a reader except Read.
func plain(r io.Reader) io.Reader { return struct{ io.Reader }{r} }

// sized returns the option for a size.
func sized(bytes int64) []UploadOption { return []UploadOption{WithUploadSize(bytes)} }

// closeSpy records that it was closed.
type closeSpy struct {
	*bytes.Reader
	closed bool
}

func (c *closeSpy) Close() error {
	c.closed = true
	return nil
}

func tempFile(t *testing.T, name string, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

func TestUploadStoresWhatTheReaderHolds(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 5000)
	advanced := tempFile(t, "advanced.mp3", append([]byte("skipped"), content...))
	if _, err := advanced.Seek(int64(len("skipped")), io.SeekStart); err != nil {
		t.Fatal(err)
	}
	pipe, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := writer.Write(content)
		if err := errors.Join(err, writer.Close()); err != nil {
			t.Error(err)
		}
	}()
	cases := []struct {
		name    string
		reader  io.Reader
		opts    []UploadOption
		unsized bool
	}{
		{"a file", tempFile(t, "voice.mp3", content), nil, false},
		{"the rest of a file", advanced, nil, false},
		{"bytes", bytes.NewReader(content), nil, false},
		{"a string", strings.NewReader(string(content)), nil, false},
		{"a buffer", bytes.NewBuffer(slices.Clone(content)), nil, false},
		{"a section", io.NewSectionReader(bytes.NewReader(append([]byte("skipped"), content...)), 7, int64(len(content))), nil, false},
		{"a stream whose size is given", plain(bytes.NewReader(content)), sized(int64(len(content))), false},
		{"a stream", plain(bytes.NewReader(content)), nil, true},
		{"a pipe", pipe, nil, true},
		{"a stream that comes in halves", iotest.HalfReader(bytes.NewReader(content)), nil, true},
		{"a stream that ends with its last bytes", iotest.DataErrReader(bytes.NewReader(content)), sized(int64(len(content))), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			asset, err := p.client(t).Upload(t.Context(), "voice.mp3", c.reader, c.opts...)
			if err != nil {
				t.Fatal(err)
			}
			want := Asset{URL: "https://res.test/assets/1", Name: "voice.mp3", ContentType: "audio/mpeg", Size: int64(len(content))}
			if *asset != want {
				t.Errorf("asset %+v, want %+v", *asset, want)
			}
			length, told := int64(len(content)), map[string]any{
				"filename": "voice.mp3", "content_type": "audio/mpeg", "file_size": float64(len(content)),
			}
			if c.unsized {
				length = -1
				delete(told, "file_size")
			}
			if len(p.announced) != 1 || fmt.Sprint(p.announced[0]) != fmt.Sprint(told) {
				t.Errorf("announced %v, want %v", p.announced, told)
			}
			puts := p.arrived()
			if len(puts) != 1 {
				t.Fatalf("%d PUTs, want 1", len(puts))
			}
			got, contentType := puts[0], puts[0].header.Get("Content-Type")
			if !bytes.Equal(got.body, content) || got.length != length || contentType != "audio/mpeg" || got.err != nil {
				t.Errorf("the host got %d bytes of length %d as %q, error %v", len(got.body), got.length, contentType, got.err)
			}
			if want := "/bucket/a%2Fb.bin?X-Signature=" + signature; puts[0].uri != want {
				t.Errorf("sent to %s, want %s", puts[0].uri, want)
			}
		})
	}
}

func TestUploadLearnsTheSizeOfAShortStream(t *testing.T) {
	p := newPlace(t)
	asset, err := p.client(t).Upload(t.Context(), "a.png", plain(strings.NewReader("a few bytes")))
	if err != nil || asset.Size != 11 {
		t.Fatalf("asset %+v, error %v", asset, err)
	}
	if puts := p.arrived(); puts[0].length != 11 || p.announced[0]["file_size"] != 11.0 {
		t.Errorf("length %d, announced %v, want 11 for both", puts[0].length, p.announced[0])
	}
}

func TestUploadKeepsTheKeyAndTheCookiesFromTheHost(t *testing.T) {
	p := newPlace(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	host, err := url.Parse(p.host.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(host, []*http.Cookie{{Name: "session", Value: "secret"}})
	client := p.client(t, WithHTTPClient(&http.Client{Jar: jar}))
	if _, err := client.Upload(t.Context(), "a.png", strings.NewReader("bytes")); err != nil {
		t.Fatal(err)
	}
	got := p.arrived()[0]
	if text := fmt.Sprint(got.header, got.uri, string(got.body)); strings.Contains(text, uploadKey) || got.header.Get("Cookie") != "" {
		t.Errorf("the host got %s", text)
	}
}

func TestUploadFindsTheContentType(t *testing.T) {
	iso := func(brand string) string { return "\x00\x00\x00\x18ftyp" + brand + "\x00\x00\x00\x00mp42isom" }
	cases := []struct {
		file, bytes, want string
		opts              []UploadOption
	}{
		{file: "a.jpg", bytes: "x", want: "image/jpeg"},
		{file: "a.JPEG", bytes: "x", want: "image/jpeg"},
		{file: "a.png", bytes: "x", want: "image/png"},
		{file: "a.webp", bytes: "x", want: "image/webp"},
		{file: "a.gif", bytes: "x", want: "image/gif"},
		{file: "a.mp4", bytes: "x", want: "video/mp4"},
		{file: "a.webm", bytes: "x", want: "video/webm"},
		{file: "a.MOV", bytes: "x", want: "video/quicktime"},
		{file: "a.mp3", bytes: "x", want: "audio/mpeg"},
		{file: "a.wav", bytes: "x", want: "audio/wav"},
		{file: "a.m4a", bytes: "x", want: "audio/mp4"},
		{file: "a.mp3", bytes: "\x89PNG\r\n\x1a\n", want: "audio/mpeg"}, // the name takes precedence over the bytes
		{file: "photo", bytes: "\xff\xd8\xff\xe0 JFIF", want: "image/jpeg"},
		{file: "photo", bytes: "\x89PNG\r\n\x1a\n", want: "image/png"},
		{file: "photo.tmp", bytes: "RIFF\x24\x00\x00\x00WEBPVP8 ", want: "image/webp"},
		{file: "photo", bytes: "GIF89a", want: "image/gif"},
		{file: "video", bytes: iso("mp42"), want: "video/mp4"},
		{file: "video", bytes: iso("isom"), want: "video/mp4"},
		{file: "video", bytes: "\x1a\x45\xdf\xa3", want: "video/webm"},
		{file: "video", bytes: iso("qt  "), want: "video/quicktime"},
		{file: "audio", bytes: "ID3\x03", want: "audio/mpeg"},
		{file: "audio", bytes: "\xff\xfb\x90\x64", want: "audio/mpeg"},
		{file: "audio", bytes: "RIFF\x24\x00\x00\x00WAVEfmt ", want: "audio/wav"},
		{file: "audio", bytes: iso("M4A "), want: "audio/mp4"},
		{file: "photo.heic", bytes: "x", want: "image/heic", opts: []UploadOption{WithContentType("image/heic")}},
		{file: "a.mp3", bytes: "x", want: "application/pdf", opts: []UploadOption{WithContentType("application/pdf")}},
	}
	for _, c := range cases {
		for form, reader := range map[string]io.Reader{"sized": strings.NewReader(c.bytes), "stream": plain(strings.NewReader(c.bytes))} {
			p := newPlace(t)
			asset, err := p.client(t).Upload(t.Context(), c.file, reader, c.opts...)
			if err != nil {
				t.Errorf("%s, %q, %s: %v", c.file, c.bytes, form, err)
				continue
			}
			got := p.arrived()[0]
			if asset.ContentType != c.want || p.announced[0]["content_type"] != c.want || got.header.Get("Content-Type") != c.want {
				t.Errorf("%s, %q, %s: type %s, announced %v, sent %s, want %s", c.file, c.bytes, form,
					asset.ContentType, p.announced[0]["content_type"], got.header.Get("Content-Type"), c.want)
			}
			if string(got.body) != c.bytes {
				t.Errorf("%s, %s: the host got %q, want %q", c.file, form, got.body, c.bytes)
			}
		}
	}
}

func TestUploadRejectsBeforeAnyRequest(t *testing.T) {
	broken := errors.New("the disk is broken")
	zeros := func(size int64) io.Reader { return io.NewSectionReader(zeroFile{}, 0, size) }
	folder, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	cases := []struct {
		name, file string
		reader     io.Reader
		opts       []UploadOption
		want       error  // for errors.Is
		text       string // in the error
	}{
		{
			"an image over its limit", "a.png", zeros(10<<20 + 1), nil, nil,
			"10485761 bytes are more than the limit of 10 MB (10485760 bytes) for image files",
		},
		{"a video over its limit", "a.mp4", zeros(100<<20 + 1), nil, nil, "100 MB"},
		{"an audio over its limit", "a.m4a", zeros(20<<20 + 1), nil, nil, "20 MB"},
		{"a given size over the limit", "a.gif", plain(zeros(1)), sized(11 << 20), nil, "10 MB"},
		{"an undocumented image over the limit", "a", zeros(11 << 20), []UploadOption{WithContentType("Image/TIFF")}, nil, "10 MB"},
		{"an empty file", "a.png", tempFile(t, "empty", nil), nil, ErrEmptyUpload, `"a.png"`},
		{"an empty buffer", "a.png", new(bytes.Buffer), nil, ErrEmptyUpload, ""},
		{"an empty stream", "a.png", plain(new(bytes.Buffer)), nil, ErrEmptyUpload, ""},
		{"an empty stream without a type", "a", plain(new(bytes.Buffer)), nil, ErrEmptyUpload, ""},
		{"a given size of nothing", "a.png", plain(strings.NewReader("x")), sized(0), ErrEmptyUpload, ""},
		{"a negative size", "a.png", strings.NewReader("x"), sized(-1), nil, "-1"},
		{"a given size that the reader contradicts", "a.png", strings.NewReader("abc"), sized(4), ErrUploadSize, "3 bytes, not 4"},
		{"a format that nobody knows", "notes.txt", strings.NewReader("dear diary"), nil, ErrUploadType, "WithContentType"},
		{"a format that is not documented", "a.bmp", strings.NewReader("BM      "), nil, ErrUploadType, ""},
		{
			"an invalid type", "a.png", strings.NewReader("x"),
			[]UploadOption{WithContentType("image/png\r\nX-Evil: 1")},
			ErrUploadType, "",
		},
		{"a type without a slash", "a.png", strings.NewReader("x"), []UploadOption{WithContentType("image")}, ErrUploadType, ""},
		{"no name", "", strings.NewReader("x"), nil, nil, "is not the name of a file"},
		{"a name that is a folder", "photos/..", strings.NewReader("x"), nil, nil, "is not the name of a file"},
		{"a folder", "a.png", folder, nil, nil, "reading"},
		{"no reader", "a.png", nil, nil, nil, "nil"},
		{"a reader that fails at once", "a", iotest.ErrReader(broken), nil, broken, ""},
		{
			"a reader that is cut off at once", "a.png", plain(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF))),
			nil, io.ErrUnexpectedEOF, "reading",
		},
		{"a reader that cannot be measured", "a.png", badSeeker{strings.NewReader("x"), io.SeekEnd}, nil, errBadSeeker, ""},
		{"a reader that cannot go back", "a.png", badSeeker{strings.NewReader("x"), io.SeekStart}, nil, errBadSeeker, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			asset, err := p.client(t).Upload(t.Context(), c.file, c.reader, c.opts...)
			if err == nil || asset != nil || !strings.HasPrefix(err.Error(), "jogg: Upload: ") || !strings.Contains(err.Error(), c.text) {
				t.Errorf("asset %v, error %v, want an error with %q", asset, err, c.text)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			limit, ok := errors.AsType[*UploadLimitError](err)
			if strings.Contains(c.text, "MB") &&
				(!ok || limit.Name != c.file || limit.Size <= limit.Limit || limit.Limit == 0) {
				t.Errorf("error %#v, want an UploadLimitError", err)
			}
			if len(p.announced) != 0 || len(p.arrived()) != 0 {
				t.Errorf("%d announcements, %d PUTs, want none", len(p.announced), len(p.puts))
			}
		})
	}
}

// zeroFile is an endless file.
type zeroFile struct{}

func (zeroFile) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}

// badSeeker fails to seek for one value of whence.
type badSeeker struct {
	*strings.Reader
	fails int
}

var errBadSeeker = errors.New("cannot seek")

func (b badSeeker) Seek(offset int64, whence int) (int64, error) {
	if whence == b.fails {
		return 0, errBadSeeker
	}
	return b.Reader.Seek(offset, whence)
}

func TestUploadTakesFilesUpToTheLimit(t *testing.T) {
	for name, limit := range map[string]int64{"a.png": 10 << 20, "a.mp4": 100 << 20, "a.wav": 20 << 20} {
		f, err := newFile(t.Context(), name, io.NewSectionReader(zeroFile{}, 0, limit), uploadOptions{})
		if err != nil || f.size != limit {
			t.Errorf("%s of %d bytes: %v", name, limit, err)
		}
	}
	large, pdf := io.NewSectionReader(zeroFile{}, 0, 1<<40), uploadOptions{contentType: "application/pdf"}
	if _, err := newFile(t.Context(), "a.pdf", large, pdf); err != nil {
		t.Errorf("a kind without a documented limit: %v", err)
	}
}

func TestUploadOfASeekerThatCannotSeekIsAStream(t *testing.T) {
	p := newPlace(t, answer(http.StatusServiceUnavailable, ""))
	_, err := p.client(t).Upload(t.Context(), "a.png", badSeeker{strings.NewReader(strings.Repeat("x", 600)), io.SeekCurrent})
	failed, ok := errors.AsType[*UploadError](err)
	if !ok || failed.Attempts != 1 {
		t.Errorf("error %v, want an error after 1 attempt", err)
	}
}

func TestUploadNamesTheFileWithoutItsDirectories(t *testing.T) {
	for given, want := range map[string]string{
		"/home/me/photos/cat.png": "cat.png", `C:\photos\cat.png`: "cat.png", "cat.png": "cat.png", "../cat.png": "cat.png",
		"photos/cat.png/": "cat.png",
	} {
		p := newPlace(t)
		asset, err := p.client(t).Upload(t.Context(), given, strings.NewReader("x"))
		if err != nil || asset.Name != want || p.announced[0]["filename"] != want {
			t.Errorf("%s: asset %+v, error %v, want the name %s", given, asset, err, want)
		}
	}
}

func TestUploadNeverLetsTheHostTakeAPartForTheWholeFile(t *testing.T) {
	broken := errors.New("the disk is broken")
	data := bytes.Repeat([]byte("x"), 100_000)
	cases := []struct {
		name   string
		reader io.Reader
		opts   []UploadOption
		want   error
		text   string
	}{
		{"a stream over the limit", plain(io.NewSectionReader(zeroFile{}, 0, 1<<40)), nil, nil, "10 MB"},
		{
			"a stream that is shorter than given", plain(bytes.NewReader(data)), sized(100_001), ErrUploadSize,
			"ended after 100000 bytes of 100001",
		},
		{"a stream that is longer than given", plain(bytes.NewReader(data)), sized(99_999), ErrUploadSize, "goes on after 99999 bytes"},
		{"a stream that is much longer than given", plain(bytes.NewReader(data)), sized(10), ErrUploadSize, "goes on after 10 bytes"},
		{"a file that shrinks", &shrinking{Reader: bytes.NewReader(data), left: 50_000}, nil, ErrUploadSize, "ended after"},
		{"a stream that breaks", io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)), nil, broken, "reading"},
		{
			"a stream that is cut off", io.MultiReader(bytes.NewReader(data), iotest.ErrReader(fmt.Errorf("line lost: %w", io.EOF))),
			nil, io.EOF, "reading: line lost",
		},
		{
			"a stream of known size that breaks", io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)),
			sized(200_000), broken, "reading",
		},
		{
			"a stream that breaks at its end", io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)),
			sized(100_000), broken, "reading",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			asset, err := p.client(t).Upload(t.Context(), "a.png", c.reader, c.opts...)
			if err == nil || asset != nil || !strings.Contains(err.Error(), c.text) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("asset %v, error %v, want one with %q", asset, err, c.text)
			}
			limit, ok := errors.AsType[*UploadLimitError](err)
			if c.want == nil && (!ok || limit.Size <= 10<<20 || limit.Kind != "image") {
				t.Errorf("error %v, want an UploadLimitError", err)
			}
			puts := p.arrived()
			if len(puts) > 1 {
				t.Errorf("%d PUTs, want no repetition", len(puts))
			}
			for _, got := range puts {
				if got.err == nil {
					t.Errorf("the host got %d bytes and the end of the request", len(got.body))
				}
			}
		})
	}
}

// shrinking reports the size of its reader and ends earlier.
type shrinking struct {
	*bytes.Reader
	left int
}

func (s *shrinking) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.Reader.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

func (s *shrinking) WriteTo(io.Writer) (int64, error) { return 0, errors.New("not used") }

func TestUploadTellsWhyTheHostRefused(t *testing.T) {
	refusal := `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message>` +
		`<SignatureProvided>` + signature + `</SignatureProvided></Error>`
	cases := []struct {
		name string
		host func(http.ResponseWriter, *http.Request)
		want UploadError
		text string
	}{
		{
			"with a code", answer(http.StatusForbidden, refusal),
			UploadError{HTTPStatus: 403, Code: "SignatureDoesNotMatch"},
			"refused the file (HTTP 403 Forbidden, SignatureDoesNotMatch)",
		},
		{
			"without a code", answer(http.StatusForbidden, signature),
			UploadError{HTTPStatus: 403},
			"refused the file (HTTP 403 Forbidden)",
		},
		{
			"with an invalid code", answer(http.StatusBadRequest, "<Code>a="+signature+"</Code>"),
			UploadError{HTTPStatus: 400},
			"HTTP 400",
		},
		{"with a status without a name", answer(499, ""), UploadError{HTTPStatus: 499}, "(HTTP 499)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, c.host)
			_, err := p.client(t).Upload(t.Context(), "a.png", strings.NewReader("bytes"))
			failed, ok := errors.AsType[*UploadError](err)
			if !ok {
				t.Fatalf("error %v, want an UploadError", err)
			}
			host, _, _ := strings.Cut(strings.TrimPrefix(p.host.URL, "http://"), "/")
			want := UploadError{Name: "a.png", Host: host, HTTPStatus: c.want.HTTPStatus, Code: c.want.Code, Attempts: 1}
			if *failed != want {
				t.Errorf("error %+v, want %+v", *failed, want)
			}
			text := fmt.Sprintf("%v\n%+v\n%#v\n%+v", err, err, err, *failed)
			if strings.Contains(text, signature) || !strings.Contains(text, c.text) {
				t.Errorf("error reads %s, want %q and no signature", text, c.text)
			}
			if puts := p.arrived(); len(puts) != 1 {
				t.Errorf("%d PUTs, want 1", len(puts))
			}
		})
	}
}

func TestUploadRetriesWhatCanBeReadAgain(t *testing.T) {
	hosts := map[string]func(http.ResponseWriter, *http.Request){
		"429": answer(429, ""), "500": answer(500, ""), "502": answer(502, ""), "503": answer(503, ""), "504": answer(504, ""),
		"hangs up": hangUp,
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 5000)
	for name, host := range hosts {
		t.Run(name+", seekable", func(t *testing.T) {
			p := newPlace(t, host, host)
			reader := bytes.NewReader(append([]byte("skipped"), content...))
			if _, err := reader.Seek(7, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			clock := &instantClock{}
			asset, err := p.client(t, WithClock(clock)).Upload(t.Context(), "a.png", reader)
			if err != nil || asset.Size != int64(len(content)) {
				t.Fatalf("asset %+v, error %v", asset, err)
			}
			puts := p.arrived()
			if len(puts) != 3 || len(p.announced) != 1 || len(clock.waits) != 2 {
				t.Errorf("%d PUTs, %d announcements, %d waits, want 3, 1 and 2", len(puts), len(p.announced), len(clock.waits))
			}
			for i, got := range puts {
				if !bytes.Equal(got.body, content) {
					t.Errorf("attempt %d brought %d bytes, want all %d from where the reader stood", i+1, len(got.body), len(content))
				}
			}
		})
		t.Run(name+", read once", func(t *testing.T) {
			p := newPlace(t, host, host)
			_, err := p.client(t).Upload(t.Context(), "a.png", plain(bytes.NewReader(content)), WithUploadSize(int64(len(content))))
			failed, ok := errors.AsType[*UploadError](err)
			if !ok || failed.Attempts != 1 || len(p.arrived()) != 1 {
				t.Errorf("error %v after %d PUTs, want a failure of the only one", err, len(p.puts))
			}
		})
	}
}

// To detect the type of a file by its bytes, Upload reads the beginning of the file, which every attempt then has to send again.
func TestUploadRetriesAFileWhoseTypeItDetected(t *testing.T) {
	content := append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte("0123456789abcdef"), 5000)...)
	p := newPlace(t, answer(http.StatusBadGateway, ""))
	reader := bytes.NewReader(append([]byte("skipped"), content...))
	if _, err := reader.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	asset, err := p.client(t, WithClock(&instantClock{})).Upload(t.Context(), "photo.tmp", reader)
	if err != nil || asset.ContentType != "image/png" || asset.Size != int64(len(content)) {
		t.Fatalf("asset %+v, error %v", asset, err)
	}
	puts := p.arrived()
	if len(puts) != 2 {
		t.Errorf("%d PUTs, want 2", len(puts))
	}
	for i, got := range puts {
		if !bytes.Equal(got.body, content) {
			t.Errorf("attempt %d brought %d bytes, want all %d from where the reader stood", i+1, len(got.body), len(content))
		}
	}
}

func TestUploadLetsNoEarlierAttemptTakeBytesFromALaterOne(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 10)
	var earlier io.Reader
	transport := doubles(func(req *http.Request) (*http.Response, error) {
		if earlier == nil {
			earlier = req.Body // some transports read on after they have returned a response
			return &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		}
		head := make([]byte, 16)
		if _, err := io.ReadFull(req.Body, head); err != nil {
			return nil, err
		}
		if n, err := earlier.Read(make([]byte, 16)); n != 0 || err == nil {
			t.Errorf("the earlier attempt read %d bytes and error %v, want none and an error", n, err)
		}
		tail, err := io.ReadAll(req.Body)
		if got := string(head) + string(tail); got != content {
			t.Errorf("the later attempt read %q", got)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, err
	})
	client := waitClient(t, transport, WithRetry(RetryPolicy{Attempts: 2}), WithClock(&instantClock{}))
	if _, err := client.Upload(t.Context(), "a.png", strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func TestUploadWaitsForAReadOfAnEarlierAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowSeeker{Reader: strings.NewReader("bytes")}
		var reads sync.WaitGroup
		attempts := 0
		transport := doubles(func(req *http.Request) (*http.Response, error) {
			if attempts++; attempts == 1 {
				reads.Go(func() { _, _ = io.ReadAll(req.Body) })
				synctest.Wait() // the read is in progress
				return &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
			}
			got, err := io.ReadAll(req.Body)
			if string(got) != "bytes" {
				t.Errorf("the later attempt read %q and error %v", got, err)
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, err
		})
		client := waitClient(t, transport, WithRetry(RetryPolicy{Attempts: 2, Base: time.Millisecond}))
		if _, err := client.Upload(t.Context(), "a.png", slow, WithUploadProgress(func(sent, _ int64) {
			if attempts == 1 {
				t.Errorf("progress to %d of an attempt that had ended", sent)
			}
		})); err != nil {
			t.Fatal(err)
		}
		reads.Wait()
		if slow.overlaps != 0 {
			t.Errorf("the reader was used %d times while a read was under way", slow.overlaps)
		}
	})
}

// slowSeeker takes a minute for each read, and detects concurrent use.
type slowSeeker struct {
	*strings.Reader
	mu       sync.Mutex
	busy     bool
	overlaps int
}

func (s *slowSeeker) enter(busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		s.overlaps++
	}
	s.busy = busy
}

func (s *slowSeeker) Read(p []byte) (int, error) {
	s.enter(true)
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy = false
	}()
	<-time.After(time.Minute)
	return s.Reader.Read(p)
}

func (s *slowSeeker) Seek(offset int64, whence int) (int64, error) {
	s.enter(false)
	return s.Reader.Seek(offset, whence)
}

func TestUploadStopsRetrying(t *testing.T) {
	asks := func(wait string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", wait)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
	always := func(host func(http.ResponseWriter, *http.Request)) []func(http.ResponseWriter, *http.Request) {
		return slices.Repeat([]func(http.ResponseWriter, *http.Request){host}, 10)
	}
	deadline, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	cases := []struct {
		name     string
		host     func(http.ResponseWriter, *http.Request)
		ctx      context.Context
		policy   RetryPolicy
		waits    []time.Duration
		attempts int
		text     string
	}{
		{
			"after the attempts of the policy", asks("7"), t.Context(),
			RetryPolicy{Attempts: 3},
			[]time.Duration{7 * time.Second, 7 * time.Second},
			3, "3 attempts",
		},
		{"at once when repetition is off", asks("7"), t.Context(), RetryPolicy{Attempts: 1}, nil, 1, "HTTP 503"},
		{"at once when the host asks for too long a wait", asks("121"), t.Context(), RetryPolicy{}, nil, 1, "2m1s"},
		{
			"at once when the wait would outlast the deadline", asks("7200"), deadline,
			RetryPolicy{ServerCap: 3 * time.Hour},
			nil, 1, "outlast the deadline",
		},
		{"at once after another error", answer(http.StatusNotFound, ""), t.Context(), RetryPolicy{}, nil, 1, "HTTP 404"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, always(c.host)...)
			clock := &instantClock{}
			_, err := p.client(t, WithClock(clock), WithRetry(c.policy)).Upload(c.ctx, "a.png", strings.NewReader("bytes"))
			failed, ok := errors.AsType[*UploadError](err)
			if !ok || failed.Attempts != c.attempts || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %d attempts and %q", err, c.attempts, c.text)
			}
			if len(p.arrived()) != c.attempts || !slices.Equal(clock.waits, c.waits) {
				t.Errorf("%d PUTs and waits %v, want %d and %v", len(p.puts), clock.waits, c.attempts, c.waits)
			}
		})
	}
}

func TestUploadFollowsNoRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := newPlace(t)
		p := newPlace(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.host.URL+"/?X-Signature="+signature, status)
		})
		_, err := p.client(t).Upload(t.Context(), "a.png", strings.NewReader("bytes"))
		failed, ok := errors.AsType[*UploadError](err)
		if !ok || failed.HTTPStatus != status || strings.Contains(err.Error(), signature) ||
			!strings.Contains(err.Error(), "redirect") {
			t.Errorf("%d: error %v, want that redirects are not followed", status, err)
		}
		if len(elsewhere.arrived()) != 0 || len(p.arrived()) != 1 {
			t.Errorf("%d: %d requests elsewhere and %d to the host, want 0 and 1", status, len(elsewhere.puts), len(p.puts))
		}
	}
}

func TestUploadSendsNowhereUnsafe(t *testing.T) {
	cases := map[string]string{
		"http://storage.test/file?X-Signature=" + signature: "not https",
		"ftp://storage.test/file?X-Signature=" + signature:  "not https",
		"://?X-Signature=" + signature:                      "no URL",
		"/file?X-Signature=" + signature:                    "no URL",
		"":                                                  "no sign_url",
	}
	for signURL, text := range cases {
		p := newPlace(t)
		p.signURL = signURL
		asset, err := p.client(t).Upload(t.Context(), "a.png", strings.NewReader("bytes"))
		if err == nil || asset != nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), signature) {
			t.Errorf("%s: asset %v, error %v, want one with %q", signURL, asset, err, text)
		}
	}
}

// doubles stands in for the service and passes the PUT to a function, without a network.
type doubles func(req *http.Request) (*http.Response, error)

func (d doubles) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPut {
		return d(req)
	}
	body := `{"code":0,"data":{"sign_url":"https://storage.test/file?X-Signature=` + signature + `","asset_url":"https://res.test/1"}}`
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: req,
	}, nil
}

func TestUploadWithoutAnAssetURLIsAnError(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"code":0,"data":{"sign_url":"https://storage.test/file"}}`)
	}))
	defer service.Close()
	client, err := New(uploadKey, WithBaseURL(service.URL))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Upload(t.Context(), "a.png", strings.NewReader("bytes"))
	if err == nil || !strings.Contains(err.Error(), "no asset_url") {
		t.Errorf("error %v, want that there is no asset_url", err)
	}
}

func TestUploadErrorsDoNotShowTheSignedURL(t *testing.T) {
	cause := errors.New("out of order")
	transports := map[string]doubles{
		"an error of a transport": func(*http.Request) (*http.Response, error) { return nil, cause },
		"a transport that quotes the URL": func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("cannot reach %s", req.URL)
		},
		"a transport that wraps as net/http does": func(req *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Put", URL: req.URL.String(), Err: cause}
		},
	}
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			handler := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
			client := waitClient(t, transport, WithLogger(slog.New(handler)))
			_, err := client.Upload(t.Context(), "a.png", strings.NewReader("bytes"))
			failed, ok := errors.AsType[*UploadError](err)
			if !ok || failed.HTTPStatus != 0 || failed.Host != "storage.test" {
				t.Fatalf("error %v, want an UploadError without a status", err)
			}
			if name != "a transport that quotes the URL" && !errors.Is(err, cause) {
				t.Errorf("error %v, want %v", err, cause)
			}
			for unwrapped := err; unwrapped != nil; unwrapped = errors.Unwrap(unwrapped) {
				if text := fmt.Sprintf("%v %+v %#v", unwrapped, unwrapped, unwrapped); strings.Contains(text, signature) {
					t.Errorf("error reads %s", text)
				}
			}
			logged := log.String()
			if strings.Contains(logged, signature) || strings.Contains(logged, "/file") || !strings.Contains(logged, "storage.test") {
				t.Errorf("log reads %s, want the host and nothing else of the URL", logged)
			}
		})
	}
}

// The error of net/http about a body that cannot be read begins with the URL.
func TestUploadOfAReaderThatBreaksDoesNotShowTheSignedURL(t *testing.T) {
	cause := errors.New("the disk is broken")
	p := newPlace(t)
	reader := io.MultiReader(strings.NewReader(strings.Repeat("x", 1000)), iotest.ErrReader(cause))
	_, err := p.client(t).Upload(t.Context(), "a.png", reader, WithUploadSize(100_000))
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
	for unwrapped := err; unwrapped != nil; unwrapped = errors.Unwrap(unwrapped) {
		text := fmt.Sprintf("%v %+v %#v", unwrapped, unwrapped, unwrapped)
		if strings.Contains(text, signature) || strings.Contains(text, "/bucket/") {
			t.Errorf("error reads %s", text)
		}
	}
}

func TestUploadIsLogged(t *testing.T) {
	p := newPlace(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	var log bytes.Buffer
	client := p.client(t, WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	if _, err := client.Upload(t.Context(), "a.png", strings.NewReader("bytes")); err != nil {
		t.Fatal(err)
	}
	var logged []any
	for line := range strings.Lines(log.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record["operation"] == "Upload" {
			logged = append(logged, record["msg"], record["attempt"], record["status"], record["wait"])
		}
	}
	want := []any{
		"jogg: attempt", 1.0, 503.0, nil,
		"jogg: waiting before another attempt", 1.0, nil, 7e9,
		"jogg: attempt", 2.0, 200.0, nil,
	}
	if !slices.Equal(logged, want) {
		t.Errorf("logged %v, want %v", logged, want)
	}
	if strings.Contains(log.String(), signature) || strings.Contains(log.String(), uploadKey) {
		t.Errorf("log shows a secret: %s", log.String())
	}
}

func TestUploadFailsIfTheHostRespondsBeforeItHasTheWholeFile(t *testing.T) {
	transport := doubles(func(req *http.Request) (*http.Response, error) {
		if _, err := io.ReadFull(req.Body, make([]byte, 2)); err != nil {
			return nil, err
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	})
	_, err := waitClient(t, transport).Upload(t.Context(), "a.png", strings.NewReader("bytes"))
	failed, ok := errors.AsType[*UploadError](err)
	if !ok || failed.HTTPStatus != 200 || !strings.Contains(err.Error(), "before it had the whole file") {
		t.Errorf("error %v, want an UploadError", err)
	}
}

func TestUploadStreams(t *testing.T) {
	const size = 40 << 20
	arrived := newTide()
	host := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(arrived, r.Body) // Upload returns the error
	}))
	defer host.Close()
	p := newPlace(t)
	p.signURL = host.URL

	// The reader returns more only when the host has received nearly everything that it returned before.
	var given int64
	reader := readerFunc(func(b []byte) (int, error) {
		if given >= size {
			return 0, io.EOF
		}
		arrived.await(given - 64<<10)
		given += int64(len(b))
		return len(b), nil
	})
	asset, err := p.client(t).Upload(t.Context(), "a.mp4", reader)
	if err != nil || asset.Size != given {
		t.Errorf("asset %+v, error %v, want %d bytes", asset, err, given)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// tide counts the bytes that arrive, and lets others wait for them.
type tide struct {
	mu    sync.Mutex
	rose  *sync.Cond
	count int64
}

func newTide() *tide {
	t := &tide{}
	t.rose = sync.NewCond(&t.mu)
	return t
}

func (t *tide) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count += int64(len(p))
	t.rose.Broadcast()
	return len(p), nil
}

func (t *tide) await(count int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.count < count {
		t.rose.Wait()
	}
}

func TestUploadReportsProgress(t *testing.T) {
	content := bytes.Repeat([]byte("x"), 200_000)
	for name, c := range map[string]struct {
		reader io.Reader
		total  int64
	}{
		"of a known size": {bytes.NewReader(content), 200_000}, "of a stream": {plain(bytes.NewReader(content)), -1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			var last int64
			returned := false
			report := func(sent, total int64) {
				if sent <= last || total != c.total || returned {
					t.Errorf("reported %d of %d after %d, returned %v", sent, total, last, returned)
				}
				last = sent
			}
			_, err := p.client(t).Upload(t.Context(), "a.png", c.reader, WithUploadProgress(report))
			returned = true
			if err != nil || last != 200_000 {
				t.Errorf("error %v, progress ended at %d, want 200000", err, last)
			}
		})
	}
}

func TestUploadEndsWithItsContextWhileProgressBlocks(t *testing.T) {
	p := newPlace(t)
	ctx, cancel := context.WithCancel(t.Context())
	release, reported := make(chan struct{}), make(chan struct{})
	_, err := p.client(t).Upload(ctx, "a.png", strings.NewReader("bytes"), WithUploadProgress(func(int64, int64) {
		cancel()
		<-release
		close(reported)
	}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	close(release)
	<-reported
}

// A host can respond while net/http still reads the file, so the last report can be in progress when the response is there.
func TestUploadReturnsAfterTheLastProgressReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reporting, release := make(chan struct{}), make(chan struct{})
		transport := doubles(func(req *http.Request) (*http.Response, error) {
			go func() { _, _ = io.Copy(io.Discard, req.Body) }()
			<-reporting
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
		})
		var returned atomic.Bool
		go func() {
			_, _ = waitClient(t, transport).Upload(t.Context(), "a.png", strings.NewReader("bytes"), WithUploadProgress(func(int64, int64) {
				close(reporting)
				<-release
			}))
			returned.Store(true)
		}()
		synctest.Wait()
		if returned.Load() {
			t.Error("the upload has returned during a report")
		}
		close(release)
		synctest.Wait()
		if !returned.Load() {
			t.Error("the upload has not returned after the report")
		}
	})
}

func TestUploadReportsProgressAnewForEachAttempt(t *testing.T) {
	p := newPlace(t, answer(http.StatusServiceUnavailable, ""))
	var reports []int64
	_, err := p.client(t).Upload(t.Context(), "a.png", strings.NewReader("bytes"),
		WithUploadProgress(func(sent, _ int64) { reports = append(reports, sent) }))
	if err != nil || !slices.Equal(reports, []int64{5, 5}) {
		t.Errorf("error %v, reports %v, want 5 twice", err, reports)
	}
}

func TestUploadEndsWithItsContext(t *testing.T) {
	cases := map[string]struct {
		reader func(cancel func(), release <-chan struct{}) io.Reader
		opts   []UploadOption
	}{
		"while bytes flow": {func(cancel func(), _ <-chan struct{}) io.Reader {
			chunks := 0
			return readerFunc(func(p []byte) (int, error) {
				if chunks++; chunks == 20 {
					cancel()
				}
				return len(p), nil
			})
		}, nil},
		"while the reader is stuck": {func(cancel func(), release <-chan struct{}) io.Reader {
			return io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)), readerFunc(func([]byte) (int, error) {
				cancel()
				<-release
				return 0, io.EOF
			}))
		}, sized(1 << 20)},
		"while the first bytes are awaited": {func(cancel func(), release <-chan struct{}) io.Reader {
			return readerFunc(func([]byte) (int, error) {
				cancel()
				<-release
				return 0, io.EOF
			})
		}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := newPlace(t)
			asset, err := p.client(t).Upload(ctx, "a.mp4", c.reader(cancel, release), c.opts...)
			if !errors.Is(err, context.Canceled) || asset != nil || strings.Contains(err.Error(), signature) {
				t.Errorf("asset %v, error %v, want that the context was cancelled", asset, err)
			}
			for _, got := range p.arrived() {
				if got.err == nil {
					t.Error("the host got the end of the request")
				}
			}
		})
	}
}

func TestUploadIsNotHeldToTheTimeoutOfTheHTTPClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := doubles(func(req *http.Request) (*http.Response, error) {
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return nil, err
			}
			select {
			case <-time.After(time.Minute):
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		})
		client, err := New(uploadKey, WithHTTPClient(&http.Client{Transport: transport, Timeout: 10 * time.Second}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Upload(t.Context(), "a.mp4", strings.NewReader("bytes")); err != nil {
			t.Errorf("a transfer of one minute: %v", err)
		}
	})
}

func TestUploadDoesNotCloseTheReader(t *testing.T) {
	hosts := map[string]func(http.ResponseWriter, *http.Request){"success": answer(200, ""), "refusal": answer(403, ""), "broken": hangUp}
	for name, host := range hosts {
		p := newPlace(t, host)
		spy := &closeSpy{Reader: bytes.NewReader([]byte("bytes"))}
		if _, err := p.client(t).Upload(t.Context(), "a.png", spy); (err == nil) != (name != "refusal") {
			t.Errorf("%s: error %v", name, err)
		}
		p.arrived()
		if spy.closed {
			t.Errorf("%s: the reader was closed", name)
		}
	}
}

func TestUploadThatTheServiceRejectsSendsNothing(t *testing.T) {
	p := newPlace(t)
	p.service.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"code":18025,"msg":"no access"}`)
	})
	_, err := p.client(t).Upload(t.Context(), "a.png", strings.NewReader("bytes"))
	if !errors.Is(err, ErrNoPermission) || len(p.arrived()) != 0 {
		t.Errorf("error %v and %d PUTs, want no permission and none", err, len(p.puts))
	}
}
