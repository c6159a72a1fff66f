// Package inbox stores JoggAI's events durably before they are acknowledged, and processes them afterwards. JoggAI waits five seconds for a
// response and gives up after a few retries. Handling a finished video can take minutes, fail, or be interrupted. An inbox decouples the
// two: it is a durable work queue between the webhook endpoint and your handlers. The 200 response is sent once the event is on disk.
//
// # On one machine
//
//	box, err := inbox.Open(ctx, inbox.Options{Dir: "jogg-inbox"})
//	http.Handle("POST /jogg", webhooks.NewHandler(verifier, box))
//	err = box.Run(ctx, router) // until ctx ends
//
// With [Options].Dir, the inbox runs a NATS server inside the process. The server opens no port; only this inbox connects to it. Every
// event is written and fsynced before [Inbox.Receive] returns and the handler responds with 200. One process at a time can open the
// directory. In a second process [Open] returns a [*LockedError], which names the first one.
//
// # Disk errors
//
// While less than [Options].Reserve is free on the disk, the inbox rejects events with [ErrFull]. The reserve is for the outcomes of the
// events that are already stored: acknowledgements and dead letters.
//
// A disk error can stop the store: no space, no file descriptors, no permission, or a device fault. The inbox then rejects events
// immediately and starts no attempts. Results of running handlers are kept in memory until they can be stored. As soon as the directory is
// writable, the inbox restarts the store, with a backoff of up to two seconds between failed restarts. The process keeps running, and no
// event that was acknowledged with 200 is lost. [Inbox.Healthy] reports the problem, for a readiness probe.
//
// Open, and every restart of the store, reads all that is stored and checks it: in less than a second per gigabyte from the page cache, and as
// fast as the disk otherwise. [Options].MaxBytes limits how much that can be.
//
// A directory that was damaged while no process had it open is not repaired: Open returns [ErrCorrupt]. Detecting damage requires knowing
// the file format of the NATS server. A program can be linked with a newer server than this package knows. Open then lets that server write
// a small sample store. If it cannot read the sample, it logs a warning and opens the directory without the check for damage.
//
// # On several machines
//
//	box, err := inbox.Open(ctx, inbox.Options{URL: "nats://a,nats://b,nats://c", Replicas: 3})
//
// With [Options].URL or Conn, a JetStream cluster stores the events. An event is acknowledged once a majority of the replicas has it. Every
// machine can receive events, and all machines that call [Inbox.Run] share the work. Everything else is the same as on one machine. While
// the cluster is unreachable, deliveries are answered with 503 and JoggAI redelivers them. The inbox reconnects by itself; no restart is
// needed.
//
// # Handlers
//
// Run passes each event to a [webhooks.Receiver], usually a Router. It handles [Options].Concurrency events at a time, and a handler may
// take as long as it needs. When the handler returns nil, the event is done. After an error or a panic the event is retried with the waits
// of [Options].Backoff, up to [Options].MaxAttempts attempts in total. [Attempt] returns the number of the current attempt.
//
// A handler can override the backoff with its error: [Discard] makes the event a dead letter at once; [RetryAt] and [RetryAfter] choose the
// time of the next attempt. [Options].HandlerTimeout cancels attempts that take too long. A handler that runs for longer than
// HandlerWarning is logged with its event.
//
// Shutdown is graceful: when the context of Run ends, no new attempts start, and running handlers have [Options].Grace to finish. Events
// whose handlers have not finished by then are returned to the queue for the next worker.
//
// # At-least-once delivery
//
// Every event that was acknowledged with 200 is handled at least once. It is handled twice only if the process, or the connection to the
// cluster, is lost after the handler returned and before its result was stored. JoggAI's redeliveries do not cause this: they have the same
// [webhooks.Event.Key] and are deduplicated while the event waits, for [Options].DuplicateWindow after it was received, and for another
// DuplicateWindow after it was handled. Restarts do not clear the deduplication window.
//
// A handler that must not do something twice for one event must store the key along with the result: as a unique column of the row that it
// inserts, or as the idempotency key of the payment that it makes.
//
// # Dead letters
//
// An event becomes a dead letter after its last attempt, or if its body cannot be decoded. Dead letters are kept, with the reason, for an
// operator to decide. [Inbox.DeadLetters] lists them. [Inbox.Redrive] and [Inbox.RedriveAll] return them to the queue once the cause is
// fixed. [Inbox.DeleteDeadLetter] deletes one. [Options].OnDeadLetter is called for each new one. MaxDeadLetters and DeadLetterAge limit
// how many are kept and for how long; every deletion is logged.
//
// # Backpressure and logs
//
// A full inbox rejects events with a [*webhooks.UnavailableError], to which the handler responds with 503 and Retry-After.
// [Options].MaxEvents and MaxBytes set the limits. [Inbox.Stats] counts waiting, running, retried and dead events. Log records name events
// by key and type.
//
// # Operating an inbox
//
// There are four ways to see what an inbox holds:
//
//   - In the program: [Inbox.Stats], [Inbox.Counts], [Inbox.History], [Inbox.List] and [Inbox.Find].
//   - In a browser: package console. It is the only way to inspect a directory while a service has it open.
//   - In a terminal: the command joggbox, for a cluster or for a directory that no process has open.
//   - In your monitoring: OpenTelemetry metrics and spans. [Inbox.Healthy] is for a readiness probe.
//
// # Metrics
//
// Metrics go to [Options].MeterProvider. Prometheus turns dots into underscores, and appends _total to counters and the unit to the others.
//
//	jogg.inbox.received         counter    new events that were stored and acknowledged with 200
//	jogg.inbox.duplicates       counter    redeliveries that were deduplicated: JoggAI got no response in time, or redelivers by itself
//	jogg.inbox.refused          counter    events that were not stored and answered with 503; JoggAI redelivers them only for a short time
//	jogg.inbox.handled          counter    attempts that succeeded; the event is done
//	jogg.inbox.failed           counter    attempts that failed; the event is retried or becomes a dead letter
//	jogg.inbox.dead_lettered    counter    events that became dead letters
//	jogg.inbox.redriven         counter    dead letters that were returned to the queue
//	jogg.inbox.wait.duration    histogram  seconds from storing an event to its first attempt
//	messaging.process.duration  histogram  seconds per attempt, with error.type for failed ones
//	jogg.inbox.waiting          gauge      stored events that this process is not handling
//	jogg.inbox.running          gauge      events that this process is handling
//	jogg.inbox.dead             gauge      dead letters
//	jogg.inbox.oldest.age       gauge      seconds since the oldest stored event was stored
//	jogg.inbox.free             gauge      free bytes on the disk of Dir
//
// Counters and histograms have the event type in the attribute jogg.event.type; undocumented types are counted as _OTHER. The counter
// refused also includes events that are too large to be stored, which are answered with 500. With a cluster, the counters, the histograms
// and the gauge running are per process, and the gauge waiting excludes the events that this process is handling. The other gauges are the
// same in every process. Two inboxes in one process need different Subjects to be distinguishable.
//
// Spans go to [Options].TracerProvider. The span of receiving an event is a child of the delivery's span, if the context of the request has
// one. Each attempt is a trace of its own with a link to the span of receiving. The link is in the headers of the stored message, so it
// survives restarts and redriving. Span attributes contain neither payload nor error texts.
//
// # Alerts
//
//   - [Inbox.Healthy] returns an error for more than a minute: deliveries are being lost, because JoggAI gives up after less than a minute.
//   - refused grows: the same problem, seen from the outside. The log has the reason.
//   - oldest.age exceeds what your users accept. If failed grows, handlers fail. If running equals [Options].Concurrency, handlers are slow
//     or hang. Otherwise no Run is active, or the inbox is paused.
//   - dead is above zero: an operator has to decide. The reasons show whether there is a common cause. Fix it, then redrive.
//   - free falls below ten times [Options].Reserve.
//
// # If the disk is full
//
// Below [Options].Reserve the inbox rejects new events and continues to handle the stored ones, so the queue drains while handlers succeed.
// No event that was acknowledged with 200 is lost. To make room, delete other files, delete dead letters that are no longer needed (console
// and joggbox can delete all that match a filter), or enlarge the disk. No restart is needed: the inbox polls the free space, and restarts
// its store if that had failed.
//
// # If handlers must stop
//
// [Inbox.Pause] stops the delivery of events to handlers in all processes, and survives restarts. Events are still received. [Inbox.Resume]
// ends the pause. Pause the inbox while a dependency of your handlers is down, so that no attempts are used up. Afterwards [Inbox.RetryNow]
// starts waiting retries early.
//
// # Moving a directory to another machine
//
//  1. Stop the process, which closes the directory.
//  2. Copy the whole directory with its permissions.
//  3. Start the process on the new machine.
//  4. Delete the old copy, so that its events are not handled again.
//
// Deliveries in the meantime get no response, and JoggAI redelivers them for less than a minute. If the move takes longer, let the new
// machine receive into an inbox of its own first. Afterwards move the events of the old inbox into it with [Inbox.MoveTo].
//
// # Moving from a directory to a cluster
//
// Stop the process, then run
//
//	joggbox -dir jogg-inbox move -to nats://a,nats://b,nats://c -create -replicas 3
//
// It creates the streams with the settings of the directory, copies the deduplication window to the cluster, and moves every event and dead
// letter. Each is deleted from the directory only after the cluster has stored it. If an error or a crash interrupts the move, run the
// command again. Then start the process with [Options].URL and otherwise the same options.
//
// To shorten the downtime, start the process with the cluster before the move. Then a redelivery of an event that the directory handled in
// the minutes before would be handled again.
//
// Attempts are counted from zero after the move, and events that wait for a retry are due immediately.
//
// # The stream of failed attempts
//
// The reasons of failed attempts are recorded in a stream whose name ends in _FAILURES: the last 20 attempts of each event, for two weeks.
// Delivery does not depend on it. If the inbox is not allowed to create the stream, it logs a warning and works without it. If the stream
// is damaged, the inbox logs a warning and replaces it with an empty one. Without the records, lists do not show the last error of waiting
// events, and [Inbox.RetryNow] cannot retry them early.
package inbox
