package webhooks

import (
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Each of these is signed, so only its form is against it.
var _ = DescribeTable("A malformed body is refused, and nothing of it is told",
	func(ctx SpecContext, body string) {
		s := newSite([]string{secret})
		expectAnswer(s.post(ctx, videoEvent, []byte(body)), http.StatusBadRequest)
		Expect(s.received()).To(BeEmpty())
		Expect(s.log.String()).To(ContainSubstring("status=400"))
		Expect(s.log.String()).NotTo(ContainSubstring(marker))
		// It is not remembered either: the sound event of the same id is received.
		expectAnswer(s.post(ctx, videoEvent, video("1")), http.StatusOK)
		Expect(s.received()).To(HaveLen(1))
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
	Entry("a number beyond what a field can hold",
		`{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`","duration":1e999}}`),
	Entry("a timestamp beyond what a field can hold",
		`{"event":"generated_avatar_video_success","timestamp":1e99,"data":{"video_id":"`+marker+`"}}`),
	Entry("a line break in a string", "{\"event\":\"generated_avatar_video_success\",\"data\":{\"video_id\":\""+marker+"\n\"}}"),
	Entry("an unknown escape", `{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`\x41"}}`),
	Entry("half a surrogate pair", `{"event":"generated_avatar_video_success","data":{"video_id":"`+marker+`\ud83d"}}`),
	Entry("invalid UTF-8 in a field that nobody reads",
		"{\"event\":\"generated_avatar_video_success\",\"data\":{},\"x\":\""+marker+"\xff\"}"),
	Entry("the event twice", `{"event":"generated_avatar_video_success","event":"generated_avatar_video_success","data":{}}`),
	Entry("the event twice, once escaped",
		`{"event":"generated_avatar_video_success","\u0065vent":"generated_avatar_video_success","data":{}}`),
	Entry("a name twice in a field that nobody reads",
		`{"event":"generated_avatar_video_success","data":{"x":{"`+marker+`":1,"`+marker+`":2}}}`),
	Entry("bytes behind the value", string(video("1"))+marker),
	Entry("a NUL behind the value", string(video("1"))+"\x00"),
	Entry("the same twice", string(video("1"))+string(video("1"))),
	Entry("arrays too deep",
		`{"event":"generated_avatar_video_success","data":{},"x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`}`),
	Entry("null", `null`),
	Entry("a number", `7`),
	Entry("a string", `"`+marker+`"`),
	Entry("an event that is empty", `{"event":"","data":{"video_id":"`+marker+`"}}`),
	Entry("an event of null", `{"event":null,"data":{"video_id":"`+marker+`"}}`),
	Entry("an event that is an object", `{"event":{"name":"`+marker+`"},"data":{}}`),
	Entry("an id that is an object", `{"event":"generated_avatar_video_success","event_id":{"a":"`+marker+`"},"data":{}}`),
	Entry("data of null", `{"event":"generated_avatar_video_success","data":null}`),
	Entry("data that is an array", `{"event":"generated_avatar_video_success","data":["`+marker+`"]}`),
	Entry("a timestamp that is a date", `{"event":"generated_avatar_video_success","timestamp":"2024-11-28T15:10:31Z","data":{}}`),
)

// utf16 returns text in UTF-16, little-endian. It has ASCII only.
func utf16(text []byte) string {
	var wide strings.Builder
	for _, c := range text {
		wide.WriteByte(c)
		wide.WriteByte(0)
	}
	return wide.String()
}
