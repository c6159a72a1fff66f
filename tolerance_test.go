package jogg

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/jogg-go/jogg/gen"
)

// opening decodes the response of a GET operation, and returns its content and its problems as text.
func opening[T any](t *testing.T, operation, body string) (*T, []string) {
	t.Helper()
	var e envelope[T]
	x := &exchange{ctx: callContext{operation: operation}, request: &http.Request{Method: http.MethodGet}, status: http.StatusOK, body: []byte(body)}
	if err := e.open(x); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	var problems []string
	for _, problem := range x.problems {
		problems = append(problems, problem.String())
	}
	return e.Data, problems
}

func TestProblemsSayWhereAndWhatWithoutQuoting(t *testing.T) {
	const body = `{"code":0,"rid":{"secret":1},"data":{"endpoints":[
		{"endpoint_id":"a","events":"secret","created_at":"secret"},
		"secret",
		{"endpoint_id":["secret"],"events":["x",{"secret":1}],"created_at":{"secret":"secret"},"secret":"s"}]}}`
	list, problems := opening[gen.WebhookEndpointList](t, "ListWebhookEndpoints", body)
	want := []string{
		"/rid: expected a string, got an object",
		"/data/endpoints/0/events: expected an array, got a string",
		"/data/endpoints/0/created_at: expected a number, got a string that cannot be converted",
		"/data/endpoints/1: expected an object, got a string",
		"/data/endpoints/2/endpoint_id: expected a string, got an array",
		"/data/endpoints/2/events/1: expected a string, got an object",
		"/data/endpoints/2/created_at: expected a number, got an object",
	}
	if !reflect.DeepEqual(problems, want) {
		t.Errorf("problems\n%s, want\n%s", strings.Join(problems, "\n"), strings.Join(want, "\n"))
	}
	kept := []gen.WebhookEndpoint{{EndpointID: "a"}, {}, {Secret: "s", Events: []gen.EventType{"x", ""}}}
	if !reflect.DeepEqual(list.Endpoints, kept) {
		t.Errorf("kept %+v, want %+v", list.Endpoints, kept)
	}
}

func TestAConvertedValueIsNoProblem(t *testing.T) {
	list, problems := opening[gen.CustomAvatarList](t, "ListCustomAvatars", `{"code":"0","data":{"avatars":[{"id":"7","name":5,"api_only":"true"}],"has_more":1}}`)
	if want := (gen.CustomAvatarList{Avatars: []gen.CustomAvatar{{ID: 7, Name: "5", APIOnly: true}}, HasMore: true}); len(problems) != 0 || !reflect.DeepEqual(*list, want) {
		t.Errorf("list %+v with the problems %q, want %+v without any", list, problems, want)
	}
}

func TestNumbersAreReadExactlyOrNotAtAll(t *testing.T) {
	for written, want := range map[string]int64{
		`"412"`: 412, `412.0`: 412, `"4.12e2"`: 412, `41200E-2`: 412, `"-412"`: -412, `""`: 0, `9007199254740993.0`: 9007199254740993, `"0e9"`: 0,
		`9223372036854775807`: 9223372036854775807, `922337203685477580.7e1`: 9223372036854775807,
	} {
		quota, problems := opening[gen.PublicAvatarList](t, "ListPublicAvatars", `{"code":0,"data":{"avatars":[{"id":`+written+`}]}}`)
		if len(problems) != 0 || quota.Avatars[0].ID != want {
			t.Errorf("%s became %d with the problems %q, want %d", written, quota.Avatars[0].ID, problems, want)
		}
	}
	for _, written := range []string{`"0x10"`, `"0x10p0"`, `"1_0"`, `"+1"`, `"01"`, `"Inf"`, `1.5`, `1e19`, `1e999999999`, `9223372036854775808`, `"x"`} {
		list, problems := opening[gen.PublicAvatarList](t, "ListPublicAvatars", `{"code":0,"data":{"avatars":[{"id":`+written+`}]}}`)
		if len(problems) != 1 || list.Avatars[0].ID != 0 {
			t.Errorf("%s became %d with the problems %q", written, list.Avatars[0].ID, problems)
		}
	}
	for _, written := range []string{`"0x10p0"`, `"1_0"`, `"Inf"`, `"NaN"`, `"12s"`} {
		quota, problems := opening[gen.Quota](t, "GetRemainingQuota", `{"code":0,"data":{"remaining_quota":`+written+`}}`)
		if len(problems) != 1 || quota.RemainingQuota != 0 {
			t.Errorf("%s became %v with the problems %q", written, quota.RemainingQuota, problems)
		}
	}
}

func TestProblemsHaveABoundAndKeepWhatDecides(t *testing.T) {
	item := `{"id":{},"name":[]},`
	body := `{"data":{"avatars":[` + strings.Repeat(item, 1000) + `{}],"has_more":{}},"rid":[],"code":"E_FULL"}`
	x := &exchange{ctx: callContext{operation: "ListPublicAvatars"}, request: &http.Request{Method: http.MethodGet}, status: http.StatusOK, body: []byte(body)}
	err := new(envelope[gen.PublicAvatarList]).open(x)
	if !errors.Is(err, errNoSuccess) {
		t.Errorf("error %v, want an error by the code that comes last", err)
	}
	if len(x.problems) < maxProblems || len(x.problems) > maxProblems+3 {
		t.Errorf("%d problems are kept, want about %d", len(x.problems), maxProblems)
	}
}

// guarded is a type with its own unmarshaler, like the generated types that keep fields which the contract does not list.
type guarded struct {
	ID    string
	Count int
	Rest  map[string]any
}

func (g *guarded) UnmarshalJSON(data []byte) error {
	*g = guarded{ID: "half done"}
	members := make(map[string]json.RawMessage)
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	read := guarded{Rest: make(map[string]any)}
	for name, value := range members {
		var err error
		switch name {
		case "id":
			err = json.Unmarshal(value, &read.ID)
		case "count":
			err = json.Unmarshal(value, &read.Count)
		default:
			var rest any
			err = json.Unmarshal(value, &rest)
			read.Rest[name] = rest
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	*g = read
	return nil
}

func TestATypeWithItsOwnUnmarshalerLosesOnlyWhatItRejects(t *testing.T) {
	cases := map[string]struct {
		value    guarded
		problems []string
	}{
		`{"id":"a","count":"many","x":[1]}`: {guarded{ID: "a", Rest: map[string]any{"x": []any{1.0}}}, []string{"/data/count: a string is not accepted"}},
		`{"count":{},"id":7}`:               {guarded{Rest: map[string]any{}}, []string{"/data/count: an object is not accepted", "/data/id: a number is not accepted"}},
		`{"id":"a","count":2}`:              {guarded{ID: "a", Count: 2, Rest: map[string]any{}}, nil},
	}
	for data, want := range cases {
		got, problems := opening[guarded](t, "GetCurrentUser", `{"code":"0","data":`+data+`}`)
		if !reflect.DeepEqual(*got, want.value) || !reflect.DeepEqual(problems, want.problems) {
			t.Errorf("%s gave %+v with the problems %q, want %+v with %q", data, *got, problems, want.value, want.problems)
		}
	}
	var field struct {
		Value guarded `json:"value"`
		Other string  `json:"other"`
	}
	var tolerant tolerance
	err := jsonv2.Unmarshal([]byte(`{"value":[],"other":"kept"}`), &field, tolerant.options())
	if err != nil || field.Other != "kept" || !reflect.DeepEqual(field.Value, guarded{}) || len(tolerant.problems) != 1 {
		t.Errorf("got %+v with the problems %v, error %v", field, tolerant.problems, err)
	}
}
