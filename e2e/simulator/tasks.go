package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/jogg-go/jogg/gen"
)

// Errors of the methods that control tasks.
var (
	ErrUnknownTask = errors.New("simulator: no task has that id")
	ErrTaskEnded   = errors.New("simulator: the task has ended already")
)

// TaskKind is a kind of task. The kind of tasks of a derived operation is its operationId.
type TaskKind string

// Kinds of tasks. KindProductPreview has no status operation; such tasks appear in listProductPreviews only.
const (
	KindAvatarVideo         TaskKind = "avatar video"
	KindProductVideo        TaskKind = "product video"
	KindProductPreview      TaskKind = "product preview"
	KindTemplateVideo       TaskKind = "template video"
	KindTranslation         TaskKind = "translation"
	KindLipSync             TaskKind = "lip sync"
	KindScripts             TaskKind = "scripts"
	KindPhoto               TaskKind = "photo avatar image"
	KindPhotoMotion         TaskKind = "photo avatar motion"
	KindProductAvatarImages TaskKind = "product avatar images"
	KindProductAvatarMotion TaskKind = "product avatar motion"
	KindSpeech              TaskKind = "speech"
	KindTranscription       TaskKind = "transcription"
	KindProviderImages      TaskKind = "provider images"
	KindProviderVideo       TaskKind = "provider video"
)

// Spelling selects how task states are spelled in responses and events.
type Spelling int

// Spellings of task states.
const (
	Documented Spelling = iota // as documented: completed and failed for most kinds, for some success, succeeded or error
	Seen                       // success and fail for every kind, as reported by other programs
)

// statusNames are the spellings of the states of a kind of task.
type statusNames struct{ pending, processing, succeeded, failed gen.TaskStatus }

func (w statusNames) spelled(s Spelling) statusNames {
	if s == Seen {
		w.succeeded, w.failed = gen.TaskStatusSuccess, gen.TaskStatusFail
	}
	return w
}

var (
	defaultStatuses  = statusNames{gen.TaskStatusPending, gen.TaskStatusProcessing, gen.TaskStatusCompleted, gen.TaskStatusFailed}
	productStatuses  = statusNames{gen.TaskStatusProcessing, gen.TaskStatusProcessing, gen.TaskStatusCompleted, gen.TaskStatusFailed}
	lipSyncStatuses  = statusNames{gen.TaskStatusPending, gen.TaskStatusProcessing, gen.TaskStatusSuccess, gen.TaskStatusFailed}
	providerStatuses = statusNames{gen.TaskStatusQueued, gen.TaskStatusProcessing, gen.TaskStatusSucceeded, gen.TaskStatusFailed}
	photoStatuses    = statusNames{gen.TaskStatusInProgress, gen.TaskStatusInProgress, gen.TaskStatusSuccess, gen.TaskStatusError}
)

// traits are the properties of a kind of task.
type traits struct {
	newID    func(identifiers) string
	cost     float64 // credits per image or minute, or else per task
	statuses statusNames
	events   []string // event types, without _success or _failed
}

func prefixed(prefix string) func(identifiers) string {
	return func(g identifiers) string { return g.named(prefix) }
}

// A motion makes an avatar, so it sends two events when it ends: one about the motion and one about the avatar. No documented event is
// about lip sync videos, speech, transcriptions or the models of other providers. The events of previews and product avatar images are not
// documented; these are the closest ones.
var kinds = map[TaskKind]traits{
	KindAvatarVideo:         {prefixed("video"), 1, defaultStatuses, []string{"generated_avatar_video"}},
	KindProductVideo:        {prefixed("pv"), 2, productStatuses, []string{"generated_product_video"}},
	KindProductPreview:      {prefixed("preview"), 0.5, productStatuses, []string{"generated_product_video"}},
	KindTemplateVideo:       {prefixed("video"), 1, defaultStatuses, []string{"generated_template_video"}},
	KindTranslation:         {prefixed("vt"), 3, defaultStatuses, []string{"generated_translate_video"}},
	KindLipSync:             {identifiers.uuid, 1, lipSyncStatuses, nil},
	KindScripts:             {prefixed("task"), 0.5, defaultStatuses, []string{"generated_script"}},
	KindPhoto:               {prefixed("photo"), 0.5, photoStatuses, []string{"generated_image"}},
	KindPhotoMotion:         {prefixed("motion"), 1, defaultStatuses, []string{"generated_motion", "generated_photo_avatar"}},
	KindProductAvatarImages: {prefixed("batch"), 0.5, defaultStatuses, []string{"generated_image"}},
	KindProductAvatarMotion: {prefixed("motion"), 1, defaultStatuses, []string{"generated_motion", "generated_product_avatar"}},
	KindSpeech:              {prefixed("tts"), 0.5, defaultStatuses, nil},
	KindTranscription:       {prefixed("asr"), 0.5, defaultStatuses, nil},
	KindProviderImages:      {prefixed("pt"), 1, providerStatuses, nil},
	KindProviderVideo:       {prefixed("pt"), 5, providerStatuses, nil},
}

