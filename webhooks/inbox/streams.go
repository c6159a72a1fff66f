package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// streams are the three streams of an inbox. Events wait in a stream with work queue retention, which deletes acknowledged messages. A
// second stream therefore extends the deduplication window to handled events: when a server starts, it rebuilds JetStream's own
// deduplication only from the messages that a stream still has. The third stream has the dead letters, one per key.
type streams struct {
	events, dead, handled jetstream.Stream
	consumer              jetstream.Consumer
}

const consumerName = "worker"

func (o *Options) eventsSubject() string           { return o.Subject + ".events" }
func (o *Options) deadSubject(id string) string    { return o.Subject + ".dead." + id }
func (o *Options) handledSubject(id string) string { return o.Subject + ".handled." + id }

// streamNames returns the names of the three streams: events, dead letters, handled events.
func (o *Options) streamNames() []string {
	return []string{o.Stream, o.Stream + "_DEAD", o.Stream + "_HANDLED"}
}

func (o *Options) eventsConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        o.streamNames()[0],
		Description: "JoggAI events waiting to be handled",
		Subjects:    []string{o.eventsSubject()},
		Retention:   jetstream.WorkQueuePolicy,
		Storage:     jetstream.FileStorage,
		Discard:     jetstream.DiscardNew,
		MaxMsgs:     o.MaxEvents,
		MaxBytes:    o.MaxBytes,
		Duplicates:  o.DuplicateWindow,
		Replicas:    o.Replicas,
	}
}

// deadConfig returns the settings of the stream of dead letters, which keeps the last one of each key. AllowDirect is set only with a
// single replica: with more, a follower could return outdated messages.
func (o *Options) deadConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              o.streamNames()[1],
		Description:       "JoggAI events that could not be handled",
		Subjects:          []string{o.deadSubject("*")},
		Retention:         jetstream.LimitsPolicy,
		Storage:           jetstream.FileStorage,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgsPerSubject: 1,
		AllowDirect:       o.Replicas == 1,
		Replicas:          o.Replicas,
	}
}

func (o *Options) handledConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              o.streamNames()[2],
		Description:       "Which JoggAI events have been handled lately",
		Subjects:          []string{o.handledSubject("*")},
		Retention:         jetstream.LimitsPolicy,
		Storage:           jetstream.FileStorage,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgsPerSubject: 1,
		MaxAge:            o.DuplicateWindow,
		Duplicates:        time.Second,
		AllowDirect:       o.Replicas == 1,
		Replicas:          o.Replicas,
	}
}

// consumerConfig returns the settings of the consumer that all workers share. It counts deliveries and delays redeliveries, but limits
// neither attempts nor waits: JetStream leaves a message that has reached MaxDeliver in the stream forever, and BackOff would also limit
// how long a handler runs. Messages that wait for a retry count as unacknowledged, so MaxAckPending must be unlimited: otherwise many
// failing events would block all others.
func (o *Options) consumerConfig() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       consumerName,
		Description:   "Handles JoggAI events",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       o.AckWait,
		MaxDeliver:    -1,
		MaxAckPending: -1,
		MaxWaiting:    4096,
	}
}

// setUpTimeout limits how long setUp waits for a cluster that is not ready, in addition to its context. setUpTryTimeout limits each try.
const (
	setUpTimeout    = 30 * time.Second
	setUpTryTimeout = 5 * time.Second
)

// setUp creates the streams and the consumer, or checks the settings of existing ones. It retries while a cluster starts or elects its
// leaders.
//
// If complete is set, the streams have existed before. A missing stream is then data loss, and setUp returns an error instead of creating
// it.
func setUp(ctx context.Context, js jetstream.JetStream, o *Options, complete bool) (*streams, error) {
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	var last error
	s, err := backoff.Retry(ctx, func() (*streams, error) {
		try, cancel := context.WithTimeout(ctx, setUpTryTimeout) // without a leader there is no response at all
		defer cancel()
		s, err := ensureAll(try, js, o, complete)
		if err != nil && !transient(err) {
			return nil, backoff.Permanent(err)
		}
		last = err
		return s, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(retryWait)), backoff.WithMaxElapsedTime(setUpTimeout))
	if ctx.Err() != nil && last != nil {
		err = last // the reason for the retries
	}
	return s, err
}

