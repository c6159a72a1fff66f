package webhooks

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
)

// Each of these is signed, so JoggAI sent it. It reports something that happened, which would be lost if it were rejected.
var _ = DescribeTable("A signed body that cannot be decoded is received as a whole, and nothing of it is logged",
	func(ctx SpecContext, body string) {
		s := newSite([]string{secret})
		expectResponse(s.post(ctx, videoEvent, []byte(body)), http.StatusOK)
		Expect(s.received()).To(HaveLen(1))
		got := s.received()[0]
		Expect(got.Raw).To(BeEquivalentTo(body))
		Expect(got.Data).To(BeAssignableToTypeOf(&webhooks.Undecodable{}))
		Expect(got.Data.(*webhooks.Undecodable).Err).To(HaveOccurred())
		Expect(got.Key()).To(HavePrefix("sha256:"))
		Expect(s.log.String()).To(ContainSubstring("webhook event cannot be decoded"))
		Expect(s.log.String()).NotTo(ContainSubstring(marker))
		// Its redelivery is deduplicated.
		expectResponse(s.post(ctx, videoEvent, []byte(body)), http.StatusOK)
		// The event with a valid body is another event.
		expectResponse(s.post(ctx, videoEvent, video("1")), http.StatusOK)
		Expect(s.received()).To(HaveLen(2))
	},
	Entry("a byte order mark", "\ufeff"+string(video("1"))),
	Entry("UTF-16", utf16(video("1"))),
	Entry("single quotes", `{'event':'generated_avatar_video_success','data':{'video_id':'`+marker+`'}}`),
	Entry("a name without quotes", `{event:"generated_avatar_video_success","data":{"video_id":"`+marker+`"}}`),
	Entry("a comma too many", `{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`",}}`),
	Entry("a comma too few", `{"event":"generated_avatar_video_success" "data":{"video_id":"`+marker+`"}}`),
	Entry("a comment", `{"event":"generated_avatar_video_success",/* `+marker+` */"data":{}}`),
	Entry("NaN", `{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`","duration":NaN}}`),
	Entry("Infinity", `{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`","duration":Infinity}}`),
	Entry("a number with a leading zero",
		`{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`","duration":012}}`),
	Entry("a line break in a string", "{\"event\":\"generated_avatar_video_success\",\"data\":{\"video_id\":\""+marker+"\n\"}}"),
	Entry("an unknown escape", `{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`\x41"}}`),
	Entry("half a surrogate pair", `{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`\ud83d"}}`),
	Entry("invalid UTF-8 in an unknown field",
		"{\"event\":\"generated_avatar_video_success\",\"data\":{},\"x\":\""+marker+"\xff\"}"),
	Entry("the event twice", `{"event":"generated_avatar_video_success","event":"generated_avatar_video_success","data":{}}`),
	Entry("the event twice, once escaped",
		`{"event":"generated_avatar_video_success","\u0065vent":"generated_avatar_video_success","data":{}}`),
	Entry("a name twice in an unknown field",
		`{"event":"generated_avatar_video_success","data":{"x":{"`+marker+`":1,"`+marker+`":2}}}`),
	Entry("bytes after the value", string(video("1"))+marker),
	Entry("a NUL after the value", string(video("1"))+"\x00"),
	Entry("the same twice", string(video("1"))+string(video("1"))),
	Entry("arrays too deep",
		`{"event":"generated_avatar_video_success","data":{},"x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`}`),
	Entry("nothing", ``),
	Entry("no JSON", marker),
	Entry("an array", `["`+marker+`"]`),
	Entry("cut short", `{"event":"generated_avatar_video_success","data":{"video_id":"`+marker),
	Entry("two values", `{"event":"generated_avatar_video_success","data":{}} {}`),
	Entry("a name twice", `{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`","video_id":"2"}}`),
	Entry("invalid UTF-8", "{\"event\":\"generated_avatar_video_success\",\"data\":{\"video_id\":\""+marker+"\xff\"}}"),
	Entry("no event", `{"timestamp":1,"data":{"video_id":"`+marker+`"}}`),
	Entry("an event that is a number", `{"event":7,"data":{}}`),
	Entry("no data", `{"event":"generated_avatar_video_success","timestamp":1}`),
	Entry("data that is a string", `{"event":"generated_avatar_video_success","data":"`+marker+`"}`),
	Entry("an id that is an object", `{"event":"generated_avatar_video_success","data":{"video_id":{"a":"`+marker+`"}}}`),
	Entry("an id that is no integer", `{"event":"create_avatar_success","data":{"avatar_id":"`+marker+`"}}`),
	Entry("null", `null`),
	Entry("a number", `7`),
	Entry("a string", `"`+marker+`"`),
	Entry("an event that is empty", `{"event":"","data":{"video_id":"`+marker+`"}}`),
	Entry("an event of null", `{"event":null,"data":{"video_id":"`+marker+`"}}`),
	Entry("an event that is an object", `{"event":{"name":"`+marker+`"},"data":{}}`),
	Entry("data of null", `{"event":"generated_avatar_video_success","data":null}`),
	Entry("data that is an array", `{"event":"generated_avatar_video_success","data":["`+marker+`"]}`),
)

var _ = DescribeTable("A field with an unexpected value does not affect the others",
	func(ctx SpecContext, body, field string) {
		s := newSite([]string{secret})
		expectResponse(s.post(ctx, videoEvent, []byte(body)), http.StatusOK)
		Expect(s.received()).To(HaveLen(1))
		got := s.received()[0]
		Expect(got.Data).To(HaveField("VideoID", "video_1"))
		Expect(got.Problems).To(HaveLen(1))
		Expect(got.Problems[0].Field).To(Equal(field))
		Expect(s.log.String()).To(And(ContainSubstring("unexpected value"), ContainSubstring(field)))
		Expect(s.log.String()).NotTo(ContainSubstring(marker))
	},
	Entry("a number beyond float64",
		`{"event":"generated_avatar_video_success","data":{"video_id":"video_1","duration":1e999}}`, "/data/duration"),
	Entry("a duration with its unit",
		`{"event":"generated_avatar_video_success","data":{"video_id":"video_1","duration":"12.5s`+marker+`"}}`, "/data/duration"),
	Entry("a status that is an object",
		`{"event":"generated_avatar_video_success","data":{"video_id":"video_1","status":{"`+marker+`":1}}}`, "/data/status"),
	Entry("an error that is a list",
		`{"event":"generated_avatar_video_failed","data":{"video_id":"video_1","error":["`+marker+`"]}}`, "/data/error"),
	Entry("an event id that is an object",
		`{"event":"generated_avatar_video_success","event_id":{"a":"`+marker+`"},"data":{"video_id":"video_1"}}`, "/event_id"),
	Entry("a timestamp in words",
		`{"event":"generated_avatar_video_success","timestamp":"`+marker+`","data":{"video_id":"video_1"}}`, "/timestamp"),
	Entry("a timestamp beyond all times",
		`{"event":"generated_avatar_video_success","timestamp":1e99,"data":{"video_id":"video_1"}}`, "/timestamp"),
)

// utf16 encodes ASCII text as little-endian UTF-16.
func utf16(text []byte) string {
	var wide strings.Builder
	for _, c := range text {
		wide.WriteByte(c)
		wide.WriteByte(0)
	}
	return wide.String()
}
