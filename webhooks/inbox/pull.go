package inbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Events are pulled one at a time, so that none is buffered in this process while another worker is idle. A subscription is reused only if
// its last pull request returned an event. Otherwise the next request gets a new reply subject: a late response to the old request is then
// not received, and its event goes to another worker. The iterators of the NATS client are not suitable. They buffer no more messages than
// they requested, heartbeats included, and drop the rest, so an event that arrives together with a heartbeat would be lost until AckWait
// has passed.
//
// A cluster loses a pull request when the server that has it dies. A pull request therefore asks for heartbeats while there is no event,
// and expires after a few seconds. The server in this process does not lose requests.
const (
	pullExpiry    = 10 * time.Second
	pullHeartbeat = time.Second
)

const (
	statusHeader      = "Status"
	descriptionHeader = "Description"

	statusHeartbeat    = "100"
	statusNoMessage    = "404"
	statusExpired      = "408"
	statusNoResponders = "503"
)

// errNoHeartbeat reports that the heartbeats of a pull request are missing.
var errNoHeartbeat = errors.New("inbox: the cluster does not respond")

// pull is a subscription for the responses to pull requests.
type pull struct {
	*nats.Subscription
	messages chan *nats.Msg
}

// pullBuffer is the capacity of a pull's channel: one event, and more heartbeats than can arrive before the request expires. The default
// channels of the NATS client are a thousand times as large, and allocating them takes as long as the rest of a pull.
const pullBuffer = int(4 * pullExpiry / pullHeartbeat)

// next waits for an event. It returns nil without an error if there is none, for example because the pull request expired.
func (w *worker) next(ctx context.Context) (*nats.Msg, error) {
	up, err := w.awaitStore(ctx)
	if err != nil {
		return nil, err
	}
	if w.conn.IsReconnecting() {
		return nil, nats.ErrDisconnected // otherwise the request would be buffered until the connection is restored
	}
	p, err := w.takePull()
	if err != nil {
		return nil, err
	}
	msg, err := w.requestNext(ctx, up, p)
	if msg != nil {
		w.idle = p
		return msg, nil
	}
	if up.Err() != nil { // the server stops; after the restart it redelivers what it may have sent
		_ = p.Unsubscribe()
		return nil, nil //nolint:nilnil,nilerr // no event, and the failure is no error of the pull request
	}
	w.drainPull(p)
	return nil, err
}

// takePull returns the subscription of the last pull request if it can be reused, or a new one.
func (w *worker) takePull() (*pull, error) {
	if p := w.idle; p != nil {
		w.idle = nil
		return p, nil
	}
	p := &pull{messages: make(chan *nats.Msg, pullBuffer)}
	var err error
	p.Subscription, err = w.conn.ChanSubscribe(w.conn.NewInbox(), p.messages)
	return p, err
}

// dropPull ends the subscription that was kept for reuse.
func (w *worker) dropPull() {
	if w.idle != nil {
		_ = w.idle.Unsubscribe() // fails if the connection is closed
	}
}

// requestNext sends a pull request and waits for the response, until ctx ends or the store fails.
func (w *worker) requestNext(ctx context.Context, up *uptime, p *pull) (*nats.Msg, error) {
	request := []byte(`{"batch":1}`)
	if w.local == nil {
		request = fmt.Appendf(nil, `{"batch":1,"expires":%d,"idle_heartbeat":%d}`, pullExpiry, pullHeartbeat)
	}
	subject := fmt.Sprintf(server.JSApiRequestNextT, w.opts.Stream, consumerName)
	if err := w.conn.PublishRequest(subject, p.Subject, request); err != nil {
		return nil, err
	}
	for {
		msg, err := w.awaitMessage(ctx, up, p)
		if err != nil {
			return nil, err
		}
		switch status := msg.Header.Get(statusHeader); status {
		case "":
			return msg, nil
		case statusHeartbeat:
		case statusNoMessage, statusExpired:
			return nil, nil //nolint:nilnil // no event
		case statusNoResponders:
			return nil, nats.ErrNoResponders
		default: // for example 409, if the leader has changed or the consumer was deleted
			return nil, fmt.Errorf("inbox: pull request: status %s: %s", status, msg.Header.Get(descriptionHeader))
		}
	}
}

