package jogg

import (
	"errors"
	"log/slog"
	"time"
)

// logged logs each attempt at debug level: the request, its result, and how long it took. It leaves out keys, queries, bodies and the
// service's messages, which may repeat parts of a body.
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

// waitingMessage is the log message of a wait before another attempt.
const waitingMessage = "jogg: waiting before another attempt"

// logWait logs a wait before another attempt.
func (x *exchange) logWait(wait time.Duration) {
	x.client.logger.LogAttrs(x.request.Context(), slog.LevelDebug, waitingMessage,
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

// outcome returns the attributes of an attempt's result.
func (x *exchange) outcome(err error) []slog.Attr {
	if err == nil {
		return responseAttributes(x.status, 0, x.envelope.requestID())
	}
	if refused, ok := errors.AsType[*APIError](err); ok {
		attributes := responseAttributes(refused.HTTPStatus, refused.Code, refused.RequestID)
		switch {
		case refused.kind() != nil:
			return append(attributes, slog.String("error", refused.kind().Error()))
		case refused.err != nil:
			return append(attributes, slog.String("error", refused.Message))
		}
		return attributes
	}
	if unanswered, ok := errors.AsType[*callError](err); ok {
		return []slog.Attr{slog.String("error", unanswered.text)}
	}
	return nil
}

func responseAttributes(status, code int, requestID string) []slog.Attr {
	return []slog.Attr{slog.Int("status", status), slog.Int("code", code), slog.String("request_id", requestID)}
}
