package main

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// operationSet is the set of operations of a document.
type operationSet struct {
	line int // of the key paths
	all  map[string]*operation
}

// operation is a method of a path. Its shape has a child for each parameter, for the request and for each successful response.
type operation struct {
	name string // as the document has it, such as "GET /v2/musics"
	*shape
}

// methods are the HTTP methods that a path can have.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"}

// operations reads the operations of a document, by method and path. Path parameters are identified by position, so their names do not
// matter. A document without operations is an error.
func operations(ctx context.Context, name string, paths []pathRule) (*operationSet, error) {
	r := &shaper{documents: documents{ctx: ctx, read: map[string]*document{}}}
	document, err := r.open(name)
	if err != nil {
		return nil, err
	}
	version := document.get("openapi")
	switch {
	case version.Node == nil:
		return nil, document.fault("it has no openapi, so it is not an OpenAPI document of version 3")
	case strings.HasPrefix(version.Value, "3.0."):
		r.strict = true
	case !strings.HasPrefix(version.Value, "3.1."):
		return nil, version.fault("openapi is %s, and only 3.0 and 3.1 can be compared", version.Value)
	}
	base := ""
	if servers := document.get("servers").items(); len(servers) > 0 {
		if server, err := url.Parse(servers[0].get("url").text()); err == nil {
			base = strings.TrimSuffix(server.Path, "/")
		}
	}
	set := &operationSet{line: document.get("paths").lineOr(document.Line), all: map[string]*operation{}}
	for key, item := range document.get("paths").members() {
		path := base + key.Value
		for _, rule := range paths {
			path = rule.apply(path)
		}
		if err := r.pathItem(set, path, item); err != nil {
			return nil, err
		}
	}
	if len(set.all) == 0 {
		return nil, document.fault("it describes no operation")
	}
	return set, nil
}

func (v value) lineOr(line int) int {
	if v.Node == nil {
		return line
	}
	return v.Line
}

var inBraces = regexp.MustCompile(`\{[^}]*\}`)

func (r *shaper) pathItem(set *operationSet, path string, v value) error {
	item, err := r.follow(v)
	if err != nil {
		return err
	}
	for key, member := range item.members() {
		if !slices.Contains(methods, key.Value) {
			continue
		}
		operation := &operation{name: strings.ToUpper(key.Value) + " " + path, shape: newShape(key.Line)}
		parameters := append(item.get("parameters").items(), member.get("parameters").items()...) // the last of two with the same name counts
		if err := r.operation(operation, path, parameters, member); err != nil {
			return err
		}
		set.all[strings.ToUpper(key.Value)+" "+inBraces.ReplaceAllString(path, "{}")] = operation
	}
	return nil
}

func (r *shaper) operation(o *operation, path string, parameters []value, v value) error {
	for _, parameter := range parameters {
		if err := r.parameter(o, path, parameter); err != nil {
			return err
		}
	}
	if body := v.get("requestBody"); body.Node != nil {
		if err := r.body(o, "request", body); err != nil {
			return err
		}
	}
	for status, response := range v.get("responses").members() {
		if !strings.HasPrefix(status.Value, "2") {
			continue
		}
		place := "response"
		if status.Value != "200" && !strings.EqualFold(status.Value, "2XX") {
			place += " " + status.Value
		}
		if err := r.body(o, place, response); err != nil {
			return err
		}
	}
	return nil
}

func (r *shaper) parameter(o *operation, path string, v value) error {
	parameter, err := r.follow(v)
	if err != nil {
		return err
	}
	in, name := parameter.get("in").text(), parameter.get("name").text()
	if in == "path" {
		name = strconv.Itoa(1 + slices.Index(inBraces.FindAllString(path, -1), "{"+name+"}"))
	}
	if in == "header" {
		name = strings.ToLower(name)
	}
	schema := parameter.get("schema")
	for _, content := range parameter.get("content").members() {
		schema = content.get("schema")
	}
	part := newShape(v.Line)
	if schema.Node != nil {
		if part, err = r.schema(schema); err != nil {
			return err
		}
		part.line = v.Line
	}
	if slices.Contains(part.types, "array") || slices.Contains(part.types, "object") {
		separately := parameter.get("explode")
		form := parameter.get("style").text()
		if form == "" && (in == "query" || in == "cookie") {
			form = "form"
		}
		part.facts["style"] = form
		part.facts["explode"] = strconv.FormatBool(separately.isTrue() || separately.Node == nil && form == "form")
	}
	if required := parameter.get("required"); required.Node != nil {
		part.lines["required"] = required.Line
	}
	o.children[in+" parameter "+name] = &child{shape: part, required: in == "path" || parameter.get("required").isTrue()}
	return nil
}

// body adds a request or a response, once for each media type. The place names the media type unless it is JSON.
func (r *shaper) body(o *operation, place string, v value) error {
	body, err := r.follow(v)
	if err != nil {
		return err
	}
	for media, content := range body.get("content").members() {
		part := newShape(content.Line)
		if schema := content.get("schema"); schema.Node != nil {
			if part, err = r.schema(schema); err != nil {
				return err
			}
		}
		name := place
		if media.Value != "application/json" {
			name += " as " + media.Value
		}
		o.children[name] = &child{shape: part, required: body.get("required").isTrue()}
	}
	return nil
}

// facts returns the compared facts of a document, one per line and sorted.
func facts(set *operationSet) []string {
	var lines []string
	for _, key := range keys(set.all) {
		lines = append(lines, key+"\n")
		lines = append(lines, set.all[key].describe(key+" ", true)...)
	}
	slices.Sort(lines)
	return lines
}

// describe returns the facts about a shape and its children. For the shape of a whole operation, it returns those about the children only.
func (s *shape) describe(at string, whole bool) []string {
	var lines []string
	add := func(place, what, value string) {
		lines = append(lines, fmt.Sprintf("%s: %s: %s\n", place, what, value))
	}
	if !whole {
		add(at, "type", strings.Join(s.types, " "))
		if s.nullable {
			add(at, "may be null", "true")
		}
		if s.listed {
			add(at, "values", strings.Join(s.enum, " | "))
		}
		for _, keyword := range keys(s.facts) {
			add(at, keyword, s.facts[keyword])
		}
	}
	for _, name := range keys(s.children) {
		part := s.children[name]
		if part.required {
			add(at+name, "required", "true")
		}
		lines = append(lines, part.describe(at+name, false)...)
	}
	return lines
}
