package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jogg-go/jogg"
)

const (
	contractPath = "../openapi.yaml"
	upstreamPath = "../upstream.yaml"
)

// emptyRecord is a record without intentional differences.
const emptyRecord = "document: {date: today, operations: 1, sha256: '" +
	"0000000000000000000000000000000000000000000000000000000000000000'}\n"

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// differences returns the lines of the output, each without its location, and the lines of the contract that they refer to.
func differences(t *testing.T, published, contract, record string) (lines, places []string) {
	t.Helper()
	var out bytes.Buffer
	count, err := drift(t.Context(), &out, published, contract, write(t, "upstream.yaml", record), nil)
	if err != nil {
		t.Fatal(err)
	}
	if out.Len() == 0 && count == 0 {
		return nil, nil
	}
	text := strings.Split(readFile(t, contract), "\n")
	lines = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")[1:]
	if len(lines) != count {
		t.Errorf("%d lines, but the count is %d:\n%s", len(lines), count, &out)
	}
	for i, line := range lines {
		var number int
		_, rest, _ := strings.Cut(line, ".yaml:")
		if _, err := fmt.Sscanf(rest, "%d", &number); err != nil {
			t.Fatalf("the line has no location: %s", line)
		}
		_, lines[i], _ = strings.Cut(rest, ": ")
		places = append(places, strings.TrimSpace(text[number-1]))
	}
	return lines, places
}

// replaced returns a copy of the contract in which the first old after anchor is replaced with new.
func replaced(t *testing.T, anchor, old, new string) string {
	t.Helper()
	text := readFile(t, contractPath)
	before, after, found := strings.Cut(text, anchor)
	if !found || !strings.Contains(after, old) {
		t.Fatalf("the contract has no %q after %q", old, anchor)
	}
	return write(t, "published.yaml", before+anchor+strings.Replace(after, old, new, 1))
}