// traitsOf returns the traits of a kind. Kinds of derived operations share derivedTraits.
func traitsOf(kind TaskKind) traits {
	if known, ok := kinds[kind]; ok {
		return known
	}
	return derivedTraits
}

// Reason is the reason why a task failed.
type Reason struct {
	Code    int
	Message string
}

func (r Reason) orDefault() Reason {
	if r == (Reason{}) {
		return Reason{Code: CodeSystem, Message: "generation failed: the renderer gave up"}
	}
	return r
}

// Plan determines how a task proceeds; see PlanNext. The zero Plan makes it succeed after the durations of WithDurations.
type Plan struct {
	// Pending and Processing are how long the task stays in these states; 0 means the duration of WithDurations.
	Pending, Processing time.Duration
	// Fail makes the task fail instead of succeed, if it is not nil. The zero Reason means a default reason.
	Fail *Reason
	// Hold keeps the task in this state until FinishTask or FailTask ends it, if it is not "". The state can be known, such as "queued",
	// or unknown, such as "warming_up". An unknown state deviates from the contract, but is not a violation.
	Hold string
}

// taskSpec is what the request of a task asks for.
type taskSpec struct {
	name        string
	webhookURL  string // gets the event besides the endpoints; "" for none
	transparent bool   // the video is WebM
	seconds     float64
	images      int
	imageURL    string
	voiceID     string
	ratio       gen.AspectRatioCode
	style       string
	subject     string // the product that scripts are about
	subtitles   bool
	text        string  // spoken text
	units       float64 // billed units of kinds that are not billed by image; 0 means 1
	vendor      gen.Vendor
	model       string
	lipSync     lipSyncInput
}

// lipSyncInput is the key of FindLipSyncVideo.
type lipSyncInput struct {
	video, audio string
	playback     gen.PlaybackType
}

// task is guarded by Simulator.mu.
type task struct {
	kind    TaskKind
	id      string
	account *account
	spec    taskSpec
	plan    Plan
	cost    float64
	created time.Time
	starts  time.Time // when pending ends and processing begins
	due     time.Time // when processing ends
	timer   clockwork.Timer

	ended  time.Time // zero until it has ended
	reason *Reason   // nil unless it failed

	avatarID int64    // of motions
	imageIDs []string // of a batch of product avatar images
}

// begin starts a task and charges the account of the call.
func (s *Simulator) begin(ctx context.Context, kind TaskKind, o taskSpec) (*task, error) {
	return s.beginAs(exchangeOf(ctx), kind, "", o)
}

// beginAs is begin with the id of the task; "" generates one.
func (s *Simulator) beginAs(x *exchange, kind TaskKind, id string, o taskSpec) (*task, error) {
	kindTraits := traitsOf(kind)
	cost := kindTraits.cost * float64(max(o.images, 1)) * cmp.Or(o.units, 1)
	if err := x.account.spend(cost); err != nil {
		return nil, err
	}
	if o.seconds == 0 {
		o.seconds = s.ids.seconds()
	}
	if id == "" {
		id = kindTraits.newID(s.ids)
	}
	t := &task{kind: kind, id: id, account: x.account, spec: o, plan: s.takePlan(kind), cost: cost}
	if kind == KindPhotoMotion || kind == KindProductAvatarMotion {
		t.avatarID = s.ids.number()
	}
	if kind == KindProductAvatarImages {
		for range o.images {
			t.imageIDs = append(t.imageIDs, s.ids.named("gen"))
		}
	}
	t.created = s.clock.Now()
	t.starts = t.created.Add(t.plan.Pending)
	t.due = t.starts.Add(t.plan.Processing)
	x.deviates = x.deviates || t.deviates()
	s.tasks[t.id] = t
	s.tasksInOrder = append(s.tasksInOrder, t)
	s.forgetTasks()
	if t.plan.Hold == "" {
		s.running[t] = struct{}{}
		t.timer = s.clock.AfterFunc(t.due.Sub(t.created), func() { s.expire(t) })
	}
	s.notify()
	return t, nil
}

