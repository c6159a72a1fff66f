package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// changed generates from a copy of the contract in which some text is replaced. The copy has no operations, because the decoders and the
// events do not depend on them and reading them takes half of the time.
func changed(t *testing.T, config string, oldnew ...string) (string, error) {
	t.Helper()
	contract, err := os.ReadFile("../openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, hasPaths := strings.Cut(string(contract), "\npaths:\n")
	_, tail, hasWebhooks := strings.Cut(rest, "\nwebhooks:\n")
	if !hasPaths || !hasWebhooks {
		t.Fatal("the contract does not have paths, followed by webhooks")
	}
	text := head + "\npaths: {}\nwebhooks:\n" + tail
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("the contract does not have %q", oldnew[i])
		}
		text = strings.Replace(text, oldnew[i], oldnew[i+1], 1)
	}
	path := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir("../..")
	code, err := generate("api/"+config+".config.yaml", path, t.TempDir())
	return string(code), err
}

const (
	// motionURL is a field of a schema of deliveries. The tests add fields after it.
	motionURL = "        motion_url: {type: [string, 'null'], format: uri, description: The URL of the animated photo.}\n"
	// lastEvent is the end of the list of event types.
	lastEvent = "      - generated_motion_failed\n"
)

func TestErrorsInDeliveriesAreReportedInASentence(t *testing.T) {
	for name, c := range map[string]struct {
		change []string
		want   string
	}{
		"an event in no envelope": {
			[]string{lastEvent, lastEvent + "      - hologram_ready\n"},
			"schema EventType: event hologram_ready is in no envelope; add it to the `event` of one that Delivery lists, or to a new one",
		},
		"an event that is not listed": {
			[]string{"enum: [generated_motion_failed]", "enum: [generated_motion_failed, hologram_failed]"},
			"schema MotionFailedEvent: event hologram_failed is not in the enumeration EventType; add it there",
		},
		"an event in two envelopes": {
			[]string{"enum: [generated_motion_failed]", "enum: [generated_motion_failed, generated_image_failed]"},
			"schema MotionFailedEvent: event generated_image_failed is already in the envelope ImageFailedEvent",
		},
		"an event that is mapped elsewhere": {
			[]string{"generated_motion_failed: '#/components/schemas/MotionFailedEvent'", "generated_motion_failed: '#/components/schemas/ImageFailedEvent'"},
			`schema Delivery: the discriminator maps event generated_motion_failed to "ImageFailedEvent", but its envelope is MotionFailedEvent`,
		},
		"an event that is mapped and nothing else": {
			[]string{
				"          generated_motion_failed: '#/components/schemas/MotionFailedEvent'\n",
				"          generated_motion_failed: '#/components/schemas/MotionFailedEvent'\n          hologram_failed: '#/components/schemas/MotionFailedEvent'\n",
			},
			"schema Delivery: the discriminator maps event hologram_failed, which is in no envelope",
		},
		"data without a name": {
			[]string{"data: {$ref: '#/components/schemas/MotionFailed'}", "data: {type: object}"},
			"schema MotionFailedEvent: an envelope must have a name, an `event` with an enumeration, and `data` that refers to a schema",
		},
		"data that is not an object": {
			[]string{"data: {$ref: '#/components/schemas/MotionFailed'}", "data: {$ref: '#/components/schemas/TaskStatus'}"},
			"schema TaskStatus: the data of an event must be an object with properties",
		},
		"a shape without a decoder": {
			[]string{motionURL, motionURL + "        length: {type: string, x-go-type: time.Duration, description: How long it is.}\n"},
			"schema MotionSucceeded, field length: there is no decoder for its Go type time.Duration",
		},
		"a shape without a decoder inside of others": {
			[]string{motionURL, motionURL + "        parts: {type: array, items: {type: object, properties: {channel: {type: string, x-go-type: 'chan int'}}}}\n"},
			"schema MotionSucceededPartsItem, field channel: there is no decoder for its Go type chan int",
		},
		"a subject that is a number": {
			[]string{motionURL, motionURL + "        score: {type: number, x-jogg-subject: true, description: How good it is.}\n"},
			"schema MotionSucceeded, field score: only a string or an integer can have x-jogg-subject",
		},
		"a fallback to nothing": {
			[]string{motionURL, strings.Replace(motionURL, "format: uri", "format: uri, x-jogg-fallback: nowhere", 1)},
			"schema MotionSucceeded, field motion_url: x-jogg-fallback must name",
		},
		"a scalar for nothing": {
			[]string{"x-jogg-scalar: {string: message, number: code}", "x-jogg-scalar: {string: text}"},
			"schema WebhookError: x-jogg-scalar must name a kind (string, number or boolean) and a field of the schema",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := changed(t, "decode", c.change...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error is %v, want %q", err, c.want)
			}
			for _, noise := range []string{"\n", "template", "executing", "error "} {
				if strings.Contains(err.Error(), noise) {
					t.Errorf("%q is in the error %v", noise, err)
				}
			}
		})
	}
}

