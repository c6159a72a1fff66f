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

// Errors of the methods that steer tasks.
var (
	ErrUnknownTask = errors.New("simulator: no task has that id")
	ErrTaskEnded   = errors.New("simulator: the task has ended already")
)

// TaskKind is a kind of long work. Work that an operation starts for which no behaviour is written has the operationId as its kind.
type TaskKind string

// The kinds of long work. A preview is one too, though it has no status operation and is seen in listProductPreviews only.
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

// Spelling chooses the words for the states of tasks.
type Spelling int

// The spellings.
const (
	Documented Spelling = iota // as the documentation has them: mostly completed and failed, success and error for some kinds
	Seen                       // success and fail for every kind, as programs report it
)

// words are the states of a kind of task.
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

// traits are what tells the kinds apart.
type traits struct {
	newID    func(identifiers) string
	cost     float64 // credits, for each image or minute where there are several
	statuses statusNames
	events   []string // what the events about it are called, without _success and _failed
}

func prefixed(prefix string) func(identifiers) string {
	return func(g identifiers) string { return g.named(prefix) }
}

// A motion makes an avatar, so its end is told twice, to those who follow motions and to those who follow avatars. No documented event
// is about lip sync videos, speech, transcriptions or the models of other providers. Which events tell of previews and of product avatar images
// is not documented; these are the nearest.
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

// traitsOf returns the traits of a kind.
func traitsOf(kind TaskKind) traits {
	if known, ok := kinds[kind]; ok {
		return known
	}
	return derivedTraits
}

// Reason is why a task failed.
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

// Plan says what becomes of a task, where it is not to go the usual way.
type Plan struct {
	// Pending and Processing are how long the task stays in these states; 0 stands for what WithDurations says.
	Pending, Processing time.Duration
	// Fail makes the task fail in the end. An empty Reason stands for a usual one.
	Fail *Reason
	// Hold keeps the task in this state for ever, however it is spelled: known, such as "queued", or not, such as "warming_up". The
	// latter is beyond the contract on purpose. FinishTask and FailTask still end it.
	Hold string
}

// order is what a task was asked to make.
type taskSpec struct {
	name        string
	webhookURL  string // where the outcome is delivered without an endpoint
	transparent bool   // the video is WebM
	seconds     float64
	images      int
	imageURL    string
	voiceID     string
	ratio       gen.AspectRatioCode
	style       string
	subject     string // whom the scripts are about
	subtitles   bool
	text        string  // what is said
	units       float64 // what is charged for, where it is not the images; 0 stands for 1
	vendor      gen.Vendor
	model       string
	lipSync     lipSyncInput
}

// lipSyncInput is what a lip sync video is found by.
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
	starts  time.Time // when it stops being pending
	due     time.Time // when it ends
	timer   clockwork.Timer

	ended  time.Time // zero while it goes on
	reason *Reason   // why it failed

	avatarID int64    // of motions
	imageIDs []string // ids of the images of a batch
}

// begin starts a task that the call's account pays for.
func (s *Simulator) begin(ctx context.Context, kind TaskKind, o taskSpec) (*task, error) {
	return s.beginAs(exchangeOf(ctx), kind, "", o)
}

// beginAs is begin for a task whose id is given; "" makes one up.
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

// expire ends a task whose time has come.
func (s *Simulator) expire(t *task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && t.ended.IsZero() && t.plan.Hold == "" {
		s.end(t, t.due, t.plan.Fail)
	}
}

// end ends a task and tells those who want to know. s.mu is held.
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

// forgetTasks drops the oldest ended tasks when there are too many.
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

// find returns a task of the call's account, as it stands now.
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

// catchUp ends a task whose time has come though its timer has not been heard yet, so that what is read never lags behind the clock.
func (s *Simulator) catchUp(t *task) {
	if _, running := s.running[t]; running && !t.due.After(s.clock.Now()) {
		s.end(t, t.due, t.plan.Fail)
	}
}

// deviates says that the contract does not know the state that the task was told to stay in.
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

// listStatus is the state in lists, which do not know pending.
func (s *Simulator) listStatus(t *task) gen.TaskStatus {
	if status := s.status(t); status != gen.TaskStatusPending {
		return status
	}
	return gen.TaskStatusProcessing
}

// The fields that only a finished task has.

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

// imageStatus is the state of one image of a batch. The images are finished one after another.
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

// takePlan returns what is planned for the next task of the kind. s.mu is held.
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

// PlanNext says what becomes of the next tasks of the kind, one task for each plan, in order.
func (s *Simulator) PlanNext(kind TaskKind, plans ...Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plans[kind] = append(s.plans[kind], plans...)
}

// SetSpelling chooses the words for the states of all tasks from now on.
func (s *Simulator) SetSpelling(spelling Spelling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config.spelling = spelling
}

// FinishTask lets a task succeed now. The error is ErrUnknownTask or ErrTaskEnded.
func (s *Simulator) FinishTask(id string) error {
	return s.steer(id, func(t *task) { s.end(t, s.clock.Now(), nil) })
}

// FailTask lets a task fail now. An empty Reason stands for a usual one. The error is ErrUnknownTask or ErrTaskEnded.
func (s *Simulator) FailTask(id string, reason Reason) error {
	return s.steer(id, func(t *task) { s.end(t, s.clock.Now(), &reason) })
}

// HoldTask keeps a task in a state for ever, as Plan's Hold does. The error is ErrUnknownTask or ErrTaskEnded.
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

// TaskRecord is a task as it stands.
type TaskRecord struct {
	Kind    TaskKind
	ID      string
	Name    string
	Status  gen.TaskStatus // as the status operation spells it
	Created time.Time
	Ended   time.Time // zero while it goes on
	Reason  *Reason   // why it failed, or nil
	// WebhookURL is where the outcome is delivered without an endpoint, or "".
	WebhookURL string
}

// Tasks returns all tasks that were started, oldest first. Only the last ones are kept: see WithLogSize.
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
