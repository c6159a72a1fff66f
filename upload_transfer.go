package jogg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// UploadError means that the storage host did not accept a file. It never shows the URL that the file was sent to, because anybody who
// knows that URL can write to it.
type UploadError struct {
	// Name is the file's name.
	Name string
	// Host is the storage host.
	Host string
	// HTTPStatus is the status of the host's response, or 0 if there was none.
	HTTPStatus int
	// Code is the host's error code, such as AccessDenied. It is empty if there was none.
	Code string
	// Attempts is how many times the file was sent, at least in part.
	Attempts int
	// Err is what went wrong apart from the status, such as the context's error or a broken connection. It is nil if the status says it
	// all.
	Err error

	wait   time.Duration // what the host asks for before another attempt
	repeat bool          // whether another attempt makes sense
}

// Error implements error.
func (e *UploadError) Error() string {
	var details []string
	if e.HTTPStatus != 0 {
		details = append(details, strings.TrimSpace(fmt.Sprintf("HTTP %d %s", e.HTTPStatus, http.StatusText(e.HTTPStatus))))
	}
	if e.Code != "" {
		details = append(details, e.Code)
	}
	if e.Attempts > 1 {
		details = append(details, fmt.Sprintf("%d attempts", e.Attempts))
	}
	text := fmt.Sprintf("jogg: Upload: %q: ", e.Name)
	if e.Err != nil {
		text += "sending to " + e.Host + ": " + oneLine(e.Err.Error(), maxMessage)
	} else {
		text += e.Host + " refused the file"
	}
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	return text
}

// Unwrap returns Err.
func (e *UploadError) Unwrap() error {
	return e.Err
}

// transfer sends the file to the URL that the service named and returns its size. A file that can be read again is sent again, by the
// policy of the client.
func (c *Client) transfer(ctx context.Context, f *file, signURL string, progress func(sent, total int64)) (int64, error) {
	target, err := storageURL(signURL)
	if err != nil {
		return 0, fmt.Errorf("jogg: Upload: %q: %w", f.name, err)
	}
	delays := c.retry.delays()
	for attempt := 1; ; attempt++ {
		sent, err := c.put(ctx, f, target, progress, attempt)
		failed, ok := errors.AsType[*UploadError](err)
		if !ok {
			return sent, err
		}
		failed.Attempts = attempt
		if !failed.repeat || f.seeker == nil || attempt >= c.retry.Attempts {
			return 0, err
		}
		logWait := func(wait time.Duration) {
			c.logger.LogAttrs(ctx, slog.LevelDebug, waitingMessage, append(transferAttributes(target, attempt), slog.Duration("wait", wait))...)
		}
		if err := c.waitAfter(ctx, c.retry, failed, delays.NextBackOff(), logWait); err != nil {
			return 0, err
		}
		if err := f.rewind(ctx); err != nil {
			return 0, fmt.Errorf("%w; not retried: %w", failed, err)
		}
	}
}

// storageURL parses the URL to send a file to. Its errors do not quote it.
func storageURL(signURL string) (*url.URL, error) {
	u, err := url.Parse(signURL)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("the service gave no URL to send the file to")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u)):
		return nil, fmt.Errorf("the service gave a URL to send the file to, at %s, that is not https", u.Host)
	}
	return u, nil
}

// put sends the file once.
func (c *Client) put(ctx context.Context, f *file, target *url.URL, progress func(sent, total int64), attempt int) (int64, error) {
	reading, end := context.WithCancel(ctx)
	defer end()
	outgoing := &body{
		file: f, done: reading.Done(), end: end, progress: progress, reporting: make(chan struct{}, 1), buffer: make([]byte, 64<<10),
	}
	req := (&http.Request{
		Method: http.MethodPut, URL: target, Body: outgoing, ContentLength: f.size,
		Header: http.Header{"Content-Type": {f.contentType}, "User-Agent": {c.agent}},
	}).WithContext(&callContext{ctx, "Upload"})

	begin := c.clock.Now()
	resp, err := c.storage().Do(req)
	sent, whole, broken := outgoing.stop(ctx)
	if err == nil {
		defer resp.Body.Close()
	}
	switch {
	case broken != nil:
		err = broken
	case err != nil:
		repeat := fate(req, resp, nil, err) != fateEnded
		err = &UploadError{Name: f.name, Host: target.Host, Err: withoutURL(ctx, target, err), repeat: repeat}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		err = c.refusedUpload(f, target, resp)
	case !whole:
		early := errors.New("the host responded before it had the whole file")
		err = &UploadError{Name: f.name, Host: target.Host, HTTPStatus: resp.StatusCode, Err: early}
	}
	c.logTransfer(ctx, target, resp, attempt, c.clock.Now().Sub(begin), err)
	return sent, err
}

