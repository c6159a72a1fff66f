package hostile

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
)

// shortDeadline is the handler's deadline in specs that wait for it. The other specs have the default of 4.5 s.
const shortDeadline = time.Second

// limit is the default limit of the body size.
const limit = webhooks.DefaultMaxBodySize

// The memory that one sender may cost the victim, in KiB, in addition to the victim's base memory. An attack that sends little costs the
// buffers and the goroutine of its connection, and a preallocated buffer for the announced body of up to 64 KiB. A body that has arrived
// costs up to three times its size, because its buffer grows by copying. On a busy machine there can be as much garbage again before it is
// collected.
//
// A signed body is also decoded: it is copied, names are recorded to detect duplicates, and nesting takes stack, several times as much with
// the race detector.
const (
	little = 160
	much   = 2 * 3 * 1024
	most   = 48 * 1024
)

const base = 16 * 1024 // KiB of slack, independent of the senders

// withstand returns the body of a table of attacks. A number of concurrent senders run the attack against a victim whose handler has the
// deadline. Each sender may cost the given KiB of memory, and may get only the given status codes.
func withstand(deadline time.Duration) any {
	return func(ctx SpecContext, senders, kibibytes int, do attack, statuses ...int) {
		v := victimWith(deadline)
		outcome := v.besiege(ctx, senders, do)
		for status := range outcome.statuses {
			Expect(statuses).To(ContainElement(status))
		}
		Expect(outcome.peak.memory()).To(BeNumerically("<", v.before.memory()+uint64(base+senders*kibibytes)<<10))
		v.expectRecovered()
	}
}

var _ = DescribeTable("Valid deliveries get a response in time while slow senders", withstand(shortDeadline),
	Entry("trickle their body", 200, little, trickle(length(1000)), 408),
	Entry("trickle chunks", 200, little, trickle("Transfer-Encoding: chunked"), 408),
	Entry("stop in their body", 200, little, stop(500, 1000), 408),
	Entry("announce a body and send none", 200, little, stop(0, limit), 408),
	Entry("stop one byte before the end of the longest body", 50, much, stop(limit-1, limit), 408),
	Entry("send their body after the deadline", 50, little, late, 408),
)

var _ = DescribeTable("Valid deliveries get a response in time while senders", withstand(webhooks.DefaultDeadline),
	// Bodies that contradict their headers.
	Entry("disconnect before the end of their body", 200, little, leave, 400, closed),
	Entry("send more than they announced", 200, little, sendMore, 401),
	Entry("announce a terabyte", 200, little, headOnly(terabyte), 413),
	Entry("announce two lengths", 200, little, headOnly(length(1), length(2)), 400),
	Entry("announce a negative length", 200, little, headOnly(length(-1)), 400),
	Entry("announce a length that is not a number", 200, little, headOnly("Content-Length: 1e3"), 400),
	Entry("announce chunks and send something else", 200, little, whole("not a chunk\r\n\r\n", forged, "Transfer-Encoding: chunked"), 400),
	Entry("announce a chunk of 16 EiB", 200, little, whole("fffffffffffffffff\r\n", forged, "Transfer-Encoding: chunked"), 400),
	Entry("send endless chunks", 20, much, chunksWithoutEnd, 413, 408, closed),
	Entry("expect 100 Continue", 200, little, headOnly("Expect: 100-continue", length(10*limit)), 413),

	// Headers.
	Entry("send a header that is too long", 200, little, headOnly("X-Flood: "+strings.Repeat("a", 1<<20)), 431, closed),
	Entry("send too many headers", 200, little, headOnly(strings.Repeat("X-Flood: a\r\n", 100_000)+"X-Flood: a"), 431, closed),
	Entry("send many signatures", 200, little,
		whole("{}", length(2), strings.Repeat(forged+"\r\n", 100)+forged), 401),
	Entry("send a signature that is too long", 200, little, whole("{}", length(2), webhooks.SignatureHeader+": "+strings.Repeat("a", 10_000)), 401),
	Entry("never end their headers", 200, little, headersWithoutEnd, closed),
	Entry("send something other than a request", 200, little, garbage, 400),

	// Bodies over the limit, and compressed ones.
	Entry("send a body one byte too long", 50, little, signed(padded(limit+1)), 413, closed),
	Entry("send a body one byte too long in chunks", 50, much, chunked(padded(limit+1)), 413, 408, closed),
	Entry("send a signed body compressed", 50, little, compressed, 500),

	// Attacks by somebody who knows the secret. The status is 408 if this machine is too busy for such a long body.
	Entry("nest arrays as deep as the limit allows", 5, most, signed(`{"x":`+strings.Repeat("[", limit-5)), 500, 408),
	Entry("nest objects as deep as the limit allows", 5, most, signed(strings.Repeat(`{"data":`, limit/8)), 500, 408),
	Entry("send a number as long as the limit allows", 5, most,
		signed(`{"event":"generated_video_success","data":{"duration":`+strings.Repeat("9", limit-56)+`}}`), 500, 408),
	Entry("send an integer ID as long as the limit allows", 5, most,
		signed(`{"event":"create_avatar_success","data":{"avatar_id":`+strings.Repeat("9", limit-55)+`}}`), 500, 408),
	Entry("send a number with a huge exponent", 20, little,
		signed(`{"event":"generated_video_success","data":{"duration":1e999999999}}`), 500),
	Entry("send many names, one of them twice", 5, most, signed(manyNames()), 500, 408),
)