func TestEachChangeOfTheContractIsReported(t *testing.T) {
	const music, video, upload = "\n  /v2/musics:", "\n    VideoVoice:", "\n    CreateAssetUploadRequest:"
	for _, test := range []struct {
		name             string
		anchor, old, new string
		want             []string
		place            string // the line of the contract that the first difference refers to
	}{
		{
			"a path with another name", "", "/v2/musics:", "/v2/songs:",
			[]string{"breaking: GET /v2/musics: in the contract only", "compatible: GET /v2/songs: in the published document only"},
			"get:",
		},
		{
			"another method", music, "get:", "post:",
			[]string{"breaking: GET /v2/musics: in the contract only", "compatible: POST /v2/musics: in the published document only"},
			"get:",
		},
		{
			"a removed parameter", music, "      - {$ref: '#/components/parameters/PageSize'}\n", "",
			[]string{"breaking: GET /v2/musics query parameter page_size: in the contract only"},
			"- {$ref: '#/components/parameters/PageSize'}",
		},
		{
			"an added parameter", music, "      parameters:\n", "      parameters:\n      - {name: mood, in: query, schema: {type: string}}\n",
			[]string{"compatible: GET /v2/musics query parameter mood: in the published document only"},
			"get:",
		},
		{
			"an added required parameter", music, "      parameters:\n",
			"      parameters:\n      - {name: mood, in: query, required: true, schema: {type: string}}\n",
			[]string{"breaking: GET /v2/musics query parameter mood: in the published document only"},
			"get:",
		},
		{
			"a parameter that became required", "\n  /v2/voices/custom:", "in: query\n", "in: query\n        required: true\n",
			[]string{"breaking: GET /v2/voices/custom query parameter language: required in the published document only"},
			"- name: language",
		},
		{
			"a parameter that became optional", "operationId: getPhotoAvatarMotion", "required: true\n", "required: false\n",
			[]string{"compatible: GET /v2/photo_avatar query parameter motion_id: required in the contract only"},
			"required: true",
		},
		{
			"a parameter of another type", "operationId: listCustomVoices", "schema: {type: string}", "schema: {type: integer}",
			[]string{"breaking: GET /v2/voices/custom query parameter language: type string in the contract, integer in the published document"},
			"schema: {type: string}",
		},
		{
			"a list in another style", "operationId: listTemplates", "schema: {type: array", "explode: false\n        schema: {type: array",
			[]string{"breaking: GET /v2/templates query parameter name: explode true in the contract, false in the published document"},
			"- name: name",
		},
		{
			"a removed body", "operationId: renderProductPreview", "requestBody:", "x-requestBody:",
			[]string{"breaking: POST /v2/create_video_from_product/render_single_preview request: in the contract only"},
			"schema: {$ref: '#/components/schemas/RenderProductPreviewRequest'}",
		},
		{
			"another media type", "operationId: renderProductPreview", "application/json:", "multipart/form-data:",
			[]string{
				"breaking: POST /v2/create_video_from_product/render_single_preview request: in the contract only",
				"breaking: POST /v2/create_video_from_product/render_single_preview request as multipart/form-data: in the published document only",
			},
			"schema: {$ref: '#/components/schemas/RenderProductPreviewRequest'}",
		},
		{
			"a removed field of a request", upload, "        filename:", "        x-filename:",
			[]string{
				"compatible: POST /v2/upload/asset request.x-filename: in the published document only",
				"compatible: POST /v2/upload/asset request.filename: type string in the contract, open in the published document",
			},
			"",
		},
		{
			"a removed optional field of a request", video, "        script:", "        x-script:",
			[]string{
				"breaking: POST /v2/create_video_from_avatar request.voice.script: in the contract only",
				"compatible: POST /v2/create_video_from_avatar request.voice.x-script: in the published document only",
			},
			"script: {type: string, description: The script to speak. It is required if the type is script.}",
		},
		{
			"a field of a request that became required", video, "[type, voice_id]", "[type, voice_id, script]",
			[]string{"breaking: POST /v2/create_video_from_avatar request.voice.script: required in the published document only"},
			"required: [type, voice_id]",
		},
		{
			"a field of a request that became optional", video, "[type, voice_id]", "[type]",
			[]string{"compatible: POST /v2/create_video_from_avatar request.voice.voice_id: required in the contract only"},
			"required: [type, voice_id]",
		},
		{
			"a field of a request of another type", video, "script: {type: string", "script: {type: [string, 'null']",
			[]string{"compatible: POST /v2/create_video_from_avatar request.voice.script: null in the published document only"},
			"script: {type: string, description: The script to speak. It is required if the type is script.}",
		},
		{
			"an integer that became a number", upload, "type: integer", "type: number",
			[]string{"compatible: POST /v2/upload/asset request.file_size: type integer in the contract, number in the published document"},
			"file_size: {type: integer, format: int64, minimum: 1, description: 'The size of the file in bytes, at least 1.'}",
		},
		{
			"a number that became a string", upload, "type: integer", "type: string",
			[]string{"breaking: POST /v2/upload/asset request.file_size: type integer in the contract, string in the published document"},
			"file_size: {type: integer, format: int64, minimum: 1, description: 'The size of the file in bytes, at least 1.'}",
		},
		{
			"a tighter limit", upload, "minimum: 1", "minimum: 2",
			[]string{"breaking: POST /v2/upload/asset request.file_size: minimum 1 in the contract, 2 in the published document"},
			"file_size: {type: integer, format: int64, minimum: 1, description: 'The size of the file in bytes, at least 1.'}",
		},
		{
			"a looser limit", upload, "minimum: 1", "minimum: 0",
			[]string{"compatible: POST /v2/upload/asset request.file_size: minimum 1 in the contract, 0 in the published document"},
			"file_size: {type: integer, format: int64, minimum: 1, description: 'The size of the file in bytes, at least 1.'}",
		},
		{
			"a removed limit", upload, "minimum: 1, ", "",
			[]string{"compatible: POST /v2/upload/asset request.file_size: minimum 1 in the contract, none in the published document"},
			"file_size: {type: integer, format: int64, minimum: 1, description: 'The size of the file in bytes, at least 1.'}",
		},
		{
			"an added limit", video, "script: {type: string", "script: {type: string, maxLength: 9",
			[]string{"breaking: POST /v2/create_video_from_avatar request.voice.script: maxLength none in the contract, 9 in the published document"},
			"script: {type: string, description: The script to speak. It is required if the type is script.}",
		},
		{
			"an exclusive limit", "\n    TranscribeAudioRequest:", "exclusiveMinimum: 0", "minimum: 0",
			[]string{
				"breaking: POST /v2/audio/asr/transcribe request.duration_seconds: minimum none in the contract, 0 in the published document",
				"compatible: POST /v2/audio/asr/transcribe request.duration_seconds: exclusiveMinimum 0 in the contract, none in the published document",
			},
			"duration_seconds:",
		},
		{
			"another default", "\n    GenerateVideoRunwayRequest:", "default: 10", "default: 5",
			[]string{"breaking: POST /v2/runway/videos/generations request.duration: default 10 in the contract, 5 in the published document"},
			"default: 10",
		},
		{
			"a request that accepts additional fields", "\n    GenerateVideoRunwayRequest:", "additionalProperties: false", "additionalProperties: true",
			[]string{"compatible: POST /v2/runway/videos/generations request: additionalProperties false in the contract, none in the published document"},
			"additionalProperties: false",
		},
		{
			"a request that accepts no additional fields", video, "type: object", "type: object\n      additionalProperties: false",
			[]string{"breaking: POST /v2/create_video_from_avatar request.voice: additionalProperties none in the contract, false in the published document"},
			"voice: {$ref: '#/components/schemas/VideoVoice'}",
		},
		{
			"another condition on fields", "\n    GoogleVideoInstance:", "- required: [image]", "- required: [image, prompt]",
			[]string{"breaking: POST /v2/google/videos/generations request.instances[]: anyOf [not: [required: [lastFrame]]] | [required: [image]] " +
				"in the contract, [not: [required: [lastFrame]]] | [required: [image, prompt]] in the published document"},
			"anyOf:",
		},
		{
			"an added value", "\n    PhotoModel:", "[classic, modern]", "[classic, modern, future]",
			[]string{"compatible: POST /v2/photo_avatar/photo/generate request.model: values in the published document only: future"},
			"enum: [classic, modern]",
		},
		{
			"a removed value", "\n    PhotoModel:", "[classic, modern]", "[modern]",
			[]string{"breaking: POST /v2/photo_avatar/photo/generate request.model: values in the contract only: classic"},
			"enum: [classic, modern]",
		},
		{
			"no list of values", "\n    PhotoModel:", "enum:", "x-enum:",
			[]string{"compatible: POST /v2/photo_avatar/photo/generate request.model: values listed in the contract only"},
			"enum: [classic, modern]",
		},
		{
			"an added field of a response", "\n    Music:", "properties:\n", "properties:\n        mood: {type: string}\n",
			[]string{"compatible: GET /v2/musics response.data.music[].mood: in the published document only"},
			"items: {$ref: '#/components/schemas/Music'}",
		},
		{
			"a removed field of a response", "\n    Music:", "        name:", "        title:",
			[]string{
				"breaking: GET /v2/musics response.data.music[].name: in the contract only",
				"compatible: GET /v2/musics response.data.music[].title: in the published document only",
			},
			"name: {type: string, description: The name of the music.}",
		},
		{
			"a field of a response that became an object", "\n    Music:", "name: {type: string", "name: {type: object",
			[]string{"breaking: GET /v2/musics response.data.music[].name: type string in the contract, object in the published document"},
			"name: {type: string, description: The name of the music.}",
		},
		{
			"a number of a response that became an integer", "\n    Music:", "type: number", "type: integer",
			[]string{"compatible: GET /v2/musics response.data.music[].duration: type number in the contract, integer in the published document"},
			"duration: {type: number, description: 'The length of the music, in seconds.'}",
		},
		{
			"a field of a response that may be null", "\n    Music:", "name: {type: string", "name: {type: [string, 'null']",
			[]string{"breaking: GET /v2/musics response.data.music[].name: null in the published document only"},
			"name: {type: string, description: The name of the music.}",
		},
		{
			"a list of a response that became an object", "\n    MusicList:", "type: array", "type: object",
			[]string{"breaking: GET /v2/musics response.data.music: type array in the contract, object in the published document"},
			"type: array",
		},
		{"nothing", "", "", "", nil, ""},
		{
			"a success with another status", "operationId: listMusic", "'200':", "'201':",
			[]string{
				"breaking: GET /v2/musics response: in the contract only",
				"compatible: GET /v2/musics response 201: in the published document only",
			},
			"allOf:",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			published := contractPath
			if test.old != test.new {
				published = replaced(t, test.anchor, test.old, test.new)
			}
			lines, places := differences(t, published, contractPath, emptyRecord)
			slices.Sort(lines)
			slices.Sort(test.want)
			if !slices.Equal(lines, test.want) {
				t.Errorf("reported\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(test.want, "\n"))
			}
			if test.place != "" && (len(places) == 0 || places[0] != test.place) {
				t.Errorf("the places are %q, the first should be %q", places, test.place)
			}
		})
	}
}

