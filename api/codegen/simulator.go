package main

import "regexp"

// modelName matches the names of models in a type: all exported names without a package qualifier.
var modelName = regexp.MustCompile(`(^|[^.\w])([A-Z]\w*)`)

// inGen qualifies the models in a Go type, or in a list of types, for a package other than gen: "[]Voice" becomes "[]gen.Voice".
func inGen(types string) string { return modelName.ReplaceAllString(types, "${1}gen.${2}") }
