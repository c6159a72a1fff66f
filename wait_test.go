package jogg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/jogg-go/jogg/e2e/paths"
	"github.com/jogg-go/jogg/gen"
)

// statusServer responds to the polls of a task without a network, so that a bubble's time can advance while everything is idle.
type statusServer struct {
	answer func(req *http.Request) string // the content of data, or a whole envelope
	polls  []time.Time
	asked  []string
}

func (s *statusServer) RoundTrip(req *http.Request) (*http.Response, error) {
	s.polls = append(s.polls, time.Now())
	s.asked = append(s.asked, req.URL.RequestURI())
	body := s.answer(req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(body, `{"code"`) {
		body = `{"code":0,"msg":"Success","data":` + body + `}`
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// seconds returns the times of the polls, in seconds after begin.
func (s *statusServer) seconds(begin time.Time) []float64 {
	var seconds []float64
	for _, poll := range s.polls {
		seconds = append(seconds, poll.Sub(begin).Seconds())
	}
	return seconds
}

// always responds to every poll with the same status.
func always(status string) func(*http.Request) string {
	return func(*http.Request) string { return fmt.Sprintf(`{"video_id":"vid_1","status":%q}`, status) }
}

// inTurn responds to each poll with the next status, and repeats the last one.
func inTurn(statuses ...string) func(*http.Request) string {
	poll := 0
	return func(req *http.Request) string {
		status := statuses[min(poll, len(statuses)-1)]
		poll++
		return always(status)(req)
	}
}

func waitClient(t *testing.T, transport http.RoundTripper, opts ...Option) *Client {
	t.Helper()
	opts = append([]Option{WithHTTPClient(&http.Client{Transport: transport}), WithRetry(RetryPolicy{Attempts: 1})}, opts...)
	client, err := New("key-of-the-wait-tests", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestWaitPollsInTheDocumentedIntervalAndGivesUpAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &statusServer{answer: always("processing")}
		begin := time.Now()
		video, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1")

		want := []float64{10, 20, 30, 40, 50, 60, 90, 120, 150, 180, 210, 240, 270, 300, 360, 420, 480, 540, 600}
		if got := server.seconds(begin); !slices.Equal(got, want) {
			t.Errorf("polls after seconds %v, want %v", got, want)
		}
		stopped, ok := errors.AsType[*WaitError](err)
		if !errors.Is(err, ErrWaitLimit) || !ok {
			t.Fatalf("error %v, want a WaitError for the limit", err)
		}
		wantErr := WaitError{Operation: "WaitAvatarVideo", ID: "vid_1", Status: "processing", Waited: 10 * time.Minute, Err: ErrWaitLimit}
		if *stopped != wantErr {
			t.Errorf("error %+v, want %+v", *stopped, wantErr)
		}
		if video == nil || video.Status != gen.TaskStatusProcessing {
			t.Errorf("video %+v, want the one last seen", video)
		}
		if passed := time.Since(begin); passed != 10*time.Minute {
			t.Errorf("gave up after %v, want 10m", passed)
		}
	})
}

// waitKinds are the ten kinds of tasks: how to wait for each, the path of its status, and what its responses poll like.
var waitKinds = []struct {
	operation, uri, done, failed string
	wait                         func(ctx context.Context, c *Client, id string, opts ...WaitOption) (any, error)
	result                       any
	reason                       gen.TaskFailure
}{{
	operation: "WaitAvatarVideo", uri: paths.Of("getAvatarVideo", "id_1"),
	wait:   anyWait((*Client).WaitAvatarVideo),
	done:   `{"video_id":"id_1","status":"success","video_url":"https://files.test/a.mp4","duration":30.5}`,
	result: &gen.AvatarVideo{VideoID: "id_1", Status: "success", VideoURL: "https://files.test/a.mp4", Duration: 30.5},
	failed: `{"video_id":"id_1","status":"fail","error":{"code":"12","message":"no speech"}}`,
	reason: gen.TaskFailure{Code: "12", Message: "no speech"},
}, {
	operation: "WaitProductVideo", uri: paths.Of("getProductVideo", "id_1"),
	wait:   anyWait((*Client).WaitProductVideo),
	done:   `{"id":"id_1","status":"completed","video_duration":30.5}`,
	result: &gen.ProductVideo{ID: "id_1", Status: "completed", VideoDuration: 30.5, Duration: 30.5},
	failed: `{"id":"id_1","status":"failed","error":{"code":"E1","message":"no media"}}`,
	reason: gen.TaskFailure{Code: "E1", Message: "no media"},
}, {
	operation: "WaitTemplateVideo", uri: paths.Of("getTemplateVideo", "id_1"),
	wait:   anyWait((*Client).WaitTemplateVideo),
	done:   `{"video_id":"id_1","status":"completed","completed_at":1732806700}`,
	result: &gen.TemplateVideo{VideoID: "id_1", Status: "completed", CompletedAt: 1732806700},
	failed: `{"video_id":"id_1","status":"failed","error":{"message":"a variable is missing"}}`,
	reason: gen.TaskFailure{Message: "a variable is missing"},
}, {
	operation: "WaitVideoTranslation", uri: paths.Of("getVideoTranslation", "id_1"),
	wait:   anyWait((*Client).WaitVideoTranslation),
	done:   `{"video_translate_id":"id_1","status":"completed","url":"https://files.test/t.mp4"}`,
	result: &gen.VideoTranslation{VideoTranslateID: "id_1", Status: "completed", URL: "https://files.test/t.mp4"},
	failed: `{"video_translate_id":"id_1","status":"failed","error":{"message":"too many speakers"}}`,
	reason: gen.TaskFailure{Message: "too many speakers"},
}, {
	operation: "WaitLipSyncVideo", uri: paths.Of("getLipSyncVideo", "id_1"),
	wait: anyWait((*Client).WaitLipSyncVideo),
	done: `{"task_id":"id_1","status":"success","completed_at":1741500030,"data":{"duration_seconds":2.5},"error":null}`,
	result: &gen.LipSyncVideo{
		TaskID: "id_1", Status: "success", CompletedAt: 1741500030, Data: gen.LipSyncResult{DurationSeconds: 2.5},
	},
	failed: `{"task_id":"id_1","status":"failed","completed_at":null,"data":null,"error":{"message":"audio duration fetch failed"}}`,
	reason: gen.TaskFailure{Message: "audio duration fetch failed"},
}, {
	operation: "WaitAIScripts", uri: paths.Of("getAIScripts", "id_1"),
	wait:   anyWait((*Client).WaitAIScripts),
	done:   `{"task_id":"id_1","status":"completed"}`,
	result: &gen.AIScripts{TaskID: "id_1", Status: "completed"},
	failed: `{"task_id":"id_1","status":"failed","err_msg":"the page cannot be read"}`,
	reason: gen.TaskFailure{Message: "the page cannot be read"},
}, {
	operation: "WaitPhotoAvatarPhoto", uri: paths.Of("getPhotoAvatarPhoto") + "?photo_id=id_1",
	wait:   anyWait((*Client).WaitPhotoAvatarPhoto),
	done:   `{"photo_id":"id_1","status":"success","image_url_list":["https://files.test/p.png"]}`,
	result: &gen.AvatarPhoto{PhotoID: "id_1", Status: "success", ImageURLList: []string{"https://files.test/p.png"}},
	failed: `{"photo_id":"id_1","status":"error","msg":"no face"}`,
	reason: gen.TaskFailure{Message: "no face"},
}, {
	operation: "WaitPhotoAvatarMotion", uri: paths.Of("getPhotoAvatarMotion") + "?motion_id=id_1",
	wait:   anyWait((*Client).WaitPhotoAvatarMotion),
	done:   `{"motion_id":"id_1","avatar_id":7,"status":"completed"}`,
	result: &gen.AvatarMotion{MotionID: "id_1", AvatarID: 7, Status: "completed"},
	failed: `{"motion_id":"id_1","status":"failed","error_msg":"no face"}`,
	reason: gen.TaskFailure{Message: "no face"},
}, {
	operation: "WaitProductAvatarMotion", uri: paths.Of("getProductAvatarMotion") + "?motion_id=id_1",
	wait:   anyWait((*Client).WaitProductAvatarMotion),
	done:   `{"motion_id":"id_1","avatar_id":8,"status":"completed"}`,
	result: &gen.AvatarMotion{MotionID: "id_1", AvatarID: 8, Status: "completed"},
	failed: `{"motion_id":"id_1","status":"failed","error_msg":"no product"}`,
	reason: gen.TaskFailure{Message: "no product"},
}, {
	operation: "WaitProductAvatarImages", uri: paths.Of("getProductAvatarImages", "id_1"),
	wait: anyWait((*Client).WaitProductAvatarImages),
	done: `{"batch_id":"id_1","generations":[{"generation_id":"g1","status":"completed"}]}`,
	result: &gen.ProductAvatarImages{BatchID: "id_1", Generations: []gen.ProductAvatarImage{
		{GenerationID: "g1", Status: "completed"},
	}},
	failed: `{"batch_id":"id_1","generations":[{"generation_id":"g1","status":"failed"}]}`,
}}

// anyWait gives the Wait methods a common signature.
func anyWait[T any](
	wait func(*Client, context.Context, string, ...WaitOption) (*T, error),
) func(ctx context.Context, c *Client, id string, opts ...WaitOption) (any, error) {
	return func(ctx context.Context, c *Client, id string, opts ...WaitOption) (any, error) {
		result, err := wait(c, ctx, id, opts...)
		if result == nil {
			return nil, err
		}
		return result, err
	}
}

func TestWaitReturnsEveryKindOfTask(t *testing.T) {
	for _, kind := range waitKinds {
		t.Run(kind.operation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bodies := []string{`{"status":"pending","generations":[{"status":"pending"}]}`, kind.done}
				server := &statusServer{}
				server.answer = func(*http.Request) string { return bodies[len(server.asked)-1] }
				result, err := kind.wait(t.Context(), waitClient(t, server), "id_1")
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(result, kind.result) {
					t.Errorf("result %+v, want %+v", result, kind.result)
				}
				if want := []string{kind.uri, kind.uri}; !slices.Equal(server.asked, want) {
					t.Errorf("asked %v, want %v", server.asked, want)
				}
			})
		})
	}
}

