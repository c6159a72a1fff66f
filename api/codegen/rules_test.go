package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// small is a contract template that paths and schemas are added to.
const small = `openapi: 3.1.0
info: {title: Small, version: '1'}
paths:
%PATHS%
components:
  schemas:
    Envelope: {type: object, properties: {code: {type: integer}}}
    TaskStatus: {type: string, enum: [pending, completed]}
    TaskFailure: {type: object, properties: {code: {type: string}, message: {type: string}}}
%SCHEMAS%
`

// operation returns a path with a GET whose response has the schema data as its data. more is added to the operation.
func operation(path, id, data, more string) string {
	return `  ` + path + `:
    get:
      operationId: ` + id + `
      summary: List somethings
      description: Returns something.
` + more + `
      responses:
        '200':
          description: The thing and its status.
          content:
            application/json:
              schema:
                allOf:
                - {$ref: '#/components/schemas/Envelope'}
                - {type: object, properties: {data: {anyOf: [{$ref: '#/components/schemas/` + data + `'}, {type: 'null'}]}}}
`
}

const (
	byPath = `      parameters: [{name: thing_id, in: path, required: true, description: 'Identifies the thing; getOther returns it.', schema: {type: string}}]`
	paged  = `      parameters: [{name: page, in: query, schema: {type: integer}}, {name: page_size, in: query, schema: {type: integer}}]`
)

