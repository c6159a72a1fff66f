package main

import (
	"strings"
	"testing"
)

func TestFieldCommentsBeginWithTheFieldName(t *testing.T) {
	for description, want := range map[string]string{
		"The name of the thing.":  "Name is the name of the thing.",
		"A name.":                 "Name is a name.",
		"An alias.":               "Name is an alias.",
		"Identifies the thing.":   "Name identifies the thing.",
		"keeps what arrived.":     "Name keeps what arrived.",
		"Its name.":               "Its name.",
		"This is the name.":       "This is the name.",
		"Whether it has a name.":  "Whether it has a name.",
		"URLs of things.":         "URLs of things.",
		"Theory about the thing.": "Theory about the thing.",
	} {
		if got := sentence("Name", description); got != want {
			t.Errorf("%q became %q, want %q", description, got, want)
		}
	}
}

func TestCommentsAreTidy(t *testing.T) {
	long := strings.Repeat("word ", 40)
	for source, want := range map[string]string{
		"\t// ID Identifies the thing; getThing returns it.\n\tID string `json:\"id\"`": "\t// ID identifies the thing; GetThing returns it.\n\tID string `json:\"id\"`",
		"\t// Page The page.\n\tPage int `form:\"page\"`":                               "\t// Page is the page.\n\tPage int `form:\"page\"`",
		"\tx := getThing // getThing":                                                   "\tx := getThing // getThing",
		"// GetThingParams defines parameters for GetThing.":                            "// GetThingParams holds the parameters of the operation GetThing.",
		"// " + long + "end.":                                                           "// " + strings.Repeat("word ", 26) + "word\n// " + strings.Repeat("word ", 13) + "end.",
	} {
		if got := string(tidyComments([]byte(source), []string{"getThing"})); got != want {
			t.Errorf("%s\nbecame\n%s\nwant\n%s", source, got, want)
		}
	}
}
