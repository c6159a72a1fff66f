package simulator

import (
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"

	"github.com/jogg-go/jogg/e2e/sample"
	"github.com/jogg-go/jogg/gen"
)

// content generates the data of a response from the schema of the operation. s.mu is held.
//
// Fields that a task has only after it has succeeded or failed are omitted before that. If the result is invalid in the contract, they are
// null, or else generated anyway. If it is still invalid, everything is generated from the schema alone. If that does not help either, the
// first result is sent and becomes a violation.
func (s *Simulator) content(x *exchange, about *resource) (any, error) {
	o := x.request.operation
	if o.data == nil {
		return nil, nil
	}
	var first any
	var problem error
	for _, form := range []absence{omitted, asNull, generated, schemaOnly} {
		m := &maker{s: s, x: x, resource: about, absence: form, base: o.id}
		if about != nil {
			m.base += "(" + about.ids[o.nameOf(about)] + ")"
		}
		data, err := m.content()
		if err != nil {
			return nil, fmt.Errorf("make a response: %w", err)
		}
		body, err := json.Marshal(envelope{Data: data})
		if err != nil {
			return nil, fmt.Errorf("make a response: %w", err)
		}
		if form == omitted {
			first = data
		}
		if problem = checkBody(o.responses[strconv.Itoa(o.success)], body); problem == nil || x.deviates {
			return data, nil
		}
	}
	return first, nil // recorded as a violation later
}

// nameOf returns a field that holds the id of a resource in the operation, or "".
func (o *operation) nameOf(t *resource) string {
	for _, name := range slices.Concat(o.names, o.creates) {
		if t.ids[name] != "" {
			return name
		}
	}
	return ""
}

// absence is how content represents a field that has no value yet.
type absence int

const (
	omitted absence = iota
	asNull
	generated  // a generated value, as if the field had one
	schemaOnly // as generated, and all other fields are generated from the schema too
)

// maker generates values for schemas, with the data of a resource, its task and the requested page filled in.
type maker struct {
	s        *Simulator
	x        *exchange // nil for events
	base     string    // the place of the data, for sample.Property.Place
	resource *resource // nil if the data is not about a resource
	failed   bool      // the event reports a failure
	absence  absence
	page     *page[any] // nil if the data has no pages
}

// absent marks a field without a value. strip replaces it.
type absent struct{}

func (m *maker) content() (any, error) {
	o := m.x.request.operation
	if o.list == nil || m.absence == schemaOnly {
		return m.value(o.data)
	}
	items, err := m.items()
	if err != nil {
		return nil, err
	}
	m.page = &page[any]{items: items, number: 1, size: max(len(items), 1), total: len(items)}
	if o.paged {
		query := m.x.request.input.GetQueryParams()
		number, _ := strconv.Atoi(query.Get("page")) // the request is valid
		size, _ := strconv.Atoi(query.Get("page_size"))
		p := pageFor(m.s.config.pages[o.id], items, number, size)
		m.page, items = &p, p.items
	}
	if o.list.field == "" {
		return items, nil
	}
	inList := func(p sample.Property) (any, bool) {
		if p.Place == m.base+"."+o.list.field {
			return items, true
		}
		return m.choose(p)
	}
	value, err := m.maker(inList).Make(m.base, o.data)
	return strip(value, m.absence), err
}

// Lengths of a list of generated items, without and with pages.
const (
	generatedItems = 3
	pagedItems     = 25
)