var _ = Describe("A body at the limit", func() {
	It("is accepted, with Content-Length or chunked", func(ctx SpecContext) {
		v := victimWith(webhooks.DefaultDeadline)
		for _, do := range []attack{signed(padded(limit)), chunked(padded(limit))} {
			s, err := dial(ctx, v.address)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(s.Close)
			Expect(do(ctx, s)).To(Equal(200))
		}
		v.delivered++ // the second was a redelivery of the first
		v.expectRecovered()
	})
})

var _ = Describe("Garbage after a valid delivery", func() {
	It("does not affect the delivery, and ends the connection", func(ctx SpecContext) {
		v := victimWith(webhooks.DefaultDeadline)
		s, err := dial(ctx, v.address)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(s.Close)
		v.delivered++
		body := good(fmt.Sprintf("evt_%d", v.delivered))
		Expect(s.head(signature(body), length(len(body)))).To(Succeed())
		_, err = io.WriteString(s, body+"\x16\x03\x01 garbage\r\n\r\n"+body)
		Expect(err).NotTo(HaveOccurred())
		Expect(s.status()).To(Equal(200))
		Expect(s.status()).To(Equal(400))
		Expect(s.status()).To(Equal(closed))
		v.expectRecovered()
	})
})

var _ = Describe("Everything at once", func() {
	It("does not delay responses to valid deliveries beyond the limit", func(ctx SpecContext) {
		v := victimWith(webhooks.DefaultDeadline)
		attacks := []attack{
			trickle(length(1000)), trickle("Transfer-Encoding: chunked"), stop(limit-1, limit), leave, sendMore, chunksWithoutEnd,
			headersWithoutEnd, garbage, compressed, headOnly(terabyte), whole("not a chunk\r\n\r\n", forged, "Transfer-Encoding: chunked"),
			headOnly("X-Flood: " + strings.Repeat("a", 1<<20)),
		}
		next := make(chan attack, 20*len(attacks))
		for range 20 {
			for _, do := range attacks {
				next <- do
			}
		}
		outcome := v.besiege(ctx, cap(next), func(ctx context.Context, s *sender) (int, error) {
			return (<-next)(ctx, s)
		})
		Expect(outcome.statuses).NotTo(HaveKey(200))
		Expect(outcome.statuses[500]).To(BeNumerically("<=", 20), "the compressed ones, which are signed but undecodable")
		v.expectRecovered()
	})
})