// awaitMessage waits for the next message of a pull, an event or a status. With a cluster it returns errNoHeartbeat after three intervals
// without a heartbeat.
func (w *worker) awaitMessage(ctx context.Context, up *uptime, p *pull) (*nats.Msg, error) {
	var missed <-chan time.Time
	if w.local == nil {
		timer := time.NewTimer(3 * pullHeartbeat)
		defer timer.Stop()
		missed = timer.C
	}
	select {
	case msg := <-p.messages:
		return msg, nil
	case <-missed:
		return nil, errNoHeartbeat
	case <-up.Done():
		return nil, context.Cause(up)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// drainPull drains a subscription, and negatively acknowledges an event that was on its way.
func (w *worker) drainPull(p *pull) {
	ended := make(chan struct{})
	end := sync.OnceFunc(func() { close(ended) })
	p.SetClosedHandler(func(string) { end() })
	if p.Drain() != nil { // the connection is closed
		return
	}
	select {
	case <-ended:
	case <-time.After(requestTimeout):
	}
	for {
		select {
		case msg := <-p.messages:
			if msg.Header.Get(statusHeader) == "" {
				w.nakUnstarted(msg)
			}
		default:
			return
		}
	}
}

const (
	ackAck      = "+ACK"
	ackNak      = "-NAK"
	ackProgress = "+WPI"
)

// ackSync sends an acknowledgement of any kind to a reply subject, and waits until the server confirms it.
func (w *worker) ackSync(ctx context.Context, reply string, ack []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := w.conn.RequestWithContext(ctx, reply, ack)
	return err
}

// ackDelivery sends an acknowledgement of any kind for an event. A restarted server may not have written that it delivered the event. It
// then does not confirm the acknowledgement and redelivers the event. The redelivery updates d.reply, and the acknowledgement is sent
// again.
func (w *worker) ackDelivery(ctx context.Context, d *delivery, ack []byte) error {
	for {
		reply := d.reply.Load()
		err := w.ackSync(ctx, *reply, ack)
		if err == nil || ctx.Err() != nil || d.reply.Load() == reply {
			return err
		}
	}
}

// nak negatively acknowledges an event, to be redelivered after wait. It waits for the confirmation, because the server may be about to
// stop. It does not retry, because another worker may already have the event.
//
// JetStream persists the time of the redelivery only for a NAK with delay. So nak always sends a delay. A negatively acknowledged event is
// then redelivered immediately after a server restart too, instead of after AckWait.
func (w *worker) nak(d *delivery, wait time.Duration) error {
	w.inFlight.release(d) // before the NAK, or a redelivery to this process would be left to this finished delivery
	if err := w.ackDelivery(context.WithoutCancel(w.handling), d, nakWithDelay(wait)); err != nil {
		return fmt.Errorf("inbox: negative acknowledgement: %w", err)
	}
	return nil
}

// nakWithDelay returns the payload of a NAK with a delay of at least a millisecond.
func nakWithDelay(wait time.Duration) []byte {
	return fmt.Appendf(nil, `%s {"delay": %d}`, ackNak, max(wait, time.Millisecond))
}

// nakUnstarted negatively acknowledges an event before an attempt has started.
func (w *worker) nakUnstarted(msg *nats.Msg) {
	if meta, err := msg.Metadata(); err == nil {
		w.skipped.add(meta.Sequence.Stream)
	}
	_ = w.ackSync(context.WithoutCancel(w.handling), msg.Reply, nakWithDelay(0)) // if it is lost, the event is redelivered after AckWait
}

// acknowledge acknowledges an event, which removes it from the queue.
func (w *worker) acknowledge(ctx context.Context, d *delivery) error {
	if err := w.ackDelivery(ctx, d, []byte(ackAck)); err != nil {
		return fmt.Errorf("inbox: acknowledge: %w", err)
	}
	return nil
}

// ackInProgress sends an in-progress acknowledgement, which restarts AckWait. It does not wait for a confirmation.
func (w *worker) ackInProgress(d *delivery) error {
	return w.conn.Publish(*d.reply.Load(), []byte(ackProgress))
}
