package hostile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jogg-go/jogg/webhooks"
)

// sender is one raw connection to the victim, which can send anything.
type sender struct {
	net.Conn
	responses *bufio.Reader
}

func dial(ctx context.Context, address string) (*sender, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &sender{conn, bufio.NewReader(conn)}, nil
}

// head sends the request line and the headers of a delivery.
func (s *sender) head(headers ...string) error {
	lines := append([]string{"POST /jogg HTTP/1.1", "Host: victim", "Content-Type: application/json"}, headers...)
	_, err := io.WriteString(s, strings.Join(lines, "\r\n")+"\r\n\r\n")
	return err
}

// closed is used as the status code if the victim closed the connection without a response.
const closed = 0

// status waits for the response to a request and returns its status code.
func (s *sender) status() (status int, err error) {
	response, err := http.ReadResponse(s.responses, nil)
	if err != nil {
		if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return closed, nil
		}
		return closed, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

func signature(body string) string {
	return webhooks.SignatureHeader + ": " + webhooks.Sign([]byte(body), secret)
}

// forged is an invalid signature of the right length.
var forged = webhooks.SignatureHeader + ": " + strings.Repeat("0f", 32)

func length(n int) string { return "Content-Length: " + strconv.Itoa(n) }

// terabyte is a length that exceeds any limit, and a 32-bit int.
const terabyte = "Content-Length: 1099511627776"

// good returns the body of a valid delivery.
func good(id string) string {
	return fmt.Sprintf(`{"event":"generated_avatar_video_success","event_id":%q,"timestamp":1732806631,"data":{"video_id":"video_1",`+
		`"status":"completed","video_url":"https://res.jogg.ai/1.mp4","cover_url":"https://res.jogg.ai/1.jpg","duration":30.5}}`, id)
}

// every calls do at an interval until it fails, for example because the victim closed the connection, or until ctx ends.
func every(ctx context.Context, interval time.Duration, do func() error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if do() != nil {
				return
			}
		}
	}
}
