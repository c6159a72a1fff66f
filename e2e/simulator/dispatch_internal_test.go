package simulator

import (
	"errors"
	"net/url"
	"reflect"
	"testing"
)

type shade string

func TestParametersAreDecodedIntoTheTypesOfModels(t *testing.T) {
	query := url.Values{
		"text": {"plain"}, "named": {"dark"}, "yes": {"true"}, "count": {"-3"}, "size": {"7"}, "share": {"0.25"}, "list": {"1", "2"}, "optional": {"0"},
	}
	var got struct {
		Text     string
		Named    shade
		Yes      bool
		Count    int64
		Size     uint8
		Share    float64
		List     []int
		Optional *int
		Missing  string
	}
	c := &call{query: query, path: map[string]string{"id": "41"}}
	queryParameter(c, "text", &got.Text)
	queryParameter(c, "named", &got.Named)
	queryParameter(c, "yes", &got.Yes)
	queryParameter(c, "count", &got.Count)
	queryParameter(c, "size", &got.Size)
	queryParameter(c, "share", &got.Share)
	queryParameter(c, "list", &got.List)
	queryParameter(c, "optional", &got.Optional)
	queryParameter(c, "missing", &got.Missing)
	id := pathParameter[int64](c, "id")
	if c.err != nil || id != 41 || got.Text != "plain" || got.Named != "dark" || !got.Yes || got.Count != -3 || got.Size != 7 ||
		got.Share != 0.25 || !reflect.DeepEqual(got.List, []int{1, 2}) || got.Optional == nil || *got.Optional != 0 || got.Missing != "" {
		t.Errorf("error %v, id %d, %+v", c.err, id, got)
	}
}

func TestInvalidParametersAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		target any
		value  string
	}{
		"number for a bool": {new(bool), "2"}, "fraction for an integer": {new(int), "1.5"}, "too large": {new(uint8), "256"},
		"negative": {new(uint), "-1"}, "string for a number": {new(float64), "many"}, "item of a list": {new([]int), "x"}, "behind a pointer": {new(*int), "x"},
		"unsupported type": {new(map[string]string), "x"},
	} {
		request := &call{query: url.Values{"size": {c.value}}}
		queryParameter(request, "size", c.target)
		queryParameter(request, "size", new(string)) // must not hide the first error
		refused, ok := errors.AsType[*refusal](request.err)
		if !ok || refused.code != CodeInvalidParameter || refused.message[:len("invalid parameter size: ")] != "invalid parameter size: " {
			t.Errorf("%s: error %v", name, request.err)
		}
	}
}
