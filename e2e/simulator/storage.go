package simulator

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
)

// storageKey stands at the top of the contract and names the domain under which the service keeps files.
const storageKey = "x-jogg-storage"

// checkURLs refuses URLs outside of the service's own storage in a body that is closed. That of the simulator is its media host; the
// service's own counts too, so that bodies which are meant for the service are taken.
func (s *Simulator) checkURLs(request *routed) error {
	definition := request.operation.route.Operation.RequestBody
	if definition == nil || len(request.body) == 0 || definition.Value.Content.Get("application/json") == nil {
		return nil
	}
	var body any
	if err := json.Unmarshal(bytes.TrimSpace(request.body), &body); err != nil {
		return invalid("at the top of the body", "it is not JSON")
	}
	return s.checkURLsIn(definition.Value.Content.Get("application/json").Schema, body, "", false)
}

func (s *Simulator) checkURLsIn(schema *openapi3.SchemaRef, value any, place string, closed bool) error {
	for _, part := range parts(schema) {
		if err := s.checkURLsOf(part, value, place, closed); err != nil {
			return err
		}
	}
	return nil
}

// checkURLsOf follows a value along one schema. closed says that the object around the value is closed.
func (s *Simulator) checkURLsOf(schema *openapi3.Schema, value any, place string, closed bool) error {
	switch v := value.(type) {
	case map[string]any:
		has := schema.AdditionalProperties.Has
		for name, property := range schema.Properties {
			if inner, ok := v[name]; ok {
				if err := s.checkURLsIn(property, inner, place+"."+name, has != nil && !*has); err != nil {
					return err
				}
			}
		}
	case []any:
		for i := range v {
			if err := s.checkURLsIn(schema.Items, v[i], fmt.Sprintf("%s.%d", place, i), closed); err != nil {
				return err
			}
		}
	case string:
		if closed && schema.Format == "uri" && !s.isStored(v) {
			return invalid(strings.TrimPrefix(place, "."), "the URL is outside of the storage, so upload the file first")
		}
	}
	return nil
}

// isStored reports whether a URL is one of the storage.
func (s *Simulator) isStored(address string) bool {
	if strings.HasPrefix(address, s.config.mediaURL+"/") {
		return true
	}
	parsed, err := url.Parse(address)
	if err != nil || s.contract.storage == "" {
		return false
	}
	host := strings.ToLower(parsed.Hostname())
	return host == s.contract.storage || strings.HasSuffix(host, "."+s.contract.storage)
}
