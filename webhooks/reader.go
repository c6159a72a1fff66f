package webhooks

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reader reads the values of a body that jsontext has validated. It therefore does not check the syntax: every string is terminated and
// brackets match. A value can still have another type than its field. The field then keeps its zero value, and the reader records a
// mismatch and continues after the value.
//
// For each kind of Go type there is a function that reads a value into a variable of that type. The generated decoders in decode.gen.go
// call these functions, and have the same form. All of them read null as the zero value.
type reader struct {
	body    []byte
	text    string // a copy of the body; decoded strings are substrings of it
	at      int    // offset of the next value, or of white space and punctuation before it
	escapes bool   // whether the body contains a backslash
	name    string // name of the current member

	mismatches []mismatch
	scratch    []byte // buffer for unquoting strings

	collectUnknown bool  // whether to fill unknown
	unknown        []int // offsets of values that the contract does not have
}

// mismatch is a value that cannot be decoded into its field.
type mismatch struct {
	at  int // offset of the value
	err error
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// newReader returns a reader of body, which must be valid JSON. The caller must release it.
func newReader(body []byte) *reader {
	r := readers.Get().(*reader)
	r.body, r.text, r.at = body, string(body), 0
	r.escapes = bytes.IndexByte(body, '\\') >= 0
	return r
}

// release returns the reader to the pool, without large buffers.
func (r *reader) release() {
	const maxKept = 4 << 10
	clear(r.mismatches)
	r.mismatches, r.scratch = r.mismatches[:0], r.scratch[:0]
	if cap(r.mismatches) > maxKept/16 || cap(r.scratch) > maxKept {
		r.mismatches, r.scratch = nil, nil
	}
	r.body, r.text, r.name = nil, "", ""
	r.collectUnknown, r.unknown = false, nil
	readers.Put(r)
}

// peek advances to the next value, or to the bracket that closes the current object or array, and returns its first byte. The functions
// below that read a value expect to be at its first byte.
func (r *reader) peek() byte {
	for {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			r.at++
		default:
			return c
		}
	}
}

// object enters an object, whose members are then read with member. It returns false if the next value is not an object.
func (r *reader) object() bool {
	return r.open('{', "an object")
}

// member advances to the value of the next member and sets r.name. At the end of the object it leaves the object and returns false.
func (r *reader) member() bool {
	if r.peek() == '}' {
		r.at++
		return false
	}
	r.name = r.string()
	return true
}

// array enters an array, whose elements are then read with element. It returns false if the next value is not an array.
func (r *reader) array() bool {
	return r.open('[', "an array")
}

// element advances to the next element. At the end of the array it leaves the array and returns false.
func (r *reader) element() bool {
	if r.peek() == ']' {
		r.at++
		return false
	}
	return true
}

// open reads an opening bracket. If the next value does not begin with it, open skips that value, records a mismatch unless it is null, and
// returns false.
func (r *reader) open(bracket byte, wanted string) bool {
	switch c := r.peek(); {
	case c == bracket:
		r.at++
		return true
	case c != 'n':
		r.unexpected(wanted)
	default:
		r.skip()
	}
	return false
}

// skip skips the next value.
func (r *reader) skip() {
	switch r.peek() {
	case '"':
		r.at = r.endOfString()
	case '{', '[':
		r.at = r.endOfBrackets()
	default:
		r.at = r.endOfWord()
	}
}

// skipUnknown skips the value of a member that the contract does not have.
func (r *reader) skipUnknown() {
	if r.collectUnknown {
		r.peek()
		r.unknown = append(r.unknown, r.at)
	}
	r.skip()
}

// raw reads the next value as a slice of the body, or nil for null.
func (r *reader) raw() []byte {
	null := r.peek() == 'n'
	start := r.at
	r.skip()
	if null {
		return nil
	}
	return r.body[start:r.at:r.at]
}

