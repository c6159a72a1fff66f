package simulator

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jogg-go/jogg/e2e/paths"
	"github.com/jogg-go/jogg/gen"
)

func TestResponsesAreValidatedAgainstTheContract(t *testing.T) {
	c, err := publishedContract()
	if err != nil {
		t.Fatal(err)
	}
	plain := http.Header{"Content-Type": {"application/json"}}
	for _, a := range []struct {
		name, path, body string
		status           int
		header           http.Header
		problem          string // "" if the response is valid
	}{
		{"success", paths.Of("getRemainingQuota"), `{"code":0,"msg":"Success","rid":"","data":{"remaining_quota":0.5}}`, 200, plain, ""},
		{"failure with null data", paths.Of("getRemainingQuota"), `{"code":10105,"msg":"invalid API key","data":null}`, 200, plain, ""},
		{"failure with a status", paths.Of("getRemainingQuota"), `{"code":10105,"msg":"invalid API key","data":null}`, 401, plain, ""},
		{"nulls", paths.Of("getLipSyncVideo", "1"), `{"code":0,"data":{"status":"processing","completed_at":null,"data":null,"error":null}}`, 200, plain, ""},
		{"no code", paths.Of("getRemainingQuota"), `{"data":null}`, 200, plain, "missing field code"},
		{"no code with a status", paths.Of("getRemainingQuota"), `{}`, 500, plain, "missing field code"},
		{"wrong type", paths.Of("getRemainingQuota"), `{"code":0,"data":{"remaining_quota":"1"}}`, 200, plain, "invalid field data.remaining_quota: got string, want number"},
		{"unknown state", paths.Of("getAvatarVideo", "1"), `{"code":0,"data":{"status":"warming_up"}}`, 200, plain, "invalid field data.status"},
		{"not a URL", paths.Of("getAvatarVideo", "1"), `{"code":0,"data":{"video_url":""}}`, 200, plain, "invalid field data.video_url"},
		{"list element", paths.Of("listVoices"), `{"code":0,"data":{"voices":[{},{"age":"ancient"}]}}`, 200, plain, "invalid field data.voices.1.age"},
		{"not JSON", paths.Of("listVoices"), `{"code":0`, 200, plain, "body is not JSON"},
		{"no Content-Type", paths.Of("listVoices"), `{"code":0}`, 200, http.Header{}, "Content-Type"},
		{
			"header of the wrong type", paths.Of("listVoices"), `{"code":429}`, 429,
			http.Header{"Content-Type": {"application/json"}, "X-Ratelimit-Remaining": {"none"}},
			"X-RateLimit-Remaining",
		},
	} {
		t.Run(a.name, func(t *testing.T) {
			request, err := c.route(httptest.NewRequest(http.MethodGet, a.path, nil))
			if err != nil {
				t.Fatal(err)
			}
			err = c.checkResponse(t.Context(), request, response{status: a.status, header: a.header, body: []byte(a.body)})
			if a.problem == "" && err != nil || a.problem != "" && (err == nil || !strings.Contains(err.Error(), a.problem)) {
				t.Errorf("problem %v, want %q", err, a.problem)
			}
		})
	}
}

func TestDeliveriesAreValidatedAgainstTheContract(t *testing.T) {
	c, err := publishedContract()
	if err != nil {
		t.Fatal(err)
	}
	for body, problem := range map[string]string{
		`{"event":"generated_video_success","timestamp":1,"data":{"video_id":1,"duration":1.5}}`:              "",
		`{"event":"generated_video_failed","timestamp":1,"data":{"project_id":"1","error":"gone"}}`:           "",
		`{"event":"generated_video_failed","timestamp":1,"data":{"error":{"code":1,"message":"gone"}},"x":1}`: "",
		`{"event":"generated_hologram_success","data":3}`:                                                     "",
		`{"event":"generated_video_success","data":{}}`:                                                       "missing field timestamp",
		`{"event":"generated_video_success","timestamp":1,"data":[]}`:                                         "invalid field data",
		`{"event":"generated_image_success","timestamp":1,"data":{"photo_urls":["x"]}}`:                       "invalid field data.photo_urls.0",
		`{"event":"generated_motion_failed","timestamp":1,"data":{"error":true}}`:                             "invalid field data.error",
	} {
		_, after, _ := strings.Cut(body, `"event":"`)
		name, _, _ := strings.Cut(after, `"`)
		err := c.checkDelivery(gen.EventType(name), []byte(body))
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%s: problem %v, want %q", body, err, problem)
		}
	}
}

func TestInvalidResponseIsReportedAndSent(t *testing.T) {
	var log bytes.Buffer
	s, err := New(WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	broken := s.accounts[0]
	broken.endpoints = append(broken.endpoints, &endpoint{id: "wh_1", url: "nowhere", account: broken})
	request := httptest.NewRequest(http.MethodGet, paths.Of("listWebhookEndpoints"), nil)
	request.Header.Set("x-api-key", DefaultAPIKey)
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), "wh_1") {
		t.Errorf("response %d: %s", recorder.Code, recorder.Body)
	}
	violations := s.ContractViolations()
	if len(violations) != 1 || violations[0].Operation != "listWebhookEndpoints" || !strings.Contains(violations[0].Problem, "data.endpoints.0.url") {
		t.Errorf("violations %v", violations)
	}
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "listWebhookEndpoints") {
		t.Errorf("log: %s", &log)
	}
}
