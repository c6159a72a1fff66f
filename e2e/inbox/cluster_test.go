package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// cluster is a local cluster of three NATS servers, each in its own process.
type cluster struct {
	configs map[string]serverConfig
	servers map[string]*process
	js      jetstream.JetStream
}

func startCluster() *cluster {
	GinkgoHelper()
	c := &cluster{configs: map[string]serverConfig{}, servers: map[string]*process{}}
	var routes []string
	for i := range 3 {
		config := serverConfig{
			Name: fmt.Sprintf("server-%d", i+1), Port: freePort(), ClusterPort: freePort(),
			Dir: filepath.Join(GinkgoT().TempDir(), "jetstream"),
		}
		c.configs[config.Name] = config
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", config.ClusterPort))
	}
	for name, config := range c.configs {
		config.Routes = routes
		c.configs[name] = config
		c.start(name)
	}
	conn, err := nats.Connect(c.url(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(conn.Close)
	c.js, err = jetstream.New(conn)
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := c.js.AccountInfo(ctx)
		return err
	}).WithTimeout(time.Minute).Should(Succeed(), "the cluster has a leader")
	return c
}

// start starts or restarts a server.
func (c *cluster) start(name string) {
	GinkgoHelper()
	c.servers[name], _ = start("nats-server", name, c.configs[name])
}

func (c *cluster) kill(name string) {
	By("killing " + name)
	c.servers[name].kill()
}

// url returns the URLs of all servers, whether they are running or not, separated by commas.
func (c *cluster) url() string {
	var urls []string
	for _, config := range c.configs {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", config.Port))
	}
	slices.Sort(urls)
	return strings.Join(urls, ",")
}

// leader returns the name of the server that leads the stream of events, or "" if the stream has no leader.
func (c *cluster) leader() string {
	info, err := c.info("JOGG")
	if err != nil {
		return ""
	}
	return info.Cluster.Leader
}

func (c *cluster) info(stream string) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// follower returns the name of a server that does not lead the stream of events.
func (c *cluster) follower() string {
	GinkgoHelper()
	leader := ""
	Eventually(func() string { leader = c.leader(); return leader }).ShouldNot(BeEmpty())
	for name := range c.configs {
		if name != leader {
			return name
		}
	}
	return ""
}

// expectInSync waits until every stream has a leader and two followers that are up to date.
func (c *cluster) expectInSync() {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		for _, stream := range []string{"JOGG", "JOGG_DEAD", "JOGG_HANDLED"} {
			info, err := c.info(stream)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(info.Cluster.Leader).NotTo(BeEmpty())
			g.Expect(info.Cluster.Replicas).To(HaveLen(2))
			for _, peer := range info.Cluster.Replicas {
				g.Expect(peer.Current).To(BeTrue(), "%s on %s", stream, peer.Name)
				g.Expect(peer.Offline).To(BeFalse(), "%s on %s", stream, peer.Name)
			}
		}
	}).Should(Succeed())
}