// storage returns an HTTP client for another host than the service's. It uses the same connections, but neither the cookies nor the
// timeout, which are meant for the service. It follows no redirect, because the bytes are for the host that the service named.
func (c *Client) storage() *http.Client {
	return &http.Client{
		Transport:     c.http.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// withoutURL returns the error that net/http reports without the URL in front. If a transport quotes the URL too, it is replaced in the
// text.
func withoutURL(ctx context.Context, target *url.URL, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	var wrapper *url.Error
	for errors.As(err, &wrapper) {
		err = wrapper.Err
	}
	text := strings.ReplaceAll(err.Error(), target.String(), "the signed URL")
	if target.RawQuery != "" {
		text = strings.ReplaceAll(text, target.RawQuery, "…")
	}
	if text != err.Error() {
		return errors.New(text)
	}
	return err
}

// refusedUpload returns the error for an error response. It takes only the code from the body, because storage hosts tend to repeat the
// signature there.
func (c *Client) refusedUpload(f *file, target *url.URL, resp *http.Response) error {
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // a truncated body may still have the code
	e := &UploadError{Name: f.name, Host: target.Host, HTTPStatus: resp.StatusCode}
	if code := storageCode.FindSubmatch(answer); code != nil {
		e.Code = string(code[1])
	}
	if resp.StatusCode < 400 {
		e.Err = errors.New("redirects are not followed")
	}
	e.repeat = resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500
	e.wait, _ = headerWait(resp.Header.Get("Retry-After"), c.clock.Now())
	return e
}

// storageCode finds the error code in the XML of the common storage hosts.
var storageCode = regexp.MustCompile(`<Code>\s*([A-Za-z0-9]{1,60})\s*</Code>`)

// logTransfer logs one attempt at debug level. It shows the host, and nothing else of the URL.
func (c *Client) logTransfer(ctx context.Context, target *url.URL, resp *http.Response, attempt int, took time.Duration, err error) {
	attributes := append(transferAttributes(target, attempt), slog.Duration("duration", took))
	if resp != nil {
		attributes = append(attributes, slog.Int("status", resp.StatusCode))
	}
	if err != nil {
		attributes = append(attributes, slog.String("error", err.Error()))
	}
	c.logger.LogAttrs(ctx, slog.LevelDebug, "jogg: attempt", attributes...)
}

func transferAttributes(target *url.URL, attempt int) []slog.Attr {
	return []slog.Attr{
		slog.String("operation", "Upload"), slog.String("method", http.MethodPut), slog.String("host", target.Host), slog.Int("attempt", attempt),
	}
}

// body is the request body of one attempt. It checks that the number of bytes is the one that was announced or allowed. If it is not, the
// last bytes are not sent, so the host never gets what it could take for the whole file. Closing it does not close the reader.
type body struct {
	file      *file
	done      <-chan struct{} // closed when the context or this attempt ends; net/http would wait for a reader that blocks
	end       func()          // closes done
	progress  func(sent, total int64)
	reporting chan struct{} // held during a call of progress, and for good once no further call may begin
	buffer    []byte        // what the reader reads into, because it may still do so after net/http has taken back its own buffer

	mu    sync.Mutex
	sent  int64
	whole bool
	err   error
}

// Read implements io.Reader for net/http, which calls it from its own goroutine.
func (b *body) Read(p []byte) (int, error) {
	sent, err := b.state()
	if err != nil {
		return 0, err
	}
	n, err := b.file.read(b.done, b.buffer[:min(len(p), len(b.buffer))], sent)
	if errors.Is(err, errStopped) {
		return 0, err
	}
	copy(p, b.buffer[:n])
	return b.advance(n, err)
}

// Close implements io.Closer.
func (b *body) Close() error { return nil }

func (b *body) state() (sent int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case isClosed(b.done):
		return 0, errStopped
	case b.whole:
		return 0, io.EOF
	default:
		return b.sent, b.err
	}
}

// advance records the result of a read and reports the progress.
func (b *body) advance(n int, err error) (int, error) {
	sent, err := b.note(n, err)
	if err != nil && !isEnd(err) {
		return 0, err
	}
	if b.progress == nil || n == 0 {
		return n, err
	}
	select {
	case b.reporting <- struct{}{}:
	case <-b.done:
		return 0, errStopped
	}
	if isClosed(b.done) { // while it waited
		<-b.reporting
		return 0, errStopped
	}
	finished := make(chan struct{})
	go func() { // in a goroutine, because it may block and net/http waits for a Read even after the context has ended
		defer close(finished)
		defer func() { <-b.reporting }()
		b.progress(sent, b.file.size)
	}()
	select {
	case <-finished:
		return n, err
	case <-b.done:
		return 0, errStopped
	}
}

func (b *body) note(n int, err error) (sent int64, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if isClosed(b.done) {
		return 0, errStopped
	}
	if err != nil && !isEnd(err) {
		b.err = err
		return 0, err
	}
	b.sent += int64(n)
	b.whole = err != nil
	return b.sent, err
}

// stop ends the transfer of this body. It returns the bytes sent, whether they were the whole file, and what was wrong with it. It waits
// for a progress report in progress, unless ctx ends.
func (b *body) stop(ctx context.Context) (sent int64, whole bool, err error) {
	b.end()
	if b.progress != nil {
		select {
		case b.reporting <- struct{}{}: // kept, so that no report follows
		case <-ctx.Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent, b.whole, b.err
}