// items generates all items of a list: one for each of its resources, or generatedItems or pagedItems if it has none of its own.
func (m *maker) items() ([]any, error) {
	o := m.x.request.operation
	items := []any{}
	item := func(place string, t *resource) error {
		value, err := (&maker{s: m.s, x: m.x, resource: t, absence: m.absence, base: place}).value(o.list.items)
		items = append(items, value)
		return err
	}
	if !o.list.holds {
		count := generatedItems
		if o.paged {
			count = pagedItems
		}
		for i := range count {
			if err := item(fmt.Sprintf("%s.%s[%d]", o.id, o.list.field, i), nil); err != nil {
				return nil, err
			}
		}
		return items, nil
	}
	for _, t := range m.s.resourcesIn(m.x) {
		if err := item(fmt.Sprintf("%s.%s(%s)", o.id, o.list.field, t.ids[t.creator.creates[0]]), t); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (m *maker) value(schema *openapi3.SchemaRef) (any, error) {
	if schema == nil {
		schema = &openapi3.SchemaRef{Value: &openapi3.Schema{}}
	}
	value, err := m.maker(m.choose).Make(m.base, schema)
	return strip(value, m.absence), err
}

func (m *maker) maker(choose func(sample.Property) (any, bool)) sample.Maker {
	return sample.Maker{Seed: m.s.config.seed, Choose: choose}
}

// strip removes absent fields or sets them to null.
func strip(value any, form absence) any {
	switch v := value.(type) {
	case map[string]any:
		for name, field := range v {
			switch _, gone := field.(absent); {
			case gone && form == asNull:
				v[name] = nil
			case gone:
				delete(v, name)
			default:
				v[name] = strip(field, form)
			}
		}
	case []any:
		for i := range v {
			v[i] = strip(v[i], form)
		}
	}
	return value
}

// choose returns the value of a field if something determines it besides its schema.
func (m *maker) choose(p sample.Property) (any, bool) {
	if m.absence == schemaOnly {
		return nil, false
	}
	inside := strings.TrimPrefix(p.Place, m.base)
	for _, choice := range []func(sample.Property, string) (any, bool){m.ofResource, m.ofTask, m.ofPage, m.url, m.idLike} {
		value, ok := choice(p, inside)
		if _, gone := value.(absent); gone && m.absence == generated {
			continue
		}
		if ok {
			return value, true
		}
	}
	return nil, false
}

// ofResource returns the ids and the creation time of the resource.
func (m *maker) ofResource(p sample.Property, inside string) (any, bool) {
	if p.Name == "created_at" && takesInteger(p.Schema) {
		return m.created().Unix(), true
	}
	if m.resource == nil || strings.Contains(inside, "[") {
		return nil, false
	}
	id := m.resource.ids[p.Name]
	if p.Name == "id" && id == "" && inside == ".id" {
		id = m.onlyID()
	}
	if id == "" {
		return nil, false
	}
	return typed(p.Schema, id)
}

// created returns the creation time of the resource. Generated resources are as old as the simulator.
func (m *maker) created() time.Time {
	if m.resource != nil {
		return m.resource.created
	}
	return m.s.started
}

// onlyID returns the id of the resource, whatever field it came from.
func (m *maker) onlyID() string {
	t := m.resource
	if t.task != nil {
		return t.task.id
	}
	for _, name := range t.creator.creates {
		if t.ids[name] != "" {
			return t.ids[name]
		}
	}
	return ""
}

// typed returns an id in the type of the schema: a string or a number.
func typed(schema *openapi3.Schema, id string) (any, bool) {
	if takes(schema, openapi3.TypeString) {
		return id, true
	}
	number, err := strconv.ParseInt(id, 10, 64)
	return number, err == nil
}

// ofTask returns the fields that depend on the progress of a task: its state, its failure reason, its completion time and its results.
func (m *maker) ofTask(p sample.Property, inside string) (any, bool) {
	t := m.task()
	switch {
	case m.s.contract.isStatus(p.Schema):
		return m.state(), true
	case m.s.contract.isReason(p):
		return m.reason(p)
	case p.Name == "completed_at" && takesInteger(p.Schema):
		if t == nil {
			return m.created().Unix(), true
		}
		if t.ended.IsZero() {
			return absent{}, true
		}
		return t.ended.Unix(), true
	case !m.succeeded() && m.isResult(p, inside):
		return absent{}, true
	}
	return nil, false
}

// isResult reports whether a task has the field only after it has succeeded: a URL, a duration, or, at the top level of the data, an object
// or array without states inside.
func (m *maker) isResult(p sample.Property, inside string) bool {
	if strings.HasSuffix(inside, "]") {
		return false // an array item; the array itself decides
	}
	if isURL(p.Name, p.Schema) || strings.Contains(p.Name, "duration") {
		return true
	}
	if strings.ContainsAny(strings.TrimPrefix(inside, "."), ".[") || m.s.contract.statusInside(&openapi3.SchemaRef{Value: p.Schema}, 0) {
		return false
	}
	return takes(p.Schema, openapi3.TypeObject) || takes(p.Schema, openapi3.TypeArray)
}

func (m *maker) task() *task {
	if m.resource == nil {
		return nil
	}
	return m.resource.task
}

// succeeded reports whether the data has results. Resources without a task have them.
func (m *maker) succeeded() bool {
	if t := m.task(); t != nil {
		return t.succeeded()
	}
	return !m.failed
}

func (m *maker) state() any {
	names := defaultStatuses.spelled(m.s.config.spelling)
	switch t := m.task(); {
	case t != nil:
		return string(m.s.status(t))
	case m.failed:
		return string(names.failed)
	}
	return string(names.succeeded)
}

// reasonTexts are names of string fields that say why a task failed.
var reasonTexts = []string{"error", "err_msg", "error_msg", "error_message", "msg", "fail_msg"}

// isReason reports whether a field holds a failure reason: a TaskFailure, an object with code and message, or a string named in
// reasonTexts.
func (c *contract) isReason(p sample.Property) bool {
	if isOrHas(p.Schema, c.taskFailure) {
		return true
	}
	if isReasonObject(p.Schema) {
		return p.Name == "error" || strings.Contains(p.Name, "fail") || strings.Contains(p.Name, "reason")
	}
	return slices.Contains(reasonTexts, p.Name) && takes(p.Schema, openapi3.TypeString)
}

func isReasonObject(schema *openapi3.Schema) bool {
	fields := properties(&openapi3.SchemaRef{Value: schema})
	return fields["message"] != nil && fields["code"] != nil
}

func (m *maker) reason(p sample.Property) (any, bool) {
	because := sampleReason
	switch t := m.task(); {
	case t != nil && t.reason != nil:
		because = *t.reason
	case t != nil || !m.failed:
		return absent{}, true
	}
	if !isReasonObject(p.Schema) {
		return because.Message, true
	}
	code := properties(&openapi3.SchemaRef{Value: p.Schema})["code"][0].Value
	if kinds := code.Type.Slice(); len(kinds) > 0 && kinds[0] == openapi3.TypeString {
		return map[string]any{"code": strconv.Itoa(because.Code), "message": because.Message}, true
	}
	return errorObject(because), true
}

// ofPage returns the pagination fields of a list.
func (m *maker) ofPage(p sample.Property, _ string) (any, bool) {
	if m.page == nil {
		return nil, false
	}
	if p.Name == "has_more" && takes(p.Schema, openapi3.TypeBoolean) {
		return m.page.hasMore, true
	}
	if !takesInteger(p.Schema) {
		return nil, false
	}
	switch p.Name {
	case "page":
		return m.page.number, true
	case "page_size":
		return m.page.size, true
	case "total", "total_items", "total_count":
		return m.page.total, true
	case "total_pages":
		return m.page.pagination().TotalPages, true
	}
	return nil, false
}

// url returns a URL that the second host serves, unless the schema has a pattern that does not match it.
func (m *maker) url(p sample.Property, _ string) (any, bool) {
	if !isURL(p.Name, p.Schema) {
		return nil, false
	}
	id := fmt.Sprintf("%016x", m.hash(p.Place))
	if t := m.task(); t != nil && plainName.MatchString(t.id) {
		id = t.id + "-" + id[:6]
	}
	address := m.s.media("results", id, extensionOf(p.Name))
	if p.Schema.Pattern != "" {
		if pattern, err := regexp.Compile(p.Schema.Pattern); err != nil || !pattern.MatchString(address) {
			return nil, false
		}
	}
	return address, true
}

// plainName matches ids that need no escaping in a file name.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// extensionOf returns a file extension for the name of a URL field.
func extensionOf(name string) string {
	for _, kind := range []struct{ word, extension string }{
		{"audio", "wav"}, {"subtitle", "srt"}, {"cover", "png"}, {"image", "png"}, {"photo", "png"},
	} {
		if strings.Contains(name, kind.word) {
			return kind.extension
		}
	}
	return "mp4"
}

// idLike returns an id for a string field that is named like one. It is the same on every call.
func (m *maker) idLike(p sample.Property, _ string) (any, bool) {
	if !isID(p.Name) || !isPlainText(p.Schema) || p.Schema.Example != nil || len(p.Schema.Examples) > 0 || p.Schema.Default != nil {
		return nil, false
	}
	return newIdentifiers(m.s.config.seed ^ m.hash(p.Place)).named(prefixOf(p.Name)), true
}

func (m *maker) hash(place string) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(place))
	return sum.Sum64()
}

