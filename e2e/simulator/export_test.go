package simulator

import (
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/jogg-go/jogg/api"
)

// pathsOfOperations are the paths of the contract, by operationId.
var pathsOfOperations = func() map[string]string {
	document, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		panic(err)
	}
	paths := map[string]string{}
	for path, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			paths[operation.OperationID] = path
		}
	}
	return paths
}()

// PathOf returns the path of an operation, with the values in the place of its parameters.
func PathOf(operation string, values ...any) string {
	path, ok := pathsOfOperations[operation]
	if !ok {
		panic("the contract has no operation " + operation)
	}
	for _, value := range values {
		before, after, _ := strings.Cut(path, "{")
		_, after, _ = strings.Cut(after, "}")
		path = before + fmt.Sprint(value) + after
	}
	return path
}

// WrittenOperations returns the operations that a behaviour is written for.
func WrittenOperations() []string {
	var written []string
	for operation, find := range behaviours {
		if find(server{}) != nil {
			written = append(written, operation)
		}
	}
	return written
}

// Options for the tests of this package, which change what a Simulator serves.
var (
	WithContract     = withContract
	WithoutBehaviour = withoutBehaviour
)
