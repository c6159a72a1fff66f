package inbox

import "github.com/nats-io/nats.go"

// Conn returns the connection to the server, for tests that look at the streams or put something into them.
func (b *Inbox) Conn() *nats.Conn { return b.conn }
