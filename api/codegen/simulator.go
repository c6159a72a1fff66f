package main

import "regexp"

// modelName finds the names of models in a type: all exported names that no package stands in front of.
var modelName = regexp.MustCompile(`(^|[^.\w])([A-Z]\w*)`)

// inGen returns a Go type, or a list of types, as a package other than gen writes it: "[]Voice" as "[]gen.Voice".
func inGen(types string) string { return modelName.ReplaceAllString(types, "${1}gen.${2}") }
