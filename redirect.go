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

// ErrRedirectRefused means that the service, or something in front of it, sent a redirect that the client does not follow:
//   - to another host, because the API key would go with it; another scheme or another port counts as another host;
//   - by a status that would turn a POST, PUT or DELETE into a GET (301, 302, 303), because the GET would not do what was requested, and
//     its response would say nothing about it.
//
// A redirect on the same host that keeps the method is followed: any redirect of a GET, and 307 and 308 of other methods, with their body.
var ErrRedirectRefused = errors.New("redirect refused")

// maxRedirects is the number of redirects that are followed, the same as in net/http.
const maxRedirects = 10

// sameRequestOnly returns a redirect policy that keeps requests on their host and keeps their method. It consults next about the redirects
// that it allows. net/http drops Authorization on cross-host redirects, not X-Api-Key, and turns other methods into GET on 301, 302 and
// 303.
func sameRequestOnly(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if !sameHost(req.URL, via[0].URL) {
			return fmt.Errorf("%w: to another host, from %s to %s", ErrRedirectRefused, origin(via[0].URL), origin(req.URL))
		}
		if req.Method != via[0].Method {
			return fmt.Errorf("%w: it would turn %s into %s", ErrRedirectRefused, via[0].Method, req.Method)
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

// origin returns the normalized scheme, host and port of a URL.
func origin(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[scheme])
	return scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// isLoopback reports whether a URL leads to this machine only.
func isLoopback(u *url.URL) bool {
	if strings.EqualFold(u.Hostname(), "localhost") {
		return true
	}
	address, err := netip.ParseAddr(u.Hostname())
	return err == nil && address.IsLoopback()
}