func TestWaitTellsWhyATaskFailed(t *testing.T) {
	for _, kind := range waitKinds {
		t.Run(kind.operation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &statusServer{answer: func(*http.Request) string { return kind.failed }}
				result, err := kind.wait(t.Context(), waitClient(t, server), "id_1")
				failed, ok := errors.AsType[*TaskError](err)
				if !ok {
					t.Fatalf("error %v, want a TaskError", err)
				}
				if failed.Operation != kind.operation || failed.ID != "id_1" || failed.Reason != kind.reason ||
					StateOf(failed.Status) != Failed {
					t.Errorf("error %+v, want that of %s with reason %+v", *failed, kind.operation, kind.reason)
				}
				if result == nil {
					t.Error("no result beside the error, want the failed task")
				}
				if len(server.polls) != 1 {
					t.Errorf("%d polls, want 1", len(server.polls))
				}
			})
		})
	}
}

// The fields of a speech task beside the status are not documented, so the reason may have any of the usual names and forms.
func TestWaitFindsTheReasonAmongFieldsThatAreNotListed(t *testing.T) {
	for fields, want := range map[string]gen.TaskFailure{
		`"error":"no voice"`:                                        {Message: "no voice"},
		`"error":{"code":7,"message":"no voice"}`:                   {Code: "7", Message: "no voice"},
		`"error":{"code":"E_VOICE"},"msg":"no voice"`:               {Code: "E_VOICE"},
		`"error":null,"err_msg":"","fail_msg":"no voice"`:           {Message: "no voice"},
		`"error":0,"error_msg":["no voice"]`:                        {Message: "no voice"},
		`"error":["code","7"],"message":"of no use","audio_url":""`: {Message: "code; 7"},
		`"error":{},"voice_id":"v"`:                                 {},
		`"voice_id":"v"`:                                            {},
	} {
		for name, wait := range map[string]func(context.Context, *Client) error{
			"speech":        func(ctx context.Context, c *Client) error { _, err := c.WaitSpeechTask(ctx, "id_1"); return err },
			"transcription": func(ctx context.Context, c *Client) error { _, err := c.WaitTranscriptionTask(ctx, "id_1"); return err },
		} {
			synctest.Test(t, func(t *testing.T) {
				server := &statusServer{answer: func(*http.Request) string { return `{"status":"failed",` + fields + `}` }}
				err := wait(t.Context(), waitClient(t, server))
				if failed, ok := errors.AsType[*TaskError](err); !ok || failed.Reason != want {
					t.Errorf("%s, %s: error %v, want reason %+v", name, fields, err, want)
				}
			})
		}
	}
}

