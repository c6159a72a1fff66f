package webhooks_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jogg-go/jogg/webhooks"
)

// pipes is a listener whose connections are pipes, so that their deadlines use the fake clock of the synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// serve serves the handler with the limits of NewServer until the test ends. It returns a function that opens a connection.
func serve(t *testing.T, handler http.Handler) (dial func() *client) {
	t.Helper()
	listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := webhooks.NewServer("", handler)
	server.ErrorLog = log.New(io.Discard, "", 0)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil { // waits for all connections
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return func() *client {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _ = ours.Close() })
		listener.conns <- theirs
		return &client{t: t, conn: ours, reader: bufio.NewReader(ours)}
	}
}

// client is the client's end of a connection.
type client struct {
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

// send writes text in the background, because a write to a pipe blocks until it is read or the connection is closed.
func (c *client) send(text string) {
	go func() { _, _ = io.WriteString(c.conn, text) }()
	synctest.Wait()
}

// expect reads a response and checks its status code and body.
func (c *client) expect(status int) *http.Response {
	c.t.Helper()
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.t.Fatalf("no response: %v", err)
	}
	if response.StatusCode != status {
		c.t.Errorf("status code is %d, want %d", response.StatusCode, status)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != http.StatusText(response.StatusCode)+"\n" {
		c.t.Errorf("response %d has the body %q, %v", response.StatusCode, body, err)
	}
	return response
}

// expectClosed waits until the server has closed the connection.
func (c *client) expectClosed() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.reader); err != nil || len(rest) > 0 {
		c.t.Errorf("after the response came %q, %v", rest, err)
	}
}

func head(length string, lines ...string) string {
	return strings.Join(append([]string{"POST /jogg HTTP/1.1", "Host: example.com", length}, lines...), "\r\n") + "\r\n\r\n"
}

func signedBy(body string) string {
	return webhooks.SignatureHeader + ": " + webhooks.Sign([]byte(body), secret)
}

func TestStalledBodyTimesOutAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r counter
		dial := serve(t, newSite(t, &r))
		c := dial()
		start := time.Now()
		c.send(head("Content-Length: 1000", signedBy("")) + "{")
		c.expect(http.StatusRequestTimeout)
		if took := time.Since(start); took != webhooks.DefaultDeadline {
			t.Errorf("the response took %v", took)
		}
		c.expectClosed()
		r.expect(t, 0)
	})
}

func TestTricklingBodyTimesOutAtTheDeadline(t *testing.T) {
	for _, c := range []struct{ name, head, piece string }{
		{"in one piece", head("Content-Length: 1000", signedBy("")), " "},
		{"in chunks", head("Transfer-Encoding: chunked", signedBy("")), "1\r\n \r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r counter
				dial := serve(t, newSite(t, &r, webhooks.WithDeadline(3500*time.Millisecond)))
				client := dial()
				start := time.Now()
				client.send(c.head)
				trickled, stop := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(trickled)
					ticker := time.NewTicker(time.Second)
					defer ticker.Stop()
					for {
						select {
						case <-ticker.C:
							if _, err := io.WriteString(client.conn, c.piece); err != nil {
								return
							}
						case <-stop:
							return
						}
					}
				}()
				client.expect(http.StatusRequestTimeout)
				if took := time.Since(start); took != 3500*time.Millisecond {
					t.Errorf("the response took %v", took)
				}
				client.expectClosed()
				close(stop)
				_ = client.conn.Close()
				<-trickled
				r.expect(t, 0)
			})
		})
	}
}

// The server reads the rest of an unread body before it sends the response. A client that does not send the rest must not hold the
// connection.
func TestUnreadBodyIsNotWaitedForBeyondTheDeadline(t *testing.T) {
	for _, c := range []struct {
		name, request string
		status        int
		opts          []webhooks.HandlerOption
	}{
		{"without a signature", head("Content-Length: 1000") + "{", http.StatusUnauthorized, nil},
		{"without a signature, in chunks", head("Transfer-Encoding: chunked") + "1\r\n{\r\n", http.StatusUnauthorized, nil},
		{
			"too long", head("Content-Length: 1000", signedBy("")) + "{", http.StatusRequestEntityTooLarge,
			[]webhooks.HandlerOption{webhooks.WithMaxBodySize(999)},
		},
		{"not POST", "PUT" + strings.TrimPrefix(head("Content-Length: 1000"), "POST") + "{", http.StatusMethodNotAllowed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r counter
				dial := serve(t, newSite(t, &r, c.opts...))
				client := dial()
				start := time.Now()
				client.send(c.request)
				client.expect(c.status)
				client.expectClosed()
				if took := time.Since(start); took > webhooks.DefaultDeadline {
					t.Errorf("the connection was open for %v", took)
				}
				r.expect(t, 0)
			})
		})
	}
}

func TestChunkedBodyOverTheLimitIsNotReadToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r counter
		dial := serve(t, newSite(t, &r, webhooks.WithMaxBodySize(100)))
		c := dial()
		chunk := fmt.Sprintf("%x\r\n%s\r\n", 1000, strings.Repeat("a", 1000))
		c.send(head("Transfer-Encoding: chunked", signedBy("")) + strings.Repeat(chunk, 10_000))
		if response := c.expect(http.StatusRequestEntityTooLarge); !response.Close {
			t.Error("the connection stays open")
		}
		_ = c.conn.Close()
		r.expect(t, 0)
	})
}

