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
		[]byte(`{"event":"generated_video_failed","data":{"error":"words","err_msg":"\u00e9t\u00e9"}}`),
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
		escaped := bytes.ContainsRune(body, '\\')
		if compact := webhooks.IsCompact(body); compact == escaped {
			t.Errorf("%s: compact is %v", body, compact)
		}
		spaced := bytes.ReplaceAll(bytes.ReplaceAll(body, []byte(`":`), []byte(`": `)), []byte(`,"`), []byte(`, "`))
		if compact := webhooks.IsCompact(spaced); compact == escaped {
			t.Errorf("%s: compact is %v", spaced, compact)
		}
	}
}

// TestTheCompactReaderAcceptsNothingElse deletes, doubles, replaces and inserts each byte of compact bodies.
func TestTheCompactReaderAcceptsNothingElse(t *testing.T) {
	strange := []byte("\x00\n\x1e\x1f \x7f\x80\xff\\\",:{}[]0-.enx")
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
