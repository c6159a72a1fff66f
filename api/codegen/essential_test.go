package main

import (
	"strings"
	"testing"
)

// ordering returns a POST whose response has the schema as its data.
func ordering(id, data string) string {
	return strings.Replace(operation("/v2/order", id, data, ""), "get:", "post:", 1)
}

func TestEssentials(t *testing.T) {
	reading := operation("/v2/thing/{thing_id}", "getThing", "Thing", byPath)
	const thing = "    Thing: {type: object, properties: {status: {type: string}}}\n"
	for name, c := range map[string]struct{ paths, schemas, want string }{
		"the ID by which a GET reads": {
			ordering("createThing", "Order") + reading, thing + "    Order: {type: object, properties: {thing_id: {type: string}, other_id: {type: string}}}\n",
			`case "CreateThing": v, ok := content.(*gen.Order) switch { case !ok: return nil case v.ThingID == "": return []string{"thing_id"} } }`,
		},
		"one of the IDs by which GETs read": {
			ordering("createThing", "Order") + reading +
				strings.NewReplacer("/thing/", "/part/", "getThing", "getPart", "thing_id", "part_id").Replace(reading),
			thing + "    Order: {type: object, properties: {thing_id: {type: string}, part_id: {type: integer}}}\n",
			`case v.PartID == 0 && v.ThingID == "": return []string{"part_id", "thing_id"}`,
		},
		"IDs in parts of a response": {
			ordering("createThing", "Order") + reading,
			thing + `    Order: {allOf: [{type: object, properties: {thing_id: {type: string}}}, {type: object, properties: {name: {type: string}}}]}
`, `case v.ThingID == "": return []string{"thing_id"}`,
		},
		"what the contract names, each or one of several": {
			ordering("createThing", "Order"),
			"    Order: {type: object, x-jogg-required: [a, [b, c]], properties: {a: {type: string}, b: {type: array, items: {type: string}}, c: {type: number}}}\n",
			`case v.A == "": return []string{"a"} case len(v.B) == 0 && v.C == 0: return []string{"b", "c"}`,
		},
		"nothing where the contract says so": {
			ordering("createThing", "Order") + reading,
			thing + "    Order: {type: object, x-jogg-required: [], properties: {thing_id: {type: string}}}\n",
			`func lacking(operation string, content any) []string { switch operation { } return nil }`,
		},
		"nothing of a response that may have any field": {
			ordering("createThing", "Order") + reading,
			thing + "    Order: {type: object, properties: {thing_id: {type: string}}, additionalProperties: {type: string}}\n",
			`func lacking(operation string, content any) []string { switch operation { } return nil }`,
		},
		"nothing of a response to a GET": {
			reading, "    Thing: {type: object, properties: {thing_id: {type: string}}}\n", `func lacking(operation string, content any) []string { switch operation { }`,
		},
		"the one array of a list": {
			operation("/v2/things", "listThings", "Things", ""), "    Things: {type: object, properties: {total: {type: integer}, things: {type: array, items: {type: string}}}}\n",
			`case "ListThings": return "things"`,
		},
		"the array that the contract names": {
			operation("/v2/things", "listThings", "Things", "      x-jogg-list: {items: b}"),
			"    Things: {type: object, properties: {a: {type: array, items: {type: string}}, b: {type: array, items: {type: string}}}}\n",
			`case "ListThings": return "b"`,
		},
		"neither of two arrays": {
			operation("/v2/things", "listThings", "Things", ""),
			"    Things: {type: object, properties: {a: {type: array, items: {type: string}}, b: {type: array, items: {type: string}}}}\n",
			`func itemsOf(operation string) string { switch operation { default: return "" } }`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := generated(t, "essential", c.paths, c.schemas)
			if err != nil {
				t.Fatal(err)
			}
			if oneLine := strings.Join(strings.Fields(code), " "); !strings.Contains(oneLine, c.want) {
				t.Errorf("generated\n%s\nwant %s", oneLine, c.want)
			}
		})
	}
}

func TestErrorsInRequiredFieldsAreReported(t *testing.T) {
	for key, want := range map[string]string{
		"[nothing]":     `createThing: x-jogg-required names "nothing", which is not a field of the response`,
		"[part]":        `createThing: x-jogg-required names "part", which is not a string, a number or a list`,
		"a":             "createThing: x-jogg-required must be a list of fields, or of lists of fields of which one is required",
		"[a, [1]]":      "createThing: x-jogg-required must be a list of fields, or of lists of fields of which one is required",
		"{a: required}": "createThing: x-jogg-required must be a list of fields, or of lists of fields of which one is required",
	} {
		t.Run(key, func(t *testing.T) {
			_, err := generated(t, "essential", ordering("createThing", "Order"),
				"    Order: {type: object, x-jogg-required: "+key+", properties: {a: {type: string}, part: {type: object, properties: {a: {type: string}}}}}\n")
			if err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}

func TestOptionalFieldsHaveOmitZeroOnly(t *testing.T) {
	code, err := generated(t, "models", operation("/v2/thing", "getThing", "Thing", ""),
		`    Thing: {type: object, required: [all], properties: {all: {type: array, items: {type: string}}, some: {type: array, items: {type: string}},
      flag: {type: boolean, x-go-type-skip-optional-pointer: false}, kind: {$ref: '#/components/schemas/TaskStatus', x-go-type-skip-optional-pointer: false}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	oneLine := strings.Join(strings.Fields(code), " ")
	for _, want := range []string{
		"All []string `json:\"all\"`", "Some []string `json:\"some,omitzero\"`", "Flag *bool `json:\"flag,omitzero\"`", "Kind *TaskStatus `json:\"kind,omitzero\"`",
	} {
		if !strings.Contains(oneLine, want) {
			t.Errorf("generated\n%s\nwant %s", oneLine, want)
		}
	}
}