func TestConnectionIsReusedAfterEveryResponseToACompleteDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &counter{next: func(ctx context.Context, ev webhooks.Event) error {
			switch ev.ID {
			case "fails":
				return errors.New("database is away")
			case "hangs":
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		dial := serve(t, newSite(t, r))
		c := dial()
		whole := func(body string, lines ...string) string {
			return head(fmt.Sprint("Content-Length: ", len(body)), lines...) + body
		}
		ok, fails, hangs := numbered("1"), numbered("fails"), numbered("hangs")
		for range 2 {
			c.send(whole(ok, signedBy(ok)))
			c.expect(http.StatusOK)
			c.send(whole(ok, signedBy("other")))
			c.expect(http.StatusUnauthorized)
			c.send(whole("{}", signedBy("{}")))
			c.expect(http.StatusOK)
			c.send(whole(fails, signedBy(fails)))
			c.expect(http.StatusInternalServerError)
			c.send(whole(hangs, signedBy(hangs)))
			c.expect(http.StatusServiceUnavailable)
		}
	})
}

// Middleware around the handler may still need the request's context, which net/http cancels once it can no longer read from the
// connection.
func TestRequestContextOutlivesTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, webhooks.ReceiverFunc(func(ctx context.Context, _ webhooks.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		dial := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.ServeHTTP(w, r)
			<-time.After(time.Second)
			if err := r.Context().Err(); err != nil {
				t.Errorf("the request's context has ended: %v", err)
			}
		}))
		c := dial()
		body := numbered("1")
		c.send(head(fmt.Sprint("Content-Length: ", len(body)), signedBy(body)) + body)
		c.expect(http.StatusServiceUnavailable)
	})
}

// Middleware can read the body before the handler does, for example to log it. Even then the handler's read deadline must not outlast the
// delivery.
func TestConnectionIsReusedIfMiddlewareReadTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, webhooks.ReceiverFunc(func(ctx context.Context, ev webhooks.Event) error {
			if ev.ID == "hangs" {
				<-time.After(webhooks.DefaultDeadline + time.Second/2)
			}
			return nil
		}))
		var ended error // of the last request's context, after the handler's response
		dial := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			s.ServeHTTP(w, r)
			<-time.After(time.Second) // past the deadline that the handler had set
			ended = r.Context().Err()
		}))
		c := dial()
		for _, id := range []string{"hangs", "1", "2"} {
			body := numbered(id)
			c.send(head(fmt.Sprint("Content-Length: ", len(body)), signedBy(body)) + body)
			if id == "hangs" {
				c.expect(http.StatusServiceUnavailable)
			} else {
				c.expect(http.StatusOK)
			}
			if ended != nil {
				t.Errorf("after %s the request's context has ended: %v", id, ended)
			}
		}
	})
}

func TestReceiverContinuesIfTheClientDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan struct{})
		r := &counter{next: func(ctx context.Context, _ webhooks.Event) error {
			<-left
			if ctx.Err() != nil {
				t.Errorf("the receiver's context has ended: %v", ctx.Err())
			}
			return nil
		}}
		s := newSite(t, r)
		requests := make(chan context.Context, 1)
		dial := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests <- r.Context()
			s.ServeHTTP(w, r)
		}))
		c := dial()
		body := numbered("1")
		c.send(head(fmt.Sprint("Content-Length: ", len(body)), signedBy(body)) + body)
		_ = c.conn.Close()
		<-(<-requests).Done() // the server has noticed the disconnect
		synctest.Wait()
		close(left)
		synctest.Wait()

		// The event was accepted all the same.
		again := dial()
		again.send(head(fmt.Sprint("Content-Length: ", len(body)), signedBy(body)) + body)
		again.expect(http.StatusOK)
		r.expect(t, 1)
	})
}

func TestTruncatedBodyIsNotReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r counter
		s := newSite(t, &r)
		dial := serve(t, s)
		c := dial()
		body := numbered("1")
		c.send(head(fmt.Sprint("Content-Length: ", len(body)), signedBy(body)) + body[:len(body)-1])
		_ = c.conn.Close()
		synctest.Wait()
		r.expect(t, 0)
		if !strings.Contains(s.log.String(), "status=400") {
			t.Errorf("the log is\n%s", s.log)
		}
	})
}

func TestExpectContinueIsOnlyGrantedToSignedDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r counter
		dial := serve(t, newSite(t, &r))
		c := dial()
		c.send(head("Content-Length: 1000", "Expect: 100-continue"))
		c.expect(http.StatusUnauthorized)
		c.expectClosed()

		c = dial()
		body := numbered("1")
		c.send(head(fmt.Sprint("Content-Length: ", len(body)), "Expect: 100-continue", signedBy(body)))
		if line, err := c.reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("got %q, %v", line, err)
		}
		if _, err := c.reader.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		c.send(body)
		c.expect(http.StatusOK)
		r.expect(t, 1)
	})
}
