package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"sync"
)

// The headers of a delivery, as JoggAI documents them. The signature does not cover the event header.
const (
	EventHeader     = "X-Webhook-Event"
	SignatureHeader = "X-Webhook-Signature"
)

// Sign returns the signature of a delivery of body: the HMAC-SHA256 of body in lower-case hexadecimal. The key is the whole secret,
// including its prefix. Sign is for tests and for programs that simulate JoggAI.
func Sign(body []byte, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Verifier verifies the signatures of deliveries. It is safe for concurrent use. Its secrets are not shown, whatever the formatting verb.
type Verifier struct {
	keys []*key
}

// NewVerifier returns a verifier that accepts deliveries signed with any of the secrets. Pass one secret; or the old and the new one during
// a rotation; or one for each endpoint that delivers to the same URL.
//
// It returns an error if there is no secret, or if one is empty or begins or ends with white space, a common configuration mistake that
// would cause every delivery to be rejected. The error gives the position of the secret but not the secret.
func NewVerifier(secrets ...string) (*Verifier, error) {
	if len(secrets) == 0 {
		return nil, errors.New("webhooks: no secret to verify with")
	}
	v := new(Verifier)
	for i, secret := range secrets {
		switch {
		case secret == "":
			return nil, fmt.Errorf("webhooks: secret %d of %d is empty", i+1, len(secrets))
		case strings.TrimSpace(secret) != secret:
			return nil, fmt.Errorf("webhooks: secret %d of %d begins or ends with white space", i+1, len(secrets))
		}
		v.keys = append(v.keys, newKey(secret))
	}
	return v, nil
}

// Verify returns nil if signature is a valid signature of body, [ErrMissingSignature] if it is empty, and [ErrInvalidSignature] otherwise.
// Upper-case hexadecimal digits are invalid. The comparison is constant-time: how long it takes depends neither on which digits are wrong
// nor on which secret matches.
func (v *Verifier) Verify(body []byte, signature string) error {
	if signature == "" {
		return ErrMissingSignature
	}
	var given [signatureSize]byte
	if len(signature) != len(given) {
		return ErrInvalidSignature
	}
	copy(given[:], signature)
	valid := 0
	for _, k := range v.keys {
		valid |= k.compare(body, &given)
	}
	if valid != 1 {
		return ErrInvalidSignature
	}
	return nil
}

// Unwrap verifies the signature of a delivery and then decodes its body.
//
// Header names are matched case-insensitively, because gateways pass them to functions in lower case. Only the body is signed, so the
// X-Webhook-Event header is not used and can be missing.
//
// The error is [ErrMissingSignature], [ErrInvalidSignature] or a [*PayloadError], see [Parse]. The event keeps body as its Raw, so body
// must not be modified afterwards.
func (v *Verifier) Unwrap(body []byte, header http.Header) (Event, error) {
	if err := v.verify(body, header); err != nil {
		return Event{}, err
	}
	return Parse(body)
}

// verify verifies the signature in the headers of a delivery.
func (v *Verifier) verify(body []byte, header http.Header) error {
	signatures := header[SignatureHeader]
	if len(signatures) != 1 {
		signatures = nil
		for name, values := range header {
			if strings.EqualFold(name, SignatureHeader) {
				signatures = append(signatures, values...)
			}
		}
	}
	switch len(signatures) {
	case 0:
		return ErrMissingSignature
	case 1:
		return v.Verify(body, signatures[0])
	default: // ambiguous, even if one of them is valid
		return ErrInvalidSignature
	}
}

// Format prints the number of secrets, whatever the verb.
func (v Verifier) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "webhooks.Verifier(%d secrets)", len(v.keys))
}

// key is one secret. It pools its HMACs, because initializing one costs as much as hashing a short body.
type key struct {
	macs sync.Pool // of *mac
}

type mac struct {
	hash.Hash
	sum       [sha256.Size]byte
	signature [signatureSize]byte
}

// signatureSize is the length of a signature: two hexadecimal digits for each byte of the HMAC.
const signatureSize = 2 * sha256.Size

func newKey(secret string) *key {
	return &key{macs: sync.Pool{New: func() any {
		return &mac{Hash: hmac.New(sha256.New, []byte(secret))}
	}}}
}

// compare returns 1 if signature is the signature of body, and 0 otherwise, in constant time.
func (k *key) compare(body []byte, signature *[signatureSize]byte) int {
	m := k.macs.Get().(*mac)
	m.Reset()
	_, _ = m.Write(body) // never returns an error, see hash.Hash
	hex.Encode(m.signature[:], m.Sum(m.sum[:0]))
	equal := subtle.ConstantTimeCompare(m.signature[:], signature[:])
	k.macs.Put(m)
	return equal
}
