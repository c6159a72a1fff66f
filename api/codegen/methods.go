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

// extraMethods returns what *jogg.Client has for the operations beside themselves, having found that no two of its methods have one name.
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
	methods, err := writtenByHand(dir)
	if err != nil {
		return nil, nil, err
	}
	return waits, lists, methods.addOperations(operations, waits, lists)
}

// clientMethods are the methods of *jogg.Client and where each comes from.
type clientMethods map[string]string

// add notes a method. Two of one name are a fault.
func (m clientMethods) add(method, source string) error {
	if other, taken := m[method]; taken {
		return fault("%s and %s are both called %s in Go; rename an operation, or switch a method off by %s or %s",
			other, source, method, waitKey, listKey)
	}
	m[method] = source
	return nil
}

// writtenByHand returns the methods of *Client in a folder of Go files that are not generated.
func writtenByHand(dir string) (clientMethods, error) {
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

// isOfClient reports whether the receiver of a function is a *Client.
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

// addOperations notes all the methods that the operations give.
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