// generated runs one of the configs on the small contract, for an otherwise empty directory.
func generated(t *testing.T, config, paths, schemas string) (string, error) {
	t.Helper()
	contract := filepath.Join(t.TempDir(), "openapi.yaml")
	text := strings.NewReplacer("%PATHS%\n", paths, "%SCHEMAS%\n", schemas).Replace(small)
	if err := os.WriteFile(contract, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir("../..")
	code, err := generate("api/"+config+".config.yaml", contract, t.TempDir())
	return string(code), err
}

// methodLine matches the declaration of a method.
var methodLine = regexp.MustCompile(`(?m)^func \(c \*Client\) (.*) \{$`)

func declared(code string) []string {
	var methods []string
	for _, found := range methodLine.FindAllStringSubmatch(code, -1) {
		methods = append(methods, found[1])
	}
	return methods
}

func TestWaitMethods(t *testing.T) {
	const thing = `    Thing: {type: object, properties: {status: {$ref: '#/components/schemas/TaskStatus'}%MORE%}}
`
	with := func(fields string) string { return strings.Replace(thing, "%MORE%", fields, 1) }
	for name, c := range map[string]struct {
		paths, schemas string
		methods        []string
		contains       string
	}{
		"an operation that reads by the one ID in its path": {
			paths: operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath), schemas: with(""),
			methods:  []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"},
			contains: "return v.Status, gen.TaskFailure{}",
		},
		"an operation that reads by a number": {
			paths:   operation("/v2/thing/{thing_id}", "getThing", "Thing", strings.Replace(byPath, "string", "integer, format: int64", 1)),
			schemas: with(""), methods: []string{"WaitThing(ctx context.Context, id int64, opts ...WaitOption) (*gen.Thing, error)"},
			contains: "c.GetThing, func",
		},
		"an operation that reads by the one query parameter it must have": {
			paths: operation("/v2/thing", "getThing", "Thing",
				`      parameters: [{name: thing_id, in: query, required: true, schema: {type: string}}, {name: lang, in: query, schema: {type: string}}]`),
			schemas: with(""), methods: []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"},
			contains: "c.GetThing(ctx, gen.GetThingParams{ThingID: id}, opts...)",
		},
		"an ID in the path with an optional query": {
			paths: operation("/v2/thing/{id}", "getThing", "Thing",
				`      parameters: [{name: id, in: path, required: true, schema: {type: string}}, {name: lang, in: query, schema: {type: string}}]`),
			schemas: with(""), methods: []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"},
			contains: "c.GetThing(ctx, id, gen.GetThingParams{}, opts...)",
		},
		"an operation without get in its name": {
			paths: operation("/v2/thing/{thing_id}", "readThing", "Thing", byPath), schemas: with(""),
			methods: []string{"WaitReadThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"},
		},
		"a status that can be null": {
			paths: operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath),
			schemas: `    Thing: {type: object, properties: {state: {anyOf: [{$ref: '#/components/schemas/TaskStatus'}, {type: 'null'}]}}}
`,
			methods:  []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"},
			contains: "return v.State, ",
		},
		"a reason in an object": {
			paths:   operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath),
			schemas: with(`, cause: {anyOf: [{$ref: '#/components/schemas/TaskFailure'}, {type: 'null'}]}`),
			methods: []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"}, contains: "return v.Status, v.Cause\n",
		},
		"a reason in a string": {
			paths: operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath), schemas: with(`, fail_msg: {type: [string, 'null']}`),
			methods:  []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"},
			contains: "return v.Status, gen.TaskFailure{Message: v.FailMsg}\n",
		},
		"a reason in several places": {
			paths:    operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath),
			schemas:  with(`, msg: {type: string}, err_msg: {type: string}, error: {$ref: '#/components/schemas/TaskFailure'}`),
			methods:  []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"},
			contains: "return v.Status, cmp.Or(v.Error, gen.TaskFailure{Message: v.ErrMsg}, gen.TaskFailure{Message: v.Msg})\n",
		},
		"a reason among unlisted fields": {
			paths:    operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath),
			schemas:  strings.Replace(with(`, msg: {type: string}`), "}}}\n", "}}, additionalProperties: {x-go-type: json.RawMessage}}\n", 1),
			methods:  []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"},
			contains: `return v.Status, cmp.Or(gen.TaskFailure{Message: v.Msg}, reasonAmong(v.AdditionalProperties, "error", "err_msg", `,
		},
		"one of several statuses": {
			paths:   operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath+"\n      x-jogg-wait: {status: status}"),
			schemas: with(`, audio_status: {$ref: '#/components/schemas/TaskStatus'}`),
			methods: []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"}, contains: "return v.Status, ",
		},
		"a batch": {
			paths: operation("/v2/batch/{thing_id}", "getBatch", "Batch", byPath+"\n      x-jogg-wait: {items: things, total: count.all}"),
			schemas: with(`, msg: {type: string}`) + `    Batch: {type: object, properties: {
      things: {type: array, items: {$ref: '#/components/schemas/Thing'}}, count: {type: object, properties: {all: {type: integer}}}}}
`,
			methods:  []string{"WaitBatch(ctx context.Context, id string, opts ...WaitOption) (*gen.Batch, error)"},
			contains: "batchStatus(v.Things, int(v.Count.All), func(v *gen.Thing) (gen.TaskStatus, gen.TaskFailure) {\n\t\t\treturn v.Status, gen.TaskFailure{Message: v.Msg}",
		},
		"the Go names of operations in the ID's description": {
			paths:   operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath) + operation("/v2/other", "getOther", "Envelope", ""),
			schemas: with(""), methods: []string{"WaitThing(ctx context.Context, id string, opts ...WaitOption) (*gen.Thing, error)"},
			contains: "GetOther returns it",
		},
		"none for a disabled operation": {
			paths: operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath+"\n      x-jogg-wait: false"), schemas: with(""),
		},
		"none for a response without a status": {
			paths:   operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath),
			schemas: "    Thing: {type: object, properties: {status: {type: string}}}\n",
		},
		"none for an operation with two IDs": {
			paths: operation("/v2/thing/{a}/{b}", "getThing", "Thing",
				`      parameters: [{name: a, in: path, required: true, schema: {type: string}}, {name: b, in: path, required: true, schema: {type: string}}]`),
			schemas: with(""),
		},
		"none for an operation without an ID": {paths: operation("/v2/thing", "getThing", "Thing", ""), schemas: with("")},
		"none for an operation that changes something": {
			paths: strings.Replace(operation("/v2/thing/{thing_id}", "startThing", "Thing", byPath), "get:", "post:", 1), schemas: with(""),
		},
		"none for a parameter that is not an ID": {
			paths:   operation("/v2/thing/{thing_id}", "getThing", "Thing", strings.Replace(byPath, "{type: string}", "{type: string, enum: [a, b]}", 1)),
			schemas: with(""),
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := generated(t, "waits", c.paths, c.schemas)
			if err != nil {
				t.Fatal(err)
			}
			if methods := declared(code); !slices.Equal(methods, c.methods) || !strings.Contains(code, c.contains) {
				t.Errorf("generated %q in\n%s\nwant %q and %q", methods, code, c.methods, c.contains)
			}
		})
	}
}

