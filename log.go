package jogg

import (
	"errors"
	"log/slog"
	"time"
)

// logged writes a record of each attempt, at debug level: what was called, what came back, and how long it took. Keys, queries,
// bodies and the service's messages, which may repeat parts of a body, are left out.
func (c *Client) logged(next step) step {
	return func(x *exchange) error {
		ctx := x.request.Context()
		if !c.logger.Enabled(ctx, slog.LevelDebug) {
			return next(x)
		}
		begin := c.clock.Now()
		err := next(x)
		attributes := append(x.attributes(), slog.Duration("duration", c.clock.Now().Sub(begin)))
		c.logger.LogAttrs(ctx, slog.LevelDebug, "jogg: attempt", append(attributes, x.outcome(err)...)...)
		return err
	}
}

// logWait writes a record of a wait before another attempt.
func (c *Client) logWait(x *exchange, wait time.Duration) {
	c.logger.LogAttrs(x.request.Context(), slog.LevelDebug, "jogg: waiting before another attempt",
		append(x.attributes(), slog.Duration("wait", wait))...)
}

func (x *exchange) attributes() []slog.Attr {
	return []slog.Attr{
		slog.String("operation", x.ctx.operation),
		slog.String("method", x.request.Method),
		slog.String("path", x.request.URL.Path),
		slog.Int("attempt", x.attempt),
	}
}

// outcome describes how an attempt ended.
func (x *exchange) outcome(err error) []slog.Attr {
	var refused *APIError
	var unanswered *callError
	switch {
	case err == nil:
		return answered(x.status, 0, x.envelope.requestID())
	case errors.As(err, &refused):
		attributes := answered(refused.HTTPStatus, refused.Code, refused.RequestID)
		switch {
		case refused.kind() != nil:
			return append(attributes, slog.String("error", refused.kind().Error()))
		case refused.err != nil:
			return append(attributes, slog.String("error", refused.Message))
		}
		return attributes
	case errors.As(err, &unanswered):
		return []slog.Attr{slog.String("error", unanswered.text)}
	default:
		return nil
	}
}

func answered(status, code int, requestID string) []slog.Attr {
	return []slog.Attr{slog.Int("status", status), slog.Int("code", code), slog.String("request_id", requestID)}
}
