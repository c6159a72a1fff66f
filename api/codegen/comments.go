package main

import (
	"regexp"
	"slices"
	"strings"
)

const (
	// widest is how many columns a comment may take, as in the code that is written by hand.
	widest = 140
	// tab is how many columns a tab takes.
	tab = 4
)

// tidyComments makes the comments of generated source read like those written by hand. oapi-codegen puts a whole description on one line,
// and the name of the field in front of it.
func tidyComments(source []byte) []byte {
	lines := strings.Split(string(source), "\n")
	for i, line := range lines {
		if name := fieldName.FindStringSubmatch(line); name != nil {
			unname(lines[:i], name[1])
		}
	}
	var tidy []string
	for _, line := range lines {
		tidy = append(tidy, wrapComment(line)...)
	}
	return []byte(strings.Join(tidy, "\n"))
}

// fieldName finds the name of a struct's field in its line.
var fieldName = regexp.MustCompile("^\t+([A-Z][A-Za-z0-9]*) .*`json:")

// unname takes the name of a field out of its comment, which is the last of the lines before it.
func unname(before []string, name string) {
	first := len(before)
	for first > 0 && strings.HasPrefix(strings.TrimLeft(before[first-1], "\t"), "//") {
		first--
	}
	if first == len(before) {
		return
	}
	if indent, text, ok := strings.Cut(before[first], "// "+name+" "); ok {
		before[first] = indent + "// " + text
	}
}

// wrapComment breaks a line that holds nothing but a comment and is too long.
func wrapComment(line string) []string {
	text := strings.TrimLeft(line, "\t")
	indent := line[:len(line)-len(text)]
	words, isComment := strings.CutPrefix(text, "// ")
	room := widest - len(indent)*tab - len("// ")
	if !isComment || len([]rune(words)) <= room {
		return []string{line}
	}
	var wrapped []string
	var taken []string
	column := 0
	for word := range strings.FieldsSeq(words) {
		width := len([]rune(word))
		if column > 0 && column+1+width > room {
			wrapped = append(wrapped, indent+"// "+strings.Join(taken, " "))
			taken, column = nil, 0
		}
		taken = append(taken, word)
		column += 1 + width
	}
	return slices.Concat(wrapped, []string{indent + "// " + strings.Join(taken, " ")})
}
