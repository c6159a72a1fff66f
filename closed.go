package jogg

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// closedBody is what is known of a request body in which the service refuses fields that it does not know. The places are JSON pointers, in
// which * stands for each item of a list.
type closedBody struct {
	required []string // where there has to be something, if there is something around it
	files    []string // the URLs of files, which have to be in the service's own storage
}

// checkFiles refuses the URL of a file that is outside of the storage.
func (b closedBody) checkFiles(x *exchange) error { return inPlaces(x, b.files, x.client.checkFile) }

// checkRequired refuses a body in which something is missing.
func (b closedBody) checkRequired(x *exchange) error { return inPlaces(x, b.required, checkPresent) }

// inPlaces calls check with each value of the body that the places lead to, and its pointer. A value that is not there is nil, if there is
// something around it.
func inPlaces(x *exchange, places []string, check func(at jsontext.Pointer, value jsontext.Value) error) error {
	body, err := bodyOf(x.request)
	if err != nil {
		return err
	}
	for _, place := range places {
		if err := visit(body, "", strings.Split(strings.TrimPrefix(place, "/"), "/"), check); err != nil {
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
				inner = member.Clone() // it is valid until the next one is read
			}
		}
		return visit(inner, at.AppendToken(names[0]), names[1:], check)
	}
	return nil
}

// checkPresent refuses a required value that is not there or is empty, which Go's zero values are.
func checkPresent(at jsontext.Pointer, value jsontext.Value) error {
	switch string(value) {
	case "", "null", `""`, "[]":
		return fmt.Errorf("%w: %s is missing", ErrInvalidParameter, at)
	}
	return nil
}

// checkFile refuses a URL that does not lead into the service's storage. Of a service that is not JoggAI's own, such as a simulator, it is
// not known where it keeps files.
func (c *Client) checkFile(at jsontext.Pointer, value jsontext.Value) error {
	address := text(value)
	if address == "" {
		return nil
	}
	parsed, err := url.Parse(address)
	switch { // the address is not shown: it may be signed, or a whole picture
	case err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "":
		return fmt.Errorf("%w: %s is no http URL; upload the file first", ErrInvalidParameter, at)
	case c.servedByJoggAI() && !isWithin(parsed.Hostname(), storageDomain):
		return fmt.Errorf("%w: %s is outside of JoggAI's storage; upload the file first", ErrInvalidParameter, at)
	}
	return nil
}

// servedByJoggAI reports whether the client speaks to JoggAI itself.
func (c *Client) servedByJoggAI() bool {
	server, err := url.Parse(c.server)
	return err == nil && isWithin(server.Hostname(), storageDomain)
}

// isWithin reports whether a host is a domain or below it.
func isWithin(host, domain string) bool {
	host = strings.ToLower(host)
	return host == domain || strings.HasSuffix(host, "."+domain)
}