// prefixOf returns the prefix of the ids in a field.
func prefixOf(name string) string { return strings.TrimSuffix(name, "_id") }

// isURL reports whether a field is a URL: a string with a URL format, or a plain string whose name ends in url or urls.
func isURL(name string, schema *openapi3.Schema) bool {
	named := strings.HasSuffix(name, "url") || strings.HasSuffix(name, "urls")
	return slices.ContainsFunc(parts(&openapi3.SchemaRef{Value: schema}), func(part *openapi3.Schema) bool {
		return slices.Contains([]string{"uri", "url", "iri"}, part.Format) && part.Enum == nil && part.Const == nil || named && isPlainText(part)
	})
}

// takes reports whether the schema allows the type.
func takes(schema *openapi3.Schema, kind string) bool {
	return slices.ContainsFunc(parts(&openapi3.SchemaRef{Value: schema}), func(part *openapi3.Schema) bool {
		return part.Type.Includes(kind)
	})
}

func takesInteger(schema *openapi3.Schema) bool {
	return takes(schema, openapi3.TypeInteger) || takes(schema, openapi3.TypeNumber)
}

var errNoObject = errors.New("simulator: event data is not an object")

// deriveMessage generates the payload of an event from its schema.
func (s *Simulator) deriveMessage(eventType gen.EventType) (message, error) {
	m := &maker{s: s, base: string(eventType), failed: strings.HasSuffix(string(eventType), "_failed")}
	now := s.clock.Now()
	choose := func(p sample.Property) (any, bool) {
		switch p.Place {
		case m.base + ".event":
			return string(eventType), true
		case m.base + ".event_id":
			return "evt_" + s.ids.hex(24), takes(p.Schema, openapi3.TypeString)
		case m.base + ".timestamp":
			return now.Unix(), takesInteger(p.Schema)
		}
		return m.choose(p)
	}
	value, err := m.maker(choose).Make(m.base, s.contract.events[eventType].envelope)
	if err != nil {
		return message{}, fmt.Errorf("simulator: make event %w", err)
	}
	whole, _ := strip(value, omitted).(map[string]any)
	data, ok := whole["data"].(map[string]any)
	if !ok {
		return message{}, errNoObject
	}
	made := message{Event: string(eventType), EventID: whole["event_id"], Timestamp: whole["timestamp"], Data: data}
	for _, name := range []string{"event", "event_id", "timestamp", "data"} {
		delete(whole, name)
	}
	made.Extra = whole
	return made, nil
}