func TestIterators(t *testing.T) {
	const list = `    Things: {type: object, properties: {things: {type: array, items: {$ref: '#/components/schemas/Thing'}}%MORE%}}
`
	with := func(fields, item string) string {
		return strings.Replace(list, "%MORE%", fields, 1) + "    Thing: {type: object, properties: {" + item + "}}\n"
	}
	const id = `id: {type: integer, format: int64}`
	things := []string{"Things(ctx context.Context, params gen.ListThingsParams, opts ...CallOption) iter.Seq2[gen.Thing, error]"}
	for name, c := range map[string]struct {
		paths, schemas string
		methods        []string
		contains       string
	}{
		"items with an ID": {
			schemas: with("", id+`, other_id: {type: string}`), methods: things, contains: "func(item gen.Thing) int64 { return item.ID }",
		},
		"items with an ID that is named after the list": {
			schemas: with("", `thing_id: {type: string}, other_id: {type: string}`), methods: things,
			contains: "func(item gen.Thing) string { return item.ThingID }",
		},
		"items with one field that ends in _id": {
			schemas: with("", `name: {type: string}, clip_id: {type: string}`), methods: things,
			contains: "func(item gen.Thing) string { return item.ClipID }",
		},
		"items with several fields that end in _id": {
			schemas: with("", `a_id: {type: string}, b_id: {type: string}`), methods: things,
			contains: "func(_ gen.Thing) struct{} { return struct{}{} }",
		},
		"items with an ID that the contract names": {
			paths:   operation("/v2/things", "listThings", "Things", paged+"\n      x-jogg-list: {id: key}"),
			schemas: with("", id+`, key: {type: string}`), methods: things, contains: "return item.Key }",
		},
		"a response that says whether there is more": {
			schemas: with(`, has_more: {type: boolean}`, id), methods: things, contains: `more: []string{"has_more"}`,
		},
		"a response that counts its pages in an object": {
			schemas: with(`, pagination: {type: object, properties: {total_pages: {type: integer}, total_items: {type: integer, format: int64},
      page_size: {type: integer}, has_more: {type: boolean}}}`, id), methods: things,
			contains: "{items: p.Things, pages: int(p.Pagination.TotalPages), total: int64(p.Pagination.TotalItems), size: int(p.Pagination.PageSize)}",
		},
		"a response that counts its items": {
			schemas: with(`, total: {type: integer}, page_size: {type: integer}`, id), methods: things,
			contains: "{items: p.Things, total: int64(p.Total), size: int(p.PageSize)}",
		},
		"one of several lists": {
			paths:   operation("/v2/things", "listThings", "Things", paged+"\n      x-jogg-list: {items: things}"),
			schemas: with(`, extras: {type: array, items: {$ref: '#/components/schemas/Thing'}}`, id), methods: things, contains: "items: p.Things",
		},
		"a list below a path parameter": {
			paths: operation("/v2/thing/{id}/things", "listThings", "Things",
				strings.Replace(paged, "[", "[{name: id, in: path, required: true, schema: {type: string}}, ", 1)),
			schemas: with("", id), methods: []string{"Things(ctx context.Context, id string, params gen.ListThingsParams, opts ...CallOption) iter.Seq2[gen.Thing, error]"},
			contains: "c.ListThings(ctx, id, query, opts...)",
		},
		"none for a disabled operation": {
			paths: operation("/v2/things", "listThings", "Things", paged+"\n      x-jogg-list: false"), schemas: with("", id),
		},
		"none for a response without pages": {paths: operation("/v2/things", "listThings", "Things", ""), schemas: with("", id)},
		"none for a response with two lists": {
			schemas: with(`, extras: {type: array, items: {$ref: '#/components/schemas/Thing'}}`, id),
		},
		"none for a list of strings": {schemas: "    Things: {type: object, properties: {things: {type: array, items: {type: string}}}}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.paths == "" {
				c.paths = operation("/v2/things", "listThings", "Things", paged)
			}
			code, err := generated(t, "lists", c.paths, c.schemas)
			if err != nil {
				t.Fatal(err)
			}
			if methods := declared(code); !slices.Equal(methods, c.methods) || !strings.Contains(code, c.contains) {
				t.Errorf("generated %q in\n%s\nwant %q and %q", methods, code, c.methods, c.contains)
			}
		})
	}
}

