package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

const (
	// maxColumns is the maximum width of a comment, as in handwritten code.
	maxColumns = 140
	// tabColumns is the width of a tab.
	tabColumns = 4
)

// tidyComments rewrites the comments of generated source to read like handwritten ones. oapi-codegen puts a whole description on one line,
// with the name of the field in front of it, and names operations as the contract spells them.
func tidyComments(source []byte, operationIDs []string) []byte {
	goNames := make(map[string]string, len(operationIDs)) // by operation ID
	for _, id := range operationIDs {
		goNames[id] = codegen.ToCamelCaseWithInitialisms(id)
	}
	lines := strings.Split(string(source), "\n")
	for i, line := range lines {
		if name := fieldName.FindStringSubmatch(line); name != nil {
			beginWithName(lines[:i], name[1])
		}
	}
	var tidy []string
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimLeft(line, "\t"), "//") {
			line = reword(line, goNames)
		}
		// Tools recognize a deprecation only if it is a paragraph of its own.
		if indent, _, ok := strings.Cut(line, "// Deprecated: "); ok && i > 0 && strings.HasPrefix(lines[i-1], indent+"// ") {
			tidy = append(tidy, indent+"//")
		}
		tidy = append(tidy, wrapComment(line)...)
	}
	return []byte(strings.Join(tidy, "\n"))
}

// fieldName matches the line of a struct field with a tag.
var fieldName = regexp.MustCompile("^\t+([A-Z][A-Za-z0-9]*) .*`(?:json|form):")

// beginWithName turns the comment of a field, which ends the lines before it, into a sentence that begins with the field's name.
func beginWithName(before []string, name string) {
	first := len(before)
	for first > 0 && strings.HasPrefix(strings.TrimLeft(before[first-1], "\t"), "//") {
		first--
	}
	if first == len(before) {
		return
	}
	if indent, description, ok := strings.Cut(before[first], "// "+name+" "); ok {
		before[first] = indent + "// " + sentence(name, description)
	}
}

var (
	article = regexp.MustCompile(`^(?:An?|The) `)
	verb    = regexp.MustCompile(`^[A-Za-z][a-z]+s `)
	notVerb = regexp.MustCompile(`^(?:Its|This) `)
)

// sentence puts the name of a field in front of its description. A description that begins with neither an article nor a verb stays as
// it is.
func sentence(name, description string) string {
	switch {
	case article.MatchString(description):
		return name + " is " + codegen.LowercaseFirstCharacter(description)
	case verb.MatchString(description) && !notVerb.MatchString(description):
		return name + " " + codegen.LowercaseFirstCharacter(description)
	default:
		return description
	}
}

// operationIDs returns the operation IDs of a document, as the contract spells them. oapi-codegen replaces them with their Go names.
func operationIDs(document *openapi3.T) []string {
	var ids []string
	for _, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			ids = append(ids, operation.OperationID)
		}
	}
	return ids
}

// camelCase matches what can be the name of an operation, except for one of a single word, which prose can contain as well.
var camelCase = regexp.MustCompile(`\b[a-z]+[A-Z]\w*`)

// boilerplate holds the sentences that oapi-codegen writes for types without a description, and their replacements.
var boilerplate = []struct {
	sentence    *regexp.Regexp
	replacement string
}{
	{regexp.MustCompile(`^// (\w+) defines parameters for (\w+)\.$`), "// $1 holds the parameters of the operation $2."},
	{regexp.MustCompile(`^// (\w+) defines body for (\w+) for application/json ContentType\.$`), "// $1 is the JSON request body of the operation $2."},
	{regexp.MustCompile(`^// (\w+) defines model for \w+\.$`), "// $1 is the type of a parameter."},
}

// reword spells operations as in Go and replaces boilerplate in a line of a comment.
func reword(line string, goNames map[string]string) string {
	for _, b := range boilerplate {
		line = b.sentence.ReplaceAllString(line, b.replacement)
	}
	return camelCase.ReplaceAllStringFunc(line, func(word string) string {
		if name, ok := goNames[word]; ok {
			return name
		}
		return word
	})
}

// wrapComment breaks a line that holds only a comment and is too long.
func wrapComment(line string) []string {
	text := strings.TrimLeft(line, "\t")
	indent := line[:len(line)-len(text)]
	words, isComment := strings.CutPrefix(text, "// ")
	room := maxColumns - len(indent)*tabColumns - len("// ")
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
