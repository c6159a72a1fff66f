package jogg

import (
	"cmp"

	"github.com/jogg-go/jogg/gen"
)

// normalize fills the fields that stand for the same thing from one another, where the service has two names for it and sends one
// or the other. Each answer passes here once, so that all else may read either name.
func normalize(content any) {
	switch v := content.(type) {
	case *gen.ProductVideoTask:
		mirror(&v.VideoID, &v.ProductVideoID)
	case *gen.CustomTemplate:
		mirror(&v.ID, &v.TemplateID)
	case *gen.ProductVideo:
		mirror(&v.Duration, &v.VideoDuration)
	}
}

// mirror gives the one of two fields that is empty the value of the other. Two values that differ stay as they are.
func mirror[T comparable](a, b *T) {
	*a, *b = cmp.Or(*a, *b), cmp.Or(*b, *a)
}