func TestFallbacks(t *testing.T) {
	const twoNames = `id: {type: string, x-jogg-fallback: thing_id}, thing_id: {type: string, x-jogg-fallback: id}`
	for name, c := range map[string]struct{ schemas, want string }{
		"fields of a response": {
			"    Answer: {type: object, properties: {" + twoNames + "}}\n",
			"switch v := content.(type) {case *gen.Answer: normalizeAnswer(v) } }" +
				" func normalizeAnswer(v *gen.Answer) { v.ID = cmp.Or(v.ID, v.ThingID) v.ThingID = cmp.Or(v.ThingID, v.ID) }",
		},
		"one direction, of a list": {
			"    Answer: {type: object, properties: {names: {type: array, items: {type: string}, x-jogg-fallback: links}, links: {type: array, items: {type: string}}}}\n",
			"func normalizeAnswer(v *gen.Answer) { if v.Names == nil { v.Names = v.Links } }",
		},
		"fields inside a response": {
			`    Answer: {type: object, properties: {thing: {$ref: '#/components/schemas/Thing'}, things: {type: array, items: {$ref: '#/components/schemas/Thing'}},
      by_name: {type: object, additionalProperties: {$ref: '#/components/schemas/Thing'}}}}
    Thing: {type: object, properties: {` + twoNames + `, parts: {type: array, items: {$ref: '#/components/schemas/Thing'}}}}
`,
			"func normalizeAnswer(v *gen.Answer) { for key, value := range v.ByName { normalizeThing(&value) v.ByName[key] = value }" +
				" normalizeThing(&v.Thing) for i := range v.Things { normalizeThing(&v.Things[i]) } }" +
				" func normalizeThing(v *gen.Thing) { v.ID = cmp.Or(v.ID, v.ThingID) v.ThingID = cmp.Or(v.ThingID, v.ID)" +
				" for i := range v.Parts { normalizeThing(&v.Parts[i]) } }",
		},
		"not fields that no response has": {
			"    Answer: {type: object, properties: {a: {type: string}}}\n    Delivered: {type: object, properties: {a: {type: string, x-jogg-fallback: nothing}}}\n",
			"func normalize(content any) { }",
		},
		"not fields of different types": {
			"    Answer: {type: object, properties: {error: {$ref: '#/components/schemas/TaskFailure', x-jogg-fallback: err_msg}, err_msg: {type: string}}}\n",
			"func normalize(content any) { }",
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := generated(t, "normalize", operation("/v2/answer", "getAnswer", "Answer", ""), c.schemas)
			if err != nil {
				t.Fatal(err)
			}
			oneLine := strings.ReplaceAll(strings.Join(strings.Fields(code), " "), "{ case", "{case")
			if !strings.Contains(oneLine, c.want) {
				t.Errorf("generated\n%s\nwant %s", oneLine, c.want)
			}
		})
	}
}

