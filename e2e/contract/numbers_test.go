package contract

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg"
	"github.com/jogg-go/jogg/gen"
	"github.com/jogg-go/jogg/webhooks"
)

// numberLiterals are JSON values in places of numbers: numbers in every spelling, texts that are or resemble numbers, and other types.
func numberLiterals() []string {
	literals := []string{
		"0", "-0", "1", "-1", "42", "1.0", "-1.0", "1e3", "1E3", "1e+3", "12.5e1", "125e-1", "1.5", "0.1", "1e-7", "1e400", "-1e400", "1e30", "1e-400",
		"9007199254740993", "9007199254740993.0", "9007199254740993e0", "900719925474099.3e1", "-9007199254740993.0",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "9223372036854775807.0",
		"922337203685477580700e-2", "18446744073709551615", "1e18", "1e19", "0e0", "0.0e10", "0e999999", "1e999999999999",
		`"0"`, `"42"`, `"-1"`, `"1.0"`, `"1e3"`, `"9007199254740993"`, `"9007199254740993.0"`, `"9223372036854775808"`, `"1.5"`, `"\u0031"`,
		`" 1"`, `"1 "`, `"+1"`, `"01"`, `"1."`, `".5"`, `"1_0"`, `"0x10"`, `"0x10p0"`, `"Inf"`, `"NaN"`, `"1e400"`, `"null"`, `"one"`, `""`, `"1,5"`,
		"null", "true", "false", "[1]", "[]", `{"a":1}`, "{}",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		literal := strconv.FormatInt(int64(random.Uint64())>>random.IntN(64), 10)
		switch random.IntN(4) {
		case 0:
			literal += ".0"
		case 1:
			literal = fmt.Sprintf("%se%d", literal, random.IntN(9)-4)
		case 2:
			literal = strconv.Quote(literal)
		}
		literals = append(literals, literal)
	}
	return literals
}

// The client and the receiver do not import each other, so each has a reader of numbers of its own.
var _ = Describe("A number", func() {
	It("has the same value in a response and in a delivery", func(ctx SpecContext) {
		for _, literal := range numberLiterals() {
			Expect(json.Valid([]byte(literal))).To(BeTrue(), literal)

			var response jogg.Response
			client := clientOf(canned([]byte(`{"code":0,"data":{"avatars":[{"id":` + literal + `}]}}`)))
			avatars, err := client.ListPublicAvatars(ctx, gen.ListPublicAvatarsParams{}, jogg.WithResponse(&response))
			Expect(err).NotTo(HaveOccurred(), literal)
			ev, err := webhooks.Parse([]byte(`{"event":"create_avatar_success","data":{"avatar_id":` + literal + `}}`))
			Expect(err).NotTo(HaveOccurred(), literal)
			var whole int64
			mismatch := len(ev.Problems) > 0
			switch data := ev.Data.(type) {
			case *webhooks.AvatarSucceeded:
				whole = data.AvatarID
			case *webhooks.Undecodable: // the id is zero or does not fit
				mismatch = data.Err.Err.Error() != "missing"
			}
			Expect(whole).To(Equal(avatars.Avatars[0].ID), literal)
			Expect(mismatch).To(Equal(len(response.Problems) > 0), "%s: %v and %v", literal, ev.Data, response.Problems)

			client = clientOf(canned([]byte(`{"code":0,"data":{"video_id":"v","duration":` + literal + `}}`)))
			video, err := client.GetAvatarVideo(ctx, "v", jogg.WithResponse(&response))
			Expect(err).NotTo(HaveOccurred(), literal)
			ev, err = webhooks.Parse([]byte(`{"event":"generated_avatar_video_success","data":{"video_id":"v","duration":` + literal + `}}`))
			Expect(err).NotTo(HaveOccurred(), literal)
			Expect(ev.Data).To(HaveField("Duration", video.Duration), literal)
			Expect(ev.Problems).To(HaveLen(len(response.Problems)), "%s: %v and %v", literal, ev.Problems, response.Problems)
		}
	})
})
