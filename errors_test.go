package jogg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
)

var sentinels = []error{
	jogg.ErrRateLimited, jogg.ErrNotFound, jogg.ErrInvalidAPIKey, jogg.ErrInsufficientCredit, jogg.ErrNoPermission, jogg.ErrInvalidParameter,
	jogg.ErrSystem,
}

func TestEveryErrorResponseIsAnAPIError(t *testing.T) {
	const html = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>"
	htmlType := []string{"Content-Type", "text/html; charset=utf-8"}
	cases := map[string]struct {
		status  int
		body    string
		headers []string
		want    jogg.APIError // Operation, HTTPStatus and Attempts are the same in all
		is      error
	}{
		"an envelope at 200": {
			status: 200, body: `{"code":18020,"msg":"Insufficient credit","rid":"r1","data":null}`,
			want: jogg.APIError{Code: 18020, Message: "Insufficient credit", RequestID: "r1"}, is: jogg.ErrInsufficientCredit,
		},
		"rate limit exceeded": {status: 200, body: `{"code":429,"msg":"slow"}`, want: jogg.APIError{Code: 429, Message: "slow"}, is: jogg.ErrRateLimited},
		"record not found":    {status: 200, body: `{"code":10104,"msg":"m"}`, want: jogg.APIError{Code: 10104, Message: "m"}, is: jogg.ErrNotFound},
		"invalid API key":     {status: 200, body: `{"code":10105,"msg":"m"}`, want: jogg.APIError{Code: 10105, Message: "m"}, is: jogg.ErrInvalidAPIKey},
		"may not call":        {status: 200, body: `{"code":18025,"msg":"m"}`, want: jogg.APIError{Code: 18025, Message: "m"}, is: jogg.ErrNoPermission},
		"invalid parameter":   {status: 200, body: `{"code":40000,"msg":"m"}`, want: jogg.APIError{Code: 40000, Message: "m"}, is: jogg.ErrInvalidParameter},
		"system error":        {status: 200, body: `{"code":50000,"msg":"m"}`, want: jogg.APIError{Code: 50000, Message: "m"}, is: jogg.ErrSystem},
		"a code nobody knows": {status: 200, body: `{"code":77777,"msg":"m"}`, want: jogg.APIError{Code: 77777, Message: "m"}},
		"a negative code":     {status: 200, body: `{"code":-1,"msg":"m"}`, want: jogg.APIError{Code: -1, Message: "m"}},
		"a code in quotes":    {status: 200, body: `{"code":"10104","msg":"m"}`, want: jogg.APIError{Code: 10104, Message: "m"}, is: jogg.ErrNotFound},
		"no message":          {status: 200, body: `{"code":10104}`, want: jogg.APIError{Code: 10104}, is: jogg.ErrNotFound},
		"a null message":      {status: 200, body: `{"msg":null,"rid":null,"code":10104}`, want: jogg.APIError{Code: 10104}, is: jogg.ErrNotFound},
		"a request id last":   {status: 200, body: `{"data":null,"msg":"m","code":1,"rid":"r9"}`, want: jogg.APIError{Code: 1, Message: "m", RequestID: "r9"}},
		"a request id first":  {status: 200, body: `{"rid":77,"code":1,"msg":"m"}`, want: jogg.APIError{Code: 1, Message: "m", RequestID: "77"}},
		"data of another shape": {
			status: 200, body: `{"data":["no","object"],"code":40000,"msg":"avatar_id is missing"}`,
			want: jogg.APIError{Code: 40000, Message: "avatar_id is missing"}, is: jogg.ErrInvalidParameter,
		},
		"an envelope at 400": {
			status: 400, body: `{"code":40000,"msg":"avatar_id is missing","rid":"r2"}`,
			want: jogg.APIError{Code: 40000, Message: "avatar_id is missing", RequestID: "r2"}, is: jogg.ErrInvalidParameter,
		},
		"an envelope that contradicts its status": {
			status: 500, body: `{"code":10104,"msg":"m"}`, want: jogg.APIError{Code: 10104, Message: "m"}, is: jogg.ErrNotFound,
		},
		"an envelope of success at 500": {status: 500, body: okUser, want: jogg.APIError{Message: "Success"}, is: jogg.ErrSystem},
		"an unknown code at 403":        {status: 403, body: `{"code":99,"msg":"m"}`, want: jogg.APIError{Code: 99, Message: "m"}, is: jogg.ErrNoPermission},

		"400 alone": {status: 400, want: jogg.APIError{Message: "Bad Request"}, is: jogg.ErrInvalidParameter},
		"401 alone": {status: 401, want: jogg.APIError{Message: "Unauthorized"}, is: jogg.ErrInvalidAPIKey},
		"402 alone": {status: 402, want: jogg.APIError{Message: "Payment Required"}, is: jogg.ErrInsufficientCredit},
		"403 alone": {status: 403, want: jogg.APIError{Message: "Forbidden"}, is: jogg.ErrNoPermission},
		"404 alone": {status: 404, want: jogg.APIError{Message: "Not Found"}, is: jogg.ErrNotFound},
		"422 alone": {status: 422, want: jogg.APIError{Message: "Unprocessable Entity"}, is: jogg.ErrInvalidParameter},
		"429 alone": {status: 429, want: jogg.APIError{Message: "Too Many Requests"}, is: jogg.ErrRateLimited},
		"500 alone": {status: 500, want: jogg.APIError{Message: "Internal Server Error"}, is: jogg.ErrSystem},
		"503 alone": {status: 503, want: jogg.APIError{Message: "Service Unavailable"}, is: jogg.ErrSystem},
		"418 alone": {status: 418, want: jogg.APIError{Message: "I'm a teapot"}},
		"304":       {status: 304, want: jogg.APIError{Message: "Not Modified"}},
		"HTML from a proxy": {
			status: 502, body: html, headers: htmlType, want: jogg.APIError{Message: "the response is HTML, not JSON"}, is: jogg.ErrSystem,
		},
		"text from a proxy":           {status: 503, body: "upstream\r\nis away\n", want: jogg.APIError{Message: "upstream is away"}, is: jogg.ErrSystem},
		"JSON of a gateway":           {status: 403, body: `{"message":"Forbidden by rule 7"}`, want: jogg.APIError{Message: "Forbidden by rule 7"}, is: jogg.ErrNoPermission},
		"JSON of another gateway":     {status: 404, body: `{"error":"no route"}`, want: jogg.APIError{Message: "no route"}, is: jogg.ErrNotFound},
		"JSON that is not an object":  {status: 500, body: `["a","b"]`, want: jogg.APIError{Message: "Internal Server Error"}, is: jogg.ErrSystem},
		"half an envelope at 500":     {status: 500, body: `{"code":50000,"msg":"sys`, want: jogg.APIError{Message: "Internal Server Error"}, is: jogg.ErrSystem},
		"a wait, in the header":       {status: 503, headers: []string{"Retry-After", "30"}, want: jogg.APIError{Message: "Service Unavailable", RetryAfter: 30 * time.Second}, is: jogg.ErrSystem},
		"a wait, in the envelope":     {status: 200, body: `{"code":429,"msg":"m","retryAfter":2.5}`, want: jogg.APIError{Code: 429, Message: "m", RetryAfter: 2500 * time.Millisecond}, is: jogg.ErrRateLimited},
		"an empty success":            {status: 200, want: jogg.APIError{Message: "the response is empty"}},
		"a success of white space":    {status: 200, body: " \r\n\t", want: jogg.APIError{Message: "the response is empty"}},
		"204":                         {status: 204, want: jogg.APIError{Message: "the response is empty"}},
		"a success in HTML":           {status: 200, body: html, headers: htmlType, want: jogg.APIError{Message: "the response is HTML, not JSON"}},
		"a success in words":          {status: 200, body: "OK", want: jogg.APIError{Message: "the response is not JSON"}},
		"a success cut short":         {status: 200, body: okUser[:len(okUser)-5], want: jogg.APIError{Message: "the response is cut short: unexpected EOF"}},
		"a success and a half":        {status: 200, body: okUser + "}", want: jogg.APIError{Message: "the response is not JSON"}},
		"two successes":               {status: 200, body: okUser + okUser, want: jogg.APIError{Message: "the response is not JSON"}},
		"an array":                    {status: 200, body: `[{"code":0}]`, want: jogg.APIError{Message: "the response is not JSON"}},
		"null":                        {status: 200, body: `null`, want: jogg.APIError{Message: "the response is not JSON"}},
		"an object with no code":      {status: 200, body: `{"status":"up","rid":"r3"}`, want: jogg.APIError{Message: "the response has no code", RequestID: "r3"}},
		"an empty object":             {status: 200, body: `{}`, want: jogg.APIError{Message: "the response has no code"}},
		"a code that is not a number": {status: 200, body: `{"code":"E_FULL","msg":"disk full"}`, want: jogg.APIError{CodeText: "E_FULL", Message: "disk full"}},
		"a success without data":      {status: 200, body: `{"code":0,"msg":"Success","rid":"r4"}`, want: jogg.APIError{Message: "the response has no data", RequestID: "r4"}},
		"a success with null data":    {status: 200, body: `{"code":0,"msg":"Success","data":null}`, want: jogg.APIError{Message: "the response has no data"}},
		"a success that does not fit as a whole": {
			status: 200, body: `{"code":0,"msg":"Success","data":["a"],"rid":"r5"}`,
			want: jogg.APIError{Message: "the response does not fit the contract at /data", RequestID: "r5"},
		},
		"an error without a code":              {status: 200, body: `{"error":"no such account","data":{}}`, want: jogg.APIError{Message: "no such account"}},
		"an error object":                      {status: 200, body: `{"error":{"code":"E1","message":"disk full"},"data":{}}`, want: jogg.APIError{CodeText: "E1", Message: "disk full"}},
		"an error with the code inside":        {status: 200, body: `{"error":{"code":18020,"message":"m"},"data":null}`, want: jogg.APIError{Code: 18020, Message: "m"}, is: jogg.ErrInsufficientCredit},
		"a success that is false":              {status: 200, body: `{"success":false,"message":"m","data":{"email":"e"}}`, want: jogg.APIError{Message: "m"}},
		"a success that is 0":                  {status: 200, body: `{"success":0,"code":0,"data":{"email":"e"}}`, want: jogg.APIError{}},
		"a success that is \"false\"":          {status: 200, body: `{"success":"False","code":0,"data":{"email":"e"}}`, want: jogg.APIError{}},
		"a word as code at 403":                {status: 403, body: `{"code":"FORBIDDEN","detail":"by rule 7"}`, want: jogg.APIError{CodeText: "FORBIDDEN", Message: "by rule 7"}, is: jogg.ErrNoPermission},
		"a code beyond an int":                 {status: 200, body: `{"code":99999999999999999999999,"msg":"m"}`, want: jogg.APIError{CodeText: "99999999999999999999999", Message: "m"}},
		"a code that is an object":             {status: 200, body: `{"code":{"a":1},"msg":"m","data":{}}`, want: jogg.APIError{Message: "m"}},
		"an error and its description":         {status: 400, body: `{"error":"invalid_request","message":"no avatar"}`, want: jogg.APIError{CodeText: "invalid_request", Message: "no avatar"}, is: jogg.ErrInvalidParameter},
		"a detail":                             {status: 401, body: `{"detail":"Not authenticated"}`, want: jogg.APIError{Message: "Not authenticated"}, is: jogg.ErrInvalidAPIKey},
		"a list of details":                    {status: 422, body: `{"detail":[{"loc":["body","voice"],"msg":"field required"},{"msg":"too long"}]}`, want: jogg.APIError{Message: "field required; too long"}, is: jogg.ErrInvalidParameter},
		"a list of errors":                     {status: 400, body: `{"errors":["a is missing",{"message":"b is wrong"}]}`, want: jogg.APIError{Message: "a is missing; b is wrong"}, is: jogg.ErrInvalidParameter},
		"an error's message":                   {status: 500, body: `{"error":{"message":"worker lost","type":"internal_error"}}`, want: jogg.APIError{CodeText: "internal_error", Message: "worker lost"}, is: jogg.ErrSystem},
		"a problem of RFC 9457":                {status: 404, body: `{"title":"No such task","status":404}`, want: jogg.APIError{Message: "No such task"}, is: jogg.ErrNotFound},
		"a mark in front of an error response": {status: 200, body: "\uFEFF" + `{"code":10104,"msg":"m"}`, want: jogg.APIError{Code: 10104, Message: "m"}, is: jogg.ErrNotFound},
		"words without a code":                 {status: 200, body: `{"detail":"try later"}`, want: jogg.APIError{Message: "the response has no code: try later"}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			transport := &script{responses: []func() (*http.Response, error){respond(test.status, test.body, test.headers...)}}
			user, err := newClient(t, transport).GetCurrentUser(t.Context())
			got, ok := errors.AsType[*jogg.APIError](err)
			if user != nil || !ok {
				t.Fatalf("result %v and error %v, want an APIError alone", user, err)
			}
			test.want.Operation, test.want.HTTPStatus, test.want.Attempts = "GetCurrentUser", test.status, 1
			if string(got.Body) != test.body {
				t.Errorf("the body is %q, want the response %q", got.Body, test.body)
			}
			if facts(got) != facts(&test.want) {
				t.Errorf("got  %s\nwant %s", facts(got), facts(&test.want))
			}
			for _, sentinel := range sentinels {
				if errors.Is(err, sentinel) != errors.Is(sentinel, test.is) {
					t.Errorf("errors.Is(%v, %v) is %v", err, sentinel, errors.Is(err, sentinel))
				}
			}
		})
	}
}

