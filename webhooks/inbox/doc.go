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
//
// # Operating it
//
// What an inbox holds can be seen in four ways. [Inbox.Stats], [Inbox.Counts], [Inbox.History], [Inbox.List] and [Inbox.Find] tell the program.
// Package console shows it to people in a browser, and is the only way to look into a directory that a service has open. The command
// joggbox does the same from a terminal, for a cluster or for a directory that no process has open. And OpenTelemetry gets metrics and
// spans. [Inbox.Healthy] is for a readiness probe.
//
// # Metrics and what they mean
//
// They go to [Options].MeterProvider. Prometheus turns the dots into underscores, and adds _total to counters and the unit to others.
//
//	jogg.inbox.received         counter    new events that were stored, each answered 200
//	jogg.inbox.duplicates       counter    redeliveries that were recognized; JoggAI did not get an answer in time, or this is what it does
//	jogg.inbox.refused          counter    events that could not be stored and were answered 503; JoggAI sends them again for a short time only
//	jogg.inbox.handled          counter    attempts that succeeded: the event is done with
//	jogg.inbox.failed           counter    attempts that did not; the event is tried again, or is a dead letter
//	jogg.inbox.dead_lettered    counter    events that became dead letters
//	jogg.inbox.redriven         counter    dead letters that were put back into the queue
//	jogg.inbox.wait.duration    histogram  seconds from storing an event to its first attempt
//	messaging.process.duration  histogram  seconds that attempts took, with error.type for those that failed
//	jogg.inbox.waiting          gauge      events that are kept and not being handled by this process
//	jogg.inbox.running          gauge      events that this process handles
//	jogg.inbox.dead             gauge      dead letters
//	jogg.inbox.oldest.age       gauge      seconds since the oldest event that is kept was stored
//	jogg.inbox.free             gauge      bytes that are free on the disk of a directory
//
// The counters and histograms have the event's type in jogg.event.type, _OTHER for types that are not documented. With a cluster, counters,
// histograms and running are those of one process, and the other gauges are the same whichever process is asked. Two inboxes in one
// process need a Subject each to be told apart.
//
// Spans go to [Options].TracerProvider: one for receiving, a child of the delivery's span if the context of the request has one, and
// one for each attempt, a trace of its own that is linked with the first. The link is in the headers of the stored message, so it
// outlasts restarts and redriving. No attribute holds payload or the text of an error.
//
// # What to alert on
//
//   - Healthy returns an error for more than a minute: deliveries are lost once JoggAI has given up, which takes it less than a minute.
//   - refused grows: the same, seen from outside. The log says why.
//   - oldest.age exceeds what your users wait for: handlers are too slow, fail, hang, or nothing runs. If running is as large as
//     [Options].Concurrency they are slow or hang; if failed grows they fail; if neither is so, no Run is under way, or the inbox is paused.
//   - dead is above zero: somebody has to decide. Their reasons tell whether it is one cause; mend it, then redrive.
//   - free falls below ten times [Options].Reserve.
//
// # When the disk is full
//
// Below [Options].Reserve the inbox refuses new events, and goes on handling those that it has, so it empties itself while handlers work.
// Nothing that was answered 200 is lost. Make room: what else lies on the disk, dead letters that nobody needs (console or joggbox
// delete them, all that match a filter at once), or a larger disk. Nothing has to be restarted: the inbox looks by itself whether there is room
// again, and restarts its store if that had failed.
//
// # When handlers must stop
//
// [Inbox.Pause] stops handing out events, in all processes, and outlasts restarts; events are still received. [Inbox.Resume] ends that. Use
// it while what handlers need is being repaired, so that attempts are not used up. [Inbox.RetryNow] then brings forward what waits.
//
// # Moving a directory to another machine
//
// Stop the process, so that the directory is closed, and copy the directory as a whole, with its permissions; start the process on the new
// machine; delete the copy that is left, so that nobody handles its events again. Deliveries that arrive meanwhile are not answered, and JoggAI
// sends them again for less than a minute; to bridge more, let the new machine receive into an inbox of its own first, and afterwards
// move the old one's events into it with [Inbox.MoveTo].
//
// # From a directory to a cluster
//
// Stop the process. Then
//
//	joggbox -dir jogg-inbox move -to nats://a,nats://b,nats://c -create -replicas 3
//
// creates the streams with the settings of the directory, has the cluster remember what was handled lately, and moves every event and dead
// letter, each deleted here only when the cluster has it. Start the process with [Options].URL and the same other options. If the move is
// cut short, by an error or a crash, call it again. The process can also be started with the cluster first, to be away for less time;
// only a redelivery of what the directory handled in the minutes before would then be handled again.
//
// What was attempted before counts anew after the move, and events that wait for another attempt are due at once.
//
// # A stream beside the others
//
// Why attempts have failed is noted in a stream whose name ends in _FAILURES: the last 20 attempts of each event, for two weeks. Nothing
// depends on it. An inbox that may not create it, or finds it damaged, says so in its log and goes without, or begins anew; then lists do not
// have the last error of events that wait, and [Inbox.RetryNow] does not know them.
package inbox