func TestErrorsInTheContractAreReportedInASentence(t *testing.T) {
	const thing = `    Thing: {type: object, properties: {status: {$ref: '#/components/schemas/TaskStatus'}, audio_status: {$ref: '#/components/schemas/TaskStatus'}}}
`
	const list = `    Things: {type: object, properties: {things: {type: array, items: {type: object, properties: {id: {type: string}}}}}}
`
	wait := func(more string) string { return operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath+more) }
	for name, c := range map[string]struct{ config, paths, schemas, want string }{
		"several statuses": {
			"waits", wait(""), thing,
			"getThing: more than one field of Thing is a TaskStatus; say which one with x-jogg-wait: {status: …}",
		},
		"a missing status": {
			"waits", wait("\n      x-jogg-wait: {status: state}"), thing,
			`getThing: x-jogg-wait names the status "state", but Thing has no such TaskStatus`,
		},
		"missing items": {
			"waits", wait("\n      x-jogg-wait: {items: things}"), thing,
			`getThing: x-jogg-wait names the items "things", but Thing has no list of objects of that name`,
		},
		"items without a status": {
			"waits", operation("/v2/thing/{thing_id}", "getThing", "Things", byPath+"\n      x-jogg-wait: {items: things}"), list,
			`getThing: x-jogg-wait names the items "things", but ThingsThingsItem has no TaskStatus`,
		},
		"a missing total": {
			"waits", operation("/v2/thing/{thing_id}", "getThing", "Batch", byPath+"\n      x-jogg-wait: {items: things, total: count}"),
			"    Batch: {type: object, properties: {things: {type: array, items: {type: object, properties: {status: {$ref: '#/components/schemas/TaskStatus'}}}}}}\n",
			`getThing: x-jogg-wait names the total "count", but Batch has no field "count"`,
		},
		"a misspelled key": {
			"waits", wait("\n      x-jogg-wait: {state: status}"), thing, "getThing: x-jogg-wait must be false or an object with status, items or total",
		},
		"a key without anything to wait for": {
			"waits", operation("/v2/thing", "getThing", "Thing", "      x-jogg-wait: {status: status}"), thing,
			"getThing: x-jogg-wait is on an operation that does not read by one ID",
		},
		"an iterator with the name of its operation": {
			"lists", operation("/v2/things", "searchThings", "Things", paged), list,
			"searchThings returns pages, so its name must begin with list",
		},
		"a missing ID": {
			"lists", operation("/v2/things", "listThings", "Things", paged+"\n      x-jogg-list: {id: key}"), list,
			`listThings: x-jogg-list names the id "key", but ThingsThingsItem has no string or integer of that name`,
		},
		"a key without a list": {
			"lists", operation("/v2/things", "listThings", "Things", "      x-jogg-list: {id: key}"), list,
			"listThings: x-jogg-list is on an operation without the parameters page and page_size, or without such a list",
		},
		"an iterator with the name of an operation": {
			"lists", operation("/v2/things", "listThings", "Things", paged) + operation("/v2/thing", "things", "Envelope", ""), list,
			"the operation things and the iterator of ListThings are both named Things in Go",
		},
		"a Wait method with the name of an operation": {
			"waits", operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath+"\n      x-jogg-wait: {status: status}") +
				operation("/v2/other", "waitThing", "Envelope", ""), thing,
			"the operation waitThing and the Wait method of GetThing are both named WaitThing in Go",
		},
		"a fallback to a missing field": {
			"normalize", operation("/v2/thing", "getThing", "Thing", ""), "    Thing: {type: object, properties: {id: {type: string, x-jogg-fallback: ident}}}\n",
			"Thing.id: x-jogg-fallback names ident, but the object has no such field",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := generated(t, c.config, c.paths, c.schemas)
			if err == nil || !strings.Contains(err.Error(), "openapi.yaml: "+c.want) || strings.Contains(err.Error(), "template") {
				t.Errorf("error %v, want %q and nothing about templates", err, c.want)
			}
		})
	}
}

func TestHandwrittenMethodsKeepTheirNames(t *testing.T) {
	contract := filepath.Join(t.TempDir(), "openapi.yaml")
	text := strings.NewReplacer("%PATHS%\n", operation("/v2/uploads", "upload", "Envelope", ""), "%SCHEMAS%\n", "").Replace(small)
	if err := os.WriteFile(contract, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir("../..")
	_, err := generate("api/waits.config.yaml", contract, ".")
	if err == nil || !strings.Contains(err.Error(), "a method of upload.go and the operation upload are both named Upload in Go") {
		t.Errorf("error %v, want one that names both methods", err)
	}
}