// facts returns the exported fields of an error in one line.
func facts(e *jogg.APIError) string {
	return fmt.Sprintf("%s, HTTP %d, code %d %q, %q, request %q, wait %v, %d attempts", e.Operation, e.HTTPStatus, e.Code, e.CodeText, e.Message,
		e.RequestID, e.RetryAfter, e.Attempts)
}

func TestEveryOperationNamesItselfInItsError(t *testing.T) {
	client := newClient(t, responses(`{"code":50000}`))
	_, err := client.CreateAIScripts(t.Context(), gen.CreateAIScriptsRequest{})
	refused, ok := errors.AsType[*jogg.APIError](err)
	if !ok || refused.Operation != "CreateAIScripts" {
		t.Errorf("error %v, want one of the operation CreateAIScripts", err)
	}
	err = client.UpdateProduct(t.Context(), gen.UpdateProductRequest{})
	refused, ok = errors.AsType[*jogg.APIError](err)
	if !ok || refused.Operation != "UpdateProduct" {
		t.Errorf("error %v, want one of the operation UpdateProduct", err)
	}
}

func TestAnOperationWithoutContentNeedsNoData(t *testing.T) {
	for _, body := range []string{`{"code":0}`, `{"code":0,"data":null}`, `{"code":0,"data":{}}`, `{"code":0,"data":"done"}`, `{"code":0,"data":[1]}`} {
		if err := newClient(t, responses(body)).UpdateProduct(t.Context(), gen.UpdateProductRequest{ProductID: "p"}); err != nil {
			t.Errorf("UpdateProduct failed on %s: %v", body, err)
		}
	}
	for _, body := range []string{``, `{}`, `null`, `{"code":1}`, `{"data":null}`} {
		if err := newClient(t, responses(body)).UpdateProduct(t.Context(), gen.UpdateProductRequest{ProductID: "p"}); err == nil {
			t.Errorf("UpdateProduct succeeded on %q", body)
		}
	}
}

