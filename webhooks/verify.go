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

// The headers of a delivery, as JoggAI documents them. The event header is not covered by the signature.
const (
	EventHeader     = "X-Webhook-Event"
	SignatureHeader = "X-Webhook-Signature"
)

// Sign returns the signature that JoggAI puts on a delivery of body: the HMAC-SHA256 of body in lower-case hexadecimal. The key is
// the whole secret, prefix included. It is for tests and for programs that stand in for JoggAI.
func Sign(body []byte, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Verifier checks the signatures of deliveries. It is safe for concurrent use. However it is printed, it does not show its secrets.
type Verifier struct {
	keys []*key
}

// NewVerifier returns a verifier that accepts what any of the secrets has signed. Give it one secret, or while secrets are being
// exchanged the old one and the new one, or one for each endpoint that delivers to the same URL.
//
// It is an error to give no secret, an empty one, or one with white space at an end, which comes from careless configuration and
// would refuse every delivery. The error tells which secret it is by its position and does not show it.
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

// Verify returns nil if signature is that of body, [ErrMissingSignature] if it is empty, and [ErrInvalidSignature] otherwise, also if its
// hexadecimal digits are not in lower case. How long it takes does not depend on where the signature is wrong, nor on which of the secrets
// made it.
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

// Unwrap verifies the delivery with this body and these headers and decodes it. The body is not decoded before it is verified.
//
// Names of headers are found in any spelling, since gateways hand them to functions in lower case. Only the body is signed, so the
// X-Webhook-Event header is not used, and need not be there.
//
// The error is [ErrMissingSignature], [ErrInvalidSignature] or a [*PayloadError], see [Parse]. The event keeps body as its Raw, so body must not
// be changed afterwards.
func (v *Verifier) Unwrap(body []byte, header http.Header) (Event, error) {
	if err := v.verify(body, header); err != nil {
		return Event{}, err
	}
	return Parse(body)
}

// verify checks the signature in the headers of a delivery.
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
	default: // nobody could say which of them was verified
		return ErrInvalidSignature
	}
}

// Format prints how many secrets the verifier has, whatever the verb.
func (v Verifier) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "webhooks.Verifier(%d secrets)", len(v.keys))
}

// key is one secret. Its HMACs are kept for the next delivery, because setting one up costs as much as hashing a short body.
type key struct {
	macs sync.Pool // of *mac
}

type mac struct {
	hash.Hash
	sum       [sha256.Size]byte
	signature [signatureSize]byte
}

// signatureSize is the length of a signature: each byte of the HMAC is two hexadecimal digits.
const signatureSize = 2 * sha256.Size

func newKey(secret string) *key {
	return &key{macs: sync.Pool{New: func() any {
		return &mac{Hash: hmac.New(sha256.New, []byte(secret))}
	}}}
}

// compare returns 1 if signature is that of body and 0 otherwise.
func (k *key) compare(body []byte, signature *[signatureSize]byte) int {
	m := k.macs.Get().(*mac)
	m.Reset()
	_, _ = m.Write(body) // never fails, see hash.Hash
	hex.Encode(m.signature[:], m.Sum(m.sum[:0]))
	equal := subtle.ConstantTimeCompare(m.signature[:], signature[:])
	k.macs.Put(m)
	return equal
}
