package simulator

// ImplementedOperations returns the operations that a behaviour is written for.
func ImplementedOperations() []string {
	var written []string
	for operation, find := range behaviours {
		if find(server{}) != nil {
			written = append(written, operation)
		}
	}
	return written
}

// Options for the tests of this package, which change what a Simulator serves.
var (
	WithContract           = withContract
	WithoutImplementations = withoutImplementations
)
