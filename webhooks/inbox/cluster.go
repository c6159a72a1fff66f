package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

const connName = "jogg-inbox"

// connectCluster connects to a cluster. The connection is restored after outages of any length.
func connectCluster(ctx context.Context, o *Options) (*nats.Conn, error) {
	all := append(logged(o.Logger),
		nats.Name(connName),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250*time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.PingInterval(10*time.Second), // detects a server that is gone without closing the connection
	)
	all = append(all, o.NATSOptions...)
	type result struct {
		conn *nats.Conn
		err  error
	}
	connected := make(chan result, 1)
	go func() {
		conn, err := nats.Connect(o.URL, all...)
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

// logged returns options that log the errors, the loss and the restoration of a connection.
func logged(log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("inbox connection error", "error", err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("inbox connection lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(conn *nats.Conn) {
			log.Info("inbox connection restored", "server", conn.ConnectedServerName())
		}),
	}
}
