package simulator

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// identity is what the contract says of an operation between the lines: what it is about, and what it has to do with other operations.
type identity struct {
	data *openapi3.SchemaRef // of the content of a success; nil if it has none

	idParam string   // the parameter that says which thing the operation is about, or ""; see idParameter
	idIn    string   // where it stands: "path", "query" or "body"
	names   []string // the fields in which answers give such an id

	// tracks says that the operation tells how far a task has got, which its id identifies.
	tracks bool
	// creates are the fields of the answer of a POST in which it gives ids that other operations take.
	creates []string
	// starts is the one of those that an operation which tracks tasks takes, or "": then it is no long work.
	starts string
	// created says that some operation gives the ids that this one takes, so that others are unknown.
	hasCreator bool

	paged bool     // it has a parameter page
	list  *listing // nil if it is no list
}

// listing is where a list holds its items.
type listing struct {
	field string              // "" if the content is the list
	items *openapi3.SchemaRef // the schema of one item, or nil
	// holds says that the items are what was created, because they have the field of its id.
	holds bool
}

// identify finds out about all operations. What one is about can depend on all others.
func (c *contract) identify(document *openapi3.T) {
	if status := document.Components.Schemas["TaskStatus"]; status != nil {
		c.taskStatus = status.Value
	}
	if failure := document.Components.Schemas["TaskFailure"]; failure != nil {
		c.taskFailure = failure.Value
	}
	for _, o := range c.operations {
		o.identity = c.identityOf(o)
	}
	for _, o := range c.operations {
		c.nameID(o)
	}
	for _, o := range c.operations {
		c.findCreations(o)
	}
	for _, o := range c.operations {
		for _, creator := range c.operations {
			o.hasCreator = o.hasCreator || o.takes(creator)
			if o.list != nil {
				o.list.holds = o.list.holds || o.listsResourcesOf(creator)
			}
		}
	}
}

// identityOf finds out what an operation says of itself.
func (c *contract) identityOf(o *operation) identity {
	var inferred identity
	inferred.data = contentOf(o)
	inferred.idParam, inferred.idIn = idParameter(o)
	inferred.paged = slices.ContainsFunc(parametersOf(o), func(p *openapi3.Parameter) bool { return p.In == "query" && p.Name == "page" })
	if inferred.paged && o.route.Method == http.MethodGet {
		inferred.idParam, inferred.idIn = "", "" // it is about what a page holds, even if the query must say whose
	}
	if o.route.Method == http.MethodGet && inferred.idParam == "" {
		inferred.list = listingOf(inferred.data)
	}
	inferred.tracks = o.route.Method == http.MethodGet && inferred.idParam != "" && c.hasStatus(o, inferred)
	return inferred
}

// contentOf returns the schema of the content of a success: of data in its envelope.
func contentOf(o *operation) *openapi3.SchemaRef {
	response := o.route.Operation.Responses.Status(o.success)
	if response == nil || response.Value.Content.Get("application/json") == nil {
		return nil
	}
	for _, data := range properties(response.Value.Content.Get("application/json").Schema)["data"] {
		if v := data.Value; v.Type != nil || len(v.OneOf)+len(v.AnyOf)+len(v.AllOf)+len(v.Properties) > 0 {
			return data
		}
	}
	return nil
}

// parametersOf returns the parameters of an operation, those of its path included.
func parametersOf(o *operation) []*openapi3.Parameter {
	var parameters []*openapi3.Parameter
	for _, ref := range slices.Concat(o.route.PathItem.Parameters, o.route.Operation.Parameters) {
		parameters = append(parameters, ref.Value)
	}
	return parameters
}

