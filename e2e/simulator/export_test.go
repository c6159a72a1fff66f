package simulator

// ImplementedOperations returns the operations that have an implementation.
func ImplementedOperations() []string {
	var written []string
	for operation, find := range finders {
		if find(server{}) != nil {
			written = append(written, operation)
		}
	}
	return written
}

// Options for the tests of this package.
var (
	WithContract           = withContract
	WithoutImplementations = withoutImplementations
)