func ensureAll(ctx context.Context, js jetstream.JetStream, o *Options, complete bool) (s *streams, err error) {
	s = &streams{}
	for _, stream := range []struct {
		at   *jetstream.Stream
		want jetstream.StreamConfig
	}{{&s.events, o.eventsConfig()}, {&s.dead, o.deadConfig()}, {&s.handled, o.handledConfig()}} {
		if complete {
			if _, err := js.Stream(ctx, stream.want.Name); err != nil {
				return nil, fmt.Errorf("inbox: look up stream %s: %w", stream.want.Name, err)
			}
		}
		if *stream.at, err = ensureStream(ctx, js, stream.want, o.Dir != ""); err != nil {
			return nil, err
		}
	}
	if s.consumer, err = ensureConsumer(ctx, s.events, o.consumerConfig(), o.Dir != ""); err != nil {
		return nil, err
	}
	return s, nil
}

// ensureStream opens a stream and creates it if it does not exist. If own is set, the stream is in a directory of the inbox, and its limits
// are updated. Any other difference is a *ShapeError.
func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, own bool) (jetstream.Stream, error) {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if stream, err = js.CreateStream(ctx, want); err == nil {
			return stream, nil
		}
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil, fmt.Errorf("inbox: create stream %s: %w", want.Name, err)
		}
		stream, err = js.Stream(ctx, want.Name) // created concurrently by another process
	}
	if err != nil {
		return nil, fmt.Errorf("inbox: look up stream %s: %w", want.Name, err)
	}
	differences := streamDifferences(stream.CachedInfo().Config, want)
	if len(differences) == 0 {
		return stream, nil
	}
	for _, d := range differences {
		if !own || !d.limit {
			return nil, &d.ShapeError
		}
	}
	if stream, err = js.UpdateStream(ctx, want); err != nil {
		return nil, fmt.Errorf("inbox: update stream %s: %w", want.Name, err)
	}
	return stream, nil
}

// difference is a setting that differs. Limits of a stream can be updated at any time.
type difference struct {
	ShapeError
	limit bool
}

func streamDifferences(have, want jetstream.StreamConfig) (ds []difference) {
	add := func(limit bool, setting string, have, wanted any) {
		ds = append(ds, difference{ShapeError{Name: want.Name, Setting: setting, Have: have, Want: wanted}, limit})
	}
	if !slices.Equal(have.Subjects, want.Subjects) {
		add(false, "subjects", have.Subjects, want.Subjects)
	}
	for _, s := range []struct {
		limit      bool
		setting    string
		have, want any
	}{
		{false, "retention", have.Retention, want.Retention},
		{false, "storage", have.Storage, want.Storage},
		{false, "discard", have.Discard, want.Discard},
		{false, "num_replicas", have.Replicas, want.Replicas},
		{false, "allow_direct", have.AllowDirect, want.AllowDirect},
		{false, "no_ack", have.NoAck, want.NoAck},
		{false, "sealed", have.Sealed, want.Sealed},
		{false, "deny_delete", have.DenyDelete, want.DenyDelete},
		{false, "persist_mode", have.PersistMode, want.PersistMode},
		{false, "max_msgs_per_subject", max(have.MaxMsgsPerSubject, 0), want.MaxMsgsPerSubject},
		{true, "max_msgs", have.MaxMsgs, want.MaxMsgs},
		{true, "max_bytes", have.MaxBytes, want.MaxBytes},
		{true, "max_age", have.MaxAge, want.MaxAge},
		{true, "duplicate_window", have.Duplicates, orServerDefault(want.Duplicates, have.Duplicates)},
	} {
		if s.have != s.want {
			add(s.limit, s.setting, s.have, s.want)
		}
	}
	return ds
}