// idParameter returns the parameter that says what an operation is about: the only one in the path, or else the only one that the query
// must have, or else, if the operation changes something, the only id that its body must have.
func idParameter(o *operation) (name, in string) {
	var inPath, inQuery, inBody []string
	for _, p := range parametersOf(o) {
		switch {
		case p.In == "path":
			inPath = append(inPath, p.Name)
		case p.In == "query" && p.Required && p.Name != "page":
			inQuery = append(inQuery, p.Name)
		}
	}
	if body := o.route.Operation.RequestBody; body != nil && (o.route.Method == http.MethodPut || o.route.Method == http.MethodPatch) {
		if content := body.Value.Content.Get("application/json"); content != nil {
			for _, schema := range parts(content.Schema) {
				inBody = append(inBody, slices.DeleteFunc(slices.Clone(schema.Required), func(name string) bool { return !isID(name) })...)
			}
		}
	}
	switch {
	case len(inPath) == 1:
		return inPath[0], "path"
	case len(inPath) == 0 && len(inQuery) == 1:
		return inQuery[0], "query"
	case len(inPath)+len(inQuery) == 0 && len(inBody) == 1:
		return inBody[0], "body"
	}
	return "", ""
}

func isID(name string) bool { return name == "id" || strings.HasSuffix(name, "_id") }

// hasStatus reports whether the content of an operation has the state of a task. If it is that of a part only, such as one image of
// several, the content must also have the id that was asked for, or the operation must say that it can be waited for.
func (c *contract) hasStatus(o *operation, inferred identity) bool {
	if c.taskStatus == nil || inferred.data == nil {
		return false
	}
	fields := properties(inferred.data)
	for _, refs := range fields {
		if slices.ContainsFunc(refs, func(ref *openapi3.SchemaRef) bool { return c.isStatus(ref.Value) }) {
			return true
		}
	}
	_, waits := o.route.Operation.Extensions["x-jogg-wait"].(map[string]any)
	return (waits || fields[inferred.idParam] != nil) && c.statusInside(inferred.data, 0)
}

func (c *contract) isStatus(schema *openapi3.Schema) bool { return isOrHas(schema, c.taskStatus) }

// isOrHas reports whether a schema is the wanted one or put together of it.
func isOrHas(schema, wanted *openapi3.Schema) bool {
	return wanted != nil && slices.Contains(parts(&openapi3.SchemaRef{Value: schema}), wanted)
}

// maxDepth is how many schemas inside of each other are looked into; a schema can hold itself.
const maxDepth = 6

func (c *contract) statusInside(ref *openapi3.SchemaRef, depth int) bool {
	for _, schema := range parts(ref) {
		if c.isStatus(schema) || depth < maxDepth && schema.Items != nil && c.statusInside(schema.Items, depth+1) {
			return true
		}
		for _, property := range schema.Properties {
			if depth < maxDepth && c.statusInside(property, depth+1) {
				return true
			}
		}
	}
	return false
}

// nameID says which fields hold the ids that the operation takes. A parameter that is called just id goes by the names of the ids in the
// content that is read at the same path as well.
func (c *contract) nameID(o *operation) {
	if o.idParam == "" {
		return
	}
	o.names = []string{o.idParam}
	if o.idParam != "id" {
		return
	}
	for _, sibling := range c.operations {
		if sibling.route.Path != o.route.Path {
			continue
		}
		for name := range properties(sibling.data) {
			if isID(name) && name != "id" {
				o.names = append(o.names, name)
			}
		}
	}
}

// findCreations finds the fields of an answer to POST that other operations take as an id.
func (c *contract) findCreations(o *operation) {
	if o.route.Method != http.MethodPost || o.data == nil {
		return
	}
	given := fieldsOutsideLists(o.data, 0)
	slices.Sort(given)
	for _, name := range slices.Compact(given) {
		for _, other := range c.operations {
			if other == o || !slices.Contains(other.names, name) || !mayBeOf(name, o, other) {
				continue
			}
			if !slices.Contains(o.creates, name) {
				o.creates = append(o.creates, name)
			}
			if other.tracks && o.starts == "" {
				o.starts = name
			}
		}
	}
}

