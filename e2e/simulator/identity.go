package simulator

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// identity is what can be inferred from the contract about an operation: which resource it is about, and how it relates to other
// operations.
type identity struct {
	data *openapi3.SchemaRef // schema of data in a successful response; nil if it has none

	idParam string   // the parameter that identifies the resource, or ""; see idParameter
	idIn    string   // where idParam is: "path", "query" or "body"
	names   []string // the response fields that hold such an id

	// tracks is set for a status operation: its id identifies a task, and its response has the state of the task.
	tracks bool
	// creates are the response fields of a POST that hold ids that other operations take.
	creates []string
	// starts is the field of creates that holds the id of a task, because a status operation takes it; "" if the POST starts no task.
	starts string
	// hasCreator is set if some operation creates the resources that this one takes. Ids that were not issued are unknown then.
	hasCreator bool

	paged bool     // it has a query parameter page
	list  *listing // nil if the operation is not a list
}

// listing describes the items of a list response.
type listing struct {
	field string              // "" if the data itself is the array
	items *openapi3.SchemaRef // schema of an item, or nil
	// holds is set if the items are created resources, because they have the field of their id.
	holds bool
}

// identify infers the identity of all operations. That of one can depend on all others.
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

// identityOf infers the part of the identity that depends on the operation only.
func (c *contract) identityOf(o *operation) identity {
	var inferred identity
	inferred.data = contentOf(o)
	inferred.idParam, inferred.idIn = idParameter(o)
	inferred.paged = slices.ContainsFunc(parametersOf(o), func(p *openapi3.Parameter) bool { return p.In == "query" && p.Name == "page" })
	if inferred.paged && o.route.Method == http.MethodGet {
		inferred.idParam, inferred.idIn = "", "" // a list, even if the query requires an id
	}
	if o.route.Method == http.MethodGet && inferred.idParam == "" {
		inferred.list = listingOf(inferred.data)
	}
	inferred.tracks = o.route.Method == http.MethodGet && inferred.idParam != "" && c.hasStatus(o, inferred)
	return inferred
}

// contentOf returns the schema of data in the envelope of a successful response.
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

// parametersOf returns the parameters of an operation, including those of its path item.
func parametersOf(o *operation) []*openapi3.Parameter {
	var parameters []*openapi3.Parameter
	for _, ref := range slices.Concat(o.route.PathItem.Parameters, o.route.Operation.Parameters) {
		parameters = append(parameters, ref.Value)
	}
	return parameters
}

// idParameter returns the parameter that identifies the resource of an operation: the only path parameter, or else the only required query
// parameter other than page, or else, for PUT and PATCH, the only required id in the body.
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

// hasStatus reports whether the response of an operation has the state of a task. If only parts of the data have a state, such as each of
// several images, the data must also have the id parameter as a field, or the operation must have the extension x-jogg-wait.
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

// isOrHas reports whether a schema is the wanted one or is composed of it.
func isOrHas(schema, wanted *openapi3.Schema) bool {
	return wanted != nil && slices.Contains(parts(&openapi3.SchemaRef{Value: schema}), wanted)
}

// maxDepth limits the depth of nested schemas that are inspected, because schemas can be recursive.
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

// nameID sets the names of the response fields that hold the ids that the operation takes. A parameter named id also stands for the ids in
// the data of the operations at the same path.
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

// findCreations finds the response fields of a POST that other operations take as an id.
func (c *contract) findCreations(o *operation) {
	if o.route.Method != http.MethodPost || o.data == nil {
		return
	}
	fields := fieldsOutsideLists(o.data, 0)
	slices.Sort(fields)
	for _, name := range slices.Compact(fields) {
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

// fieldsOutsideLists returns the names of the fields of an object and of its nested objects, but not of objects in arrays.
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

// takes reports whether the operation takes the id of a resource that the creator creates.
func (o *operation) takes(creator *operation) bool {
	return slices.ContainsFunc(creator.creates, func(name string) bool {
		return slices.Contains(o.names, name) && mayBeOf(name, creator, o)
	})
}

// listsResourcesOf reports whether the operation lists the resources that the creator creates.
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
			kind := strings.TrimSuffix(name, "_id")
			return kind == singular(o.list.field) || kind == singular(path.Base(o.route.Path))
		}
		return false
	})
}

// mayBeOf reports whether a field means the same id in two operations. The name id is ambiguous, so it needs related paths.
func mayBeOf(name string, creator, other *operation) bool {
	return name != "id" || related(creator.route.Path, other.route.Path)
}

// related reports whether two paths are about the same kind of resource, such as /v2/create_video and /v2/videos/{id}.
func related(a, b string) bool {
	a, b = subjectOfPath(a), subjectOfPath(b)
	return strings.Contains(a, b) || strings.Contains(b, a)
}

// subjectOfPath returns the last segment of a path that is not a parameter, in the singular.
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

// listingOf finds the array in the data of a response: the data itself or its only array field. It returns nil if there are several.
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

// parts returns the schema and, recursively, the schemas of its allOf, anyOf and oneOf.
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

// alternatives returns the schemas of allOf, anyOf and oneOf.
func alternatives(schema *openapi3.Schema) openapi3.SchemaRefs {
	return slices.Concat(schema.AllOf, schema.AnyOf, schema.OneOf)
}

// properties returns the schemas of each property that the schema or one of its parts declares.
func properties(ref *openapi3.SchemaRef) map[string]openapi3.SchemaRefs {
	fields := map[string]openapi3.SchemaRefs{}
	for _, schema := range parts(ref) {
		for name, property := range schema.Properties {
			fields[name] = append(fields[name], property)
		}
	}
	return fields
}
