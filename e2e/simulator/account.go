package simulator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/jogg-go/jogg/gen"
)

// ErrUnknownKey is returned by methods that take an API key if no account has it.
var ErrUnknownKey = errors.New("simulator: no account has that API key")

// account is the account of one API key. It is guarded by Simulator.mu.
type account struct {
	key       string
	credits   float64
	denied    bool // every call gets CodeNoPermission
	revoked   bool
	user      gen.User
	secret    string // signs deliveries to the webhook_url of tasks
	posts     []time.Time
	endpoints []*endpoint
	products  map[string]*gen.Product
	resources resources
	replays   replays
}

// RetryAfterPlace is a set of places where a response with code 429 states the seconds to wait. Combine places with |. Zero is no place.
type RetryAfterPlace int

// Places for the seconds to wait. JoggAI's documentation calls the value retryAfter and does not say where it is.
const (
	RetryAfterInHeader     RetryAfterPlace = 1 << iota // the Retry-After header, in seconds
	RetryAfterInHeaderDate                             // the Retry-After header, as an HTTP date
	RetryAfterInBody                                   // retryAfter in the envelope
	RetryAfterInData                                   // retryAfter in the envelope's data
)

func (p RetryAfterPlace) name(wait time.Duration, now time.Time, header http.Header, e *envelope) {
	seconds := int(math.Ceil(wait.Seconds()))
	if p&RetryAfterInHeader != 0 {
		header.Set("Retry-After", strconv.Itoa(seconds))
	}
	if p&RetryAfterInHeaderDate != 0 {
		header.Set("Retry-After", now.Add(time.Duration(seconds)*time.Second).UTC().Format(http.TimeFormat))
	}
	if p&RetryAfterInBody != 0 {
		e.RetryAfter = seconds
	}
	if p&RetryAfterInData != 0 {
		e.Data = map[string]any{"retryAfter": seconds}
	}
}

// admit finds the account of a call. It rejects the call if the key is unknown or revoked, has no permission or exceeds the POST limit.
func (s *Simulator) admit(x *exchange, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accountOf(r.Header.Get("X-Api-Key"))
	if a == nil || a.revoked {
		return &refusal{code: CodeInvalidAPIKey, message: "invalid API key"}
	}
	if a.denied {
		return &refusal{code: CodeNoPermission, message: "no permission to call the API"}
	}
	x.account = a
	if r.Method != http.MethodPost || s.config.postLimit == 0 {
		return nil
	}
	return s.countPost(x, a)
}

func (s *Simulator) countPost(x *exchange, a *account) error {
	now := s.clock.Now()
	begin := now.Add(-s.config.postWindow)
	for len(a.posts) > 0 && !a.posts[0].After(begin) {
		a.posts = a.posts[1:]
	}
	if len(a.posts) >= s.config.postLimit {
		x.remaining = 0
		return &refusal{code: CodeRateLimited, message: "rate limit exceeded", wait: a.posts[0].Sub(begin)}
	}
	a.posts = append(a.posts, now)
	x.remaining = s.config.postLimit - len(a.posts)
	return nil
}

func (s *Simulator) accountOf(key string) *account {
	for _, a := range s.accounts {
		if a.key == key {
			return a
		}
	}
	return nil
}

func (s *Simulator) addAccount(key string, credits float64) {
	n := len(s.accounts) + 1
	a := &account{
		key:      key,
		credits:  credits,
		user:     gen.User{Email: fmt.Sprintf("user%d@example.com", n), Username: fmt.Sprintf("user%d", n)},
		secret:   s.ids.secret(),
		products: seedProducts(),
	}
	s.accounts = append(s.accounts, a)
}

// spend deducts the credits for a task, or fails with CodeInsufficientCredit.
func (a *account) spend(credits float64) error {
	if a.credits < credits {
		return &refusal{code: CodeInsufficientCredit, message: "insufficient credit"}
	}
	a.credits -= credits
	return nil
}

// withAccount calls use with the account of the key, holding s.mu.
func (s *Simulator) withAccount(key string, use func(*account)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accountOf(key)
	if a == nil {
		return ErrUnknownKey
	}
	use(a)
	return nil
}

// AddKey adds an account with the API key and the credits. If the account exists, it sets its credits and undoes RevokeKey.
func (s *Simulator) AddKey(key string, credits float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accountOf(key); a != nil {
		a.revoked, a.credits = false, credits
		return
	}
	s.addAccount(key, credits)
}

// RevokeKey makes calls with the key fail with code 10105 from now on. The error is ErrUnknownKey.
func (s *Simulator) RevokeKey(key string) error {
	return s.withAccount(key, func(a *account) { a.revoked = true })
}

// SetCredits sets the remaining credits of the account of the key. The error is ErrUnknownKey.
func (s *Simulator) SetCredits(key string, credits float64) error {
	return s.withAccount(key, func(a *account) { a.credits = credits })
}

// SetPermission sets whether the account of the key may call the API. If not, every call fails with code 18025. The error is ErrUnknownKey.
func (s *Simulator) SetPermission(key string, allowed bool) error {
	return s.withAccount(key, func(a *account) { a.denied = !allowed })
}

// Credits returns the remaining credits of the account of the key. The error is ErrUnknownKey.
func (s *Simulator) Credits(key string) (float64, error) {
	var credits float64
	err := s.withAccount(key, func(a *account) { credits = a.credits })
	return credits, err
}

// AccountSecret returns the secret that signs deliveries to the webhook_url or callback_url of the account's tasks, unless an endpoint with
// that URL gets the event. JoggAI does not document which secret it uses there; this is the simulator's choice. The error is ErrUnknownKey.
func (s *Simulator) AccountSecret(key string) (string, error) {
	var secret string
	err := s.withAccount(key, func(a *account) { secret = a.secret })
	return secret, err
}

func (s server) GetCurrentUser(ctx context.Context) (*gen.User, error) {
	return &exchangeOf(ctx).account.user, nil
}

func (s server) GetRemainingQuota(ctx context.Context) (*gen.Quota, error) {
	return &gen.Quota{RemainingQuota: exchangeOf(ctx).account.credits}, nil
}
