package jogg

import "context"

// OperationName returns the name of the operation that a request belongs to, given the context of the request. It is the name of the
// client's method, such as CreateAvatarVideo. A transport that writes traces or metrics can name them by it. The name of a request of
// [Client.Call] is its method and path; that of a request that sends a file to storage is Upload. The name is empty for any other context.
func OperationName(ctx context.Context) string {
	operation, _ := ctx.Value(operationKey{}).(string)
	return operation
}

// callContext is the context of the requests of one call. It holds their operation, and is a field of the exchange to save an allocation.
type callContext struct {
	context.Context //nolint:containedctx // it is a context itself

	operation string
}

// operationKey is the context key of a request's operation.
type operationKey struct{}

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	if key == (operationKey{}) {
		return c.operation
	}
	return c.Context.Value(key)
}
