package webhooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Types that no delivery has today, but that the contract may get.
type (
	word   string
	words  []word
	small  int8
	flag   bool
	ratio  float32
	blob   []byte
	lookup map[string]small
	choice struct{ raw json.RawMessage }
	nested struct {
		Name string
		Next *nested
	}
)

func (c *choice) UnmarshalJSON(text []byte) error {
	if string(text) == `"none"` {
		return errors.New("no such choice")
	}
	c.raw = append(c.raw[:0], text...)
	return nil
}

func decodeNested(r *reader, v *nested) {
	if !r.object() {
		return
	}
	for r.member() {
		switch r.name {
		case "name":
			text(r, &v.Name)
		case "next":
			pointer(r, &v.Next, decodeNested)
		default:
			r.skip()
		}
	}
}

// readValue returns the value that read decodes, and the mismatches that it records.
func readValue[T any](value string, read func(*reader, *T)) (any, []string) {
	body := `{"before":[1,"a\"}",{"x":null}],"value":` + value + `,"after":"é"}`
	r := newReader([]byte(body))
	defer r.release()
	var got T
	var rest []string
	for r.object(); r.member(); {
		if r.name == "value" {
			read(r, &got)
			continue
		}
		rest = append(rest, r.name)
		r.skip()
	}
	var notes []string
	if strings.Join(rest, " ") != "before after" || strings.TrimSpace(r.text[r.at:]) != "" {
		notes = append(notes, fmt.Sprintf("wrong position: %v, %q", rest, r.text[r.at:]))
	}
	for _, m := range r.mismatches {
		notes = append(notes, strings.TrimPrefix(pointerTo(r.body, m.at), "/value")+": "+m.err.Error())
	}
	return got, notes
}

