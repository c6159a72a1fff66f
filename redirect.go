package jogg

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// ErrRedirectRefused tells that the service, or something in front of it, redirected a request to another host. The request was
// not repeated there, because the API key would have gone with it. Another scheme or another port counts as another host.
var ErrRedirectRefused = errors.New("redirect to another host refused")

// maxRedirects is the number of redirects that are followed, the same as net/http follows by itself.
const maxRedirects = 10

// sameHostOnly returns a redirect policy that keeps requests on their host, and asks next about those it lets pass. net/http
// itself takes the headers of its own kind off a request that goes to another host, but not the header that carries the API key.
func sameHostOnly(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if !sameHost(req.URL, via[0].URL) {
			return fmt.Errorf("%w: from %s to %s", ErrRedirectRefused, origin(via[0].URL), origin(req.URL))
		}
		if next != nil {
			return next(req, via)
		}
		if len(via) >= maxRedirects {
			return fmt.Errorf("stopped after %d redirects", maxRedirects)
		}
		return nil
	}
}

func sameHost(a, b *url.URL) bool {
	return origin(a) == origin(b)
}

// origin returns the scheme, the host and the port of a URL, spelled so that equal ones are equal.
func origin(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[scheme])
	return scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// isLoopback tells whether a URL leads to this machine and nowhere else.
func isLoopback(u *url.URL) bool {
	if strings.EqualFold(u.Hostname(), "localhost") {
		return true
	}
	address, err := netip.ParseAddr(u.Hostname())
	return err == nil && address.IsLoopback()
}
