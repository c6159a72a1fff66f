package simulator

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
)

// storageKey is the extension at the root of the contract that holds the domain of the service's file storage.
const storageKey = "x-jogg-storage"

// checkURLs rejects file URLs outside of the storage in objects whose schema sets additionalProperties to false. The storage is the
// simulator's media host. The service's own storage is accepted too, so that requests written for the service pass.
func (s *Simulator) checkURLs(request *routed) error {
	definition := request.operation.route.Operation.RequestBody
	if definition == nil || len(request.body) == 0 || definition.Value.Content.Get("application/json") == nil {
		return nil
	}
	var body any
	if err := json.Unmarshal(bytes.TrimSpace(request.body), &body); err != nil {
		return invalid("body", "not JSON")
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

// checkURLsOf checks a value against one schema. closed reports whether the enclosing object has additionalProperties: false.
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
			return invalid(strings.TrimPrefix(place, "."), "the URL is outside of JoggAI's storage; upload the file first")
		}
	}
	return nil
}

// isStored reports whether a URL is in the storage.
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
