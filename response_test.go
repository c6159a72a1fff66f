package jogg_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

func TestAResponseIsFilledOnSuccessAndOnFailure(t *testing.T) {
	lost := errors.New("the line is dead")
	for name, c := range map[string]struct {
		responses []func() (*http.Response, error)
		want      jogg.Response
		header    string // X-Limit
		err       error
	}{
		"success": {
			[]func() (*http.Response, error){respond(200, okUser[:len(okUser)-1]+`,"rid":"r1"}`, "X-Limit", "7")},
			jogg.Response{HTTPStatus: 200, RequestID: "r1", Attempts: 1, Body: []byte(okUser[:len(okUser)-1] + `,"rid":"r1"}`)},
			"7", nil,
		},
		"success after a failure": {
			[]func() (*http.Response, error){respond(503, `busy`, "X-Limit", "0"), respond(200, okUser, "X-Limit", "7")},
			jogg.Response{HTTPStatus: 200, Attempts: 2, Body: []byte(okUser)},
			"7", nil,
		},
		"a field that does not fit": {
			[]func() (*http.Response, error){respond(200, `{"code":0,"rid":17,"data":{"email":["x"]}}`)},
			jogg.Response{
				HTTPStatus: 200, RequestID: "17", Attempts: 1, Body: []byte(`{"code":0,"rid":17,"data":{"email":["x"]}}`),
				Problems: []jogg.FieldProblem{{Pointer: "/data/email"}},
			},
			"", nil,
		},
		"an error response": {
			[]func() (*http.Response, error){respond(200, `{"code":10104,"rid":"r2"}`, "X-Limit", "3")},
			jogg.Response{HTTPStatus: 200, RequestID: "r2", Attempts: 1, Body: []byte(`{"code":10104,"rid":"r2"}`)},
			"3", jogg.ErrNotFound,
		},
		"no envelope": {
			[]func() (*http.Response, error){respond(502, `<html>`)},
			jogg.Response{HTTPStatus: 502, Attempts: 3, Body: []byte(`<html>`)},
			"", jogg.ErrSystem,
		},
		"no answer": {
			[]func() (*http.Response, error){respond(503, `busy`), func() (*http.Response, error) { return nil, lost }},
			jogg.Response{Attempts: 3},
			"", lost,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := jogg.Response{HTTPStatus: 1, RequestID: "old", Attempts: 9, Body: []byte("old"), Problems: make([]jogg.FieldProblem, 2)}
			_, err := newClient(t, &script{responses: c.responses}, hastily).GetCurrentUser(t.Context(), jogg.WithResponse(&got))
			if !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if got.HTTPStatus != c.want.HTTPStatus || got.RequestID != c.want.RequestID || got.Attempts != c.want.Attempts ||
				string(got.Body) != string(c.want.Body) || got.Header.Get("X-Limit") != c.header {
				t.Errorf("response %v with the body %s and the headers %v, want %v with %s", got, got.Body, got.Header, c.want, c.want.Body)
			}
			same := func(a, b jogg.FieldProblem) bool { return a.Pointer == b.Pointer }
			if !slices.EqualFunc(got.Problems, c.want.Problems, same) {
				t.Errorf("problems %v, want %v", got.Problems, c.want.Problems)
			}
		})
	}
}

func TestTwoResponsesOfOneCallAreBothFilled(t *testing.T) {
	var a, b jogg.Response
	_, err := newClient(t, responses(okUser)).GetCurrentUser(t.Context(), jogg.WithResponse(&a), jogg.WithResponse(&b))
	if err != nil || string(a.Body) != okUser || string(b.Body) != okUser {
		t.Errorf("error %v, bodies %q and %q", err, a.Body, b.Body)
	}
}

func TestARequestIDNeverHoldsTheKey(t *testing.T) {
	var response jogg.Response
	_, err := newClient(t, responses(`{"code":0,"rid":"for `+testKey+`\n","data":{}}`)).GetCurrentUser(t.Context(), jogg.WithResponse(&response))
	if err != nil || response.RequestID != "for [API key]" {
		t.Errorf("request id %q and error %v", response.RequestID, err)
	}
}

