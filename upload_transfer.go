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

// UploadError says that the storage host did not take a file. It never shows the URL that the file was sent to, because whoever
// knows that URL can write to it.
type UploadError struct {
	// Name is the file's name.
	Name string
	// Host is the storage host.
	Host string
	// HTTPStatus is the status that it answered with, 0 if there was no answer.
	HTTPStatus int
	// Code is the word by which the host says what was wrong, such as AccessDenied. It is empty where the host has none.
	Code string
	// Attempts is how many times the file was sent, or begun to be sent.
	Attempts int
	// Err is what went wrong apart from the status: the context's error, a broken connection. It is nil if the status says it all.
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

// transfer sends the file to the URL that the service named and returns how many bytes it had. What can be sent again is, by the
// policy of the client.
func (c *Client) transfer(ctx context.Context, f *file, signURL string, progress func(sent, total int64)) (int64, error) {
	target, err := storageURL(signURL)
	if err != nil {
		return 0, fmt.Errorf("jogg: Upload: %q: %w", f.name, err)
	}
	delays := c.retry.delays()
	for attempt := 1; ; attempt++ {
		sent, err := c.put(ctx, f, target, progress, attempt)
		var failed *UploadError
		if !errors.As(err, &failed) {
			return sent, err
		}
		failed.Attempts = attempt
		if !failed.repeat || f.seeker == nil || attempt >= c.retry.Attempts {
			return 0, err
		}
		if err := c.waitToSendAgain(ctx, failed, delays.NextBackOff()); err != nil {
			return 0, err
		}
		if err := f.rewind(ctx); err != nil {
			return 0, fmt.Errorf("%w; not repeated: %w", failed, err)
		}
	}
}

// waitToSendAgain waits for as long as the host asks, or for the computed time if it does not say.
func (c *Client) waitToSendAgain(ctx context.Context, failed *UploadError, computed time.Duration) error {
	wait := computed
	if failed.wait > 0 {
		wait = failed.wait
	}
	if wait > c.retry.ServerCap && failed.wait > 0 {
		return fmt.Errorf("%w; not repeated, because the host asks to wait %s and the client waits %s at most",
			failed, wait, c.retry.ServerCap)
	}
	if cut := pause(ctx, c.clock, wait); cut != nil {
		return fmt.Errorf("%w; not repeated: %w", failed, cut)
	}
	return nil
}

// storageURL reads the URL to send a file to. Its errors do not quote it.
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
		repeat := fate(req, resp, nil, err) != fateRefused
		err = &UploadError{Name: f.name, Host: target.Host, Err: withoutURL(ctx, target, err), repeat: repeat}
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		err = c.refusedUpload(f, target, resp)
	case !whole:
		early := errors.New("answered before it had the whole file")
		err = &UploadError{Name: f.name, Host: target.Host, HTTPStatus: resp.StatusCode, Err: early}
	}
	c.logTransfer(ctx, target, resp, attempt, c.clock.Now().Sub(begin), err)
	return sent, err
}

// storage is an HTTP client for another host than the service's: it uses the same connections, but neither the cookies nor the
// timeout, which are meant for the service, and it follows no redirect, because the bytes are for the host that the service named.
func (c *Client) storage() *http.Client {
	return &http.Client{
		Transport:     c.http.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// withoutURL returns what net/http reports without the URL that it puts in front, and in other words should a transport quote the
// URL too.
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

// refusedUpload makes an error out of an answer. Of the body only the code is taken: storage hosts like to repeat the signature in
// it.
func (c *Client) refusedUpload(f *file, target *url.URL, resp *http.Response) error {
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // a body that is cut short still may have the code
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

// storageCode finds the code in the XML with which the common storage hosts refuse a file.
var storageCode = regexp.MustCompile(`<Code>\s*([A-Za-z0-9]{1,60})\s*</Code>`)

// logTransfer writes a record of one attempt, at debug level. It shows the host, and nothing else of the URL.
func (c *Client) logTransfer(ctx context.Context, target *url.URL, resp *http.Response, attempt int, took time.Duration, err error) {
	attributes := []slog.Attr{
		slog.String("operation", "Upload"), slog.String("method", http.MethodPut), slog.String("host", target.Host),
		slog.Int("attempt", attempt), slog.Duration("duration", took),
	}
	if resp != nil {
		attributes = append(attributes, slog.Int("status", resp.StatusCode))
	}
	if err != nil {
		attributes = append(attributes, slog.String("error", err.Error()))
	}
	c.logger.LogAttrs(ctx, slog.LevelDebug, "jogg: attempt", attributes...)
}

// body is a file on its way into one request. It watches that the bytes are as many as were announced or allowed, and refuses the
// last of them otherwise, so that the host never gets what it could take for the whole file. Closing it does not close the reader.
type body struct {
	file      *file
	done      <-chan struct{} // closed when the context or this attempt ends; net/http would wait for a reader that is stuck
	end       func()          // closes done
	progress  func(sent, total int64)
	reporting chan struct{} // held while progress is called, and for good once no further call may begin
	buffer    []byte        // what the reader reads into, because it may still be at it after net/http has taken back its own

	mu    sync.Mutex
	sent  int64
	whole bool
	err   error
}

// Read implements io.Reader for net/http, which calls it from a goroutine of its own.
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

// advance notes what a read brought and reports it.
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
	go func() { // of its own, because it may block and net/http waits for a Read even after the context has ended
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

// stop ends the transfer for this body and tells how far it came: the bytes sent, whether they were the whole file, and what was
// wrong with it. It waits for a report of progress that is under way, unless ctx ends.
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
