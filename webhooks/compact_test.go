package webhooks_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jogg-go/jogg/webhooks"
)

// compactBodies returns bodies as an encoder writes them in one line, of all kinds of events and with all kinds of values.
func compactBodies(t *testing.T) [][]byte {
	t.Helper()
	bodies := [][]byte{
		[]byte(`{"event":"generated_video_success","event_id":12,"timestamp":"1732806631","data":{"video_id":null,"duration":-0.25}}`),
		[]byte(`{"event":"generated_script_success","data":{"scripts":[{"script_paragraphs":["one","two"]},{"script_paragraphs":[]}]}}`),
		[]byte(`{"event":"generated_video_failed","data":{"error":"say \"no\" \\","err_msg":"\u00e9t\u00E9 \ud83d\ude00"}}`),
		[]byte(`{"event":"generated_motion_success","new":true,"data":{"motion_url":"https://example.com/?a=1\u0026b=2","more":"\/","x":false,` +
			`"y":{"a":[1,{"b":"","c":{}},[]]},"z":[[[[[[[]]]]]]]}}`),
		[]byte(`{"event":"generated_video_failed","data":{"error":50000}}`),
	}
	for _, d := range documented() {
		body := jsontext.Value(d.body)
		if err := body.Compact(); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

func TestCompactBodiesAreReadWithoutJSONText(t *testing.T) {
	for _, body := range compactBodies(t) {
		if !webhooks.IsCompact(body) {
			t.Errorf("%s is not", body)
		}
		spaced := bytes.ReplaceAll(bytes.ReplaceAll(body, []byte(`":`), []byte(`": `)), []byte(`,"`), []byte(`, "`))
		if !webhooks.IsCompact(spaced) {
			t.Errorf("%s is not", spaced)
		}
	}
}

func TestWhatIsNotCompactIsReadByJSONText(t *testing.T) {
	for name, members := range map[string]string{
		"too deep":                        `"new":[[[[[[[[1]]]]]]]]`,
		"an escape in a name":             `"event_\u0069d":"evt_1"`,
		"an exponent":                     `"timestamp":1e9`,
		"a line break":                    "\"event_id\":\n\"evt_1\"",
		"more names than it has room for": `"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"10":1,"11":1,"12":1,"13":1,"14":1,"15":1`,
	} {
		body := []byte(`{"event":"generated_motion_failed","data":{"motion_id":"m_1"},` + members + `}`)
		if webhooks.IsCompact(body) {
			t.Errorf("%s: compact", name)
		}
		if ev, err := webhooks.Parse(body); err != nil || ev.Data.(*webhooks.MotionFailed).MotionID != "m_1" {
			t.Errorf("%s: %+v, %v", name, ev, err)
		}
	}
}

// TestTheCompactReaderAcceptsNothingElse deletes, doubles, replaces and inserts each byte of compact bodies.
func TestTheCompactReaderAcceptsNothingElse(t *testing.T) {
	strange := []byte("\x00\n\x1e\x1f \x7f\x80\xff\\\",:{}[]0-.enxud/")
	check := func(body []byte) {
		ev, err := webhooks.Parse(body)
		checkCompact(t, body, ev, err)
	}
	for _, body := range compactBodies(t) {
		for at := range body {
			check(body[:at])
			check(slices.Delete(slices.Clone(body), at, at+1))
			check(slices.Insert(slices.Clone(body), at, body[at]))
			for _, c := range strange {
				replaced := slices.Clone(body)
				replaced[at] = c
				check(replaced)
				check(slices.Insert(slices.Clone(body), at, c))
			}
		}
		check(append(slices.Clone(body), body...))
		// Each member once more, at the end of its object.
		for _, object := range objects(body) {
			for member := range bytes.SplitSeq(object, []byte(",")) {
				check(bytes.Replace(body, object, slices.Concat(object, []byte(","), member), 1))
			}
		}
	}
}

// objects returns the contents of the objects without objects in them, and of the whole.
func objects(body []byte) [][]byte {
	all := [][]byte{body[1 : len(body)-1]}
	for rest := body; ; {
		end := bytes.IndexByte(rest, '}')
		if end < 0 {
			return all
		}
		if begin := bytes.LastIndexByte(rest[:end], '{'); begin >= 0 {
			all = append(all, rest[begin+1:end])
		}
		rest = rest[end+1:]
	}
}
