package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Events are asked for one at a time, so that none waits here while another worker has nothing to do, and each time on a subject of its
// own, so that what comes late finds nobody and goes to another worker. The iterators of the NATS client do not suit that: they hold no
// more messages than they ask for, signs of life included, and drop the rest, so an event that arrives together with a sign of life
// would be lost until AckWait is over.
//
// A cluster can forget that it was asked, when a server dies. So it gives signs of life while it has no event, and is asked again after
// a few seconds. A server in this process forgets nothing.
const (
	pullExpiry    = 10 * time.Second
	pullHeartbeat = time.Second
)

const (
	statusHeader = "Status"
	descrHeader  = "Description"

	statusHeartbeat = "100"
	statusNoMessage = "404"
	statusExpired   = "408"
	statusConflict  = "409" // the leader or the consumer is gone
	statusNobody    = "503"
)

// errSilent says that the cluster does not give signs of life.
var errSilent = errors.New("inbox: the cluster does not answer")

// next waits for an event. It returns nil without an error if there was none for a while.
func (w *worker) next(ctx context.Context) (*nats.Msg, error) {
	if w.conn.IsReconnecting() {
		return nil, nats.ErrDisconnected // or the question would wait for the connection, among others
	}
	sub, err := w.conn.SubscribeSync(w.conn.NewInbox())
	if err != nil {
		return nil, err
	}
	msg, err := w.ask(ctx, sub)
	if msg != nil {
		_ = sub.Unsubscribe() // fails if the connection is closed
		return msg, nil
	}
	w.handBackRest(sub)
	return nil, err
}

// ask asks for an event and waits for the answer.
func (w *worker) ask(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	question := []byte(`{"batch":1}`)
	if w.local == nil {
		question = fmt.Appendf(nil, `{"batch":1,"expires":%d,"idle_heartbeat":%d}`, pullExpiry, pullHeartbeat)
	}
	subject := fmt.Sprintf(server.JSApiRequestNextT, w.opts.Stream, workerName)
	if err := w.conn.PublishRequest(subject, sub.Subject, question); err != nil {
		return nil, err
	}
	for {
		msg, err := w.hear(ctx, sub)
		if err != nil {
			return nil, err
		}
		switch status := msg.Header.Get(statusHeader); status {
		case "":
			return msg, nil
		case statusHeartbeat:
		case statusNoMessage, statusExpired:
			return nil, nil //nolint:nilnil // there was nothing
		case statusNobody:
			return nil, nats.ErrNoResponders
		case statusConflict:
			return nil, fmt.Errorf("inbox: asked for an event: %s", msg.Header.Get(descrHeader))
		default:
			return nil, fmt.Errorf("inbox: asked for an event: status %s: %s", status, msg.Header.Get(descrHeader))
		}
	}
}

// hear waits for a message, an event or a sign of life.
func (w *worker) hear(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	if w.local != nil {
		return sub.NextMsgWithContext(ctx)
	}
	waiting, cancel := context.WithTimeout(ctx, 3*pullHeartbeat)
	defer cancel()
	msg, err := sub.NextMsgWithContext(waiting)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return nil, errSilent
	}
	return msg, err
}

// handBackRest ends a subscription, and hands back an event that was under way.
func (w *worker) handBackRest(sub *nats.Subscription) {
	_ = sub.Drain() // fails if the connection is closed
	for {
		msg, err := sub.NextMsg(time.Second)
		if err != nil {
			return
		}
		if msg.Header.Get(statusHeader) == "" {
			_ = w.handBack(msg, 0) // if that is lost, the event is delivered again after AckWait
		}
	}
}

const (
	answerDone  = "+ACK"
	answerAgain = "-NAK"
	answerAlive = "+WPI"
)

// tell tells JetStream something about a message and waits until it has understood.
func (w *worker) tell(msg *nats.Msg, answer []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.handling), tryTime)
	defer cancel()
	_, err := w.conn.RequestWithContext(ctx, msg.Reply, answer)
	return err
}

// handBack has a message delivered again after a while. It waits until the server has understood, which may be about to stop. It does
// not try twice, because by then another worker can have the message.
func (w *worker) handBack(msg *nats.Msg, wait time.Duration) error {
	answer := []byte(answerAgain)
	if wait > 0 {
		answer = fmt.Appendf(answer, ` {"delay": %d}`, wait.Nanoseconds())
	}
	if err := w.tell(msg, answer); err != nil {
		return fmt.Errorf("inbox: hand back: %w", err)
	}
	return nil
}

// acknowledge takes an event out of the queue.
func (w *worker) acknowledge(d *delivery) { w.report(d, w.tell(d.Msg, []byte(answerDone))) }

// sayAlive tells JetStream that an event is still being handled.
func (w *worker) sayAlive(msg *nats.Msg) error { return w.conn.Publish(msg.Reply, []byte(answerAlive)) }