func TestWaitRejectsAnEmptyIDBeforeAnyRequest(t *testing.T) {
	for _, kind := range waitKinds {
		server := &statusServer{answer: always("success")}
		result, err := kind.wait(t.Context(), waitClient(t, server), "")
		if err == nil || !strings.Contains(err.Error(), kind.operation) || result != nil {
			t.Errorf("%s: result %v, error %v, want an error that names the method", kind.operation, result, err)
		}
		if len(server.polls) != 0 {
			t.Errorf("%s: %d requests, want none", kind.operation, len(server.polls))
		}
	}
}

func TestWaitNamesATaskWhoseIDIsANumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, news := waitClient(t, &statusServer{}), new(News)
		poll := func(_ context.Context, id int64, _ ...CallOption) (*int64, error) { return &id, nil }
		read := func(*int64) (gen.TaskStatus, gen.TaskFailure) { return gen.TaskStatusFailed, gen.TaskFailure{} }
		began := time.Now()
		time.AfterFunc(time.Second, func() { news.Tell("7") })
		id, err := wait(t.Context(), client, "WaitThing", int64(7), []WaitOption{WithNews(news)}, poll, read)
		failed, ok := errors.AsType[*TaskError](err)
		if !ok || failed.ID != "7" || *id != 7 || time.Since(began) != time.Second {
			t.Errorf("task %d and error %v after %v, want a TaskError for 7 after the news of 1s", *id, err, time.Since(began))
		}
		if _, err := wait(t.Context(), client, "WaitThing", int64(0), nil, poll, read); err == nil || !strings.Contains(err.Error(), "id is empty") {
			t.Errorf("error %v for the id 0, want that it is empty", err)
		}
	})
}

