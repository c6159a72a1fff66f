package main

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// listKey stands on an operation that departs from the rule of [lister.of].
const listKey = "x-jogg-list"

// How an answer tells where its list ends, by the names of its fields. They are looked for in the answer itself, and then in the objects
// that stand in it.
var (
	moreNames  = []string{"has_more"}
	pagesNames = []string{"total_pages"}
	totalNames = []string{"total", "total_items"}
	sizeNames  = []string{"page_size"}
)

// listMethod is an iterator for lists.tmpl.
type listMethod struct {
	Name, Operation, Comment string
	PathParams               []codegen.ParameterDefinition
	// Page and PageSize are the fields of the parameters that choose a page, Number and Count the expressions for what they take.
	Page, PageSize, Number, Count string
	// Answer and Item are the models of a page and of what it holds, and Items is the field that holds it.
	Answer, Item, Items string
	// ID is the field that tells items apart, of the Go type IDType. Both are empty if there is none.
	ID, IDType string
	// More is the path of the field that says whether another page follows. The others are expressions. Each is empty if the answer has none.
	More               []string
	Pages, Total, Size string
}

// lister finds the operations that answer in pages.
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

// of is the rule: an operation with the query parameters page and page_size whose answer holds one list of objects has an iterator, which
// is called like it without List. x-jogg-list switches the rule off, or says which of several lists it is and what tells items apart.
func (l lister) of(op codegen.OperationDefinition) (listMethod, bool, error) {
	settings, off, err := operationKey(op, listKey, "items", "id")
	if err != nil || off {
		return listMethod{}, false, err
	}
	method := listMethod{Operation: op.OperationId, PathParams: op.PathParams, Answer: l.models.answer(op)}
	for _, param := range op.QueryParams {
		switch {
		case param.SchemaType() != "integer":
		case param.ParamName == "page":
			method.Page, method.Number = param.GoName(), inGen(param.TypeDef())+"(number)"
		case param.ParamName == "page_size":
			method.PageSize, method.Count = param.GoName(), inGen(param.TypeDef())+"(size)"
		}
	}
	list, isList := l.list(method.Answer, settings["items"])
	switch {
	case op.Method == http.MethodGet && method.Page != "" && method.PageSize != "" && isList:
	case settings != nil:
		return listMethod{}, false, fault("%s: %s stands on an operation without the parameters page and page_size, or without such a list",
			op.SpecOperationId, listKey)
	default:
		return listMethod{}, false, nil
	}
	method.Name = strings.TrimPrefix(strings.TrimPrefix(op.OperationId, "List"), "Get")
	if method.Name == op.OperationId {
		return listMethod{}, false, fault("%s answers in pages, so its name has to begin with list, without which its iterator is called; or set %s: false",
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

// list returns the field of a model that is a list of objects: the one of that name, or the only one if the name is empty.
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

// identify finds the field that tells items apart: the one that the key names, or else the first there is of id, a field that is named like
// the list (voice_id in voices), and the only field whose name ends in _id. Of items with the same value only the first is yielded, so
// an id that is not certain counts as none.
func (l lister) identify(op codegen.OperationDefinition, method *listMethod, list codegen.Property, name string) error {
	var named, alike, ending []codegen.Property
	for _, field := range l.models[method.Item] {
		if !isText(field) && !isInteger(field.GoTypeDef()) {
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
		return fault("%s: %s names the id %q, but %s has no text or integer of that name", op.SpecOperationId, listKey, name, method.Item)
	}
	for _, candidates := range [][]codegen.Property{named, alike, ending} {
		if len(candidates) == 1 {
			method.ID, method.IDType = candidates[0].GoFieldName(), candidates[0].GoTypeDef()
			return nil
		}
	}
	return nil
}

// findEnd finds the fields of the answer that tell where the list ends.
func (l lister) findEnd(method *listMethod) {
	l.findEndIn(method, method.Answer, "p", nil)
	for _, field := range l.models[method.Answer] {
		if model := field.GoTypeDef(); len(l.models[model]) > 0 {
			l.findEndIn(method, model, "p."+field.GoFieldName(), []string{field.JsonFieldName})
		}
	}
}

// findEndIn finds what is not found yet in a part of the answer: its model, the expression for it, and its path.
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

// comment writes the documentation of an iterator.
func (l lister) comment(op codegen.OperationDefinition, name string) string {
	what, ok := strings.CutPrefix(op.Summary, "List ")
	if !ok {
		what = "the items"
	}
	text := fmt.Sprintf("ranges over %s, which it fetches page by page with [Client.%s]. The documentation of the package says under Lists"+
		" what holds for all the iterators.", what, op.OperationId)
	return codegen.StringWithTypeNameToGoComment(text, name)
}
