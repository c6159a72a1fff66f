package webhooks

import (
	"net/http"
	"time"
)

// NewServer returns an http.Server for handler at addr, with limits for a server that is exposed to untrusted clients. Change the fields
// that do not suit you before serving. TLS is left to the caller, or to a proxy in front of the server.
//
//	ReadHeaderTimeout  5 s     how long a client that trickles headers can hold a connection
//	ReadTimeout        10 s    the same for bodies; the handler of NewHandler stops reading earlier, at its deadline
//	WriteTimeout       10 s    longer than the handler's deadline, so that every response can be sent
//	IdleTimeout        30 s    keeps the connection open for JoggAI's retries, which are 5 s apart
//	MaxHeaderBytes     16 KiB  JoggAI's headers take less than 1 KiB
func NewServer(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}
