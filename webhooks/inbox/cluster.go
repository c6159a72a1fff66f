package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const connName = "jogg-inbox"

// connectCluster connects to a cluster. The connection then heals by itself, however long that takes.
func connectCluster(ctx context.Context, url string, opts []nats.Option) (*nats.Conn, error) {
	all := append([]nats.Option{
		nats.Name(connName),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.PingInterval(10 * time.Second), // notices a server that is gone without a word
	}, opts...)
	type result struct {
		conn *nats.Conn
		err  error
	}
	connected := make(chan result, 1)
	go func() {
		conn, err := nats.Connect(url, all...)
		connected <- result{conn, err}
	}()
	select {
	case r := <-connected:
		if r.err != nil {
			return nil, fmt.Errorf("inbox: connect: %w", r.err)
		}
		return r.conn, nil
	case <-ctx.Done():
		go func() {
			if r := <-connected; r.conn != nil {
				r.conn.Close()
			}
		}()
		return nil, fmt.Errorf("inbox: connect: %w", context.Cause(ctx))
	}
}
