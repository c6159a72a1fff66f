// Package inbox keeps the events that JoggAI delivers until they have been handled. JoggAI waits five seconds for an answer and gives up
// after a few tries; handling a finished video can take minutes, fail, or be cut short. An inbox stands between the two: it has the event
// on disk before the delivery is answered, and works it off afterwards.
//
// # One machine
//
//	box, err := inbox.Open(ctx, inbox.Options{Dir: "jogg-inbox"})
//	http.Handle("POST /jogg", webhooks.NewHandler(verifier, box))
//	err = box.Run(ctx, router) // until ctx ends
//
// With a Dir, a NATS server runs inside the process. It listens on nothing and is reached by nobody else. Every event is written to disk,
// and the disk told to keep it, before [Inbox.Receive] returns and the handler answers 200. The directory belongs to one process at a
// time; a second one gets a [*LockedError] that says who has it.
//
// # Failures of the disk
//
// While less than [Options].Reserve is free on the disk, the inbox refuses events with [ErrFull], so that there is room for what becomes of
// those that it has. When an error of the disk stops the store (no space, no descriptors, no permission, a fault of the device), the inbox
// refuses events at once and begins none, keeps what running handlers end with, and restarts the store as soon as the directory can be
// written, with waits of up to two seconds between its tries. Nothing that was answered 200 is lost, and the process goes on.
// [Inbox.Healthy] says what is wrong, for a readiness probe.
//
// A directory that was damaged while nobody had it open is not repaired: Open returns [ErrCorrupt]. That takes knowing how the NATS server
// writes its files. A program can be linked with a newer server than this package knows; Open then has that server write a small store, and
// warns in the log if it cannot read it.
//
// # Many machines
//
//	box, err := inbox.Open(ctx, inbox.Options{URL: "nats://a,nats://b,nats://c", Replicas: 3})
//
// With a URL, or a connection that the program has already, the events are kept by a JetStream cluster: a majority of the replicas has each
// one before it is answered. Every machine can receive, and every machine that calls Run shares the work. All else is the same. While the
// cluster cannot be reached, deliveries are answered 503, and JoggAI sends them again; it heals without a restart.
//
// # Handlers
//
// Run hands each event to a [webhooks.Receiver], usually a Router: [Options].Concurrency at a time, for as long as it takes. Nil means
// done. After an error or a panic the event is tried again, with the waits of [Options].Backoff, and [Options].MaxAttempts times in all.
// [Attempt] tells a handler which attempt it is in. A handler that knows better says so with its error: [Discard] gives the event up at
// once, [RetryAt] and [RetryAfter] say when to try again. [Options].HandlerTimeout ends an attempt that takes too long, and a handler that
// has been running for longer than HandlerWarning is named in the log.
//
// When the context of Run ends, nothing new is begun, and what runs has [Options].Grace to finish. What has not finished by then goes back
// into the queue for the next worker.
//
// # At least once
//
// What was answered 200 is handled at least once. It is handled twice only where the process, or the way to the cluster, is lost between
// the end of the handler and the note that is taken of it. JoggAI's redeliveries do not count as that: they are recognized by
// [webhooks.Event.Key] while the event waits, and for [Options].DuplicateWindow after it was received and again after it was handled,
// restarts included.
//
// A handler that must not do the same thing twice makes the key a part of what it does: a unique column beside the row that it inserts,
// the idempotency key of the payment that it makes.
//
// # Dead letters
//
// An event that was given up, after its last attempt or because its body can no longer be read, is a dead letter: kept, with the reason,
// until somebody decides. [Inbox.DeadLetters] lists them, [Inbox.Redrive] and [Inbox.RedriveAll] put them back into the queue after the
// cause was mended, [Inbox.DeleteDeadLetter] drops one. [Options].OnDeadLetter is told of each. MaxDeadLetters and DeadLetterAge say how many
// are kept and for how long; none is deleted without a line in the log.
//
// # Seeing it
//
// [Inbox.Stats] counts what waits, runs, came again and died. Log lines name events by key and type. A full inbox refuses events with a
// [*webhooks.UnavailableError], which the handler answers with 503 and Retry-After; [Options].MaxEvents and MaxBytes say when it is full.
package inbox
