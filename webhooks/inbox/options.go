package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Options configure an inbox. Exactly one of Dir, URL and Conn must be set. All other fields are optional; a zero value selects the
// default. Slices and other referenced values must not be modified while the inbox is open.
type Options struct { //nolint:recvcheck // methods that only read take a pointer, those that fill in take a copy
	// Dir stores the events in this local directory, with a NATS server that runs inside the process and opens no port. The directory and
	// its parents are created if they do not exist. Only one inbox at a time can open the directory, and it must contain nothing else. It
	// must be on a local disk, or on a file system with working file locks.
	Dir string

	// URL stores the events in a JetStream cluster. It lists the servers, separated by commas.
	URL string
	// Conn is an existing connection to a JetStream cluster. The inbox does not close it. It should be configured with
	// nats.MaxReconnects(-1), so that the inbox recovers from any outage of the cluster.
	Conn *nats.Conn
	// NATSOptions configure the connection to URL, for example credentials and TLS. They are applied after the inbox's own options, which
	// set a name and unlimited reconnects.
	NATSOptions []nats.Option
	// Replicas is the number of servers that store each event, 1 to 5. The default is 1, with which the loss of a server's disk loses
	// events. Use 3 in a cluster of three. With Dir it is always 1.
	Replicas int

	// Stream is the name of the stream of events. The streams of dead letters, of handled events and of failed attempts have this name with
	// a suffix. It consists of letters, digits, "-" and "_". The default is "JOGG".
	Stream string
	// Subject is the prefix of the subjects of all streams. The default is "jogg".
	Subject string

	// MaxEvents and MaxBytes limit the number of stored events and their size on disk. A full inbox rejects events, and JoggAI is asked to
	// redeliver them later. Dead letters do not count. 0 means no limit other than the disk, see Reserve.
	MaxEvents, MaxBytes int64
	// Reserve is the number of bytes that must be free on the disk of Dir for events to be received. The reserve is for the outcomes of
	// events that are already stored: acknowledgements and dead letters. The default is 256 MiB or a twentieth of the file system,
	// whichever is less.
	Reserve int64
	// DuplicateWindow is the deduplication window. Redeliveries of an event are deduplicated for this long after it was received, and again
	// for this long after it was handled. The default is 10 minutes; JoggAI redelivers for less than one. Each event in the window takes
	// about 250 bytes of memory. The minimum is 1 second.
	DuplicateWindow time.Duration

	// Concurrency is the number of events that each Run handles at the same time. The default is 8.
	Concurrency int
	// MaxAttempts is the number of attempts after which an event becomes a dead letter. The default is 12, which takes about 8 hours with
	// the default Backoff. -1 means no limit.
	MaxAttempts int
	// Backoff lists the waits after the first failed attempt, the second, and so on. The last one is repeated for all further attempts. A
	// random jitter of up to a fifth is added to each. The default is 5 s, 30 s, 2 min, 10 min, 1 h.
	Backoff []time.Duration
	// AckWait is the time without an acknowledgement after which an event is redelivered to another worker. While a handler runs, its
	// worker sends in-progress acknowledgements three times as often. AckWait therefore does not limit how long a handler runs, but how
	// long an event waits after its process has died. It is a whole number of seconds, at least 1. The default is 30 s.
	AckWait time.Duration
	// HandlerTimeout cancels the context of a handler that takes longer. The attempt counts as failed. If the handler has not returned one
	// second later, its goroutine is abandoned and the worker takes the next event. 0 means no limit.
	HandlerTimeout time.Duration
	// HandlerWarning is the time after which a running handler is logged as a warning with its event, and again each time that the elapsed
	// time has doubled. The default is 5 minutes. A negative value disables the warning.
	HandlerWarning time.Duration
	// Grace is the grace period of a shutdown: how long running handlers may continue after the context of Run has ended or Close was
	// called. The default is 20 s. A negative value means no grace period.
	Grace time.Duration

	// MaxDeadLetters is the number of dead letters to keep. Above it the oldest is deleted, and the deletion is logged. The default is
	// 100000. -1 means no limit.
	MaxDeadLetters int64
	// DeadLetterAge is how long dead letters are kept. Older ones are deleted within one or two minutes, and each deletion is logged. 0
	// means forever.
	DeadLetterAge time.Duration
	// OnDeadLetter is called after an event was stored as a dead letter, in the process whose worker handled the event. The worker waits
	// for it to return. ctx is the same as for handlers. The call is not repeated if the process dies before it returns. Use it for alerts,
	// not for records. It is not called for Inbox.Discard, which is an operator's own action.
	OnDeadLetter func(ctx context.Context, letter DeadLetter)

	// RetryAfter is the delay that a full, closed or unreachable inbox asks JoggAI to wait before a redelivery. The default is 5 s.
	RetryAfter time.Duration
	// Logger logs what happens to events: received and handled events at debug level, failed attempts as warnings, dead letters as errors.
	// Records have the key and the type of the event, never its payload. They do have the texts of the errors that handlers return. The
	// default is slog.Default().
	Logger *slog.Logger
	// MeterProvider and TracerProvider get the metrics and spans that the package documentation lists. The defaults are OpenTelemetry's
	// global providers, which do nothing until the program sets others.
	MeterProvider  metric.MeterProvider
	TracerProvider trace.TracerProvider
}