// expire ends a task when its timer fires.
func (s *Simulator) expire(t *task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && t.ended.IsZero() && t.plan.Hold == "" {
		s.end(t, t.due, t.plan.Fail)
	}
}

// end ends a task and sends its events. s.mu is held.
func (s *Simulator) end(t *task, at time.Time, reason *Reason) {
	if t.timer != nil {
		t.timer.Stop()
	}
	delete(s.running, t)
	t.ended, t.plan.Hold = at, ""
	outcome := "_success"
	if reason != nil {
		because := reason.orDefault()
		t.reason, outcome = &because, "_failed"
	}
	for _, name := range traitsOf(t.kind).events {
		s.publishTask(t, gen.EventType(name+outcome))
	}
	s.notify()
}

// forgetTasks drops the oldest ended tasks when the log is full.
func (s *Simulator) forgetTasks() {
	excess := len(s.tasksInOrder) - s.config.logSize
	if excess < max(s.config.logSize/4, 1) {
		return
	}
	s.tasksInOrder = slices.DeleteFunc(s.tasksInOrder, func(t *task) bool {
		if excess <= 0 || t.ended.IsZero() {
			return false
		}
		excess--
		delete(s.tasks, t.id)
		return true
	})
	for _, a := range s.accounts {
		a.resources.forget(func(t *resource) bool { return t.task != nil && s.tasks[t.task.id] == nil })
	}
}

// find returns a task of the call's account, brought up to date.
func (s *Simulator) find(ctx context.Context, kind TaskKind, id string) (*task, error) {
	x := exchangeOf(ctx)
	t := s.tasks[id]
	if t == nil || t.account != x.account || t.kind != kind {
		return nil, notFound(string(kind))
	}
	s.catchUp(t)
	x.deviates = x.deviates || t.deviates()
	return t, nil
}

// catchUp ends a task that is due although its timer has not fired yet, so that reads never lag behind the clock.
func (s *Simulator) catchUp(t *task) {
	if _, running := s.running[t]; running && !t.due.After(s.clock.Now()) {
		s.end(t, t.due, t.plan.Fail)
	}
}

// deviates reports whether the task is held in a state that is not in the contract.
func (t *task) deviates() bool { return t.plan.Hold != "" && !gen.TaskStatus(t.plan.Hold).Known() }

func (t *task) succeeded() bool { return !t.ended.IsZero() && t.reason == nil }

func (s *Simulator) status(t *task) gen.TaskStatus {
	w := traitsOf(t.kind).statuses.spelled(s.config.spelling)
	switch {
	case t.plan.Hold != "":
		return gen.TaskStatus(t.plan.Hold)
	case t.reason != nil:
		return w.failed
	case t.succeeded():
		return w.succeeded
	case s.clock.Now().Before(t.starts):
		return w.pending
	}
	return w.processing
}

// listStatus returns the state in lists, which do not have pending.
func (s *Simulator) listStatus(t *task) gen.TaskStatus {
	if status := s.status(t); status != gen.TaskStatusPending {
		return status
	}
	return gen.TaskStatusProcessing
}

// The methods below return the zero value for fields that the task does not have yet.

func (s *Simulator) video(t *task) string {
	if !t.succeeded() {
		return ""
	}
	if t.spec.transparent {
		return s.media("videos", t.id, "webm")
	}
	return s.media("videos", t.id, "mp4")
}

func (s *Simulator) cover(t *task) string {
	if !t.succeeded() {
		return ""
	}
	return s.media("covers", t.id, "png")
}

func (t *task) seconds() float64 {
	if !t.succeeded() {
		return 0
	}
	return t.spec.seconds
}

func (t *task) completedAt() int64 {
	if t.ended.IsZero() {
		return 0
	}
	return t.ended.Unix()
}

func (t *task) failure() gen.TaskFailure {
	if t.reason == nil {
		return gen.TaskFailure{}
	}
	return gen.TaskFailure{Code: strconv.Itoa(t.reason.Code), Message: t.reason.Message}
}

