package webhooks

import (
	"net/http"
	"time"
)

// NewServer returns an http.Server for handler at addr with the limits that a server needs to which anybody can send. Change what does
// not suit before serving; TLS is the caller's, or that of a proxy in front.
//
//	ReadHeaderTimeout  5 s     a sender that trickles headers holds a connection no longer than that
//	ReadTimeout        10 s    the same for bodies; the handler of NewHandler ends them sooner, at its deadline
//	WriteTimeout       10 s    more than the handler's deadline, so that every answer gets out; less than for ever
//	IdleTimeout        30 s    JoggAI's retries, 5 s apart, find the connection still open
//	MaxHeaderBytes     16 KiB  JoggAI's headers take less than 1
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
