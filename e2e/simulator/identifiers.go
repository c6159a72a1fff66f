package simulator

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// identifiers generates ids and secrets in the format of the service. The same seed generates the same sequence.
// It is guarded by Simulator.mu.
type identifiers struct{ rng *rand.Rand }

func newIdentifiers(seed uint64) identifiers {
	return identifiers{rng: rand.New(rand.NewPCG(seed, 0x6a6f6767))}
}

func (g identifiers) pick(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[g.rng.IntN(len(alphabet))]
	}
	return string(b)
}

// named returns an id such as "video_482913077461".
func (g identifiers) named(prefix string) string {
	return prefix + "_" + g.pick("123456789", 1) + g.pick("0123456789", 11)
}

func (g identifiers) hex(n int) string { return g.pick("0123456789abcdef", n) }

func (g identifiers) uuid() string {
	return fmt.Sprintf("%s-%s-4%s-%s%s-%s", g.hex(8), g.hex(4), g.hex(3), g.pick("89ab", 1), g.hex(3), g.hex(12))
}

// product returns a product id, which in the service is a number encoded in base64.
func (g identifiers) product() string {
	return base64.RawStdEncoding.EncodeToString([]byte(strconv.Itoa(10_000_000 + g.rng.IntN(900_000_000))))
}

// number returns a numeric id, such as that of a new avatar.
func (g identifiers) number() int64 { return 100_000 + g.rng.Int64N(9_000_000) }

// secret returns a webhook secret in the format of API version 2.
func (g identifiers) secret() string {
	return "whsec_" + g.pick("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 32)
}

// seconds returns the duration of a video: 12 to 60 seconds in steps of 0.1.
func (g identifiers) seconds() float64 { return float64(120+g.rng.IntN(481)) / 10 }