func TestABatchFailsForTheReasonOfItsFirstItem(t *testing.T) {
	type item struct {
		status gen.TaskStatus
		reason string
	}
	read := func(i *item) (gen.TaskStatus, gen.TaskFailure) { return i.status, gen.TaskFailure{Message: i.reason} }
	failed := []item{{"error", "no face"}, {"failed", "no product"}}
	if status, reason := batchStatus(failed, 2, read); status != "error" || reason.Message != "no face" {
		t.Errorf("status %q and reason %q, want those of the first", status, reason.Message)
	}
	if status, reason := batchStatus(append(failed, item{status: "success"}), 3, read); status != "success" || reason.Message != "" {
		t.Errorf("status %q and reason %q, want a success without one", status, reason.Message)
	}
	if status, reason := batchStatus(failed, 3, read); StateOf(status) != Running || reason.Message != "" {
		t.Errorf("status %q and reason %q while one is missing, want that it goes on", status, reason.Message)
	}
}

func TestWaitForABatchOfImages(t *testing.T) {
	cases := []struct {
		name   string
		bodies []string
		failed gen.TaskStatus
		images int
	}{
		{name: "goes on as long as one image does", images: 2, bodies: []string{
			`{"generations":[{"status":"failed"},{"status":"processing"}]}`,
			`{"generations":[{"status":"completed"},{"status":"pending"}]}`,
			`{"generations":[{"status":"completed"},{"status":"completed"}]}`,
		}},
		{name: "goes on until every image is listed", images: 2, bodies: []string{
			`{"summary":{"total":2}}`,
			`{}`,
			`{"generations":[{"status":"completed"}],"summary":{"total":2,"completed":1,"pending":1}}`,
			`{"generations":[{"status":"completed"},{"status":"completed"}],"summary":{"total":2,"completed":2}}`,
		}},
		{name: "succeeds when some images failed", images: 3, bodies: []string{
			`{"generations":[{"status":"failed"},{"status":"success"},{"status":"error"}]}`,
		}},
		{name: "fails when every image failed", images: 2, failed: "error", bodies: []string{
			`{"generations":[{"status":"error"},{"status":"failed"}]}`,
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &statusServer{}
				server.answer = func(*http.Request) string { return c.bodies[len(server.asked)-1] }
				batch, err := waitClient(t, server).WaitProductAvatarImages(t.Context(), "batch_1")
				failed, ok := errors.AsType[*TaskError](err)
				if c.failed == "" && err != nil || c.failed != "" && (!ok || failed.Status != c.failed) {
					t.Errorf("error %v, want a failure %q", err, c.failed)
				}
				if len(server.polls) != len(c.bodies) || batch == nil || len(batch.Generations) != c.images {
					t.Errorf("%d polls and batch %+v, want %d polls and %d images", len(server.polls), batch, len(c.bodies), c.images)
				}
			})
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	stop := errors.New("the program stops")
	cases := []struct {
		name  string
		after time.Duration // until the context ends
		seen  gen.TaskStatus
		polls int
		end   func(parent context.Context, after time.Duration) (context.Context, context.CancelFunc)
		err   error
	}{
		{"deadline in a pause", 25 * time.Second, "processing", 2, context.WithTimeout, context.DeadlineExceeded},
		{"deadline before the first poll", 3 * time.Second, "", 0, context.WithTimeout, context.DeadlineExceeded},
		{"cancelled in a pause", 75 * time.Second, "processing", 6, cancelAfter(stop), context.Canceled},
		{"ended before", 0, "", 0, context.WithTimeout, context.DeadlineExceeded},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &statusServer{answer: always("processing")}
				begin := time.Now()
				ctx, cancel := c.end(t.Context(), c.after)
				defer cancel()
				video, err := waitClient(t, server).WaitAvatarVideo(ctx, "vid_1")
				stopped, ok := errors.AsType[*WaitError](err)
				if !errors.Is(err, c.err) || !ok || stopped.ID != "vid_1" || stopped.Status != c.seen {
					t.Errorf("error %v, want %v with status %q", err, c.err, c.seen)
				}
				if passed := time.Since(begin); passed != c.after || len(server.polls) != c.polls {
					t.Errorf("%d polls in %v, want %d in %v", len(server.polls), passed, c.polls, c.after)
				}
				if (video == nil) != (c.polls == 0) {
					t.Errorf("video %+v after %d polls", video, c.polls)
				}
			})
		})
	}
}

