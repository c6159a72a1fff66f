package jogg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/gen"
)

// ErrWaitLimit is the cause of a [*WaitError] if a task has not ended within the limit of [WithWaitLimit].
var ErrWaitLimit = errors.New("wait limit reached")

// TaskError means that a task has failed: the service accepted it and could not complete it. The Wait method returns the task's last
// response along with it.
type TaskError struct {
	// Operation is the Wait method, such as WaitAvatarVideo.
	Operation string
	// ID identifies the task.
	ID string
	// Status is the task's status as the service spelled it.
	Status gen.TaskStatus
	// Reason is why the task failed, from whichever field of the response the service wrote it into, including fields that the contract
	// does not list. It is empty if the service gave no reason.
	Reason gen.TaskFailure
}

// Error implements error.
func (e *TaskError) Error() string {
	text := fmt.Sprintf("jogg: %s: %s ended with status %q", e.Operation, e.ID, e.Status)
	if e.Reason.Message != "" {
		text += ": " + oneLine(e.Reason.Message, maxMessage)
	}
	if e.Reason.Code != "" {
		text += " (code " + oneLine(e.Reason.Code, maxMessage) + ")"
	}
	return text
}

// WaitError means that a wait ended before its task did. The task may still be running; waiting again costs nothing.
type WaitError struct {
	// Operation is the Wait method, such as WaitAvatarVideo.
	Operation string
	// ID identifies the task.
	ID string
	// Status is the last status of the task that was polled, as the service spelled it. It is empty if no poll succeeded.
	Status gen.TaskStatus
	// Waited is how long the wait lasted.
	Waited time.Duration
	// Err is what ended the wait: the context's error, [ErrWaitLimit], or a permanent error of the status operation. If the limit ended the
	// wait and the last poll had failed, Err wraps both errors.
	Err error
}

// Error implements error.
func (e *WaitError) Error() string {
	seen := fmt.Sprintf("last seen with status %q", e.Status)
	if e.Status == "" {
		seen = "whose status is not known"
	}
	return fmt.Sprintf("jogg: %s: stopped after %v waiting for %s, %s: %s", e.Operation, e.Waited.Round(time.Millisecond), e.ID, seen,
		strings.TrimPrefix(e.Err.Error(), "jogg: "))
}

// Unwrap returns what ended the wait.
func (e *WaitError) Unwrap() error {
	return e.Err
}

// WaitProgress is the result of one poll of a task.
type WaitProgress struct {
	// Operation is the Wait method, such as WaitAvatarVideo.
	Operation string
	// ID identifies the task.
	ID string
	// Status is the task's status as the service spelled it, and State is what it means.
	Status gen.TaskStatus
	State  State
	// Waited is the time since the wait began.
	Waited time.Duration
	// Polls is the number of polls, including this one.
	Polls int
	// Err is the error of this poll, or nil. If there is an error, Status and State are those of the poll before.
	Err error
}

// WaitOption changes how a Wait method waits.
//
// There is one Wait method for each status operation, such as [Client.WaitAvatarVideo]. It polls the task with its status operation, first
// after 10 seconds and then at the intervals of [DefaultPollInterval], and gives up after 10 minutes. [WithPollInterval], [WithWaitLimit],
// [WithWaitProgress] and [WithNews] change that. [StateOf] says which statuses are final.
//
// A task that failed is a [*TaskError]. Everything else that ends the wait is a [*WaitError]: the context, the limit, or a permanent error.
// The permanent errors are [ErrNotFound], [ErrInvalidAPIKey], [ErrNoPermission], [ErrInvalidParameter] and [ErrRedirectRefused].
// ErrNotFound is one even right after the task was created, because the task exists by the time of the first poll. After any other failed
// poll, including the client's own retries, the wait continues with the next poll.
//
// Along with an error, a Wait method returns the last response about the task, or nil if no poll succeeded. Waiting changes nothing on the
// service and costs no credits, so a wait that ended early can be repeated with the same id.
type WaitOption func(*waitOptions)

type waitOptions struct {
	interval func(waited time.Duration) time.Duration
	limit    time.Duration
	progress func(WaitProgress)
	news     *News
	call     []CallOption
}

// shortestPause is the shortest poll interval that the documentation allows clients.
const shortestPause = 5 * time.Second

