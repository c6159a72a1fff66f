package webhooks

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// A compact body is one that encoders without special wishes write, in one line. It is read without jsontext, which is quicker: e2e/bench
// measures both. At whatever is not plain to see the compact reader gives up with errNotCompact: a name that comes twice, an escape in a
// name, a value of another kind. Then jsontext reads the body from its beginning, and finds what is wrong, if anything is. So what the
// compact reader accepts has to be right, and it need not accept anything else.

var errNotCompact = errors.New("not compact")

// mayBeCompact reports whether a body is UTF-8 without control characters. In such a body each string ends at the next quote that is not
// escaped, and only the escapes in it can be wrong, which unquoted finds.
func mayBeCompact(body []byte) bool { return utf8.Valid(body) && !hasControl(body) }

// hasControl reports whether there is a control character, that is a byte below 0x20, looking at eight bytes at a time.
func hasControl(body []byte) bool {
	const ones = 0x0101010101010101
	var found uint64
	for ; len(body) >= 8; body = body[8:] {
		eight := binary.LittleEndian.Uint64(body)
		found |= (eight - 0x20*ones) &^ eight // the highest bit of a byte is set if it, or one before it, is below 0x20
	}
	for _, c := range body {
		if c < 0x20 {
			return true
		}
	}
	return found&(0x80*ones) != 0
}

// next returns the byte that the compact reader is at, or 0 at the end.
func (d *decoder) next() byte {
	if d.at < len(d.text) {
		return d.text[d.at]
	}
	return 0
}

// pass goes past a number of bytes, and spaces behind them.
func (d *decoder) pass(size int) {
	d.at += size
	for d.next() == ' ' {
		d.at++
	}
}

// eat goes past c, and reports whether it was there.
func (d *decoder) eat(c byte) bool {
	if d.next() != c {
		return false
	}
	d.pass(1)
	return true
}

// mostNames is how many names an object may have for the compact reader. The largest of the contract has less than half of that.
const mostNames = 16

func (d *decoder) compactObject(member func(name string) (known bool, err error)) error {
	if !d.eat('{') {
		return errNotCompact
	}
	if d.eat('}') {
		return nil
	}
	var names [mostNames]string
	for n := range names {
		name, err := d.compactValue()
		if err != nil || name[0] != '"' || d.escapes && strings.IndexByte(name, '\\') >= 0 || slices.Contains(names[:n], name) || !d.eat(':') {
			return errNotCompact
		}
		names[n] = name
		if _, err := member(name[1 : len(name)-1]); err != nil {
			return err
		}
		if d.eat('}') {
			return nil
		}
		if !d.eat(',') {
			return errNotCompact
		}
	}
	return errNotCompact
}

func (d *decoder) compactArray(element func() error) error {
	if !d.eat('[') {
		return errNotCompact
	}
	if d.eat(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if d.eat(']') {
			return nil
		}
		if !d.eat(',') {
			return errNotCompact
		}
	}
}

// deepest is how deep the compact reader goes into what it skips.
const deepest = 8

// compactSkip goes past a value that has no others in it deeper than depth.
func (d *decoder) compactSkip(depth int) error {
	if depth == 0 {
		return errNotCompact
	}
	switch d.next() {
	case '{':
		return d.compactObject(func(string) (bool, error) { return false, d.compactSkip(depth - 1) })
	case '[':
		return d.compactArray(func() error { return d.compactSkip(depth - 1) })
	}
	literal, err := d.compactValue()
	if err == nil {
		_, err = d.unquoted(literal)
	}
	return err
}

// compactValue reads a value that is neither an object nor an array, as it is written.
func (d *decoder) compactValue() (literal string, err error) {
	var size int
	rest := d.text[d.at:]
	switch d.next() {
	case '"':
		size = d.stringSize(rest)
	case 'n':
		size = prefixSize(rest, "null")
	case 't':
		size = prefixSize(rest, "true")
	case 'f':
		size = prefixSize(rest, "false")
	default:
		size = numberSize(rest)
	}
	if size == 0 {
		return "", errNotCompact
	}
	d.pass(size)
	return rest[:size], nil
}

// stringSize returns the length of the string that text begins with, or 0 if it does not end.
func (d *decoder) stringSize(text string) int {
	for end := 1; ; end++ {
		n := strings.IndexByte(text[end:], '"')
		if n < 0 {
			return 0
		}
		end += n
		if !d.escapes || backslashes(text[:end])%2 == 0 {
			return end + 1
		}
	}
}

// backslashes returns how many of them text ends with.
func backslashes(text string) int { return len(text) - len(strings.TrimRight(text, `\`)) }

func prefixSize(text, prefix string) int {
	if strings.HasPrefix(text, prefix) {
		return len(prefix)
	}
	return 0
}

// numberSize returns the length of the number that text begins with, up to an exponent, or 0 if it begins with none. Since nothing can
// follow that begins like an exponent, the compact reader gives up at one.
func numberSize(text string) int {
	n := 0
	if strings.HasPrefix(text, "-") {
		n++
	}
	whole := digits(text[n:])
	if whole == 0 || whole > 1 && text[n] == '0' {
		return 0
	}
	n += whole
	if n < len(text) && text[n] == '.' {
		fraction := digits(text[n+1:])
		if fraction == 0 {
			return 0
		}
		n += 1 + fraction
	}
	return n
}

func digits(text string) int {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}