// All fields are added to one schema, because generating takes most of the time. In each case, the field is named extra and its Go name is
// Extra; a number keeps them apart.
func TestEachTypeHasADecoder(t *testing.T) {
	cases := map[string]struct{ field, call string }{
		"boolean":         {"{type: boolean}", "boolean(r, &v.Extra)"},
		"int8":            {"{type: integer, format: int8}", "integer(r, &v.Extra)"},
		"uint64":          {"{type: integer, format: uint64}", "integer(r, &v.Extra)"},
		"number":          {"{type: number, format: float}", "number(r, &v.Extra)"},
		"time":            {"{type: string, format: date-time}", "moment(r, &v.Extra)"},
		"bytes":           {"{type: string, format: byte}", "base64Bytes(r, &v.Extra)"},
		"uuid":            {"{type: string, format: uuid}", "text(r, &v.Extra)"},
		"pointer":         {"{type: integer, x-go-type-skip-optional-pointer: false}", "pointer(r, &v.Extra, integer[int])"},
		"free-form":       {"{}", "anything(r, &v.Extra)"},
		"free-form map":   {"{type: object}", "dictionary(r, &v.Extra, anything[any])"},
		"enumeration":     {"{$ref: '#/components/schemas/ScriptStyle'}", "text(r, &v.Extra)"},
		"object":          {"{$ref: '#/components/schemas/GeneratedScript'}", "decodeGeneratedScript(r, &v.Extra)"},
		"inline object":   {"{type: object, properties: {a: {type: integer}}}", "decodeMotionSucceededExtra(r, &v.Extra)"},
		"list of strings": {"{type: array, items: {type: string}}", "texts(r, &v.Extra)"},
		"list of numbers": {"{type: array, items: {type: number}}", "list(r, &v.Extra, number[float64])"},
		"list of objects": {"{type: array, items: {$ref: '#/components/schemas/GeneratedScript'}}", "list(r, &v.Extra, decodeGeneratedScript)"},
		"list of lists": {
			"{type: array, items: {type: array, items: {type: boolean}}}",
			"list(r, &v.Extra, func(r *reader, p *[]bool) { list(r, p, boolean[bool]) })",
		},
		"map of lists": {
			"{type: object, additionalProperties: {type: array, items: {$ref: '#/components/schemas/GeneratedScript'}}}",
			"dictionary(r, &v.Extra, func(r *reader, p *[]gen.GeneratedScript) { list(r, p, decodeGeneratedScript) })",
		},
		"other properties": {
			"{type: object, properties: {a: {type: integer}}, additionalProperties: {type: boolean}}", "entry(r, &v.AdditionalProperties, boolean[bool])",
		},
	}
	fields := []string{motionURL}
	numbered := func(name, text string) string {
		number := strconv.Itoa(slices.Index(slices.Sorted(maps.Keys(cases)), name))
		return strings.NewReplacer("extra", "extra"+number, "Extra", "Extra"+number).Replace(text)
	}
	for name, c := range cases {
		fields = append(fields, numbered(name, "        extra: ")+c.field+"\n")
	}
	code, err := changed(t, "decode", motionURL, strings.Join(fields, ""))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if call := numbered(name, c.call); !strings.Contains(code, call) {
				t.Errorf("%s is not in\n%s", call, code)
			}
		})
	}
}

func TestEventsComeFromTheContract(t *testing.T) {
	const envelope = "    MotionFailedEvent:\n"
	added := `    HologramFailedEvent:
      type: object
      properties:
        event: {type: string, enum: [hologram_failed]}
        data: {$ref: '#/components/schemas/MotionFailed'}
    HologramSucceededEvent:
      type: object
      properties:
        event: {type: string, enum: [hologram_success]}
        data: {$ref: '#/components/schemas/HologramSucceeded'}
    HologramSucceeded:
      description: The data of a delivery about a hologram that is ready.
      type: object
      properties: {hologram_id: {type: string, x-jogg-subject: true}}
`
	change := []string{
		envelope, added + envelope, lastEvent, lastEvent + "      - hologram_success\n      - hologram_failed\n",
		"          generated_motion_failed: '#/components/schemas/MotionFailedEvent'\n",
		"          generated_motion_failed: '#/components/schemas/MotionFailedEvent'\n" +
			"          hologram_success: '#/components/schemas/HologramSucceededEvent'\n          hologram_failed: '#/components/schemas/HologramFailedEvent'\n",
		"      - $ref: '#/components/schemas/MotionFailedEvent'\n",
		"      - $ref: '#/components/schemas/MotionFailedEvent'\n      - {$ref: '#/components/schemas/HologramSucceededEvent'}\n" +
			"      - {$ref: '#/components/schemas/HologramFailedEvent'}\n",
	}
	for config, wanted := range map[string][]string{
		"events": {
			"HologramSuccess                = gen.EventTypeHologramSuccess", "// It comes with [HologramSuccess].\ntype HologramSucceeded gen.HologramSucceeded",
			"func (*HologramSucceeded) data() {}", "[GeneratedMotionFailed], [HologramFailed].",
		},
		"decode": {"case HologramSuccess:\n\t\tv := new(HologramSucceeded)", "return v, \"hologram_id\"", "case GeneratedMotionFailed,\n\t\tHologramFailed:"},
	} {
		t.Run(config, func(t *testing.T) {
			code, err := changed(t, config, change...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range wanted {
				if !strings.Contains(code, want) {
					t.Errorf("%q is not in\n%s", want, code)
				}
			}
		})
	}
}
