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

// Options say where an inbox keeps its events and how it works them off. Exactly one of Dir, URL and Conn is set; everything else has
// a default that its zero value stands for. What Options hold must not be changed while the inbox is open.
type Options struct { //nolint:recvcheck // methods that only read take a pointer, those that fill in take a copy
	// Dir keeps the events in this directory of this machine, in a NATS server that runs inside the process and listens on nothing.
	// It is created if it does not exist, with its parents. One inbox at a time has it. It must be on a local disk, or on a file
	// system with working locks, and belongs to the inbox alone.
	Dir string

	// URL keeps the events in the JetStream cluster with these servers, separated by commas.
	URL string
	// Conn is a connection to such a cluster that the program has already. The inbox does not close it. For failures to heal, it
	// should have been made with nats.MaxReconnects(-1).
	Conn *nats.Conn
	// NATSOptions are for the connection to URL: credentials, TLS and the like. They come after the inbox's own, which try to
	// reconnect for ever and set a name.
	NATSOptions []nats.Option
	// Replicas is how many servers of the cluster keep each event, 1 to 5. The default is 1, which loses events together with the
	// server's disk; 3 is what a cluster of three is for. With Dir it is 1.
	Replicas int

	// Stream names the stream of the events. Streams beside it, whose names begin with it, keep the dead letters and remember what
	// was handled. The default is "JOGG". It consists of letters, digits, "-" and "_".
	Stream string
	// Subject is what the subjects of the three streams begin with. The default is "jogg".
	Subject string

	// MaxEvents and MaxBytes limit the events that wait, and the disk space that they take. A full inbox receives nothing, and
	// JoggAI is told to come again. 0 stands for no limit but the disk, see Reserve. Dead letters are not counted.
	MaxEvents, MaxBytes int64
	// Reserve is how many bytes have to be free on the disk of Dir for events to be received. Less than that is for what becomes of
	// those that are there already: acknowledgements and dead letters. The default is 256 MiB, or a twentieth of the file system if
	// that is less.
	Reserve int64
	// DuplicateWindow is how long an event is recognized as a redelivery after it was received, and again after it was handled.
	// The default is 10 minutes; JoggAI redelivers for less than one. Each event takes about 250 bytes of memory that long. At
	// least 1 second.
	DuplicateWindow time.Duration

	// Concurrency is how many events each Run handles at the same time. The default is 8.
	Concurrency int
	// MaxAttempts is after how many attempts an event becomes a dead letter. The default is 12, which is about 8 hours with the
	// default Backoff. -1 stands for no limit.
	MaxAttempts int
	// Backoff is how long to wait after the first failed attempt, the second and so on; the last one stands for all further
	// attempts. Each is lengthened by up to a fifth at random. The default is 5 s, 30 s, 2 min, 10 min, 1 h.
	Backoff []time.Duration
	// AckWait is how long a worker may be silent before its event goes to another. While a handler runs its worker gives a sign of
	// life three times as often, so this limits not how long handlers run but how long events wait after a process has died. The
	// default is 30 s. At least 1 second, and a whole number of them.
	AckWait time.Duration
	// HandlerTimeout ends the context of a handler that takes longer. That is a failed attempt; if the handler has not returned a second
	// later, it is left behind and its place is used for another event. 0 stands for no limit.
	HandlerTimeout time.Duration
	// HandlerWarning is after how long a line in the log names the event of a handler that is still running, and again each time that
	// the time has doubled. The default is 5 minutes. Negative stands for never.
	HandlerWarning time.Duration
	// Grace is how long running handlers may go on after the context of Run has ended, or Close was called. The default is 20 s.
	// Negative stands for none.
	Grace time.Duration

	// MaxDeadLetters is how many dead letters are kept. If there are more, the oldest is deleted, for which there is a line in the log.
	// The default is 100000. -1 stands for no limit.
	MaxDeadLetters int64
	// DeadLetterAge is for how long dead letters are kept. Older ones are deleted within a minute or two, for which there is a line in
	// the log. 0 stands for ever.
	DeadLetterAge time.Duration
	// OnDeadLetter is called by the process whose worker has made a dead letter of an event, once that is stored. The worker waits for it to
	// return. The context is that of a handler. It is not called again if the process ends in between, so it is for raising an alarm and
	// not for keeping a record. It is not called for what Discard, which is an operator's own act, makes a dead letter.
	OnDeadLetter func(ctx context.Context, letter DeadLetter)

	// RetryAfter is what a full, closed or unreachable inbox asks the sender to wait. The default is 5 s.
	RetryAfter time.Duration
	// Logger gets what happens to events: received and handled for debugging, failed as a warning, dead letters as an error. Lines
	// name the event's key and type, never its payload, but they do hold the text of the errors that handlers return. The default
	// is slog.Default().
	Logger *slog.Logger
	// MeterProvider gets the metrics and TracerProvider the spans of the inbox, by the names of the package documentation. The defaults
	// are OpenTelemetry's global ones, which do nothing until the program sets others.
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

// DefaultBackoff returns the waits that Options.Backoff stands for when it is empty.
func DefaultBackoff() []time.Duration {
	return []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}
}

