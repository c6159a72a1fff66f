package jogg

import "context"

// OperationName returns the operation that a request of a client belongs to, named like its method, such as CreateAvatarVideo, given the
// context of that request. A transport that writes traces or metrics can name by it what it records. A request of [Client.Call] is named by
// method and path, and one that sends a file to its storage is named Upload. It is empty for any other context.
func OperationName(ctx context.Context) string {
	operation, _ := ctx.Value(operationKey{}).(string)
	return operation
}

// callContext is the context of the requests of one call. It tells their operation, and is part of the exchange so that it costs nothing.
type callContext struct {
	context.Context //nolint:containedctx // it is one

	operation string
}

// operationKey is the key of a context under which a request's operation is found.
type operationKey struct{}

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	if key == (operationKey{}) {
		return c.operation
	}
	return c.Context.Value(key)
}