// trickle sends a body byte by byte, or in chunks of one byte.
func trickle(header string) attack {
	piece := "a"
	if strings.Contains(header, "chunked") {
		piece = "1\r\na\r\n"
	}
	return func(ctx context.Context, s *sender) (int, error) {
		if err := s.head(forged, header); err != nil {
			return closed, err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go every(ctx, 100*time.Millisecond, func() error {
			_, err := io.WriteString(s, piece)
			return err
		})
		return s.status()
	}
}

// stop sends part of a body with the announced length, and then stalls.
func stop(sent, announced int) attack {
	body := strings.Repeat("a", sent)
	return func(_ context.Context, s *sender) (int, error) {
		if err := s.head(forged, length(announced)); err != nil {
			return closed, err
		}
		if _, err := io.WriteString(s, body); err != nil {
			return closed, err
		}
		return s.status()
	}
}

// late sends a valid body after the deadline.
func late(ctx context.Context, s *sender) (int, error) {
	body := good("late")
	if err := s.head(signature(body), length(len(body))); err != nil {
		return closed, err
	}
	every(ctx, shortDeadline+shortDeadline/10, func() error {
		_, _ = io.WriteString(s, body)
		return io.EOF
	})
	return s.status()
}

// leave closes the connection for writing in the middle of the body.
func leave(_ context.Context, s *sender) (int, error) {
	body := good("cut")
	if err := s.head(signature(body), length(len(body))); err != nil {
		return closed, err
	}
	if _, err := io.WriteString(s, body[:len(body)/2]); err != nil {
		return closed, err
	}
	if err := s.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		return closed, err
	}
	return s.status()
}

// sendMore sends a body that is longer than its Content-Length.
func sendMore(_ context.Context, s *sender) (int, error) {
	body := good("more")
	if err := s.head(signature(body), length(len(body)-10)); err != nil {
		return closed, err
	}
	if _, err := io.WriteString(s, body); err != nil {
		return closed, err
	}
	return s.status()
}

// headOnly sends headers and no body.
func headOnly(headers ...string) attack {
	return whole("", append([]string{forged}, headers...)...)
}

// whole sends the headers and the body.
func whole(body string, headers ...string) attack {
	return func(_ context.Context, s *sender) (int, error) {
		// A request that is rejected early is not read to its end, so writing can fail.
		if err := s.head(headers...); err == nil {
			_, _ = io.WriteString(s, body)
		}
		return s.status()
	}
}

func signed(body string) attack {
	return whole(body, signature(body), length(len(body)))
}

func chunked(body string) attack {
	const size = 1000
	var chunks strings.Builder
	for rest := body; rest != ""; {
		n := min(size, len(rest))
		fmt.Fprintf(&chunks, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	chunks.WriteString("0\r\n\r\n")
	return whole(chunks.String(), signature(body), "Transfer-Encoding: chunked")
}

func chunksWithoutEnd(_ context.Context, s *sender) (int, error) {
	if err := s.head(forged, "Transfer-Encoding: chunked"); err != nil {
		return closed, err
	}
	go func() {
		chunk := "1000\r\n" + strings.Repeat("a", 0x1000) + "\r\n"
		for {
			if _, err := io.WriteString(s, chunk); err != nil {
				return
			}
		}
	}()
	return s.status()
}

func headersWithoutEnd(ctx context.Context, s *sender) (int, error) {
	if _, err := io.WriteString(s, "POST /jogg HTTP/1.1\r\nHost: victim\r\n"); err != nil {
		return closed, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go every(ctx, 100*time.Millisecond, func() error {
		_, err := io.WriteString(s, "X-Slow: a\r\n")
		return err
	})
	return s.status()
}

func garbage(_ context.Context, s *sender) (int, error) {
	if _, err := io.WriteString(s, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"); err != nil {
		return closed, err
	}
	return s.status()
}

// compressed sends a signed, gzip-compressed body of 16 MiB. The signature is that of the compressed bytes.
func compressed(ctx context.Context, s *sender) (int, error) {
	return whole(bomb, signature(bomb), length(len(bomb)), "Content-Encoding: gzip")(ctx, s)
}

var bomb = func() string {
	var small bytes.Buffer
	w := gzip.NewWriter(&small)
	_, _ = w.Write(make([]byte, 16*limit)) // never fails on a buffer
	_ = w.Close()
	return small.String()
}()

// padded returns a valid body of n bytes.
func padded(n int) string {
	head, tail := `{"event":"video_archived","event_id":"evt_padded","data":"`, `"}`
	return head + strings.Repeat("a", n-len(head)-len(tail)) + tail
}

// manyNames returns an object with as many names as the limit allows, the last of them twice.
func manyNames() string {
	var names strings.Builder
	names.WriteString(`{"event":"video_archived","data":{`)
	for i := 0; names.Len() < limit-60; i++ {
		fmt.Fprintf(&names, `"%x":0,`, i)
	}
	names.WriteString(`"twice":0,"twice":0}}`)
	return names.String()
}