// watch polls the leaders of the streams and of the consumer. It returns a function that ends the polling and returns the outages: the
// periods in which not all leaders responded, because a server was killed or because the servers lost contact on a busy machine.
func (c *cluster) watch() (outages func() []outage) {
	stop, found := make(chan struct{}), make(chan []outage, 1)
	go func() {
		var all []outage
		out := false
		lastOK := time.Now() // when the last poll began in which all responded
		for {
			began := time.Now()
			err := c.poll()
			switch {
			case err != nil:
				out = true
			case out:
				all = append(all, outage{from: lastOK, to: time.Now()})
				fallthrough
			default:
				out, lastOK = false, began
			}
			select {
			case <-stop:
				found <- all
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return sync.OnceValue(func() []outage {
		close(stop)
		return <-found
	})
}

// poll returns an error if a stream or the consumer does not respond within a second.
func (c *cluster) poll() error {
	for _, stream := range []string{"JOGG", "JOGG_HANDLED"} {
		if _, err := c.info(stream); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := c.js.Consumer(ctx, "JOGG", "worker")
	return err
}

var _ = Describe("A cluster whose servers are killed", func() {
	It("loses no acknowledged event", func() {
		c := startCluster()
		ledger := newLedger()
		config := nodeConfig{
			URL: c.url(), Replicas: 3, Ledger: string(ledger), Concurrency: 4,
			AckWait: 3 * time.Second, Backoff: []time.Duration{100 * time.Millisecond},
		}
		node := func(name string, receive, work bool) (*process, string) {
			config := config
			config.Name, config.Receive, config.Work = name, receive, work
			return start("node", name, config)
		}
		_, receiver1 := node("receiver-1", true, false)
		_, receiver2 := node("receiver-2", true, false)
		worker1, _ := node("worker-1", false, true)
		_, worker2 := node("worker-2", false, true)
		c.expectInSync()
		outages := c.watch()
		defer outages()

		sender := newSender(receiver1, receiver2)
		finish := sender.keepSending(8, 5*time.Millisecond)
		defer finish()
		underLoad := func() {
			GinkgoHelper()
			accepted, handled := len(sender.all()), len(ledger.handled())
			Eventually(func() int { return len(sender.all()) }).Should(BeNumerically(">", accepted+50))
			Eventually(func() int { return len(ledger.handled()) }).Should(BeNumerically(">", handled+50))
		}
		underLoad()

		leader := c.leader()
		c.kill(leader)
		Eventually(c.leader).ShouldNot(Or(BeEmpty(), Equal(leader)))
		underLoad()
		c.start(leader)
		c.expectInSync()
		underLoad()

		follower := c.follower()
		c.kill(follower)
		underLoad()
		c.start(follower)
		c.expectInSync()
		underLoad()

		By("killing worker-1")
		killed := killedNow(worker1.name)
		worker1.kill()
		underLoad()
		node("worker-3", false, true)
		underLoad()

		By("killing the leader again")
		leader = c.leader()
		c.kill(leader)
		underLoad()
		c.start(leader)
		c.expectInSync()

		finish()
		expectIdle(worker2)

		ledger.expectNothingLost(sender, "cluster", "3 servers and a worker killed", append(outages(), killed)...)
	})

	It("responds with 503 while it has no quorum, and recovers", func() {
		c := startCluster()
		ledger := newLedger()
		config := nodeConfig{Name: "node", URL: c.url(), Replicas: 3, Ledger: string(ledger), Receive: true, Work: true, AckWait: 3 * time.Second}
		_, url := start("node", config.Name, config)
		c.expectInSync()
		sender := newSender(url)
		Expect(sender.try(context.Background(), "event-1")).To(Equal(200))

		down := []string{"server-1", "server-2"}
		for _, name := range down {
			c.kill(name)
		}
		Eventually(func() int { return sender.try(context.Background(), "event-2") }).Should(Equal(503))
		for _, name := range down {
			c.start(name)
		}
		Eventually(func() int { return sender.try(context.Background(), "event-2") }).Should(Equal(200))
		Eventually(ledger.handled).Should(And(HaveLen(2), HaveEach(HaveLen(1))))
	})

	It("rejects a stream with a different configuration", func(ctx SpecContext) {
		c := startCluster()
		open := func(opts inbox.Options) error {
			opts.URL = c.url()
			box, err := inbox.Open(ctx, opts)
			if err != nil {
				return err
			}
			return box.Close()
		}
		Expect(open(inbox.Options{Replicas: 3})).To(Succeed())
		Expect(open(inbox.Options{Replicas: 3})).To(Succeed())
		shape, ok := errors.AsType[*inbox.ShapeError](open(inbox.Options{Replicas: 1}))
		Expect(ok).To(BeTrue())
		Expect(shape).To(And(
			HaveField("Name", "JOGG"), HaveField("Setting", "num_replicas"), HaveField("Have", 3), HaveField("Want", 1)))
	})
})
