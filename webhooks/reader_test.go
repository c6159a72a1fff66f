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

// Shapes that no delivery has today, and that the contract may get any day.
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

// reading returns what read makes of a JSON value, and what it notes about it.
func reading[T any](value string, read func(*reader, *T)) (any, []string) {
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
		notes = append(notes, fmt.Sprintf("lost its way: %v, %q", rest, r.text[r.at:]))
	}
	for _, m := range r.misfits {
		notes = append(notes, strings.TrimPrefix(pointerTo(r.body, m.at), "/value")+": "+m.err.Error())
	}
	return got, notes
}

func TestReaderReadsEachShape(t *testing.T) {
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
					t.Errorf("%s: %s became %#v with %q, want %#v with %q", name, spaced, got, notes, c.want, c.notes)
				}
			}
		}
	}
	check("string", func(v string) (any, []string) { return reading(v, text[word]) },
		row{`"a"`, word("a"), nil}, row{`12`, word("12"), nil}, row{`-1.5e3`, word("-1.5e3"), nil}, row{`null`, word(""), nil},
		row{`"\u0061\\\""`, word(`a\"`), nil}, row{`true`, word(""), noted(": is a boolean, not a string")}, row{`[[]]`, word(""), noted(": is an array, not a string")})
	check("boolean", func(v string) (any, []string) { return reading(v, boolean[flag]) },
		row{`true`, flag(true), nil}, row{`false`, flag(false), nil}, row{`"true"`, flag(true), nil}, row{`1`, flag(true), nil}, row{`"0"`, flag(false), nil},
		row{`null`, flag(false), nil}, row{`"yes"`, flag(false), noted(": not a boolean")}, row{`2`, flag(false), noted(": not a boolean")},
		row{`{}`, flag(false), noted(": is an object, not a boolean")})
	check("int8", func(v string) (any, []string) { return reading(v, integer[small]) },
		row{`127`, small(127), nil}, row{`"-128"`, small(-128), nil}, row{`1.27e2`, small(127), nil},
		row{`128`, small(0), noted(": not an integer that webhooks.small has room for")}, row{`-129`, small(0), noted(": not an integer that webhooks.small has room for")})
	check("uint8", func(v string) (any, []string) { return reading(v, integer[uint8]) },
		row{`255`, uint8(255), nil}, row{`256`, uint8(0), noted(": not an integer that uint8 has room for")},
		row{`-1`, uint8(0), noted(": not an integer that uint8 has room for")})
	check("uint64", func(v string) (any, []string) { return reading(v, integer[uint64]) },
		row{`18446744073709551615`, uint64(math.MaxUint64), nil}, row{`-1`, uint64(0), noted(": not an integer that uint64 has room for")},
		row{`18446744073709551616`, uint64(0), noted(": not an integer that uint64 has room for")})
	check("float32", func(v string) (any, []string) { return reading(v, number[ratio]) },
		row{`1.5`, ratio(1.5), nil}, row{`"2"`, ratio(2), nil}, row{`1e39`, ratio(0), noted(": not a number")})
	check("time", func(v string) (any, []string) { return reading(v, moment) },
		row{`"2026-03-01T12:00:00.5Z"`, time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC), nil},
		row{`"soon"`, time.Time{}, noted(": not a time")}, row{`{}`, time.Time{}, noted(": is an object, not a time")})
	check("bytes", func(v string) (any, []string) { return reading(v, base64Bytes[blob]) },
		row{`"aGk="`, blob("hi"), nil}, row{`null`, blob(nil), nil}, row{`"?"`, blob(nil), noted(": not base64")}, row{`1234`, blob(nil), noted(": not base64")})
	check("list of strings", func(v string) (any, []string) { return reading(v, texts[words]) },
		row{`["a",1,null]`, words{"a", "1", ""}, nil}, row{`"a"`, words{"a"}, nil}, row{`[]`, words(nil), nil}, row{`null`, words(nil), nil},
		row{`["a",{}]`, words{"a", ""}, noted("/1: is an object, not a string")})
	check("list of lists", func(v string) (any, []string) {
		return reading(v, func(r *reader, p *[][]int) {
			list(r, p, func(r *reader, p *[]int) { list(r, p, integer[int]) })
		})
	},
		row{`[[1,2],[],null,[3]]`, [][]int{{1, 2}, nil, nil, {3}}, nil}, row{`[[1,"x"],2]`, [][]int{{1, 0}, nil}, noted("/0/1: not a number", "/1: is a number, not an array")})
	check("map", func(v string) (any, []string) {
		return reading(v, func(r *reader, p *lookup) { dictionary(r, p, integer[small]) })
	},
		row{`{"a":1,"b":null,"\u0063":"3"}`, lookup{"a": 1, "b": 0, "c": 3}, nil}, row{`{}`, lookup(nil), nil}, row{`null`, lookup(nil), nil},
		row{`{"a":true}`, lookup{"a": 0}, noted("/a: is a boolean, not a number")}, row{`[]`, lookup(nil), noted(": is an array, not an object")})
	check("objects in each other", func(v string) (any, []string) { return reading(v, decodeNested) },
		row{`{"name":"a","x":{"name":[{}]},"next":{"next":null,"name":"b"}}`, nested{"a", &nested{Name: "b"}}, nil},
		row{`{"next":{"next":{"name":{}}}}`, nested{Next: &nested{Next: &nested{}}}, noted("/next/next/name: is an object, not a string")})
	check("anything", func(v string) (any, []string) { return reading(v, anything[any]) },
		row{`{"a":[1,"b",null,true]}`, map[string]any{"a": []any{1.0, "b", nil, true}}, nil}, row{`null`, nil, nil},
		row{`1e999`, nil, noted(": not a number")})
	check("raw", func(v string) (any, []string) { return reading(strings.TrimSpace(v), rawValue[json.RawMessage]) },
		row{`"a"`, json.RawMessage(`"a"`), nil}, row{`null`, json.RawMessage(nil), nil})
	check("union", func(v string) (any, []string) { return reading(v, union[choice]) },
		row{`"a"`, choice{json.RawMessage(`"a"`)}, nil}, row{`null`, choice{}, nil}, row{`"none"`, choice{}, noted(": none of the alternatives")})
}

// What a reader keeps for the next body must not grow with the bodies.
func TestReaderDoesNotKeepMuch(t *testing.T) {
	r := newReader([]byte(`"` + strings.Repeat(`\u0061`, 100_000) + `"`))
	r.peek()
	if s := r.string(); len(s) != 100_000 {
		t.Fatalf("read %d bytes", len(s))
	}
	for range 10_000 {
		r.misfit(0, errNotANumber)
	}
	r.release()
	if cap(r.scratch) > 4<<10 || cap(r.misfits) > 256 || r.text != "" || r.body != nil {
		t.Errorf("kept are %d bytes and room for %d misfits", cap(r.scratch), cap(r.misfits))
	}
}
