package jogg

import (
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/jogg-go/jogg/api"
)

// paths are those of the contract, by operationId.
var paths = func() map[string]string {
	document, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		panic(err)
	}
	all := map[string]string{}
	for path, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			all[operation.OperationID] = path
		}
	}
	return all
}()

// PathOf returns the path of an operation, with the values in the place of its parameters.
func PathOf(operation string, values ...any) string {
	path, ok := paths[operation]
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
