package simulator

// Options for the tests of this package, which change what a Simulator serves.
var (
	WithContract     = withContract
	WithoutBehaviour = withoutBehaviour
)
