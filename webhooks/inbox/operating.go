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