func TestADeletionNeedsNoConfirmation(t *testing.T) {
	deleted, err := newClient(t, responses(`{"code":0,"msg":"Success"}`)).DeleteWebhookEndpoint(t.Context(), "wh_1")
	if err != nil || deleted == nil {
		t.Errorf("result %v, error %v, want a result", deleted, err)
	}
}

func TestABrokenConnectionWithinAResponseIsAnAPIError(t *testing.T) {
	client, _ := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, okUser[:20])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	_, err := client.GetCurrentUser(t.Context())
	refused, ok := errors.AsType[*jogg.APIError](err)
	if !ok || refused.Operation != "GetCurrentUser" || refused.HTTPStatus != 200 || !strings.Contains(refused.Message, "cut short") {
		t.Errorf("error %v, want an APIError about a response that was cut short", err)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the cause of %v cannot be found", err)
	}
}

func TestAMessageIsOneLineOfASaneLength(t *testing.T) {
	quoted := func(s string) string { return `{"code":40000,"msg":"` + s + `"}` }
	cases := map[string]struct{ body, want string }{
		"line ends and tabs": {quoted(`one\ntwo\r\n\tthree\u2028four\u0085five`), "one two three four five"},
		"control characters": {quoted(`red \u001b[31malert\u0000!\u200e\u202e`), "red [31malert !"},
		"white space around": {quoted(`  \n spaced \n `), "spaced"},
		"a long one":         {quoted(strings.Repeat("abc ", 1000)), strings.Repeat("abc ", 1000)[:297] + "…"},
		"a long one of long": {quoted("xx" + strings.Repeat("视", 1000)), "xx" + strings.Repeat("视", 98) + "…"},
		"as long as may be":  {quoted(strings.Repeat("x", 300)), strings.Repeat("x", 300)},
		"invalid UTF-8":      {quoted("caf\xe9 closed"), "caf\uFFFD closed"},
		"other scripts":      {quoted(`积分不足 – é`), "积分不足 – é"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, responses(test.body)).GetCurrentUser(t.Context())
			refused, ok := errors.AsType[*jogg.APIError](err)
			if !ok {
				t.Fatalf("error %v, want an APIError", err)
			}
			if refused.Message != test.want {
				t.Errorf("message\n%q, want\n%q", refused.Message, test.want)
			}
			if len(refused.Message) > 300 || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("the text %q is not one sane line", err)
			}
		})
	}
}