// orServerDefault returns want, or have if want is 0 and the server has chosen the value.
func orServerDefault(want, have time.Duration) time.Duration {
	if want == 0 {
		return have
	}
	return want
}

// ensureConsumer opens the consumer and creates it if it does not exist. If own is set, its adaptable settings are updated. ensureConsumer
// looks the consumer up first, because a request to create an existing consumer makes the server write it again, which fails on a full
// disk.
func ensureConsumer(ctx context.Context, stream jetstream.Stream, want jetstream.ConsumerConfig, own bool) (jetstream.Consumer, error) {
	name := stream.CachedInfo().Config.Name + "/" + want.Durable
	consumer, err := stream.Consumer(ctx, want.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		if consumer, err = stream.CreateConsumer(ctx, want); err == nil {
			return consumer, nil
		}
		if !errors.Is(err, jetstream.ErrConsumerExists) {
			return nil, fmt.Errorf("inbox: create consumer %s: %w", name, err)
		}
		consumer, err = stream.Consumer(ctx, want.Durable) // created concurrently by another process
	}
	if err != nil {
		return nil, fmt.Errorf("inbox: look up consumer %s: %w", name, err)
	}
	have, differs := consumer.CachedInfo().Config, false
	want.PauseUntil = have.PauseUntil // a pause survives restarts
	for _, s := range []struct {
		adaptable  bool
		setting    string
		have, want any
	}{
		{false, "ack_policy", have.AckPolicy, want.AckPolicy},
		{false, "filter_subject", have.FilterSubject, want.FilterSubject},
		{true, "ack_wait", have.AckWait, want.AckWait},
		{true, "max_deliver", have.MaxDeliver, want.MaxDeliver},
		{true, "max_ack_pending", have.MaxAckPending, want.MaxAckPending},
		{true, "max_waiting", have.MaxWaiting, want.MaxWaiting},
	} {
		if s.have != s.want && !(own && s.adaptable) {
			return nil, &ShapeError{Name: name, Setting: s.setting, Have: s.have, Want: s.want}
		}
		differs = differs || s.have != s.want
	}
	if !differs {
		return consumer, nil
	}
	if consumer, err = stream.UpdateConsumer(ctx, want); err != nil {
		return nil, fmt.Errorf("inbox: update consumer %s: %w", name, err)
	}
	return consumer, nil
}

// errorCode returns the JetStream error code of an error, 0 if it has none.
func errorCode(err error) server.ErrorIdentifier {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return server.ErrorIdentifier(api.ErrorCode)
	}
	return 0
}

// transient reports whether an error is one that a cluster returns while it elects leaders or loses servers, so that a retry may succeed.
func transient(err error) bool {
	switch errorCode(err) {
	case server.JSClusterNoPeersErrF, server.JSClusterNotAvailErr, server.JSClusterNotLeaderErr, server.JSStreamDuplicateMessageConflict:
		return true
	}
	for _, target := range []error{
		jetstream.ErrNoStreamResponse, jetstream.ErrJetStreamNotEnabled, nats.ErrNoResponders, nats.ErrTimeout,
		context.DeadlineExceeded, nats.ErrDisconnected, nats.ErrReconnectBufExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// isFull reports whether an error means that a limit of a stream or of the account is reached.
func isFull(err error) bool {
	switch errorCode(err) {
	case server.JSAccountResourcesExceededErr, server.JSInsufficientResourcesErr, server.JSStorageResourcesExceededErr:
		return true
	case server.JSStreamStoreFailedF: // any error of a store, distinguished only by its text
		api, _ := errors.AsType[*jetstream.APIError](err)
		return api.Description == server.ErrMaxMsgs.Error() || api.Description == server.ErrMaxBytes.Error()
	}
	return false
}