// DefaultPollInterval returns the poll interval that JoggAI's documentation recommends: 10 seconds in the first minute, 30 seconds until five
// minutes have passed, then one minute.
func DefaultPollInterval(waited time.Duration) time.Duration {
	switch {
	case waited < time.Minute:
		return 10 * time.Second
	case waited < 5*time.Minute:
		return 30 * time.Second
	default:
		return time.Minute
	}
}

// Every returns a function for [WithPollInterval] that always returns the same interval.
func Every(pause time.Duration) func(waited time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return pause }
}

// WithPollInterval replaces [DefaultPollInterval]. interval takes the time since the wait began and returns the wait before the next poll.
// It is also called before the first poll. The intervals are used as they are, so they can be shorter than the 5 seconds that the service
// asks for; use such intervals with a simulator only. An interval that is not positive means 5 seconds.
func WithPollInterval(interval func(waited time.Duration) time.Duration) WaitOption {
	return func(o *waitOptions) { o.interval = interval }
}

// WithWaitLimit replaces the limit of 10 minutes, after which a wait ends with [ErrWaitLimit]. The last poll happens at the limit, or
// earlier if it would come too soon after another one. The limit must be positive: there is no wait without one. Some tasks need a longer
// limit: a translation takes 2 to 5 minutes for each minute of the video.
func WithWaitLimit(limit time.Duration) WaitOption {
	return func(o *waitOptions) { o.limit = limit }
}

// WithWaitProgress calls report after every poll, including the last one. The waiting goroutine makes the call, so the wait stands still
// until report returns.
func WithWaitProgress(report func(WaitProgress)) WaitOption {
	return func(o *waitOptions) { o.progress = report }
}

// WithCall applies these options to every poll.
func WithCall(opts ...CallOption) WaitOption {
	return func(o *waitOptions) { o.call = append(o.call, opts...) }
}

// WithNews polls a task at once when [News.Tell] names it, instead of at the next interval. The wait ends if the task has ended, and
// continues otherwise, so early, duplicate or wrong news does no harm. However much news arrives, two polls are at least 5 seconds apart,
// or as far apart as a shorter interval sets them.
func WithNews(news *News) WaitOption {
	return func(o *waitOptions) { o.news = news }
}

// batchStatus returns one status for a batch: that of a running item, else that of a succeeded item, else that of the first item with its
// reason. A batch whose items are not all listed yet is running. total is the number of items to expect, or 0 if it is unknown.
func batchStatus[T any](items []T, total int, read func(*T) (gen.TaskStatus, gen.TaskFailure)) (gen.TaskStatus, gen.TaskFailure) {
	if len(items) == 0 || len(items) < total {
		return gen.TaskStatusPending, gen.TaskFailure{}
	}
	status, reason := read(&items[0])
	for i := range items {
		item, _ := read(&items[i])
		switch StateOf(item) {
		case Running:
			return item, gen.TaskFailure{}
		case Succeeded:
			status, reason = item, gen.TaskFailure{}
		}
	}
	return status, reason
}

// reasonAmong returns the failure reason from the fields that the contract does not list. It takes the first of the names whose value is a
// text, or an object with a message or a code.
func reasonAmong(fields map[string]json.RawMessage, names ...string) gen.TaskFailure {
	for _, name := range names {
		value := jsontext.Value(fields[name])
		if value.Kind() == jsontext.KindNumber {
			continue
		}
		reason := gen.TaskFailure{Message: words(value)}
		if value.Kind() == jsontext.KindBeginObject {
			for member, code := range members(value) {
				if member == "code" {
					reason.Code = text(code)
				}
			}
		}
		if reason != (gen.TaskFailure{}) {
			return reason
		}
	}
	return gen.TaskFailure{}
}