func (t *task) failureMessage() string {
	if t.reason == nil {
		return ""
	}
	return t.reason.Message
}

// imageStatus returns the state of an image of a batch and, if it has ended, when. The images are finished one after another.
func (s *Simulator) imageStatus(t *task, i int) (gen.TaskStatus, time.Time) {
	step := t.due.Sub(t.starts) / time.Duration(len(t.imageIDs))
	done := t.starts.Add(step * time.Duration(i+1))
	w := kinds[t.kind].statuses.spelled(s.config.spelling)
	now := s.clock.Now()
	switch {
	case t.plan.Hold != "" || t.reason != nil:
		return s.status(t), t.ended
	case t.succeeded():
		return w.succeeded, minTime(done, t.ended)
	case !done.After(now) && t.plan.Fail == nil:
		return w.succeeded, done
	case !now.Before(done.Add(-step)):
		return w.processing, time.Time{}
	}
	return w.pending, time.Time{}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// takePlan removes and returns the next plan for the kind, with the default durations filled in. s.mu is held.
func (s *Simulator) takePlan(kind TaskKind) Plan {
	var plan Plan
	if waiting := s.plans[kind]; len(waiting) > 0 {
		plan, s.plans[kind] = waiting[0], waiting[1:]
	}
	if plan.Pending == 0 {
		plan.Pending = s.config.pending
	}
	if plan.Processing == 0 {
		plan.Processing = s.config.processing
	}
	return plan
}

// PlanNext applies the plans to the next tasks of the kind, one plan for each task, in order. It does not affect tasks that exist.
func (s *Simulator) PlanNext(kind TaskKind, plans ...Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[kind] = append(s.plans[kind], plans...)
}

// SetSpelling sets the spelling of task states from now on, including those of existing tasks.
func (s *Simulator) SetSpelling(spelling Spelling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config.spelling = spelling
}

// FinishTask makes a task succeed now and sends its events. The error is ErrUnknownTask or ErrTaskEnded.
func (s *Simulator) FinishTask(id string) error {
	return s.steer(id, func(t *task) { s.end(t, s.clock.Now(), nil) })
}

// FailTask makes a task fail now and sends its events. The zero Reason means a default reason. The error is ErrUnknownTask or ErrTaskEnded.
func (s *Simulator) FailTask(id string, reason Reason) error {
	return s.steer(id, func(t *task) { s.end(t, s.clock.Now(), &reason) })
}

// HoldTask keeps a task in a state until FinishTask or FailTask ends it, like Plan.Hold. The error is ErrUnknownTask or ErrTaskEnded, or
// says that the state is empty.
func (s *Simulator) HoldTask(id, state string) error {
	if state == "" {
		return fmt.Errorf("simulator: hold task %s: the state is empty", id)
	}
	return s.steer(id, func(t *task) {
		if t.timer != nil {
			t.timer.Stop()
		}
		delete(s.running, t)
		t.plan.Hold = state
		s.notify()
	})
}

func (s *Simulator) steer(id string, change func(*task)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[id]
	if t == nil {
		return ErrUnknownTask
	}
	s.catchUp(t)
	if !t.ended.IsZero() {
		return ErrTaskEnded
	}
	change(t)
	return nil
}

// TaskRecord is a snapshot of a task.
type TaskRecord struct {
	Kind    TaskKind
	ID      string
	Name    string
	Status  gen.TaskStatus // as in the response of the status operation
	Created time.Time
	Ended   time.Time // zero until it has ended
	Reason  *Reason   // nil unless it failed
	// WebhookURL is the webhook_url or callback_url of the request, or "".
	WebhookURL string
}

// Tasks returns the tasks so far, oldest first. Only the last ones are retained: see WithLogSize.
func (s *Simulator) Tasks() []TaskRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	records := make([]TaskRecord, len(s.tasksInOrder))
	for i, t := range s.tasksInOrder {
		s.catchUp(t)
		records[i] = s.taskRecord(t)
	}
	return records
}

func (s *Simulator) taskRecord(t *task) TaskRecord {
	return TaskRecord{
		Kind: t.kind, ID: t.id, Name: t.spec.name, Status: s.status(t), Created: t.created, Ended: t.ended,
		Reason: t.reason, WebhookURL: t.spec.webhookURL,
	}
}