// fieldsOutsideLists returns the names of the fields of an object and of the objects in it.
func fieldsOutsideLists(ref *openapi3.SchemaRef, depth int) []string {
	var names []string
	for name, refs := range properties(ref) {
		names = append(names, name)
		for _, property := range refs {
			if depth < maxDepth {
				names = append(names, fieldsOutsideLists(property, depth+1)...)
			}
		}
	}
	return names
}

// takes reports whether the operation is about what the creator creates.
func (o *operation) takes(creator *operation) bool {
	return slices.ContainsFunc(creator.creates, func(name string) bool {
		return slices.Contains(o.names, name) && mayBeOf(name, creator, o)
	})
}

// listsResourcesOf reports whether the items of a list are what the creator creates.
func (o *operation) listsResourcesOf(creator *operation) bool {
	if o.list == nil {
		return false
	}
	fields := properties(o.list.items)
	return slices.ContainsFunc(creator.creates, func(name string) bool {
		switch {
		case fields[name] != nil:
			return mayBeOf(name, creator, o)
		case fields["id"] != nil && name == "id":
			return related(creator.route.Path, o.route.Path)
		case fields["id"] != nil:
			thing := strings.TrimSuffix(name, "_id")
			return thing == singular(o.list.field) || thing == singular(path.Base(o.route.Path))
		}
		return false
	})
}

// mayBeOf reports whether two operations mean the same thing by a field. A field that is called just id says little, so the paths must
// be about the same.
func mayBeOf(name string, creator, other *operation) bool {
	return name != "id" || related(creator.route.Path, other.route.Path)
}

// related reports whether two paths are about the same thing, such as /v2/create_video and /v2/videos/{id}.
func related(a, b string) bool {
	a, b = subjectOfPath(a), subjectOfPath(b)
	return strings.Contains(a, b) || strings.Contains(b, a)
}

// subjectOfPath is the last segment of a path that is no parameter, as one thing.
func subjectOfPath(path string) string {
	subject := ""
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && !strings.HasPrefix(segment, "{") {
			subject = segment
		}
	}
	return singular(subject)
}

func singular(name string) string {
	if stem, ok := strings.CutSuffix(name, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(name, "s")
}

// listingOf finds the list in the content of an answer: the content itself or its only field that is a list.
func listingOf(data *openapi3.SchemaRef) *listing {
	for _, schema := range parts(data) {
		if schema.Type.Is(openapi3.TypeArray) {
			return &listing{items: schema.Items}
		}
	}
	var found *listing
	for name, refs := range properties(data) {
		for _, ref := range refs {
			for _, schema := range parts(ref) {
				if !schema.Type.Is(openapi3.TypeArray) {
					continue
				}
				if found != nil && found.field != name {
					return nil
				}
				found = &listing{field: name, items: schema.Items}
			}
		}
	}
	return found
}

// parts returns the schemas that a value of the schema fits: the schema, the parts of allOf, and the alternatives.
func parts(ref *openapi3.SchemaRef) []*openapi3.Schema {
	return appendParts(nil, ref, 0)
}

func appendParts(all []*openapi3.Schema, ref *openapi3.SchemaRef, depth int) []*openapi3.Schema {
	if ref == nil || ref.Value == nil || depth > maxDepth {
		return all
	}
	all = append(all, ref.Value)
	for _, part := range alternatives(ref.Value) {
		all = appendParts(all, part, depth+1)
	}
	return all
}

// alternatives returns the schemas that a schema is put together of.
func alternatives(schema *openapi3.Schema) openapi3.SchemaRefs {
	return slices.Concat(schema.AllOf, schema.AnyOf, schema.OneOf)
}

// properties returns the schemas of each field that an object of the schema can have.
func properties(ref *openapi3.SchemaRef) map[string]openapi3.SchemaRefs {
	fields := map[string]openapi3.SchemaRefs{}
	for _, schema := range parts(ref) {
		for name, property := range schema.Properties {
			fields[name] = append(fields[name], property)
		}
	}
	return fields
}
