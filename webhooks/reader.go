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

// reader walks over a body that jsontext has found to be valid JSON, so nothing that it meets can be malformed: a string ends at its quote,
// and brackets match. What it can meet is a value of another kind than a field wants. That field then keeps its zero value, and the reader
// notes the misfit and goes on behind the value.
//
// Each kind of Go type has a function that reads a value into a variable of that type. The generated decoders in decode.gen.go are made of
// them, and are such functions themselves. All of them take null for the zero value.
type reader struct {
	body    []byte
	text    string // a copy of the body, which strings are cut out of
	at      int    // where the next value begins, or white space and punctuation before it
	escapes bool   // whether there is a backslash anywhere
	name    string // the member that member has moved to

	misfits []misfit
	scratch []byte // where strings are unquoted

	noting  bool  // whether unknown is filled
	unknown []int // where the values of members begin that the contract does not know
}

// misfit is a value that does not fit its field.
type misfit struct {
	at  int // where the value begins
	err error
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// newReader returns a reader of body, which is valid JSON. Its owner releases it.
func newReader(body []byte) *reader {
	r := readers.Get().(*reader)
	r.body, r.text, r.at = body, string(body), 0
	r.escapes = bytes.IndexByte(body, '\\') >= 0
	return r
}

// release gives the reader to the next body. It does not give a lot of memory along.
func (r *reader) release() {
	const most = 4 << 10
	clear(r.misfits)
	r.misfits, r.scratch = r.misfits[:0], r.scratch[:0]
	if cap(r.misfits) > most/16 || cap(r.scratch) > most {
		r.misfits, r.scratch = nil, nil
	}
	r.body, r.text, r.name = nil, "", ""
	r.noting, r.unknown = false, nil
	readers.Put(r)
}

// peek moves to the next value, or to the bracket that closes what the reader is in, and returns the first byte of it. The functions below that
// read a value begin where peek has moved to.
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

// object begins an object: member then moves from one of its members to the next. It returns false for what is none.
func (r *reader) object() bool {
	return r.open('{', "an object")
}

// member moves to the value of the next member, whose name is then in r.name. It returns false at the end of the object, and leaves it.
func (r *reader) member() bool {
	if r.peek() == '}' {
		r.at++
		return false
	}
	r.name = r.string()
	return true
}

// array begins an array: element then moves from one of its elements to the next. It returns false for what is none.
func (r *reader) array() bool {
	return r.open('[', "an array")
}

// element moves to the next element. It returns false at the end of the array, and leaves it.
func (r *reader) element() bool {
	if r.peek() == ']' {
		r.at++
		return false
	}
	return true
}

// open goes behind a bracket. Where there is none, it goes behind the value that is there instead.
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

// skip goes behind the next value.
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

// skipUnknown goes behind the value of a member that the contract does not know.
func (r *reader) skipUnknown() {
	if r.noting {
		r.peek()
		r.unknown = append(r.unknown, r.at)
	}
	r.skip()
}

// raw returns the next value as it stands in the body, and goes behind it. null is nil.
func (r *reader) raw() []byte {
	null := r.peek() == 'n'
	start := r.at
	r.skip()
	if null {
		return nil
	}
	return r.body[start:r.at:r.at]
}

// string returns the value of a string, and goes behind it.
func (r *reader) string() string {
	start := r.at
	if !r.escapes { // the usual case: the string ends at the next quote
		end := start + 1 + strings.IndexByte(r.text[start+1:], '"')
		r.at = end + 1
		return r.text[start+1 : end]
	}
	r.at = r.endOfString()
	if literal := r.text[start:r.at]; strings.IndexByte(literal, '\\') >= 0 {
		r.scratch, _ = jsontext.AppendUnquote(r.scratch[:0], literal) // cannot fail, since it is valid
		return string(r.scratch)
	}
	return r.text[start+1 : r.at-1]
}

// word returns a number, true, false or null as it is written, and goes behind it.
func (r *reader) word() string {
	start := r.at
	r.at = r.endOfWord()
	return r.text[start:r.at]
}

// endOfString returns where the string ends that begins here.
func (r *reader) endOfString() int {
	for end := r.at + 1; ; end++ {
		end += strings.IndexByte(r.text[end:], '"')
		if !r.escapes || backslashes(r.text[r.at+1:end])%2 == 0 {
			return end + 1
		}
	}
}

// backslashes returns how many of them text ends with.
func backslashes(text string) int { return len(text) - len(strings.TrimRight(text, `\`)) }

// endOfBrackets returns where the object or the array ends that begins here.
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

// endOfWord returns where the number, true, false or null ends that begins here.
func (r *reader) endOfWord() int {
	for end := r.at + 1; end < len(r.text); end++ {
		switch r.text[end] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return end
		}
	}
	return len(r.text)
}

// scalar returns the next value without its quotes if it is a string, and as it is written if it is a number or a boolean. It returns false
// for null, and for what the wanted kind cannot be, having noted it.
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

// misfit notes that the value which began at a place does not fit.
func (r *reader) misfit(at int, err error) {
	r.misfits = append(r.misfits, misfit{at, err})
}

// unexpected notes that the next value is not of the wanted kind, and goes behind it.
func (r *reader) unexpected(wanted string) {
	first := r.peek()
	r.misfit(r.at, fmt.Errorf("is %s, not %s", kindName(first), wanted))
	r.skip()
}

// kindName says what kind of value begins with a byte.
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

// text reads a string. A number is kept as it is written, because ids arrive as either.
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

// numeral returns the digits of the next value, a number or a string with one in it.
func (r *reader) numeral() (digits string, ok bool) {
	switch r.peek() {
	case '"':
		at := r.at
		if digits = r.string(); !isNumber(digits) {
			r.misfit(at, errNotANumber)
			return "", false
		}
		return digits, true
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

// isNumber reports whether text is a number as JSON writes it. strconv knows more: hexadecimal, underscores and infinity.
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

// cutDigits returns the decimal digits that text begins with, and what is behind them.
func cutDigits(text string) (digits, rest string) {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return text[:n], text[n:]
}

// integer reads an integer that the type has room for, also out of a string and also where it is written like 1.0 or 1e3.
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
	r.misfit(at, fmt.Errorf("%w that %T has room for", errNotAnInteger, *p))
}

// integerOrWord reads an integer that the type has room for, and keeps in word what arrives in its place.
func integerOrWord[I ~int | ~int32 | ~int64, S ~string](r *reader, p *I, word *S) {
	s := ""
	text(r, &s)
	if n, ok := parseInteger[I](s); ok {
		*p = n
		return
	}
	*word = S(s)
}

// parseInteger returns the integer that a JSON number is, if it is one that the type has room for.
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

// plainInteger returns an integer that is written with digits alone, as nearly all are, and with few enough for an int64.
func plainInteger(number string) (n int64, ok bool) {
	const most = 18
	if number == "" || len(number) > most || number[0] == '0' && len(number) > 1 {
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

// number reads a finite number, also out of a string.
func number[F ~float32 | ~float64](r *reader, p *F) {
	r.peek()
	at := r.at
	digits, ok := r.numeral()
	if !ok {
		return
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsInf(float64(F(f)), 0) {
		r.misfit(at, errNotANumber)
		return
	}
	*p = F(f)
}

// boolean reads true and false, and what stands for them elsewhere: 1 and 0, and each of these in a string.
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
		r.misfit(at, errNotABoolean)
	}
}

// moment reads a time: Unix seconds, with a fraction or without, or milliseconds, microseconds or nanoseconds, which are told by their size; or
// a time of RFC 3339. An empty string is no time.
func moment(r *reader, p *time.Time) {
	r.peek()
	at := r.at
	s, ok := r.scalar("a time")
	if !ok || s == "" {
		return
	}
	t, ok := parseTime(s)
	if !ok {
		r.misfit(at, errNotATime)
		return
	}
	*p = t
}

// parseTime returns the time that a text stands for, and the zero time for 0.
func parseTime(text string) (time.Time, bool) {
	n, whole := plainInteger(text)
	if !whole && isNumber(text) {
		n, whole = parseInteger[int64](text)
	}
	// Seconds of 11 digits lie beyond the year 5000, milliseconds of as few before 1974.
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
		const microseconds = 1e6 // as fine as a float64 tells today's times apart
		return time.UnixMicro(int64(math.Round(seconds * microseconds))).UTC(), 0 < seconds && seconds < 1e11
	}
	t, err := time.Parse(time.RFC3339, text)
	return t, err == nil
}

// base64Bytes reads bytes that a string has in base64.
func base64Bytes[B ~[]byte](r *reader, p *B) {
	first := r.peek()
	at := r.at
	s, ok := r.scalar("a string")
	if !ok {
		return
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || first != '"' {
		r.misfit(at, errNotBase64)
		return
	}
	*p = b
}

// rawValue reads any value and keeps it as it is written.
func rawValue[R ~[]byte](r *reader, p *R) {
	*p = R(r.raw())
}

// anything reads a value of which the contract does not say what it is, as encoding/json does: an object is a map[string]any, an array a
// []any, a number a float64.
func anything[A any](r *reader, p *A) {
	r.peek()
	at := r.at
	raw := r.raw()
	if raw == nil {
		return
	}
	var value A
	if err := json.Unmarshal(raw, &value); err != nil {
		r.misfit(at, errNotANumber) // the one thing that can be wrong with valid JSON: a number that no float64 has room for
		return
	}
	*p = value
}

// list reads an array. Its elements are decoded where they stay.
func list[L ~[]T, T any](r *reader, p *L, read func(*reader, *T)) {
	if !r.array() {
		return
	}
	for r.element() {
		var zero T
		*p = append(*p, zero)
		read(r, &(*p)[len(*p)-1]) // in place: a variable of its own would be allocated for each element
	}
}

// texts reads an array of strings. One string stands for an array with that string.
func texts[L ~[]S, S ~string](r *reader, p *L) {
	if r.peek() == '"' {
		*p = make(L, 1)
		text(r, &(*p)[0])
		return
	}
	list(r, p, text[S])
}

// dictionary reads an object of which the contract does not name the members.
func dictionary[M ~map[string]T, T any](r *reader, p *M, read func(*reader, *T)) {
	if !r.object() {
		return
	}
	for r.member() {
		entry(r, p, read)
	}
}

// entry reads the value of a member that the contract does not name.
func entry[M ~map[string]T, T any](r *reader, p *M, read func(*reader, *T)) {
	name := r.name
	var value T
	read(r, &value)
	if *p == nil {
		*p = make(M)
	}
	(*p)[name] = value
}

// pointer reads a value that can be absent. null is a nil pointer.
func pointer[T any](r *reader, p **T, read func(*reader, *T)) {
	if r.peek() == 'n' {
		r.skip()
		return
	}
	*p = new(T)
	read(r, *p)
}

// union reads a value that decides by itself what it is.
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
		r.misfit(at, errors.New("none of the alternatives"))
	}
}

// wholeDigits returns the integer that a JSON number with a fraction or an exponent is, or "" if it is none, or one of more digits than any
// integer type has.
func wholeDigits(number string) string {
	const most = 20
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
	scale := shift + len(whole) - len(digits) // how many zeros stand behind the digits
	digits = strings.TrimLeft(digits, "0")
	switch {
	case digits == "":
		return "0"
	case scale < 0 || scale > most || len(digits)+scale > most:
		return ""
	case mantissa[0] == '-':
		return "-" + digits + strings.Repeat("0", scale)
	default:
		return digits + strings.Repeat("0", scale)
	}
}
