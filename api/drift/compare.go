package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// difference is a difference between the contract and a published document.
type difference struct {
	operation string // such as "GET /v2/musics"
	place     string // such as "response.data.music[].id"; "" is the whole operation
	what      string // the difference, in the words that api/upstream.yaml uses
	breaks    bool   // whether it can break callers that follow the contract
	line      int    // line of the contract to edit
}

// where returns the operation and the place, in the form of api/upstream.yaml.
func (d difference) where() string { return strings.TrimSpace(d.operation + " " + d.place) }

// compare returns the differences between the contract and a published document.
func compare(ours, theirs *operationSet) []difference {
	c := &comparison{}
	for _, key := range keys(ours.all) {
		c.operation = ours.all[key].name
		if published := theirs.all[key]; published != nil {
			c.children("", ours.all[key].shape, published.shape)
		} else {
			c.found("", onlyContract, true, ours.all[key].line)
		}
	}
	for _, key := range keys(theirs.all) {
		if ours.all[key] == nil {
			c.operation = theirs.all[key].name
			c.found("", onlyPublished, false, ours.line)
		}
	}
	return c.differences
}

// comparison collects the differences. operation is the current operation.
type comparison struct {
	operation   string
	differences []difference
}

func (c *comparison) found(place, what string, breaks bool, line int) {
	c.differences = append(c.differences, difference{c.operation, place, what, breaks, line})
}

const (
	onlyContract  = "in the contract only"
	onlyPublished = "in the published document only"
)

// isResponse reports whether a place is in a response rather than in a request. In a response, the service may send less than the contract
// allows; in a request, it may accept more.
func isResponse(place string) bool { return strings.HasPrefix(place, "response") }

// children compares the children of two shapes.
func (c *comparison) children(place string, ours, theirs *shape) {
	for _, name := range keys(ours.children) {
		mine, published := ours.children[name], theirs.children[name]
		at := place + name
		if published == nil {
			// A response will not have the undocumented field, and the service may reject or ignore it in a request.
			c.found(at, onlyContract, true, mine.line)
			continue
		}
		if mine.required != published.required {
			what := "required " + onlyContract
			if published.required {
				what = "required " + onlyPublished
			}
			line := mine.line
			if required := ours.lines["required"]; required > 0 {
				line = required
			} else if required := mine.lines["required"]; required > 0 && place == "" {
				line = required
			}
			c.found(at, what, published.required != isResponse(at), line)
		}
		c.value(at, mine.shape, published.shape)
		c.children(at, mine.shape, published.shape)
	}
	for _, name := range keys(theirs.children) {
		if ours.children[name] == nil {
			at := place + name
			c.found(at, onlyPublished, theirs.children[name].required && !isResponse(at), ours.line)
		}
	}
}

// value compares two shapes without their children.
func (c *comparison) value(at string, ours, theirs *shape) {
	response := isResponse(at)
	if a, b := strings.Join(ours.types, " or "), strings.Join(theirs.types, " or "); a != b {
		from, to := ours, theirs // the receiver must accept what the sender sends
		if response {
			from, to = theirs, ours
		}
		what := fmt.Sprintf("type %s in the contract, %s in the published document", cmp.Or(a, "open"), cmp.Or(b, "open"))
		c.found(at, what, !accepts(to.types, from.types), ours.lineOf("type"))
	}
	if ours.nullable != theirs.nullable {
		what := "null " + onlyContract
		if theirs.nullable {
			what = "null " + onlyPublished
		}
		c.found(at, what, theirs.nullable == response, ours.lineOf("type"))
	}
	c.enumeration(at, ours, theirs)
	for _, keyword := range keys(union(ours.facts, theirs.facts)) {
		a, b := ours.facts[keyword], theirs.facts[keyword]
		if a == b {
			continue
		}
		what := fmt.Sprintf("%s %s in the contract, %s in the published document", keyword, cmp.Or(a, "none"), cmp.Or(b, "none"))
		// A new or different limit can reject what the contract allows.
		c.found(at, what, !response && b != "" && !looser(keyword, a, b), ours.lineOf(keyword))
	}
}

func (c *comparison) enumeration(at string, ours, theirs *shape) {
	line := ours.lineOf("enum")
	switch {
	case ours.listed && !theirs.listed:
		c.found(at, "values listed "+onlyContract, false, line)
	case !ours.listed && theirs.listed:
		c.found(at, "values listed "+onlyPublished+": "+strings.Join(theirs.enum, ", "), !isResponse(at), line)
	default:
		if more := without(ours.enum, theirs.enum); len(more) > 0 {
			c.found(at, "values "+onlyContract+": "+strings.Join(more, ", "), !isResponse(at), line)
		}
		if more := without(theirs.enum, ours.enum); len(more) > 0 {
			c.found(at, "values "+onlyPublished+": "+strings.Join(more, ", "), false, line) // enumerations are open
		}
	}
}

// accepts reports whether each of the types in sent fits one of the types in accepted.
func accepts(accepted, sent []string) bool {
	if len(accepted) == 0 {
		return true
	}
	for _, name := range sent {
		if !slices.Contains(accepted, name) && (name != "integer" || !slices.Contains(accepted, "number")) {
			return false
		}
	}
	return len(sent) > 0
}

// looser reports whether a published limit, which is not empty, allows more than the limit of the contract.
func looser(keyword, ours, published string) bool {
	if ours == "" {
		return keyword == "format" || keyword == "default"
	}
	switch order := compareNumbers(ours, published); keyword {
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties":
		return order > 0
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties":
		return order < 0
	default:
		return false
	}
}

func compareNumbers(a, b string) int {
	var x, y float64
	_, _ = fmt.Sscan(a, &x)
	_, _ = fmt.Sscan(b, &y)
	return cmp.Compare(x, y)
}

func union(a, b map[string]string) map[string]bool {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	return names
}

// without returns the elements of all that are not in known.
func without(all, known []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(known, s) })
}

// report writes the differences grouped by operation. Breaking differences come first.
func report(out io.Writer, contract string, differences []difference) {
	broken := map[string]bool{}
	for _, d := range differences {
		broken[d.operation] = broken[d.operation] || d.breaks
	}
	first := func(yes bool) int {
		if yes {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(differences, func(a, b difference) int {
		return cmp.Or(
			cmp.Compare(first(broken[a.operation]), first(broken[b.operation])), cmp.Compare(a.operation, b.operation),
			cmp.Compare(first(a.breaks), first(b.breaks)), cmp.Compare(a.place, b.place), cmp.Compare(a.what, b.what))
	})
	for _, d := range differences {
		effect := "compatible"
		if d.breaks {
			effect = "breaking"
		}
		fmt.Fprintf(out, "%s:%d: %s: %s: %s\n", contract, d.line, effect, d.where(), d.what)
	}
}
