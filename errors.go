package jogg

import (
	"errors"
	"fmt"
	"time"
)

// The kinds of refusal that programs tell apart, for errors.Is.
var (
	ErrRateLimited        = errors.New("rate limit exceeded")
	ErrNotFound           = errors.New("not found")
	ErrInvalidAPIKey      = errors.New("invalid API key")
	ErrInsufficientCredit = errors.New("insufficient credit")
	ErrNoPermission       = errors.New("no permission")
	ErrInvalidParameter   = errors.New("invalid parameter")
	ErrSystem             = errors.New("system error")
)

// APIError is what the service refused.
type APIError struct {
	Operation  string
	HTTPStatus int
	Code       int
	Message    string
	RequestID  string
	RetryAfter time.Duration
}

// Error implements error.
func (e *APIError) Error() string {
	return fmt.Sprintf("jogg: %s: %s (HTTP %d, code %d)", e.Operation, e.Message, e.HTTPStatus, e.Code)
}

// Is reports whether target is the sentinel of e.
func (e *APIError) Is(target error) bool {
	switch e.Code {
	case 429:
		return target == ErrRateLimited
	case 10104:
		return target == ErrNotFound
	case 10105:
		return target == ErrInvalidAPIKey
	case 18020:
		return target == ErrInsufficientCredit
	case 18025:
		return target == ErrNoPermission
	case 40000:
		return target == ErrInvalidParameter
	case 50000:
		return target == ErrSystem
	}
	return false
}
