package jogg

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// closedBody describes a request body in which the service rejects unknown fields. Its paths are JSON pointers in which * stands for every
// item of a list.
type closedBody struct {
	required []string // must have a value that is not empty if the object around them is there
	files    []string // URLs of files, which must be in the service's own storage
}

// checkFiles rejects a URL of a file outside of the service's storage.
func (b closedBody) checkFiles(x *exchange) error { return checkPaths(x, b.files, x.client.checkFile) }

// checkRequired rejects a body that lacks a required field.
func (b closedBody) checkRequired(x *exchange) error { return checkPaths(x, b.required, checkPresent) }

// checkPaths calls check with each value of the body at the paths, and its pointer. An absent value is nil if the object around it is
// there; otherwise check is not called.
func checkPaths(x *exchange, paths []string, check func(at jsontext.Pointer, value jsontext.Value) error) error {
	body, err := bodyOf(x.request)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := visit(body, "", strings.Split(strings.TrimPrefix(path, "/"), "/"), check); err != nil {
			return err
		}
	}
	return nil
}

func visit(value jsontext.Value, at jsontext.Pointer, names []string, check func(jsontext.Pointer, jsontext.Value) error) error {
	switch {
	case len(names) == 0:
		return check(at, value)
	case names[0] == "*" && value.Kind() == jsontext.KindBeginArray:
		for i, item := range elements(value) {
			if err := visit(item, at.AppendToken(strconv.Itoa(i)), names[1:], check); err != nil {
				return err
			}
		}
	case value.Kind() == jsontext.KindBeginObject:
		var inner jsontext.Value
		for name, member := range members(value) {
			if name == names[0] {
				inner = member.Clone() // member is valid only until the next one is read
			}
		}
		return visit(inner, at.AppendToken(names[0]), names[1:], check)
	}
	return nil
}

// checkPresent rejects a required value that is absent or empty, as Go's zero values are.
func checkPresent(at jsontext.Pointer, value jsontext.Value) error {
	switch string(value) {
	case "", "null", `""`, "[]":
		return fmt.Errorf("%w: %s is missing", ErrInvalidParameter, at)
	}
	return nil
}

// checkFile rejects a URL that does not lead to the service's storage. If the service is not JoggAI's own, such as a simulator, the
// location of its storage is unknown, and any http or https URL is accepted.
func (c *Client) checkFile(at jsontext.Pointer, value jsontext.Value) error {
	address := text(value)
	if address == "" {
		return nil
	}
	parsed, err := url.Parse(address)
	switch { // the URL is not shown: it may be signed, or be a whole image
	case err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "":
		return fmt.Errorf("%w: %s is not an http or https URL; upload the file first", ErrInvalidParameter, at)
	case c.servedByJoggAI() && !isWithin(parsed.Hostname(), storageDomain):
		return fmt.Errorf("%w: %s is outside of JoggAI's storage; upload the file first", ErrInvalidParameter, at)
	}
	return nil
}

// servedByJoggAI reports whether the client sends its requests to JoggAI itself.
func (c *Client) servedByJoggAI() bool {
	server, err := url.Parse(c.server)
	return err == nil && isWithin(server.Hostname(), storageDomain)
}

// isWithin reports whether host is domain or a subdomain of it.
func isWithin(host, domain string) bool {
	host = strings.ToLower(host)
	return host == domain || strings.HasSuffix(host, "."+domain)
}
