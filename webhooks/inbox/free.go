package inbox

import (
	"context"
	"math"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// free returns how many bytes are left for events, -1 for any number: the least of what the stream, the account and, with a directory,
// the server may still take.
func (b *Inbox) free(ctx context.Context, events *jetstream.StreamInfo) (int64, error) {
	account, err := b.js.AccountInfo(ctx)
	if err != nil {
		return 0, err
	}
	left := int64(math.MaxInt64)
	limit := func(most int64, used uint64) {
		if most > 0 {
			left = min(left, max(most-int64(min(used, math.MaxInt64)), 0))
		}
	}
	limit(events.Config.MaxBytes, events.State.Bytes)
	limit(account.Limits.MaxStore, account.Store)
	if b.local != nil {
		js, err := b.local.server.Jsz(&server.JSzOptions{})
		if err != nil {
			return 0, err
		}
		limit(js.Config.MaxStore, js.Store)
	}
	if left == math.MaxInt64 {
		return -1, nil
	}
	return left, nil
}
