package console_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/jogg-go/jogg/webhooks/inbox"
	"github.com/jogg-go/jogg/webhooks/inbox/console"
)

// requireAdmin stands for the program's own authentication.
func requireAdmin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "admin" || password != "let me in" {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// The console is mounted behind the program's authentication, at any path that ends with a slash.
func Example() {
	dir, err := os.MkdirTemp("", "jogg-console")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	box, err := inbox.Open(context.Background(), inbox.Options{Dir: filepath.Join(dir, "inbox"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	defer box.Close()

	mux := http.NewServeMux()
	mux.Handle("/admin/jogg/", requireAdmin(console.New(box, console.WithActions())))

	for _, password := range []string{"guess", "let me in"} {
		r := httptest.NewRequest(http.MethodGet, "/admin/jogg/", nil)
		r.SetBasicAuth("admin", password)
		response := httptest.NewRecorder()
		mux.ServeHTTP(response, r)
		fmt.Println(response.Code)
	}
	// Output:
	// 401
	// 200
}
