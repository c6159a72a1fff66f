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

// Events are pulled one at a time, so that none waits here while another worker has nothing to do. A subscription is used again only if its
// last pull request has brought its event. Otherwise the next request has a subject of its own, so that an event that comes late finds nobody
// and goes to another worker. The iterators of the NATS client do not suit that: they hold no more messages than they ask for,
// heartbeats included, and drop the rest, so an event that arrives together with a heartbeat would be lost until AckWait is over.
//
// A cluster can forget a pull request, when a server dies. So it sends heartbeats while it has no event, and the request expires after a few
// seconds. A server in this process forgets nothing.
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

// errSilent says that the cluster sends no heartbeats.
var errNoHeartbeat = errors.New("inbox: the cluster does not answer")

// pull is where the answers to pull requests arrive.
type pull struct {
	*nats.Subscription
	messages chan *nats.Msg
}

// answerRoom is how many messages have room that a worker has not come to see yet: one event, and more heartbeats than there can be.
// The channels that the NATS client makes are a thousand times as large, which cost as much as all the rest.
const pullBuffer = int(4 * pullExpiry / pullHeartbeat)

// next waits for an event. It returns nil without an error if there was none for a while.
func (w *worker) next(ctx context.Context) (*nats.Msg, error) {
	up, err := w.awaitStore(ctx)
	if err != nil {
		return nil, err
	}
	if w.conn.IsReconnecting() {
		return nil, nats.ErrDisconnected // or the question would wait for the connection, among others
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
	if up.Err() != nil { // the server is gone, and delivers again what it may have sent
		_ = p.Unsubscribe()
		return nil, nil //nolint:nilnil // there was nothing
	}
	w.drainPull(p)
	return nil, err
}

// takePull returns the subscription of the last pull request if that one is over, or a new one.
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

// dropPull ends the subscription that is kept for the next pull request.
func (w *worker) dropPull() {
	if w.idle != nil {
		_ = w.idle.Unsubscribe() // fails if the connection is closed
	}
}

// ask asks for an event and waits for the answer, until ctx ends or the store fails.
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
			return nil, nil //nolint:nilnil // there was nothing
		case statusNoResponders:
			return nil, nats.ErrNoResponders
		default: // such as 409, when the leader or the consumer is gone
			return nil, fmt.Errorf("inbox: asked for an event: status %s: %s", status, msg.Header.Get(descriptionHeader))
		}
	}
}

// hear waits for a message, an event or a heartbeat.
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

// handBackRest ends a pull, and hands back an event that was under way.
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

// tell tells JetStream something about a message and waits until it has understood.
func (w *worker) ackSync(ctx context.Context, reply string, ack []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := w.conn.RequestWithContext(ctx, reply, ack)
	return err
}

// say tells JetStream something about an event. A server that was restarted may not have written down that it has delivered the event, so it
// does not understand, and delivers the event again, which this worker then answers for, too.
func (w *worker) ackDelivery(ctx context.Context, d *delivery, ack []byte) error {
	for {
		reply := d.reply.Load()
		err := w.ackSync(ctx, *reply, ack)
		if err == nil || ctx.Err() != nil || d.reply.Load() == reply {
			return err
		}
	}
}

// nak has a message delivered again after a while. It waits until the server has understood, which may be about to stop. It does
// not try twice, because by then another worker can have the message.
//
// JetStream writes down when to deliver a message again only if it is told to wait. So it is always told so: what is negatively acknowledged
// is then delivered at once also when the server starts again, and not after AckWait.
func (w *worker) nak(d *delivery, wait time.Duration) error {
	w.inFlight.release(d) // before the server can deliver it again: nobody would answer for what came to a worker that has answered
	if err := w.ackDelivery(context.WithoutCancel(w.handling), d, nakWithDelay(wait)); err != nil {
		return fmt.Errorf("inbox: negative acknowledgement: %w", err)
	}
	return nil
}

func nakWithDelay(wait time.Duration) []byte {
	return fmt.Appendf(nil, `%s {"delay": %d}`, ackNak, max(wait, time.Millisecond))
}

// handBackUnbegun hands back an event that no attempt was begun for.
func (w *worker) nakUnstarted(msg *nats.Msg) {
	if meta, err := msg.Metadata(); err == nil {
		w.skipped.add(meta.Sequence.Stream)
	}
	_ = w.ackSync(context.WithoutCancel(w.handling), msg.Reply, nakWithDelay(0)) // if that is lost, the event is delivered again after AckWait
}

// acknowledge takes an event out of the queue.
func (w *worker) acknowledge(ctx context.Context, d *delivery) error {
	if err := w.ackDelivery(ctx, d, []byte(ackAck)); err != nil {
		return fmt.Errorf("inbox: acknowledge: %w", err)
	}
	return nil
}

// sayAlive tells JetStream that an event is still being handled.
func (w *worker) ackInProgress(d *delivery) error {
	return w.conn.Publish(*d.reply.Load(), []byte(ackProgress))
}
