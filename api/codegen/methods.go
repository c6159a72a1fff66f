package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// extraMethods returns the Wait methods and the iterators of *jogg.Client. It is an error if two methods of *jogg.Client have the same
// name.
func extraMethods(document *openapi3.T, dir string, operations []codegen.OperationDefinition) ([]waitMethod, []listMethod, error) {
	known, err := readModels(document)
	if err != nil {
		return nil, nil, err
	}
	waits, err := waiter{document, known, operations}.methods()
	if err != nil {
		return nil, nil, err
	}
	lists, err := lister{known, operations}.methods()
	if err != nil {
		return nil, nil, err
	}
	methods, err := handwritten(dir)
	if err != nil {
		return nil, nil, err
	}
	return waits, lists, methods.addOperations(operations, waits, lists)
}

// clientMethods maps the methods of *jogg.Client to their sources.
type clientMethods map[string]string

// add adds a method. Two methods of the same name are an error.
func (m clientMethods) add(method, source string) error {
	if other, taken := m[method]; taken {
		return fault("%s and %s are both named %s in Go; rename an operation, or disable a method with %s or %s",
			other, source, method, waitKey, listKey)
	}
	m[method] = source
	return nil
}

// handwritten returns the methods of *Client in those Go files of a directory that are not generated.
func handwritten(dir string) (clientMethods, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	methods := make(clientMethods)
	for _, path := range files {
		if strings.HasSuffix(path, ".gen.go") || strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			if method, ok := declaration.(*ast.FuncDecl); ok && isOfClient(method) {
				methods[method.Name.Name] = "a method of " + filepath.Base(path)
			}
		}
	}
	return methods, nil
}

// isOfClient reports whether a function has a receiver of type *Client.
func isOfClient(function *ast.FuncDecl) bool {
	if function.Recv == nil {
		return false
	}
	star, _ := function.Recv.List[0].Type.(*ast.StarExpr)
	if star == nil {
		return false
	}
	name, _ := star.X.(*ast.Ident)
	return name != nil && name.Name == "Client"
}

// addOperations adds all methods that are generated from the operations.
func (m clientMethods) addOperations(operations []codegen.OperationDefinition, waits []waitMethod, lists []listMethod) error {
	for _, op := range operations {
		if err := m.add(op.OperationId, "the operation "+op.SpecOperationId); err != nil {
			return err
		}
	}
	for _, wait := range waits {
		if err := m.add(wait.Name, "the Wait method of "+wait.Operation); err != nil {
			return err
		}
	}
	for _, list := range lists {
		if err := m.add(list.Name, "the iterator of "+list.Operation); err != nil {
			return err
		}
	}
	return nil
}
