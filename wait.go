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

// ErrWaitLimit is the reason in a [*WaitError] when a task had not ended within the limit of [WithWaitLimit].
var ErrWaitLimit = errors.New("wait limit reached")

// TaskError says that a task has failed: the service accepted the work and could not do it. The task's last answer stands beside
// it.
type TaskError struct {
	// Operation is the method that waited, such as WaitAvatarVideo.
	Operation string
	// ID identifies the task.
	ID string
	// Status is the task's status as the service spelled it.
	Status gen.TaskStatus
	// Reason is why it failed, whichever field of the answer the service wrote it into, one that the contract does not list included.
	// It is empty where the service gave none.
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

// WaitError says that a wait ended before its task did. The task itself may still be running; waiting again costs nothing.
type WaitError struct {
	// Operation is the method that waited, such as WaitAvatarVideo.
	Operation string
	// ID identifies the task.
	ID string
	// Status is the task's status when it was last seen, as the service spelled it. It is empty when it was never seen.
	Status gen.TaskStatus
	// Waited is how long the wait lasted.
	Waited time.Duration
	// Err is what ended the wait: the context's error, [ErrWaitLimit], or a refusal of the status operation that will not change. Where
	// the limit ended the wait and the last look had failed, it has the error of both.
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

// WaitProgress is what one look at a task has shown.
type WaitProgress struct {
	// Operation is the method that waits, such as WaitAvatarVideo.
	Operation string
	// ID identifies the task.
	ID string
	// Status is the task's status as the service spelled it, and State is what it means.
	Status gen.TaskStatus
	State  State
	// Waited is the time since the wait began.
	Waited time.Duration
	// Looks counts the looks at the task, this one included.
	Looks int
	// Err is why this look failed, nil if it did not. Status and State are then those of the look before.
	Err error
}

// WaitOption changes how a Wait method waits.
//
// There is one Wait method for each status operation, such as [Client.WaitAvatarVideo]. It looks at the task of an id with its status
// operation, first after 10 seconds and then in the rhythm of [DefaultRhythm], and gives up after 10 minutes. [WithRhythm],
// [WithWaitLimit], [WithWaitProgress] and [WithNews] change that. [StateOf] says which status is an end.
//
// A task that failed is a [*TaskError]. Everything else that ends the wait is a [*WaitError]: the context, the limit, and a refusal that
// will not change, which is [ErrNotFound], [ErrInvalidAPIKey], [ErrNoPermission], [ErrInvalidParameter] and [ErrRedirectRefused]. Not found
// is one also right after the task was created: by the time of the first look it is there. Any other look that fails, after the client's
// own retries, is followed by the next one in the rhythm. Beside an error stands the task as it was last seen; it is nil if it never was.
// Waiting changes nothing on the service and costs no credits, so a wait that ended early can be repeated with the same id.
type WaitOption func(*waitOptions)

type waitOptions struct {
	rhythm   func(waited time.Duration) time.Duration
	limit    time.Duration
	progress func(WaitProgress)
	news     *News
	call     []CallOption
}

// shortestPause is the time between two looks at a task that the documentation asks clients not to fall below.
const shortestPause = 5 * time.Second

// DefaultRhythm is the rhythm that the documentation recommends: every 10 seconds in the first minute, every 30 seconds until five
// minutes have passed, then every minute.
func DefaultRhythm(waited time.Duration) time.Duration {
	switch {
	case waited < time.Minute:
		return 10 * time.Second
	case waited < 5*time.Minute:
		return 30 * time.Second
	default:
		return time.Minute
	}
}

// Every is a rhythm of equal pauses, for [WithRhythm].
func Every(pause time.Duration) func(waited time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return pause }
}

// WithRhythm replaces [DefaultRhythm]. The function is given the time since the wait began and returns how long to pause before the
// next look; it is asked before the first look too. The pauses are taken as they are, so it can look faster than the service wants
// to be asked, which is every 5 seconds at most: good against a simulator only. A pause that is not positive is taken as 5 seconds.
func WithRhythm(rhythm func(waited time.Duration) time.Duration) WaitOption {
	return func(o *waitOptions) { o.rhythm = rhythm }
}

// WithWaitLimit replaces the 10 minutes after which a wait is given up with [ErrWaitLimit]. The last look falls on the limit, or
// before it if it would come too soon after another one. The limit must be positive: there is no wait without one. Some work wants a
// longer one: a translation takes 2 to 5 minutes for each minute of the video.
func WithWaitLimit(limit time.Duration) WaitOption {
	return func(o *waitOptions) { o.limit = limit }
}

// WithWaitProgress calls report after every look, the last one included. The call is made by the goroutine that waits, so the wait
// stands still until report returns.
func WithWaitProgress(report func(WaitProgress)) WaitOption {
	return func(o *waitOptions) { o.progress = report }
}

// WithCall gives each look at the task these options.
func WithCall(opts ...CallOption) WaitOption {
	return func(o *waitOptions) { o.call = append(o.call, opts...) }
}

// WithNews lets news end a pause: when [News.Tell] names the task, the wait looks at it at once instead of when its rhythm says so.
// It then ends if the task has ended, and goes on waiting otherwise, so news that is early, doubled or wrong does no harm. However
// much news arrives, two looks are at least 5 seconds apart, or as far apart as a faster rhythm sets them.
func WithNews(news *News) WaitOption {
	return func(o *waitOptions) { o.news = news }
}

// batchStatus finds one status for a batch: that of an item that goes on, else that of one that succeeded, else that of the first, with
// its reason. A batch whose items are not all listed yet goes on. total is how many there are to be, 0 where that is not told.
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

// reasonAmong finds why a task failed among the fields that the contract does not list: in the first of the names that says something, be it
// a text or an object with a message or a code.
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

// wait looks at a task until it has ended. What look returns is read by read.
func wait[T any, ID comparable](
	ctx context.Context, c *Client, operation string, key ID, opts []WaitOption,
	look func(ctx context.Context, key ID, opts ...CallOption) (*T, error), read func(*T) (gen.TaskStatus, gen.TaskFailure),
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
		task, err := bounded(ctx, w.patience(), func(ctx context.Context) (*T, error) { return look(ctx, key, options.call...) })
		w.looks++
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
			w.progress(WaitProgress{Operation: operation, ID: id, Status: status, State: state, Waited: w.waited(), Looks: w.looks, Err: err})
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

// waiting is the time side of one wait.
type waiting struct {
	waitOptions
	clock  Clock
	began  time.Time
	looks  int
	failed error // of the latest look, nil if it did not fail
}

// mayChange tells whether another look may bring what one that failed with err did not.
func mayChange(err error) bool {
	for _, final := range []error{ErrWaitLimit, ErrNotFound, ErrInvalidAPIKey, ErrNoPermission, ErrInvalidParameter, ErrRedirectRefused} {
		if errors.Is(err, final) {
			return false
		}
	}
	var refused *APIError
	var unanswered *callError
	return errors.As(err, &refused) || errors.As(err, &unanswered) && unanswered.fate != fateRefused
}

func (w *waiting) waited() time.Duration {
	return w.clock.Now().Sub(w.began)
}

// pause lets the time until the next look go by. It returns early when there is news, and with an error when no look is to follow.
func (w *waiting) pause(ctx context.Context, news <-chan struct{}) error {
	paused := w.clock.Now()
	length := w.nextPause()
	shortest := min(length, shortestPause)
	if w.looks == 0 {
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

// limitReached is the reason of a wait that took as long as it may.
func (w *waiting) limitReached() error {
	if w.failed == nil {
		return ErrWaitLimit
	}
	return fmt.Errorf("%w; the last look failed: %w", ErrWaitLimit, w.failed)
}

func (w *waiting) nextPause() time.Duration {
	rhythm := w.rhythm
	if rhythm == nil {
		rhythm = DefaultRhythm
	}
	if pause := rhythm(w.waited()); pause > 0 {
		return pause
	}
	return shortestPause
}

// patience is how long one look may last: until the limit, and a little beyond it for a look that begins late.
func (w *waiting) patience() time.Duration {
	return max(w.limit-w.waited(), 30*time.Second)
}

// bounded gives up a look that hangs. It cancels instead of setting a deadline, because patience is a stretch of real time while
// the clock of the client can be a test's.
func bounded[T any](ctx context.Context, patience time.Duration, look func(context.Context) (*T, error)) (*T, error) {
	looking, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(patience, cancel)
	defer timer.Stop()
	task, err := look(looking)
	switch {
	case err == nil:
		return task, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case looking.Err() != nil:
		return nil, ErrWaitLimit
	default:
		return nil, err
	}
}