func TestReaderReadsEachType(t *testing.T) {
	type row struct {
		value string
		want  any
		notes []string
	}
	noted := func(notes ...string) []string { return notes }
	check := func(name string, read func(string) (any, []string), rows ...row) {
		t.Helper()
		for _, c := range rows {
			spaced := strings.NewReplacer(",", " ,\n", `":`, `" : `, "[", "[ ", "]", " ]").Replace(c.value)
			for _, spaced := range []string{c.value, " \n\t" + spaced + " \r\n"} {
				got, notes := read(spaced)
				if !reflect.DeepEqual(got, c.want) || !reflect.DeepEqual(notes, c.notes) {
					t.Errorf("%s: %s was decoded to %#v with %q, want %#v with %q", name, spaced, got, notes, c.want, c.notes)
				}
			}
		}
	}
	check("string", func(v string) (any, []string) { return readValue(v, text[word]) },
		row{`"a"`, word("a"), nil}, row{`12`, word("12"), nil}, row{`-1.5e3`, word("-1.5e3"), nil}, row{`null`, word(""), nil},
		row{`"\u0061\\\""`, word(`a\"`), nil}, row{`true`, word(""), noted(": is a boolean, not a string")}, row{`[[]]`, word(""), noted(": is an array, not a string")})
	check("boolean", func(v string) (any, []string) { return readValue(v, boolean[flag]) },
		row{`true`, flag(true), nil}, row{`false`, flag(false), nil}, row{`"true"`, flag(true), nil}, row{`1`, flag(true), nil}, row{`"0"`, flag(false), nil},
		row{`null`, flag(false), nil}, row{`"yes"`, flag(false), noted(": not a boolean")}, row{`2`, flag(false), noted(": not a boolean")},
		row{`{}`, flag(false), noted(": is an object, not a boolean")})
	check("int8", func(v string) (any, []string) { return readValue(v, integer[small]) },
		row{`127`, small(127), nil}, row{`"-128"`, small(-128), nil}, row{`1.27e2`, small(127), nil},
		row{`128`, small(0), noted(": not an integer that fits webhooks.small")}, row{`-129`, small(0), noted(": not an integer that fits webhooks.small")})
	check("uint8", func(v string) (any, []string) { return readValue(v, integer[uint8]) },
		row{`255`, uint8(255), nil}, row{`256`, uint8(0), noted(": not an integer that fits uint8")},
		row{`-1`, uint8(0), noted(": not an integer that fits uint8")})
	check("uint64", func(v string) (any, []string) { return readValue(v, integer[uint64]) },
		row{`18446744073709551615`, uint64(math.MaxUint64), nil}, row{`-1`, uint64(0), noted(": not an integer that fits uint64")},
		row{`18446744073709551616`, uint64(0), noted(": not an integer that fits uint64")})
	check("float32", func(v string) (any, []string) { return readValue(v, number[ratio]) },
		row{`1.5`, ratio(1.5), nil}, row{`"2"`, ratio(2), nil}, row{`1e39`, ratio(0), noted(": not a number")})
	check("time", func(v string) (any, []string) { return readValue(v, moment) },
		row{`"2026-03-01T12:00:00.5Z"`, time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC), nil},
		row{`"soon"`, time.Time{}, noted(": not a time")}, row{`{}`, time.Time{}, noted(": is an object, not a time")})
	check("bytes", func(v string) (any, []string) { return readValue(v, base64Bytes[blob]) },
		row{`"aGk="`, blob("hi"), nil}, row{`null`, blob(nil), nil}, row{`"?"`, blob(nil), noted(": not base64")}, row{`1234`, blob(nil), noted(": not base64")})
	check("list of strings", func(v string) (any, []string) { return readValue(v, texts[words]) },
		row{`["a",1,null]`, words{"a", "1", ""}, nil}, row{`"a"`, words{"a"}, nil}, row{`[]`, words(nil), nil}, row{`null`, words(nil), nil},
		row{`["a",{}]`, words{"a", ""}, noted("/1: is an object, not a string")})
	check("list of lists", func(v string) (any, []string) {
		return readValue(v, func(r *reader, p *[][]int) {
			list(r, p, func(r *reader, p *[]int) { list(r, p, integer[int]) })
		})
	},
		row{`[[1,2],[],null,[3]]`, [][]int{{1, 2}, nil, nil, {3}}, nil}, row{`[[1,"x"],2]`, [][]int{{1, 0}, nil}, noted("/0/1: not a number", "/1: is a number, not an array")})
	check("map", func(v string) (any, []string) {
		return readValue(v, func(r *reader, p *lookup) { dictionary(r, p, integer[small]) })
	},
		row{`{"a":1,"b":null,"\u0063":"3"}`, lookup{"a": 1, "b": 0, "c": 3}, nil}, row{`{}`, lookup(nil), nil}, row{`null`, lookup(nil), nil},
		row{`{"a":true}`, lookup{"a": 0}, noted("/a: is a boolean, not a number")}, row{`[]`, lookup(nil), noted(": is an array, not an object")})
	check("nested objects", func(v string) (any, []string) { return readValue(v, decodeNested) },
		row{`{"name":"a","x":{"name":[{}]},"next":{"next":null,"name":"b"}}`, nested{"a", &nested{Name: "b"}}, nil},
		row{`{"next":{"next":{"name":{}}}}`, nested{Next: &nested{Next: &nested{}}}, noted("/next/next/name: is an object, not a string")})
	check("anything", func(v string) (any, []string) { return readValue(v, anything[any]) },
		row{`{"a":[1,"b",null,true]}`, map[string]any{"a": []any{1.0, "b", nil, true}}, nil}, row{`null`, nil, nil},
		row{`1e999`, nil, noted(": not a number")})
	check("raw", func(v string) (any, []string) { return readValue(strings.TrimSpace(v), rawValue[json.RawMessage]) },
		row{`"a"`, json.RawMessage(`"a"`), nil}, row{`null`, json.RawMessage(nil), nil})
	check("union", func(v string) (any, []string) { return readValue(v, union[choice]) },
		row{`"a"`, choice{json.RawMessage(`"a"`)}, nil}, row{`null`, choice{}, nil}, row{`"none"`, choice{}, noted(": matches no variant of the union")})
}

// The buffers that a pooled reader keeps must not grow with the bodies.
func TestReaderDoesNotKeepLargeBuffers(t *testing.T) {
	r := newReader([]byte(`"` + strings.Repeat(`\u0061`, 100_000) + `"`))
	r.peek()
	if s := r.string(); len(s) != 100_000 {
		t.Fatalf("read %d bytes", len(s))
	}
	for range 10_000 {
		r.mismatch(0, errNotANumber)
	}
	r.release()
	if cap(r.scratch) > 4<<10 || cap(r.mismatches) > 256 || r.text != "" || r.body != nil {
		t.Errorf("it keeps buffers for %d bytes and %d mismatches", cap(r.scratch), cap(r.mismatches))
	}
}
