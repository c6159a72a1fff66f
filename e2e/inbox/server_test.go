package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// serverConfig configures one NATS server of a local cluster.
type serverConfig struct {
	Name              string
	Port, ClusterPort int
	Routes            []string
	Dir               string
}

// runServer is the main function of the role nats-server.
func runServer() error {
	c, err := roleConfig[serverConfig]()
	if err != nil {
		return err
	}
	opts := &server.Options{
		ServerName: c.Name, Host: "127.0.0.1", Port: c.Port, JetStream: true, StoreDir: c.Dir, NoLog: true, NoSigs: true,
		Cluster: server.ClusterOpts{Name: "e2e", Host: "127.0.0.1", Port: c.ClusterPort},
	}
	for _, route := range c.Routes {
		u, err := url.Parse(route)
		if err != nil {
			return err
		}
		opts.Routes = append(opts.Routes, u)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		return errors.New("server is not ready")
	}
	fmt.Println(s.ClientURL())
	<-untilOrphaned(context.Background()).Done()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}