// wait polls a task until it has ended. read returns the status in a response of poll, and the failure reason.
func wait[T any, ID comparable](
	ctx context.Context, c *Client, operation string, key ID, opts []WaitOption,
	poll func(ctx context.Context, key ID, opts ...CallOption) (*T, error), read func(*T) (gen.TaskStatus, gen.TaskFailure),
) (*T, error) {
	var none ID
	if key == none {
		return nil, fmt.Errorf("jogg: %s: the id is empty", operation)
	}
	id := fmt.Sprint(key)
	options := waitOptions{limit: 10 * time.Minute}
	for _, opt := range opts {
		opt(&options)
	}
	if options.limit <= 0 {
		return nil, fmt.Errorf("jogg: %s: the wait limit of %v is not positive", operation, options.limit)
	}
	w := &waiting{waitOptions: options, clock: c.clock, began: c.clock.Now()}
	news, forget := w.news.listen(id)
	defer forget()

	var last *T
	var status gen.TaskStatus
	stopped := func(err error) (*T, error) {
		return last, &WaitError{Operation: operation, ID: id, Status: status, Waited: w.waited(), Err: err}
	}
	for {
		if err := w.pause(ctx, news); err != nil {
			return stopped(err)
		}
		task, err := pollWithin(ctx, w.pollTimeout(), func(ctx context.Context) (*T, error) { return poll(ctx, key, options.call...) })
		w.polls++
		w.failed = err
		if err != nil && (ctx.Err() != nil || !mayChange(err)) {
			return stopped(err)
		}
		var reason gen.TaskFailure
		if err == nil {
			last = task
			status, reason = read(task)
		}
		state := StateOf(status)
		if w.progress != nil {
			w.progress(WaitProgress{Operation: operation, ID: id, Status: status, State: state, Waited: w.waited(), Polls: w.polls, Err: err})
		}
		if err != nil {
			continue
		}
		switch state {
		case Succeeded:
			return task, nil
		case Failed:
			return task, &TaskError{Operation: operation, ID: id, Status: status, Reason: reason}
		}
	}
}

// waiting is the timing of one wait.
type waiting struct {
	waitOptions
	clock  Clock
	began  time.Time
	polls  int
	failed error // error of the latest poll, nil if it succeeded
}

// mayChange reports whether another poll may succeed after one that failed with err.
func mayChange(err error) bool {
	for _, final := range []error{ErrWaitLimit, ErrNotFound, ErrInvalidAPIKey, ErrNoPermission, ErrInvalidParameter, ErrRedirectRefused} {
		if errors.Is(err, final) {
			return false
		}
	}
	if _, ok := errors.AsType[*APIError](err); ok {
		return true
	}
	unanswered, ok := errors.AsType[*callError](err)
	return ok && unanswered.fate != fateEnded
}

func (w *waiting) waited() time.Duration {
	return w.clock.Now().Sub(w.began)
}

// pause waits until the next poll. It returns early if there is news, and returns an error if there is to be no next poll.
func (w *waiting) pause(ctx context.Context, news <-chan struct{}) error {
	paused := w.clock.Now()
	length := w.nextPause()
	shortest := min(length, shortestPause)
	if w.polls == 0 {
		shortest = 0
	}
	remaining := w.limit - w.waited()
	if remaining <= 0 || remaining < shortest {
		return w.limitReached()
	}
	due := w.clock.After(min(length, remaining))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-due:
		return nil
	case <-news:
	}
	early := shortest - w.clock.Now().Sub(paused)
	if early <= 0 {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.clock.After(early):
		return nil
	}
}

// limitReached returns the cause of a wait that reached its limit.
func (w *waiting) limitReached() error {
	if w.failed == nil {
		return ErrWaitLimit
	}
	return fmt.Errorf("%w; the last poll failed: %w", ErrWaitLimit, w.failed)
}

func (w *waiting) nextPause() time.Duration {
	interval := w.interval
	if interval == nil {
		interval = DefaultPollInterval
	}
	if pause := interval(w.waited()); pause > 0 {
		return pause
	}
	return shortestPause
}

// pollTimeout returns how long one poll may take: until the limit, but at least 30 seconds for a poll that begins late.
func (w *waiting) pollTimeout() time.Duration {
	return max(w.limit-w.waited(), 30*time.Second)
}

// pollWithin cancels a poll that takes longer than timeout. It cancels instead of setting a deadline, because timeout is real time while
// the client's clock can be fake.
func pollWithin[T any](ctx context.Context, timeout time.Duration, poll func(context.Context) (*T, error)) (*T, error) {
	polling, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(timeout, cancel)
	defer timer.Stop()
	task, err := poll(polling)
	switch {
	case err == nil:
		return task, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case polling.Err() != nil:
		return nil, ErrWaitLimit
	default:
		return nil, err
	}
}
