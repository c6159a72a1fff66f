package simulator

import "net/http"

func (s *Simulator) newConsole() http.Handler { return http.NotFoundHandler() }
