package sample

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// text makes a string in the schema's format or, without a format, from the property's name. If that violates the schema, text makes a
// string that matches the pattern.
func (m Maker) text(s spot, all demands) (any, error) {
	chance := m.chance(s)
	least, most := all.lengths(func(schema *openapi3.Schema) (uint64, *uint64) { return schema.MinLength, schema.MaxLength })
	patterns, err := all.patterns()
	if err != nil {
		return nil, s.fault("%w", err)
	}
	fits := func(text string) bool {
		length := utf8.RuneCountInString(text)
		return least <= length && length <= most &&
			!slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return !p.MatchString(text) })
	}
	text, ok := all.formatted(s.name, chance)
	if !ok {
		text = m.madeUp(s.name, chance, least, most)
	}
	if fits(text) {
		return text, nil
	}
	for _, pattern := range patterns {
		for repeats := range min(least, 256) + 1 {
			if text, ok = described(pattern, repeats, chance); ok && fits(text) {
				return text, nil
			}
		}
	}
	return nil, s.fault("no string of at least %d and at most %d characters was found with the format %q and the patterns %v",
		least, most, all.format(), patterns)
}

// madeUp returns a string that begins with the name, and has a length within the bounds.
func (m Maker) madeUp(name string, chance *rand.Rand, least, most int) string {
	if m.AnyForm && chance.IntN(2) == 0 {
		for _, odd := range []string{"", "caf\u00e9 \U0001F3AC \"\\/ <&>\u2028\t\n"} {
			if length := utf8.RuneCountInString(odd); least <= length && length <= most && chance.IntN(2) == 0 {
				return odd
			}
		}
	}
	digits := fmt.Sprintf("%08x", chance.Uint32())
	text := strings.TrimSpace(strings.ReplaceAll(name, "_", " ") + " " + digits)
	if missing := least - len(text); missing > 0 {
		text += strings.Repeat(digits, missing/len(digits)+1)[:missing]
	}
	return text[max(0, len(text)-most):]
}

// format returns the first format of the schemas, or "".
func (all demands) format() string {
	for _, schema := range all {
		if schema.Format != "" {
			return schema.Format
		}
	}
	return ""
}

// formatted returns a string in the format of the schemas, if the format is known. If the value could be a number as well, the string
// contains a number.
func (all demands) formatted(name string, chance *rand.Rand) (text string, ok bool) {
	types := all.types()
	if slices.Contains(types, openapi3.TypeInteger) || slices.Contains(types, openapi3.TypeNumber) && !slices.Contains(types, openapi3.TypeObject) {
		return strconv.Itoa(1 + chance.IntN(usual)), true
	}
	number := chance.Uint64()
	slug := fmt.Sprintf("%s-%08x", strings.ReplaceAll(strings.ToLower(name), "_", "-"), uint32(number))
	moment := time.Unix(1_700_000_000+int64(number%100_000_000), 0).UTC()
	switch all.format() {
	case "uri", "url", "uri-reference", "iri", "iri-reference":
		return "https://example.com/" + slug, true
	case "date-time":
		return moment.Format(time.RFC3339), true
	case "date":
		return moment.Format(time.DateOnly), true
	case "time":
		return moment.Format("15:04:05Z"), true
	case "duration":
		return fmt.Sprintf("PT%dS", 1+number%3600), true
	case "uuid":
		digits := fmt.Sprintf("%016x%016x", number, chance.Uint64())
		return digits[:8] + "-" + digits[8:12] + "-4" + digits[13:16] + "-a" + digits[17:20] + "-" + digits[20:], true
	case "email", "idn-email":
		return slug + "@example.com", true
	case "hostname", "idn-hostname":
		return slug + ".example.com", true
	case "ipv4":
		return fmt.Sprintf("192.0.2.%d", number%256), true
	case "ipv6":
		return fmt.Sprintf("2001:db8::%x", number%0x10000), true
	case "byte":
		return base64.StdEncoding.EncodeToString([]byte(slug)), true
	}
	return "", false
}

func (all demands) patterns() ([]*regexp.Regexp, error) {
	var patterns []*regexp.Regexp
	for _, schema := range all {
		if schema.Pattern == "" {
			continue
		}
		pattern, err := regexp.Compile(schema.Pattern)
		if err != nil {
			return nil, fmt.Errorf("pattern %s: %w", schema.Pattern, err)
		}
		patterns = append(patterns, pattern)
	}
	return patterns, nil
}

// described returns a string that matches the pattern. Unbounded repetitions occur the given number of times more than their minimum. Word
// boundaries are not supported.
func described(pattern *regexp.Regexp, repeats int, chance *rand.Rand) (string, bool) {
	tree, err := syntax.Parse(pattern.String(), syntax.Perl)
	if err != nil {
		return "", false
	}
	var text strings.Builder
	ok := describe(&text, tree, repeats, chance)
	return text.String(), ok
}

func describe(text *strings.Builder, tree *syntax.Regexp, repeats int, chance *rand.Rand) bool {
	times := 1
	switch tree.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return true
	case syntax.OpLiteral:
		text.WriteString(string(tree.Rune))
		return true
	case syntax.OpCharClass:
		text.WriteRune(oneRune(tree.Rune, chance))
		return true
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		text.WriteRune(rune('a' + chance.IntN('z'-'a'+1)))
		return true
	case syntax.OpAlternate:
		return describe(text, tree.Sub[chance.IntN(len(tree.Sub))], repeats, chance)
	case syntax.OpConcat, syntax.OpCapture:
	case syntax.OpStar:
		times = repeats
	case syntax.OpPlus:
		times = 1 + repeats
	case syntax.OpQuest:
		times = min(repeats, 1)
	case syntax.OpRepeat:
		times = tree.Min + repeats
		if tree.Max >= 0 {
			times = min(times, tree.Max)
		}
	default:
		return false
	}
	for range times {
		for _, part := range tree.Sub {
			if !describe(text, part, repeats, chance) {
				return false
			}
		}
	}
	return true
}

// oneRune returns a rune of the class, preferably a printable one. A class is a list of pairs of the first and the last rune of a range.
func oneRune(class []rune, chance *rand.Rand) rune {
	var printable []rune
	for i := 0; i < len(class); i += 2 {
		for r := max(class[i], '!'); r <= min(class[i+1], '~'); r++ {
			printable = append(printable, r)
		}
	}
	if len(printable) == 0 {
		return class[0]
	}
	return printable[chance.IntN(len(printable))]
}