func cancelAfter(cause error) func(context.Context, time.Duration) (context.Context, context.CancelFunc) {
	return func(parent context.Context, after time.Duration) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(parent)
		timer := time.AfterFunc(after, func() { cancel(cause) })
		return ctx, func() { timer.Stop(); cancel(nil) }
	}
}

func TestWaitEndsWithItsContextDuringAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &statusServer{answer: func(req *http.Request) string { <-req.Context().Done(); return "" }}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		_, err := waitClient(t, server).WaitAvatarVideo(ctx, "vid_1")
		stopped, ok := errors.AsType[*WaitError](err)
		if !errors.Is(err, context.DeadlineExceeded) || !ok || stopped.Waited != 15*time.Second {
			t.Errorf("error %v, want the context's after 15s", err)
		}
	})
}

func TestWaitLimitEndsAPollThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &statusServer{answer: func(req *http.Request) string { <-req.Context().Done(); return "" }}
		begin := time.Now()
		_, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1", WithWaitLimit(time.Minute))
		if !errors.Is(err, ErrWaitLimit) || errors.Is(err, context.Canceled) || time.Since(begin) != time.Minute {
			t.Errorf("error %v after %v, want the limit of 1m", err, time.Since(begin))
		}
	})
}

func TestWaitWithAnUnknownStatusEndsWithTheLimit(t *testing.T) {
	for _, body := range []string{`{"status":"meditating"}`, `{"status":""}`, `{}`} {
		synctest.Test(t, func(t *testing.T) {
			server := &statusServer{answer: func(*http.Request) string { return body }}
			begin := time.Now()
			_, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1", WithWaitLimit(3*time.Minute))
			if !errors.Is(err, ErrWaitLimit) || time.Since(begin) != 3*time.Minute {
				t.Errorf("%s: error %v after %v, want the limit of 3m", body, err, time.Since(begin))
			}
		})
	}
}

