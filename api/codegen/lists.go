package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// listKey, on an operation, overrides the rule of [lister.of].
const listKey = "x-jogg-list"

// The fields of a response that tell where its list ends. They are looked up in the response itself, and then in the objects in it.
var (
	moreNames  = []string{"has_more"}
	pagesNames = []string{"total_pages"}
	totalNames = []string{"total", "total_items"}
	sizeNames  = []string{"page_size"}
)

// listMethod is the data of lists.tmpl for one iterator.
type listMethod struct {
	Name, Operation, Comment string
	PathParams               []codegen.ParameterDefinition
	// Page and PageSize are the parameters that select a page. Number and Count are the expressions for their values.
	Page, PageSize, Number, Count string
	// Response and Item are the models of a page and of an item. Items is the field that holds the items.
	Response, Item, Items string
	// ID is the field that identifies an item, and IDType its Go type. Both are empty if there is no such field.
	ID, IDType string
	// More is the path of the field that says whether another page follows. Pages, Total and Size are expressions. Each is empty if the
	// response does not have it.
	More               []string
	Pages, Total, Size string
}

// lister finds the operations that return pages.
type lister struct {
	models     models
	operations []codegen.OperationDefinition
}

// methods returns the iterators in the order of the operations.
func (l lister) methods() ([]listMethod, error) {
	var methods []listMethod
	for _, op := range l.operations {
		method, ok, err := l.of(op)
		if err != nil {
			return nil, err
		}
		if ok {
			methods = append(methods, method)
		}
	}
	return methods, nil
}

// of returns the iterator of an operation. An operation has one if it has the query parameters page and page_size, and its response has one
// list of objects. The iterator has the operation's name without List. x-jogg-list disables the rule, or names one of several lists or the
// field that identifies an item.
func (l lister) of(op codegen.OperationDefinition) (listMethod, bool, error) {
	settings, off, err := operationKey(op, listKey, "items", "id")
	if err != nil || off {
		return listMethod{}, false, err
	}
	method := listMethod{Operation: op.OperationId, PathParams: op.PathParams, Response: l.models.response(op)}
	for _, param := range op.QueryParams {
		switch {
		case param.SchemaType() != "integer":
		case param.ParamName == "page":
			method.Page, method.Number = param.GoName(), inGen(param.TypeDef())+"(number)"
		case param.ParamName == "page_size":
			method.PageSize, method.Count = param.GoName(), inGen(param.TypeDef())+"(size)"
		}
	}
	list, isList := l.list(method.Response, settings["items"])
	switch {
	case op.Method == http.MethodGet && method.Page != "" && method.PageSize != "" && isList:
	case settings != nil:
		return listMethod{}, false, fault("%s: %s is on an operation without the parameters page and page_size, or without such a list",
			op.SpecOperationId, listKey)
	default:
		return listMethod{}, false, nil
	}
	method.Name = strings.TrimPrefix(strings.TrimPrefix(op.OperationId, "List"), "Get")
	if method.Name == op.OperationId {
		return listMethod{}, false, fault("%s returns pages, so its name must begin with list, which the name of the iterator omits; or set %s: false",
			op.SpecOperationId, listKey)
	}
	method.Items, method.Item = list.GoFieldName(), l.models.items(list)
	if err := l.identify(op, &method, list, settings["id"]); err != nil {
		return listMethod{}, false, err
	}
	l.findEnd(&method)
	method.Comment = l.comment(op, method.Name)
	return method, true, nil
}

// list returns the field of a model that is a list of objects and has the name, or the only list of objects if name is empty.
func (l lister) list(model, name string) (list codegen.Property, ok bool) {
	for _, field := range l.models[model] {
		if l.models.items(field) == "" || name != "" && field.JsonFieldName != name {
			continue
		}
		if ok {
			return codegen.Property{}, false
		}
		list, ok = field, true
	}
	return list, ok
}

// identify finds the field that identifies an item: the one that the key names, or else the first that exists of id, a field that is named
// after the list (voice_id in voices), and the only field whose name ends in _id. The iterator yields only the first of several items with
// the same ID, so an ambiguous ID counts as none.
func (l lister) identify(op codegen.OperationDefinition, method *listMethod, list codegen.Property, name string) error {
	var named, alike, ending []codegen.Property
	for _, field := range l.models[method.Item] {
		if !isString(field) && !isInteger(field.GoTypeDef()) {
			continue
		}
		stem, endsInID := strings.CutSuffix(field.JsonFieldName, "_id")
		if field.JsonFieldName == cmp.Or(name, "id") {
			named = append(named, field)
		}
		if endsInID && strings.HasPrefix(list.JsonFieldName, stem) {
			alike = append(alike, field)
		}
		if endsInID {
			ending = append(ending, field)
		}
	}
	if name != "" && len(named) == 0 {
		return fault("%s: %s names the id %q, but %s has no string or integer of that name", op.SpecOperationId, listKey, name, method.Item)
	}
	for _, candidates := range [][]codegen.Property{named, alike, ending} {
		if len(candidates) == 1 {
			method.ID, method.IDType = candidates[0].GoFieldName(), candidates[0].GoTypeDef()
			return nil
		}
	}
	return nil
}

// findEnd finds the fields of the response that tell where the list ends.
func (l lister) findEnd(method *listMethod) {
	l.findEndIn(method, method.Response, "p", nil)
	for _, field := range l.models[method.Response] {
		if model := field.GoTypeDef(); len(l.models[model]) > 0 {
			l.findEndIn(method, model, "p."+field.GoFieldName(), []string{field.JsonFieldName})
		}
	}
}

// findEndIn finds the fields that are still missing in a part of the response, which has the model, the expression and the path.
func (l lister) findEndIn(method *listMethod, model, expression string, path []string) {
	integer := func(found *string, names []string) {
		for _, name := range names {
			if field, ok := l.models.field(model, name); ok && *found == "" && isInteger(field.GoTypeDef()) {
				*found = expression + "." + field.GoFieldName()
			}
		}
	}
	integer(&method.Pages, pagesNames)
	integer(&method.Total, totalNames)
	integer(&method.Size, sizeNames)
	for _, name := range moreNames {
		if _, ok := l.models.field(model, name); ok && method.More == nil {
			method.More = append(slices.Clone(path), name)
		}
	}
}

// comment returns the doc comment of an iterator.
func (l lister) comment(op codegen.OperationDefinition, name string) string {
	what, ok := strings.CutPrefix(op.Summary, "List ")
	if !ok {
		what = "the items"
	}
	text := fmt.Sprintf("returns an iterator over %s, which it fetches page by page with [Client.%s]. See Lists in the package documentation"+
		" for what all iterators have in common.", what, op.OperationId)
	return codegen.StringWithTypeNameToGoComment(text, name)
}