// The defaults of Options.
const (
	DefaultStream          = "JOGG"
	DefaultSubject         = "jogg"
	DefaultDuplicateWindow = 10 * time.Minute
	DefaultConcurrency     = 8
	DefaultMaxAttempts     = 12
	DefaultAckWait         = 30 * time.Second
	DefaultGrace           = 20 * time.Second
	DefaultRetryAfter      = 5 * time.Second
	DefaultHandlerWarning  = 5 * time.Minute
	DefaultMaxDeadLetters  = 100_000
)

// DefaultBackoff returns the waits that are used if Options.Backoff is empty.
func DefaultBackoff() []time.Duration {
	return []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}
}

// OptionError reports an invalid option.
type OptionError struct {
	// Option is the name of the field of Options.
	Option string
	// Err is the reason.
	Err error
}

func (e *OptionError) Error() string { return fmt.Sprintf("inbox: option %s: %v", e.Option, e.Err) }

// Unwrap returns Err.
func (e *OptionError) Unwrap() error { return e.Err }

// withDefaults returns o with all defaults filled in.
func (o Options) withDefaults() Options {
	orDefault(&o.Replicas, 1)
	orDefault(&o.Stream, DefaultStream)
	orDefault(&o.Subject, DefaultSubject)
	orDefault(&o.MaxEvents, -1)
	orDefault(&o.MaxBytes, -1)
	orDefault(&o.DuplicateWindow, DefaultDuplicateWindow)
	orDefault(&o.Concurrency, DefaultConcurrency)
	orDefault(&o.MaxAttempts, DefaultMaxAttempts)
	orDefault(&o.AckWait, DefaultAckWait)
	orDefault(&o.Grace, DefaultGrace)
	orDefault(&o.RetryAfter, DefaultRetryAfter)
	orDefault(&o.HandlerWarning, DefaultHandlerWarning)
	orDefault(&o.MaxDeadLetters, DefaultMaxDeadLetters)
	orDefault(&o.Logger, slog.Default())
	if len(o.Backoff) == 0 {
		o.Backoff = DefaultBackoff()
	}
	if o.MaxAttempts < 0 {
		o.MaxAttempts = math.MaxInt
	}
	o.Grace = max(o.Grace, 0)
	return o
}

func orDefault[T comparable](value *T, other T) {
	var zero T
	if *value == zero {
		*value = other
	}
}

var (
	streamName  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	subjectName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

// check returns an *OptionError for the first invalid option. It runs before the defaults are filled in.
func (o Options) check() error {
	if err := o.checkPlace(); err != nil {
		return err
	}
	for _, c := range []struct {
		wrong  bool
		option string
		reason string
	}{
		{o.Replicas < 0 || o.Replicas > 5, "Replicas", "is not between 1 and 5"},
		{o.Dir != "" && o.Replicas > 1, "Replicas", "is more than 1, which requires a cluster, but Dir is set"},
		{o.Stream != "" && !streamName.MatchString(o.Stream), "Stream", "has characters other than letters, digits, - and _"},
		{o.Subject != "" && !subjectName.MatchString(o.Subject), "Subject", "is not a subject without wildcards"},
		{o.MaxEvents < 0, "MaxEvents", "is negative"},
		{o.MaxBytes < 0, "MaxBytes", "is negative"},
		{o.DuplicateWindow != 0 && o.DuplicateWindow < time.Second, "DuplicateWindow", "is less than a second"},
		{o.Concurrency < 0, "Concurrency", "is negative"},
		{o.MaxAttempts < -1, "MaxAttempts", "is less than -1"},
		{o.AckWait != 0 && o.AckWait < time.Second, "AckWait", "is less than a second"},
		{o.AckWait%time.Second != 0, "AckWait", "is not a whole number of seconds"},
		{o.RetryAfter < 0, "RetryAfter", "is negative"},
		{o.Reserve < 0, "Reserve", "is negative"},
		{o.Reserve > 0 && o.Dir == "", "Reserve", "requires Dir, which is not set"},
		{o.HandlerTimeout < 0, "HandlerTimeout", "is negative"},
		{o.MaxDeadLetters < -1, "MaxDeadLetters", "is less than -1"},
		{o.DeadLetterAge < 0, "DeadLetterAge", "is negative"},
	} {
		if c.wrong {
			return &OptionError{Option: c.option, Err: errors.New(c.reason)}
		}
	}
	for i, wait := range o.Backoff {
		if wait <= 0 {
			return &OptionError{Option: "Backoff", Err: fmt.Errorf("wait %d is not positive", i+1)}
		}
	}
	return nil
}

// checkPlace returns an *OptionError unless exactly one of Dir, URL and Conn is set.
func (o Options) checkPlace() error {
	places := 0
	for _, set := range []bool{o.Dir != "", o.URL != "", o.Conn != nil} {
		if set {
			places++
		}
	}
	switch {
	case places == 0:
		return &OptionError{Option: "Dir", Err: errors.New("is not set, and neither are URL and Conn")}
	case places > 1:
		return &OptionError{Option: "Dir", Err: errors.New("is exclusive with URL and Conn, but more than one of them is set")}
	case o.URL == "" && len(o.NATSOptions) > 0:
		return &OptionError{Option: "NATSOptions", Err: errors.New("requires URL, which is not set")}
	}
	return nil
}