func TestValuesOfASharedSchemaAreReportedForEachOperation(t *testing.T) {
	lines, places := differences(t, replaced(t, "\n    Gender:", "[female, male]", "[female, male, other]"), contractPath, emptyRecord)
	for i, line := range lines {
		if !strings.HasSuffix(line, ": values in the published document only: other") || places[i] != "enum: [female, male]" {
			t.Errorf("%s at %s", line, places[i])
		}
	}
	if len(lines) != 5 { // two parameters and three response fields
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	if !slices.IsSorted(lines) {
		t.Errorf("not grouped by operation:\n%s", strings.Join(lines, "\n"))
	}
}

func TestBreakingDifferencesComeFirst(t *testing.T) {
	text := readFile(t, contractPath)
	for _, change := range [][2]string{
		{"enum: [classic, modern]", "enum: [modern, new]"},
		{"/v2/musics:", "/v2/a_list_of_songs:"},
		{"        file_size: {type: integer, format: int64, minimum: 1,", "        file_size: {type: integer, minimum: 0,"},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("the contract has no %q", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	lines, _ := differences(t, write(t, "published.yaml", text), contractPath, emptyRecord)
	want := []string{
		"breaking: GET /v2/musics: in the contract only",
		"breaking: POST /v2/photo_avatar/photo/generate request.model: values in the contract only: classic",
		"compatible: POST /v2/photo_avatar/photo/generate request.model: values in the published document only: new",
		"compatible: GET /v2/a_list_of_songs: in the published document only",
		"compatible: POST /v2/upload/asset request.file_size: minimum 1 in the contract, 0 in the published document",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("reported\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestProseIsIgnored(t *testing.T) {
	text := readFile(t, contractPath)
	for _, change := range [][2]string{
		{"summary: List background music", "summary: Songs"},
		{"operationId: listMusic", "operationId: getMusics"},
		{"description: Identifies the music.}", "description: The id., example: 12, title: Id}"},
		{"/v2/avatar_video/{id}:", "/v2/avatar_video/{video_id}:"},
		{"      - name: id\n", "      - name: video_id\n"},
		{"type: integer, format: int64, description: Identifies the style.", "type: integer, format: int32"},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("the contract has no %q", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	text = strings.ReplaceAll(text, "tags: [Asset]", "tags: [Things]")
	if lines, _ := differences(t, write(t, "published.yaml", text), contractPath, emptyRecord); len(lines) > 0 {
		t.Errorf("reported:\n%s", strings.Join(lines, "\n"))
	}
}

// contractOf returns a document with one operation, whose response has a field with the schema.
func contractOf(version, schema, components string) string {
	return fmt.Sprintf(`openapi: %s
paths:
  /v2/thing:
    get:
      responses:
        '200':
          content:
            application/json:
              schema:
                type: object
                properties:
                  field: %s
components: {schemas: {%s}}
`, version, schema, components)
}

func TestEquivalentSchemasAreEqual(t *testing.T) {
	for name, test := range map[string]struct {
		old, oldComponents, new, newComponents string
	}{
		"nullable":              {"{type: string, nullable: true}", "", "{type: [string, 'null']}", ""},
		"nullable reference":    {"{nullable: true, allOf: [{$ref: '#/components/schemas/A'}]}", "A: {type: string}", "{anyOf: [{$ref: '#/components/schemas/A'}, {type: 'null'}]}", "A: {type: string}"},
		"named and not":         {"{type: object, properties: {a: {type: string}}}", "", "{$ref: '#/components/schemas/A'}", "A: {type: object, properties: {a: {type: string}}}"},
		"parts and whole":       {"{allOf: [{$ref: '#/components/schemas/A'}, {required: [a]}]}", "A: {properties: {a: {type: string}}}", "{type: object, required: [a], properties: {a: {type: string}}}", ""},
		"exclusive minimum":     {"{type: number, minimum: 0, exclusiveMinimum: true}", "", "{type: number, exclusiveMinimum: 0}", ""},
		"inclusive maximum":     {"{type: number, maximum: 5, exclusiveMaximum: false}", "", "{type: number, maximum: 5.0}", ""},
		"one value":             {"{type: string, enum: [a]}", "", "{type: string, const: a}", ""},
		"order of values":       {"{type: string, enum: [b, a]}", "", "{type: string, enum: [a, b]}", ""},
		"null among values":     {"{type: string, nullable: true, enum: [a, null]}", "", "{type: [string, 'null'], enum: [a, null]}", ""},
		"either of two types":   {"{anyOf: [{type: string}, {type: integer}]}", "", "{type: [integer, string]}", ""},
		"chain of references":   {"{$ref: '#/components/schemas/A'}", "A: {$ref: '#/components/schemas/B'}, B: {type: string}", "{type: string}", ""},
		"reference and sibling": {"{$ref: '#/components/schemas/A', maxLength: 3}", "A: {type: string}", "{type: string}", ""},
		"contains itself":       {"{$ref: '#/components/schemas/A'}", "A: {properties: {a: {$ref: '#/components/schemas/A'}}}", "{$ref: '#/components/schemas/B'}", "B: {properties: {a: {$ref: '#/components/schemas/B'}}}"},
		"further fields":        {"{type: object, additionalProperties: {type: string}}", "", "{$ref: '#/components/schemas/A'}", "A: {type: object, additionalProperties: {type: string}}"},
		"any further fields":    {"{type: object, additionalProperties: true}", "", "{type: object}", ""},
		"anchor":                {"&a {type: string}", "", "{type: string}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			published := write(t, "published.yaml", contractOf("3.0.3", test.old, test.oldComponents))
			contract := write(t, "contract.yaml", contractOf("3.1.0", test.new, test.newComponents))
			if lines, _ := differences(t, published, contract, emptyRecord); len(lines) > 0 {
				t.Errorf("reported:\n%s", strings.Join(lines, "\n"))
			}
		})
	}
}

func TestSiblingsOfAReferenceCountSinceOpenAPI31(t *testing.T) {
	published := write(t, "published.yaml", contractOf("3.1.0", "{$ref: '#/components/schemas/A', maxLength: 3}", "A: {type: string}"))
	contract := write(t, "contract.yaml", contractOf("3.1.0", "{type: string}", ""))
	want := "compatible: GET /v2/thing response.field: maxLength none in the contract, 3 in the published document"
	if lines, _ := differences(t, published, contract, emptyRecord); len(lines) != 1 || lines[0] != want {
		t.Errorf("reported %q, want %q", lines, want)
	}
}

func TestPathOfTheServerURLIsPartOfThePath(t *testing.T) {
	text := "servers: [{url: https://api.example/v2/}]\n" + strings.Replace(contractOf("3.1.0", "{type: string}", ""), "/v2/thing", "/thing", 1)
	contract := write(t, "contract.yaml", contractOf("3.1.0", "{type: string}", ""))
	if lines, _ := differences(t, write(t, "published.yaml", text), contract, emptyRecord); len(lines) > 0 {
		t.Errorf("reported:\n%s", strings.Join(lines, "\n"))
	}
}

func TestPathPrefixesAreMapped(t *testing.T) {
	published := write(t, "published.yaml", strings.Replace(contractOf("3.1.0", "{type: string}", ""), "/v2/thing", "/open/v2/thing", 1))
	contract := write(t, "contract.yaml", contractOf("3.1.0", "{type: string}", ""))
	record := emptyRecord + "paths: [{published: /open/v2/, contract: /v2/, reason: behind it}]\n"
	if lines, _ := differences(t, published, contract, record); len(lines) > 0 {
		t.Errorf("reported:\n%s", strings.Join(lines, "\n"))
	}
}

func TestIntentionalDifferencesAreNotReported(t *testing.T) {
	published := replaced(t, "\n    Gender:", "[female, male]", "[female, male, other]")
	record := emptyRecord + `differences:
- {where: 'GET /v2/voices*', what: 'values in the published document only: *', reason: a test}
- {where: '* response.data.avatars[].gender', what: 'values in the published document only: other', reason: a test}
- {where: 'GET /v2/musics', what: in the contract only, reason: a test}
`
	lines, _ := differences(t, published, contractPath, record)
	want := []string{
		"compatible: GET /v2/avatars/public query parameter gender: values in the published document only: other",
		"this difference no longer exists: GET /v2/musics: in the contract only",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("reported\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestInvalidRecordsAreRejected(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no reason":        {emptyRecord + "differences:\n- {where: a, what: b}\n", "line 3: an entry needs where, what and reason"},
		"misspelled field": {emptyRecord + "differences:\n- {where: a, what: b, because: c}\n", "line 3: unknown key because"},
		"unknown part":     {emptyRecord + "difference: []\n", "difference"},
		"no document":      {"differences: []\n", "needs a date"},
	} {
		if _, err := readRecord(write(t, "upstream.yaml", test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

// The published document is not available to compare with, but the contract can be checked for what the entries refer to.
func TestEntriesOfTheRecordMatchTheContract(t *testing.T) {
	record, err := readRecord(upstreamPath)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := operations(t.Context(), contractPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(ours.all) < record.Document.Operations {
		t.Errorf("the contract has %d operations, but the document %d", len(ours.all), record.Document.Operations)
	}
	var places []string
	for _, o := range ours.all {
		for _, fact := range o.describe(o.name+" ", true) {
			place, _, _ := strings.Cut(fact, ": ")
			places = append(places, place)
		}
	}
	for _, e := range record.Differences {
		if where := pattern(e.Where); !slices.ContainsFunc(places, where.MatchString) {
			t.Errorf("%s:%d: the contract has no %s", upstreamPath, e.line, e.Where)
		}
	}
}

func TestErrorsInDocumentsHaveLineAndColumn(t *testing.T) {
	operation := "paths:\n  /x:\n    get:\n      responses:\n        '200': "
	for name, test := range map[string]struct{ text, want string }{
		"broken YAML":            {"openapi: 3.1.0\npaths:\n  /x: [\n", "line 4, column 1: "},
		"broken JSON":            {"{\"openapi\": \"3.1.0\",\n \"paths\": {}x}", "line 2, column 13: "},
		"a list":                 {"- a\n", "line 1, column 1: it does not begin with an object"},
		"nothing":                {"", "it does not begin with an object"},
		"not OpenAPI":            {"a: b\n", "line 1, column 1: it has no openapi"},
		"Swagger":                {"openapi: 2.0.0\n", "line 1, column 10: openapi is 2.0.0"},
		"no operation":           {"openapi: 3.1.0\npaths: {}\n", "line 1, column 1: it describes no operation"},
		"path without operation": {"openapi: 3.1.0\npaths: {/x: {summary: none}}\n", "it describes no operation"},
		"dangling reference":     {"openapi: 3.1.0\n" + operation + "{$ref: '#/a/b'}\n", `line 6, column 23: the reference "#/a/b" has no target`},
		"reference to itself":    {"openapi: 3.1.0\n" + operation + "{$ref: '#/paths/~1x/get/responses/200'}\n", "does not end within 50 steps"},
		"reference to the net":   {"openapi: 3.1.0\n" + operation + "{$ref: 'https://example.com/a'}\n", "can only refer to files beside it"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			path := write(t, "published.yaml", test.text)
			_, err := drift(t.Context(), &out, path, contractPath, write(t, "upstream.yaml", emptyRecord), nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with %q that names the document", err, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("printed %s", &out)
			}
		})
	}
}

func TestDocumentsAndTheirReferencesAreReadFromURLs(t *testing.T) {
	elsewhere := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v2/openapi.yaml":
			fmt.Fprint(w, contractOf("3.1.0", "{$ref: 'schemas/field.yaml#/Field'}", ""))
		case "/v2/schemas/field.yaml":
			fmt.Fprint(w, "Field: {$ref: '#/Other'}\nOther: {type: string}\n")
		case "/elsewhere.yaml":
			fmt.Fprint(w, contractOf("3.1.0", "{$ref: '"+elsewhere+"/v2/schemas/field.yaml'}", ""))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	elsewhere = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	contract := write(t, "contract.yaml", contractOf("3.1.0", "{type: string}", ""))
	if lines, _ := differences(t, server.URL+"/v2/openapi.yaml", contract, emptyRecord); len(lines) > 0 {
		t.Errorf("reported:\n%s", strings.Join(lines, "\n"))
	}
	for path, want := range map[string]string{"/none.yaml": "404 Not Found", "/elsewhere.yaml": "leads to another host"} {
		_, err := operations(t.Context(), server.URL+path, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", path, err, want)
		}
	}
}

func TestEventTypesOfTheServiceAreCompared(t *testing.T) {
	text := readFile(t, contractPath)
	_, list, _ := strings.Cut(text, "    EventType:\n")
	_, list, _ = strings.Cut(list, "      enum:\n")
	list, _, _ = strings.Cut(list, "    Gender:")
	names := strings.Fields(strings.ReplaceAll(list, "- ", " "))
	for name, test := range map[string]struct {
		listed []string
		want   []string
	}{
		"the same": {names, nil},
		"one more": {
			append([]string{"generated_song_success"}, names...),
			[]string{"compatible: GET /v2/events event types: generated_song_success is listed by the service only"},
		},
		"one less": {names[1:], []string{"breaking: GET /v2/events event types: " + names[0] + " is not listed by the service"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/events" || r.Header.Get("X-Api-Key") != "key" {
					http.NotFound(w, r)
					return
				}
				fmt.Fprintf(w, `{"code":0,"data":{"events":["%s"]}}`, strings.Join(test.listed, `","`))
			}))
			defer server.Close()
			var out bytes.Buffer
			record := write(t, "upstream.yaml", emptyRecord)
			count, err := drift(t.Context(), &out, contractPath, contractPath, record, listedEvents("key", jogg.WithBaseURL(server.URL)))
			if err != nil {
				t.Fatal(err)
			}
			if count != len(test.want) {
				t.Errorf("%d lines:\n%s", count, &out)
			}
			for _, line := range test.want {
				if !strings.Contains(out.String(), line+"\n") {
					t.Errorf("reported\n%s\nwant\n%s", &out, line)
				}
			}
		})
	}
}

func TestWithoutAKeyTheServiceIsNotCalled(t *testing.T) {
	if listedEvents("") != nil {
		t.Error("the service would be called without a key")
	}
	record := emptyRecord + "differences: [{where: 'GET /v2/events event types', what: '*', reason: a test}]\n"
	if lines, _ := differences(t, contractPath, contractPath, record); len(lines) > 0 {
		t.Errorf("an entry about the service counts as obsolete although the service was not called:\n%s", strings.Join(lines, "\n"))
	}
}

func TestFailureOfTheServiceIsAnError(t *testing.T) {
	broken := func(context.Context) ([]string, error) { return nil, errors.New("no response") }
	_, err := drift(t.Context(), &bytes.Buffer{}, contractPath, contractPath, write(t, "upstream.yaml", emptyRecord), broken)
	if err == nil || !strings.Contains(err.Error(), "no response") {
		t.Errorf("error %v", err)
	}
}

func TestFactsDoNotDependOnProse(t *testing.T) {
	digestOf := func(text string) string {
		set, err := operations(t.Context(), write(t, "document.yaml", text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return digest(set)
	}
	document := contractOf("3.0.1", "{type: string, nullable: true, description: A field.}", "")
	if digestOf(document) != digestOf(strings.Replace(document, "A field.", "Another.", 1)) {
		t.Error("the digest depends on a description")
	}
	if digestOf(document) == digestOf(strings.Replace(document, "type: string", "type: integer", 1)) {
		t.Error("the digest does not depend on a type")
	}
}
