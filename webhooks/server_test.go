package webhooks_test

import (
	"net/http"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
)

func TestServerTimeoutsExceedTheHandlerDeadline(t *testing.T) {
	handler := http.NotFoundHandler()
	server := webhooks.NewServer("127.0.0.1:8080", handler)
	if server.Addr != "127.0.0.1:8080" || server.Handler == nil {
		t.Errorf("the server is for %s with %v", server.Addr, server.Handler)
	}
	for name, limit := range map[string]int64{
		"ReadHeaderTimeout": int64(server.ReadHeaderTimeout),
		"IdleTimeout":       int64(server.IdleTimeout),
		"MaxHeaderBytes":    int64(server.MaxHeaderBytes),
	} {
		if limit <= 0 {
			t.Errorf("%s is %d, want a limit", name, limit)
		}
	}
	if server.ReadTimeout <= webhooks.DefaultDeadline {
		t.Errorf("ReadTimeout %v does not exceed the deadline %v", server.ReadTimeout, webhooks.DefaultDeadline)
	}
	if server.WriteTimeout <= webhooks.DefaultDeadline {
		t.Errorf("WriteTimeout %v does not exceed the deadline %v", server.WriteTimeout, webhooks.DefaultDeadline)
	}
}