func TestAPIErrorReadsTheSameEverywhere(t *testing.T) {
	cases := map[string]*jogg.APIError{
		"jogg: CreateAvatarVideo: insufficient credit: 3 credits are missing (HTTP 200, code 18020, request 4f2a, retry after 30s, 2 attempts)": {
			Operation: "CreateAvatarVideo", HTTPStatus: 200, Code: 18020, Message: "3 credits are missing", RequestID: "4f2a",
			RetryAfter: 30 * time.Second, Attempts: 2,
		},
		"jogg: CreateProduct: disk full (HTTP 200, code E_FULL)": {Operation: "CreateProduct", HTTPStatus: 200, CodeText: "E_FULL", Message: "disk full"},
		"jogg: GetCurrentUser: the response is empty (HTTP 200)": {Operation: "GetCurrentUser", HTTPStatus: 200, Message: "the response is empty", Attempts: 1},
		"jogg: GetCurrentUser: not found (HTTP 200, code 10104)": {Operation: "GetCurrentUser", HTTPStatus: 200, Code: 10104},
	}
	for want, err := range cases {
		if err.Error() != want {
			t.Errorf("got\n%s, want\n%s", err, want)
		}
	}
}

func TestAFailureToConnectNamesTheOperationAndKeepsItsCause(t *testing.T) {
	client := newClient(t, &http.Transport{}, jogg.WithBaseURL(closedPort(t)))
	_, err := client.ListVoices(t.Context(), gen.ListVoicesParams{Language: "english"})
	if _, ok := errors.AsType[*jogg.APIError](err); err == nil || ok {
		t.Fatalf("error %v, want one that is not an APIError", err)
	}
	if !strings.HasPrefix(err.Error(), "jogg: ListVoices: dial tcp ") || strings.Contains(err.Error(), "english") {
		t.Errorf("error %q, want the operation and the cause without the query", err)
	}
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
		t.Errorf("error %v does not wrap the net.OpError", err)
	}
	if _, ok := errors.AsType[*url.Error](err); !ok {
		t.Errorf("error %v does not wrap the url.Error", err)
	}
}

func TestATimeoutOfTheHTTPClientKeepsItsCause(t *testing.T) {
	release := make(chan struct{})
	_, server := newServer(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	client := newClient(t, nil, jogg.WithBaseURL(server.URL), jogg.WithHTTPClient(&http.Client{
		Transport: server.Client().Transport, Timeout: time.Millisecond,
	}))
	_, err := client.GetCurrentUser(t.Context())
	timeout, ok := errors.AsType[net.Error](err)
	if !ok || !timeout.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a timeout", err)
	}
}

// closedPort returns the base URL of a port on which nothing listens.
func closedPort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "http://" + listener.Addr().String()
}