// OptionError says that the value of an option makes no sense.
type OptionError struct {
	// Option is the name of the field of Options.
	Option string
	// Err says what is wrong with it.
	Err error
}

func (e *OptionError) Error() string { return fmt.Sprintf("inbox: option %s: %v", e.Option, e.Err) }

// Unwrap returns Err.
func (e *OptionError) Unwrap() error { return e.Err }

// withDefaults returns o with every default filled in.
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

// check says which option makes no sense, before the defaults are filled in.
func (o Options) check() error {
	if err := o.checkPlace(); err != nil {
		return err
	}
	for _, c := range []struct {
		wrong  bool
		option string
		reason string
	}{
		{o.Replicas < 0 || o.Replicas > 5, "Replicas", "is not 1 to 5"},
		{o.Dir != "" && o.Replicas > 1, "Replicas", "is more than 1, which takes a cluster, but Dir is set"},
		{o.Stream != "" && !streamName.MatchString(o.Stream), "Stream", "has characters other than letters, digits, - and _"},
		{o.Subject != "" && !subjectName.MatchString(o.Subject), "Subject", "is no subject without wildcards"},
		{o.MaxEvents < 0, "MaxEvents", "is negative"},
		{o.MaxBytes < 0, "MaxBytes", "is negative"},
		{o.DuplicateWindow != 0 && o.DuplicateWindow < time.Second, "DuplicateWindow", "is less than a second"},
		{o.Concurrency < 0, "Concurrency", "is negative"},
		{o.MaxAttempts < -1, "MaxAttempts", "is less than -1"},
		{o.AckWait != 0 && o.AckWait < time.Second, "AckWait", "is less than a second"},
		{o.AckWait%time.Second != 0, "AckWait", "is not a whole number of seconds"},
		{o.RetryAfter < 0, "RetryAfter", "is negative"},
		{o.Reserve < 0, "Reserve", "is negative"},
		{o.Reserve > 0 && o.Dir == "", "Reserve", "is for a directory, but Dir is not set"},
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

// checkPlace says whether the options name one place for the events.
func (o Options) checkPlace() error {
	places := 0
	for _, set := range []bool{o.Dir != "", o.URL != "", o.Conn != nil} {
		if set {
			places++
		}
	}
	switch {
	case places == 0:
		return &OptionError{Option: "Dir", Err: errors.New("is missing, and so are URL and Conn")}
	case places > 1:
		return &OptionError{Option: "Dir", Err: errors.New("is one of three with URL and Conn, of which more than one is set")}
	case o.URL == "" && len(o.NATSOptions) > 0:
		return &OptionError{Option: "NATSOptions", Err: errors.New("is set, but URL is not")}
	}
	return nil
}
