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

// sender is one connection, with nothing between it and the victim that would keep it from sending what it likes.
type sender struct {
	net.Conn
	answers *bufio.Reader
}

func dial(ctx context.Context, address string) (*sender, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &sender{conn, bufio.NewReader(conn)}, nil
}

// head sends the beginning of a delivery with further headers, up to the body.
func (s *sender) head(headers ...string) error {
	lines := append([]string{"POST /jogg HTTP/1.1", "Host: victim", "Content-Type: application/json"}, headers...)
	_, err := io.WriteString(s, strings.Join(lines, "\r\n")+"\r\n\r\n")
	return err
}

// closed stands in the place of an answer's status if the victim closed the connection without one.
const closed = 0

// answer waits for the answer to a request and returns its status.
func (s *sender) answer() (status int, err error) {
	response, err := http.ReadResponse(s.answers, nil)
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

// forged is a signature of the right form.
var forged = webhooks.SignatureHeader + ": " + strings.Repeat("0f", 32)

func length(n int) string { return "Content-Length: " + strconv.Itoa(n) }

// terabyte is the length of more than can be sent, and than an int of 32 bits can hold.
const terabyte = "Content-Length: 1099511627776"

// good is the body of a delivery as JoggAI sends it.
func good(id string) string {
	return fmt.Sprintf(`{"event":"generated_avatar_video_success","event_id":%q,"timestamp":1732806631,"data":{"video_id":"video_1",`+
		`"status":"completed","video_url":"https://res.jogg.ai/1.mp4","cover_url":"https://res.jogg.ai/1.jpg","duration":30.5}}`, id)
}

// every calls do at each tick until it fails, as it does when the victim closes the connection, or ctx ends.
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
