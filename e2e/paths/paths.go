// Package paths provides the URL paths of the contract's operations for tests.
package paths

import (
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/jogg-go/jogg/api"
)

// all maps operationIds to paths.
var all = func() map[string]string {
	document, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		panic(err)
	}
	found := map[string]string{}
	for path, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			found[operation.OperationID] = path
		}
	}
	return found
}()

// Of returns the path of an operation with its path parameters replaced by the values. It panics if the contract has no such operation. It
// is safe for concurrent use.
func Of(operation string, values ...any) string {
	path, ok := all[operation]
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