func TestWaitEndsWithAnErrorOfTheStatusOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &statusServer{answer: func(*http.Request) string { return `{"code":10104,"msg":"record not found","rid":"r1"}` }}
		video, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1")
		if _, ok := errors.AsType[*WaitError](err); !ok || !errors.Is(err, ErrNotFound) {
			t.Errorf("error %v, want a WaitError around not found", err)
		}
		if refused, ok := errors.AsType[*APIError](err); !ok || refused.Operation != "GetAvatarVideo" {
			t.Errorf("error %v, want one around that of GetAvatarVideo", err)
		}
		if video != nil || len(server.polls) != 1 {
			t.Errorf("video %+v after %d polls, want none after 1", video, len(server.polls))
		}
	})
}

func TestWaitGoesOnAfterAPollThatFailed(t *testing.T) {
	for name, failure := range map[string]string{
		"system error": `{"code":50000}`, "HTML": "<html>", "no data": `{"code":0}`, "cut short": `{"code":0,"data":{"status":"suc`, "no answer": "",
		"too many": `{"code":429}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			polls := 0
			transport := roundTripper(func(*http.Request) (*http.Response, error) {
				polls++
				body := failure
				if polls == 2 || polls == 5 {
					body = `{"code":0,"data":{"status":"queued"}}`
				}
				if polls == 6 {
					body = `{"code":0,"data":{"status":"success"}}`
				}
				if body == "" {
					return nil, io.ErrUnexpectedEOF
				}
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
			})
			begin := time.Now()
			var failed []int
			video, err := waitClient(t, transport).WaitAvatarVideo(t.Context(), "vid_1", WithWaitProgress(func(p WaitProgress) {
				if p.Err != nil {
					failed = append(failed, p.Polls)
				}
			}))
			if err != nil || video.Status != "success" || time.Since(begin) != time.Minute || !slices.Equal(failed, []int{1, 3, 4}) {
				t.Errorf("%s: video %+v, error %v after %v, failed polls %v reported", name, video, err, time.Since(begin), failed)
			}
		})
	}
}

// roundTripper is a function that is a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestWaitWhosePollsFailEndsWithTheLimitAndTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &statusServer{answer: func(*http.Request) string { return `{"code":50000,"msg":"down"}` }}
		begin := time.Now()
		video, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1")
		if video != nil || !errors.Is(err, ErrWaitLimit) || !errors.Is(err, ErrSystem) || time.Since(begin) != 10*time.Minute {
			t.Errorf("video %+v, error %v after %v, want the limit of 10m and the system error", video, err, time.Since(begin))
		}
	})
}

func TestWaitEndsWithAPermanentError(t *testing.T) {
	for body, want := range map[string]error{
		`{"code":10104}`: ErrNotFound, `{"code":10105}`: ErrInvalidAPIKey, `{"code":18025}`: ErrNoPermission, `{"code":40000}`: ErrInvalidParameter,
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &statusServer{answer: func(*http.Request) string { return body }}
			if _, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1"); !errors.Is(err, want) || len(server.polls) != 1 {
				t.Errorf("error %v after %d polls, want %v after one", err, len(server.polls), want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		server := &statusServer{answer: always("queued")}
		if _, err := waitClient(t, server).WaitAvatarVideo(t.Context(), ".."); err == nil || len(server.polls) != 0 || errors.Is(err, ErrWaitLimit) {
			t.Errorf("error %v, want that no request can be made of the id", err)
		}
	})
}

func TestWaitReturnsTheTaskLastSeenAlongWithALaterError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &statusServer{}
		server.answer = func(req *http.Request) string {
			if len(server.polls) < 3 {
				return always("queued")(req)
			}
			return `{"code":10105,"msg":"invalid key"}`
		}
		video, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1")
		stopped, ok := errors.AsType[*WaitError](err)
		if !errors.Is(err, ErrInvalidAPIKey) || !ok || stopped.Status != "queued" {
			t.Errorf("error %v, want an invalid key with the last status", err)
		}
		if video == nil || video.Status != "queued" {
			t.Errorf("video %+v, want the one last seen", video)
		}
	})
}

func TestWaitIntervalAndLimitAreOptions(t *testing.T) {
	cases := []struct {
		name  string
		opts  []WaitOption
		polls []float64
		ends  time.Duration
	}{
		{
			"pauses shorter than 5 seconds are taken as they are",
			[]WaitOption{WithPollInterval(Every(time.Second)), WithWaitLimit(3 * time.Second)},
			[]float64{1, 2, 3},
			3 * time.Second,
		},
		{
			"the last poll falls on the limit",
			[]WaitOption{WithPollInterval(Every(20 * time.Second)), WithWaitLimit(30 * time.Second)},
			[]float64{20, 30},
			30 * time.Second,
		},
		{
			"no poll comes too soon after another for the sake of the limit",
			[]WaitOption{WithWaitLimit(22 * time.Second)},
			[]float64{10, 20},
			20 * time.Second,
		},
		{"a limit before the first poll brings it forward", []WaitOption{WithWaitLimit(2 * time.Second)}, []float64{2}, 2 * time.Second},
		{
			"a pause that is not positive is one of 5 seconds",
			[]WaitOption{WithPollInterval(Every(0)), WithWaitLimit(15 * time.Second)},
			[]float64{5, 10, 15},
			15 * time.Second,
		},
		{
			"no interval is the default interval",
			[]WaitOption{WithPollInterval(nil), WithWaitLimit(20 * time.Second)},
			[]float64{10, 20},
			20 * time.Second,
		},
		{"the interval is told the time", []WaitOption{
			WithWaitLimit(15 * time.Second), WithPollInterval(func(waited time.Duration) time.Duration { return waited + time.Second }),
		}, []float64{1, 3, 7, 15}, 15 * time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &statusServer{answer: always("processing")}
				begin := time.Now()
				_, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1", c.opts...)
				if !errors.Is(err, ErrWaitLimit) || time.Since(begin) != c.ends {
					t.Errorf("error %v after %v, want the limit after %v", err, time.Since(begin), c.ends)
				}
				if got := server.seconds(begin); !slices.Equal(got, c.polls) {
					t.Errorf("polls after seconds %v, want %v", got, c.polls)
				}
			})
		})
	}
}

func TestWaitHasNoLoopWithoutALimit(t *testing.T) {
	for _, limit := range []time.Duration{0, -time.Second} {
		server := &statusServer{answer: always("success")}
		_, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1", WithWaitLimit(limit))
		if err == nil || errors.Is(err, ErrWaitLimit) || len(server.polls) != 0 {
			t.Errorf("limit %v: error %v after %d requests, want an error before any", limit, err, len(server.polls))
		}
	}
}

func TestWaitReportsEveryPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &statusServer{answer: inTurn("pending", "processing", "SUCCESS")}
		var reports []WaitProgress
		report := func(p WaitProgress) { reports = append(reports, p) }
		_, err := waitClient(t, server).WaitAvatarVideo(t.Context(), "vid_1", WithWaitProgress(report))
		if err != nil {
			t.Fatal(err)
		}
		want := []WaitProgress{
			{Operation: "WaitAvatarVideo", ID: "vid_1", Status: "pending", State: Running, Waited: 10 * time.Second, Polls: 1},
			{Operation: "WaitAvatarVideo", ID: "vid_1", Status: "processing", State: Running, Waited: 20 * time.Second, Polls: 2},
			{Operation: "WaitAvatarVideo", ID: "vid_1", Status: "SUCCESS", State: Succeeded, Waited: 30 * time.Second, Polls: 3},
		}
		if !slices.Equal(reports, want) {
			t.Errorf("reports %+v, want %+v", reports, want)
		}
	})
}

func TestWaitUsesTheClockOfTheClient(t *testing.T) {
	clock := clockwork.NewFakeClock()
	server := &statusServer{answer: inTurn("processing", "success")}
	client := waitClient(t, server, WithClock(clock))
	var waited []time.Duration
	done := make(chan error, 1)
	go func() {
		report := func(p WaitProgress) { waited = append(waited, p.Waited) }
		_, err := client.WaitAvatarVideo(t.Context(), "vid_1", WithWaitProgress(report))
		done <- err
	}()
	for range 2 {
		if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(10 * time.Second)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if want := []time.Duration{10 * time.Second, 20 * time.Second}; !slices.Equal(waited, want) {
		t.Errorf("polls after %v, want %v", waited, want)
	}
}

func TestWaitErrorsReadWell(t *testing.T) {
	cases := map[string]error{
		`jogg: WaitAvatarVideo: vid_1 ended with status "fail": no speech (code 12)`: &TaskError{
			Operation: "WaitAvatarVideo", ID: "vid_1", Status: "fail", Reason: gen.TaskFailure{Code: "12", Message: "no speech"},
		},
		`jogg: WaitAIScripts: task_1 ended with status "failed": the page cannot be read`: &TaskError{
			Operation: "WaitAIScripts", ID: "task_1", Status: "failed", Reason: gen.TaskFailure{Message: "the page\n cannot be read"},
		},
		`jogg: WaitProductAvatarImages: batch_1 ended with status "failed"`: &TaskError{
			Operation: "WaitProductAvatarImages", ID: "batch_1", Status: "failed",
		},
		`jogg: WaitAvatarVideo: stopped after 1m30s waiting for vid_1, last seen with status "queued": context canceled`: &WaitError{
			Operation: "WaitAvatarVideo", ID: "vid_1", Status: "queued", Waited: 90 * time.Second, Err: context.Canceled,
		},
		`jogg: WaitAvatarVideo: stopped after 2s waiting for vid_1, whose status is not known: wait limit reached`: &WaitError{
			Operation: "WaitAvatarVideo", ID: "vid_1", Waited: 2 * time.Second, Err: ErrWaitLimit,
		},
		`jogg: WaitAvatarVideo: stopped after 1s waiting for vid_1, whose status is not known: GetAvatarVideo: broken`: &WaitError{
			Operation: "WaitAvatarVideo", ID: "vid_1", Waited: time.Second, Err: errors.New("jogg: GetAvatarVideo: broken"),
		},
	}
	for want, err := range cases {
		if got := err.Error(); got != want {
			t.Errorf("error reads\n%s\nwant\n%s", got, want)
		}
	}
}