// string reads a string.
func (r *reader) string() string {
	start := r.at
	if !r.escapes { // the common case: the string ends at the next quote
		end := start + 1 + strings.IndexByte(r.text[start+1:], '"')
		r.at = end + 1
		return r.text[start+1 : end]
	}
	r.at = r.endOfString()
	if literal := r.text[start:r.at]; strings.IndexByte(literal, '\\') >= 0 {
		r.scratch, _ = jsontext.AppendUnquote(r.scratch[:0], literal) // never fails on a valid literal
		return string(r.scratch)
	}
	return r.text[start+1 : r.at-1]
}

// word reads a number, true, false or null as its literal.
func (r *reader) word() string {
	start := r.at
	r.at = r.endOfWord()
	return r.text[start:r.at]
}

// endOfString returns the offset after the string that begins at r.at.
func (r *reader) endOfString() int {
	for end := r.at + 1; ; end++ {
		end += strings.IndexByte(r.text[end:], '"')
		if !r.escapes || backslashes(r.text[r.at+1:end])%2 == 0 {
			return end + 1
		}
	}
}

// backslashes returns the number of backslashes at the end of text.
func backslashes(text string) int { return len(text) - len(strings.TrimRight(text, `\`)) }

// endOfBrackets returns the offset after the object or array that begins at r.at.
func (r *reader) endOfBrackets() int {
	start := r.at
	defer func() { r.at = start }()
	for depth := 0; ; r.at++ {
		switch r.text[r.at] {
		case '"':
			r.at = r.endOfString() - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return r.at + 1
			}
		}
	}
}

// endOfWord returns the offset after the number, true, false or null that begins at r.at.
func (r *reader) endOfWord() int {
	for end := r.at + 1; end < len(r.text); end++ {
		switch r.text[end] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return end
		}
	}
	return len(r.text)
}

// scalar reads a string, or the literal of a number or a boolean. It returns false for null, and for an object or an array, which it
// records as a mismatch.
func (r *reader) scalar(wanted string) (value string, ok bool) {
	switch r.peek() {
	case '"':
		return r.string(), true
	case 'n':
		r.skip()
		return "", false
	case '{', '[':
		r.unexpected(wanted)
		return "", false
	default:
		return r.word(), true
	}
}

// mismatch records that the value at an offset cannot be decoded into its field.
func (r *reader) mismatch(at int, err error) {
	r.mismatches = append(r.mismatches, mismatch{at, err})
}

// unexpected skips the next value and records that it does not have the wanted type.
func (r *reader) unexpected(wanted string) {
	first := r.peek()
	r.mismatch(r.at, fmt.Errorf("is %s, not %s", kindName(first), wanted))
	r.skip()
}

// kindName returns the JSON type of a value, by its first byte.
func kindName(first byte) string {
	switch first {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	default:
		return "a number"
	}
}

// text reads a string, or the literal of a number, because IDs arrive as either.
func text[S ~string](r *reader, p *S) {
	switch r.peek() {
	case '"':
		*p = S(r.string())
	case 'n':
		r.skip()
	case 't', 'f', '{', '[':
		r.unexpected("a string")
	default:
		*p = S(r.word())
	}
}

var (
	errNotAnInteger = errors.New("not an integer")
	errNotANumber   = errors.New("not a number")
	errNotABoolean  = errors.New("not a boolean")
	errNotATime     = errors.New("not a time")
	errNotBase64    = errors.New("not base64")
)

// numeral reads the literal of a number, which can also be in a string, with spaces around it. An empty string is no number, as null is none.
func (r *reader) numeral() (digits string, ok bool) {
	switch r.peek() {
	case '"':
		at := r.at
		digits = strings.TrimSpace(r.string())
		if digits != "" && !isNumber(digits) {
			r.mismatch(at, errNotANumber)
			return "", false
		}
		return digits, digits != ""
	case 'n':
		r.skip()
		return "", false
	case 't', 'f', '{', '[':
		r.unexpected("a number")
		return "", false
	default:
		return r.word(), true
	}
}

// isNumber reports whether text is a JSON number. strconv accepts more: hexadecimal, underscores and infinity.
func isNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	whole, text := cutDigits(text)
	if whole == "" || whole[0] == '0' && whole != "0" {
		return false
	}
	if after, ok := strings.CutPrefix(text, "."); ok {
		var fraction string
		if fraction, text = cutDigits(after); fraction == "" {
			return false
		}
	}
	if text == "" {
		return true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return false
	}
	text = text[1:]
	if text != "" && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	exponent, text := cutDigits(text)
	return exponent != "" && text == ""
}

// cutDigits returns the leading decimal digits of text, and the rest.
func cutDigits(text string) (digits, rest string) {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return text[:n], text[n:]
}

// integer reads an integer within the range of its type, which can also be in a string or in a form such as 1.0 or 1e3.
func integer[I ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](r *reader, p *I) {
	r.peek()
	at := r.at
	digits, ok := r.numeral()
	if !ok {
		return
	}
	if n, ok := parseInteger[I](digits); ok {
		*p = n
		return
	}
	r.mismatch(at, fmt.Errorf("%w that fits %T", errNotAnInteger, *p))
}

// integerOrWord reads an integer within the range of its type, and stores any other string or number in word.
func integerOrWord[I ~int | ~int32 | ~int64, S ~string](r *reader, p *I, word *S) {
	s := ""
	text(r, &s)
	if n, ok := parseInteger[I](s); ok {
		*p = n
		return
	}
	*word = S(s)
}

// parseInteger returns the value of a JSON number, if it is an integer within the range of its type.
func parseInteger[I ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](number string) (I, bool) {
	if n, ok := plainInteger(number); ok {
		return I(n), int64(I(n)) == n && I(n) >= 0
	}
	digits := number
	if strings.ContainsAny(number, ".eE") && isNumber(number) {
		digits = wholeDigits(number)
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return I(n), int64(I(n)) == n && (n < 0) == (I(n) < 0)
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return I(n), err == nil && uint64(I(n)) == n && I(n) > 0
}

// plainInteger is the fast path for nearly all integers: those that consist of digits only, few enough for an int64.
func plainInteger(number string) (n int64, ok bool) {
	const maxDigits = 18
	if number == "" || len(number) > maxDigits || number[0] == '0' && len(number) > 1 {
		return 0, false
	}
	for _, c := range []byte(number) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// number reads a finite number, which can also be in a string.
func number[F ~float32 | ~float64](r *reader, p *F) {
	r.peek()
	at := r.at
	digits, ok := r.numeral()
	if !ok {
		return
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(float64(F(f)), 0) {
		r.mismatch(at, errNotANumber)
		return
	}
	*p = F(f)
}

// boolean reads true or 1, or false or 0, which can also be in a string. An empty string is false.
func boolean[B ~bool](r *reader, p *B) {
	r.peek()
	at := r.at
	s, ok := r.scalar("a boolean")
	if !ok {
		return
	}
	switch s {
	case "true", "1":
		*p = true
	case "false", "0", "":
		*p = false
	default:
		r.mismatch(at, errNotABoolean)
	}
}

// moment reads a time: Unix seconds, with or without a fraction, or milliseconds, microseconds or nanoseconds, distinguished by their
// magnitude; or an RFC 3339 time. An empty string is the zero time.
func moment(r *reader, p *time.Time) {
	r.peek()
	at := r.at
	s, ok := r.scalar("a time")
	if !ok || s == "" {
		return
	}
	t, ok := parseTime(s)
	if !ok {
		r.mismatch(at, errNotATime)
		return
	}
	*p = t
}

// parseTime parses a time as described at moment. 0 is the zero time.
func parseTime(text string) (time.Time, bool) {
	n, whole := plainInteger(text)
	if !whole && isNumber(text) {
		n, whole = parseInteger[int64](text)
	}
	// 1e11 seconds is after the year 5000, and 1e11 milliseconds is in 1973.
	switch {
	case whole && n == 0:
		return time.Time{}, true
	case whole && n < 0:
		return time.Time{}, false
	case whole && n < 1e11:
		return time.Unix(n, 0).UTC(), true
	case whole && n < 1e14:
		return time.UnixMilli(n).UTC(), true
	case whole && n < 1e17:
		return time.UnixMicro(n).UTC(), true
	case whole:
		return time.Unix(0, n).UTC(), true
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && isNumber(text) {
		const microseconds = 1e6 // the precision of a float64 at today's times
		return time.UnixMicro(int64(math.Round(seconds * microseconds))).UTC(), 0 < seconds && seconds < 1e11
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}

// base64Bytes reads a string as base64.
func base64Bytes[B ~[]byte](r *reader, p *B) {
	first := r.peek()
	at := r.at
	s, ok := r.scalar("a string")
	if !ok {
		return
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || first != '"' {
		r.mismatch(at, errNotBase64)
		return
	}
	*p = b
}

// rawValue reads any value without decoding it.
func rawValue[R ~[]byte](r *reader, p *R) {
	*p = R(r.raw())
}

// anything reads a value of unspecified type as encoding/json does: an object as map[string]any, an array as []any, a number as float64.
func anything[A any](r *reader, p *A) {
	r.peek()
	at := r.at
	raw := r.raw()
	if raw == nil {
		return
	}
	var value A
	if err := json.Unmarshal(raw, &value); err != nil {
		r.mismatch(at, errNotANumber) // valid JSON fails only on a number beyond float64
		return
	}
	*p = value
}

// list reads an array.
func list[L ~[]T, T any](r *reader, p *L, read func(*reader, *T)) {
	if !r.array() {
		return
	}
	for r.element() {
		var zero T
		*p = append(*p, zero)
		read(r, &(*p)[len(*p)-1]) // in place, because a local variable would be allocated for each element
	}
}

// texts reads an array of strings, or a single string as an array with one element.
func texts[L ~[]S, S ~string](r *reader, p *L) {
	if r.peek() == '"' {
		*p = make(L, 1)
		text(r, &(*p)[0])
		return
	}
	list(r, p, text[S])
}

// dictionary reads an object as a map.
func dictionary[M ~map[string]T, T any](r *reader, p *M, read func(*reader, *T)) {
	if !r.object() {
		return
	}
	for r.member() {
		entry(r, p, read)
	}
}

// entry reads the value of the current member into a map.
func entry[M ~map[string]T, T any](r *reader, p *M, read func(*reader, *T)) {
	name := r.name
	var value T
	read(r, &value)
	if *p == nil {
		*p = make(M)
	}
	(*p)[name] = value
}

// pointer reads an optional value. null is a nil pointer.
func pointer[T any](r *reader, p **T, read func(*reader, *T)) {
	if r.peek() == 'n' {
		r.skip()
		return
	}
	*p = new(T)
	read(r, *p)
}

// union reads a value into a type that decodes itself.
func union[T any, U interface {
	*T
	UnmarshalJSON(text []byte) error
}](r *reader, p *T) {
	r.peek()
	at := r.at
	raw := r.raw()
	if raw == nil {
		return
	}
	if err := U(p).UnmarshalJSON(raw); err != nil {
		r.mismatch(at, errors.New("matches no variant of the union"))
	}
}

// wholeDigits returns a JSON number with a fraction or an exponent as plain digits, or "" if it is not an integer or has more digits than
// any integer type.
func wholeDigits(number string) string {
	const maxDigits = 20
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	shift := 0
	if exponent != "" {
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return ""
		}
		shift = n
	}
	digits := strings.TrimRight(whole+fraction, "0")
	scale := shift + len(whole) - len(digits) // how many zeros follow the digits
	digits = strings.TrimLeft(digits, "0")
	switch {
	case digits == "":
		return "0"
	case scale < 0 || scale > maxDigits || len(digits)+scale > maxDigits:
		return ""
	case mantissa[0] == '-':
		return "-" + digits + strings.Repeat("0", scale)
	default:
		return digits + strings.Repeat("0", scale)
	}
}