func TestUnknownFieldsAreListed(t *testing.T) {
	list := func(r *jogg.Response, body string) error {
		_, err := newClient(t, responses(body)).ListPublicAvatars(t.Context(), gen.ListPublicAvatarsParams{}, jogg.WithResponse(r))
		return err
	}
	template := func(r *jogg.Response, body string) error {
		_, err := newClient(t, responses(body)).GetTemplateVideo(t.Context(), "v", jogg.WithResponse(r))
		return err
	}
	deletion := func(r *jogg.Response, body string) error {
		return newClient(t, responses(body)).UpdateProduct(t.Context(), gen.UpdateProductRequest{ProductID: "p"}, jogg.WithResponse(r))
	}
	for name, c := range map[string]struct {
		call func(*jogg.Response, string) error
		body string
		want []string
	}{
		"none":                 {list, `{"code":0,"msg":"Success","rid":"r","retryAfter":0,"data":{"avatars":[{"id":1,"name":"A"}],"has_more":true}}`, nil},
		"in the envelope":      {list, `{"trace":{"a":1},"code":0,"data":{"avatars":[]}}`, []string{"/trace"}},
		"in the content":       {list, `{"code":0,"data":{"avatars":[],"cursor":{"next":"x"}}}`, []string{"/data/cursor"}},
		"in items, once each":  {list, `{"code":0,"data":{"avatars":[{"id":1},{"id":2,"mood":1},{"mood":2,"pose":3}]}}`, []string{"/data/avatars/1/mood", "/data/avatars/2/pose"}},
		"in an object below":   {template, `{"code":0,"data":{"video_id":"v","data":{"new/er":1},"error":{"code":1,"hint":"h"}}}`, []string{"/data/data/new~1er", "/data/error/hint"}},
		"in another case":      {list, `{"code":0,"data":{"avatars":[{"ID":1}]}}`, []string{"/data/avatars/0/ID"}},
		"beside what is odd":   {list, `{"code":0,"data":{"avatars":[7,{"id":{"deep":1}},null,{"pose":1}],"has_more":[]}}`, []string{"/data/avatars/3/pose"}},
		"twice in one object":  {list, `{"code":0,"data":{"avatars":[],"a":1,"a":2}}`, []string{"/data/a"}},
		"after a mark":         {list, "\uFEFF" + `{"code":0,"data":{"avatars":[],"a":1}}`, []string{"/data/a"}},
		"of an error response": {list, `{"code":10104,"hint":"h","data":{"a":1}}`, []string{"/hint", "/data/a"}},
		"of no content":        {deletion, `{"code":0,"data":{"a":1},"b":1}`, []string{"/b"}},
		"of invalid JSON":      {list, `{"code":0,"a":`, nil},
		"of an array":          {list, `["a"]`, nil},
		"of nothing":           {list, ``, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var response jogg.Response
			err := c.call(&response, c.body)
			if got := response.Unknown(); !slices.Equal(got, c.want) {
				t.Errorf("unknown fields %q, want %q; error %v", got, c.want, err)
			}
		})
	}
	if got := new(jogg.Response).Unknown(); got != nil {
		t.Errorf("unknown fields %q of no answer", got)
	}
}

func TestAResponseDoesNotShowItsBody(t *testing.T) {
	response := jogg.Response{HTTPStatus: 200, RequestID: "r", Attempts: 1, Body: []byte(`{"secret":"whsec_1"}`), Header: http.Header{"Set-Cookie": {"whsec_1"}}}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("m", "response", response, "pointer", &response)
	encoded, err := json.Marshal(response)
	for _, shown := range []string{
		fmt.Sprint(response), fmt.Sprintf("%+v %#v %s %x", response, response, response, response), fmt.Sprint(&response),
		fmt.Sprintf("%+v", struct{ R *jogg.Response }{&response}), log.String(),
	} {
		if strings.Contains(shown, "whsec") || strings.Contains(shown, "7768736563") {
			t.Errorf("shown as %s", shown)
		}
	}
	if err != nil || strings.Contains(string(encoded), "secret\":") {
		t.Errorf("encoded as %s, error %v", encoded, err)
	}
}
