package webhooks_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jogg-go/jogg/webhooks"
)

const secret = "whsec_SECRETMARKER"

// newVerifier returns a verifier with the given secrets, or with secret if there are none.
func newVerifier(t testing.TB, secrets ...string) *webhooks.Verifier {
	t.Helper()
	if len(secrets) == 0 {
		secrets = []string{secret}
	}
	v, err := webhooks.NewVerifier(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSignComputesTheDocumentedSignature(t *testing.T) {
	const (
		body = `{"event":"generated_script_failed","timestamp":1732806631,"data":{"task_id":"task_1"}}`
		want = "8e57f61a98915ed711a792ac957b124d80cf50b1125ebd70fe6f0db8568b3b02"
	)
	if got := webhooks.Sign([]byte(body), "whsec_abc123xyz"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// The prefix is part of the key.
	if got := webhooks.Sign([]byte(body), "abc123xyz"); got == want {
		t.Error("the secret without its prefix gives the same signature")
	}
}

// Edge cases for signatures: empty, binary, longer than one block of the hash, longer than many.
var (
	trickyBodies = []string{
		"", "{}", `{"event":"x"}`, "\x00", "\x00\xff\xfe\r\n\x1a", strings.Repeat("a", 55), strings.Repeat("a", 56), strings.Repeat("a", 63),
		strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("漢字", 1000), strings.Repeat("\xff\x00", 100_000),
	}
	trickySecrets = []string{
		"k", "whsec_abc123xyz", "0123456789abcdef", "white space inside", "ключ", "\x01\x02\xff\xfe", strings.Repeat("s", 63),
		strings.Repeat("s", 64), strings.Repeat("s", 65), strings.Repeat("s", 1000),
	}
)

func TestSignAgreesWithOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not on the PATH, so signatures cannot be compared with it")
	}
	for _, key := range trickySecrets {
		for _, body := range trickyBodies {
			dgst := exec.CommandContext(t.Context(), openssl, "dgst", "-sha256", "-r", "-mac", "HMAC", "-macopt", "hexkey:"+hex.EncodeToString([]byte(key)))
			dgst.Stdin = strings.NewReader(body)
			output, err := dgst.Output()
			if err != nil {
				t.Fatalf("%v: %v", dgst, err)
			}
			want, _, _ := strings.Cut(string(output), " ")
			if got := webhooks.Sign([]byte(body), key); got != want {
				t.Errorf("the signature of %.20q with %.20q is %s, but openssl computes %s", body, key, got, want)
			}
		}
	}
}

func TestVerifyAcceptsSignaturesOfSign(t *testing.T) {
	for _, key := range trickySecrets {
		v := newVerifier(t, key)
		for _, body := range trickyBodies {
			if err := v.Verify([]byte(body), webhooks.Sign([]byte(body), key)); err != nil {
				t.Errorf("%.20q signed with %.20q: %v", body, key, err)
			}
			if err := v.Verify([]byte(body+"\n"), webhooks.Sign([]byte(body), key)); !errors.Is(err, webhooks.ErrInvalidSignature) {
				t.Errorf("%.20q signed with %.20q and made longer: %v", body, key, err)
			}
		}
	}
}

func TestNewVerifierRejectsInvalidSecrets(t *testing.T) {
	for _, c := range []struct {
		name    string
		secrets []string
		want    string
	}{
		{"none", nil, "webhooks: no secret to verify with"},
		{"an empty one", []string{""}, "webhooks: secret 1 of 1 is empty"},
		{"an empty one after others", []string{secret, secret, ""}, "webhooks: secret 3 of 3 is empty"},
		{"an empty one before another", []string{"", secret}, "webhooks: secret 1 of 2 is empty"},
		{"white space alone", []string{" "}, "webhooks: secret 1 of 1 begins or ends with white space"},
		{"a trailing line break", []string{secret + "\n"}, "webhooks: secret 1 of 1 begins or ends with white space"},
		{"a trailing carriage return", []string{secret + "\r\n"}, "webhooks: secret 1 of 1 begins or ends with white space"},
		{"a leading tab", []string{"ok", "\t" + secret}, "webhooks: secret 2 of 2 begins or ends with white space"},
		{"a trailing no-break space", []string{secret + "\u00a0"}, "webhooks: secret 1 of 1 begins or ends with white space"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := webhooks.NewVerifier(c.secrets...)
			if v != nil || err == nil {
				t.Fatalf("got %v, %v", v, err)
			}
			if err.Error() != c.want {
				t.Errorf("error is %q, want %q", err, c.want)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "SECRETMARKER") {
				t.Errorf("the secret is in %s", text)
			}
		})
	}
}

func TestVerifyRejectsOtherSignatures(t *testing.T) {
	body := []byte(`{"event":"video_archived"}`)
	right := webhooks.Sign(body, secret)
	v := newVerifier(t)
	if err := v.Verify(body, right); err != nil {
		t.Fatal(err)
	}
	if err := v.Verify(body, ""); !errors.Is(err, webhooks.ErrMissingSignature) {
		t.Errorf("no signature: %v", err)
	}

	wrong := map[string]string{
		"one digit short":      right[:63],
		"one digit long":       right + "0",
		"half":                 right[:32],
		"twice":                right + right,
		"spaced":               " " + right,
		"in capitals":          strings.ToUpper(right),
		"with a scheme":        "sha256=" + right,
		"zeros":                strings.Repeat("0", 64),
		"no hexadecimal":       strings.Repeat("g", 64),
		"binary":               strings.Repeat("\x00", 64),
		"raw bytes":            string(must(hex.DecodeString(right))),
		"of another body":      webhooks.Sign([]byte(`{"event":"video_archived" }`), secret),
		"with another secret":  webhooks.Sign(body, "whsec_other"),
		"without the prefix":   webhooks.Sign(body, strings.TrimPrefix(secret, "whsec_")),
		"with an empty secret": webhooks.Sign(body, ""),
		"two in one":           right + "," + right,
	}
	for i := range right {
		for _, bit := range []byte{1, 4} {
			flipped := []byte(right)
			flipped[i] ^= bit
			wrong[fmt.Sprintf("bit %d of digit %d", bit, i)] = string(flipped)
		}
	}
	for name, signature := range wrong {
		err := v.Verify(body, signature)
		if !errors.Is(err, webhooks.ErrInvalidSignature) || errors.Is(err, webhooks.ErrMissingSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestVerifyAcceptsEachSecret(t *testing.T) {
	body := []byte("body")
	secrets := []string{"whsec_a", "whsec_b", "whsec_c", "whsec_b"} // one of them twice
	v := newVerifier(t, secrets...)
	for i, key := range secrets {
		if err := v.Verify(body, webhooks.Sign(body, key)); err != nil {
			t.Errorf("secret %d: %v", i+1, err)
		}
	}
	for _, key := range []string{"whsec_d", "whsec_awhsec_b", ""} {
		if err := v.Verify(body, webhooks.Sign(body, key)); !errors.Is(err, webhooks.ErrInvalidSignature) {
			t.Errorf("secret %q: %v", key, err)
		}
	}
}

// The zero Verifier, which has no secret, accepts nothing.
func TestVerifierWithoutASecretAcceptsNothing(t *testing.T) {
	var v webhooks.Verifier
	for _, signature := range []string{webhooks.Sign(nil, ""), strings.Repeat("0", 64)} {
		if err := v.Verify(nil, signature); !errors.Is(err, webhooks.ErrInvalidSignature) {
			t.Errorf("%s: %v", signature, err)
		}
	}
}

func TestVerifyIsSafeForConcurrentUse(t *testing.T) {
	v := newVerifier(t, "whsec_a", "whsec_b")
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := range 200 {
				body := fmt.Appendf(nil, "body %d of worker %d", i, worker)
				if err := v.Verify(body, webhooks.Sign(body, []string{"whsec_a", "whsec_b"}[i%2])); err != nil {
					t.Errorf("%s: %v", body, err)
				}
				if err := v.Verify(body, webhooks.Sign(body, "whsec_c")); !errors.Is(err, webhooks.ErrInvalidSignature) {
					t.Errorf("%s, forged: %v", body, err)
				}
			}
		})
	}
	workers.Wait()
}

func TestVerifierDoesNotShowItsSecrets(t *testing.T) {
	v := newVerifier(t, secret, secret+"2")
	if err := v.Verify([]byte("body"), webhooks.Sign([]byte("body"), secret)); err != nil { // initializes the pooled HMACs
		t.Fatal(err)
	}
	holder := struct {
		V       *webhooks.Verifier
		private *webhooks.Verifier
		Value   webhooks.Verifier
		value   webhooks.Verifier
		Handler http.Handler
	}{v, v, *v, *v, webhooks.NewHandler(v, webhooks.NewRouter())}

	var shown strings.Builder
	for _, value := range []any{v, *v, &v, holder, &holder, holder.Handler, holder.private, holder.value} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGsp" {
			for _, flag := range []string{"", "+", "#", " ", "0", "-", "30", ".2"} {
				fmt.Fprintf(&shown, "%"+flag+string(verb)+"\n", value)
			}
		}
		slog.New(slog.NewTextHandler(&shown, nil)).Info("verifier", "v", value)
		if encoded, err := json.Marshal(value); err == nil {
			shown.Write(encoded)
		}
	}
	for _, part := range []string{"SECRETMARKER", hex.EncodeToString([]byte("SECRETMARKER")), "83 69 67 82 69 84"} {
		if strings.Contains(strings.ToUpper(shown.String()), strings.ToUpper(part)) {
			t.Errorf("%s is in what was printed", part)
		}
	}
	if want := "webhooks.Verifier(2 secrets)"; fmt.Sprint(v) != want {
		t.Errorf("%v is not %s", v, want)
	}
}

func TestUnwrapVerifiesAndDecodes(t *testing.T) {
	v := newVerifier(t)
	for _, d := range documented() {
		header := http.Header{}
		header.Set(webhooks.EventHeader, string(d.want.Type))
		header.Set(webhooks.SignatureHeader, webhooks.Sign([]byte(d.body), secret))
		ev, err := v.Unwrap([]byte(d.body), header)
		if err != nil || !same(ev, d.event()) {
			t.Errorf("%s: got %+v, %v", d.want.Type, ev, err)
		}
	}
}

func TestUnwrapRejects(t *testing.T) {
	valid := document(webhooks.GeneratedVideoSuccess).body
	right := webhooks.Sign([]byte(valid), secret)
	const nonsense = `{"event":"` + marker
	for _, c := range []struct {
		name, body string
		header     http.Header
		want       error
	}{
		{"no header", valid, nil, webhooks.ErrMissingSignature},
		{"no signature", valid, http.Header{webhooks.EventHeader: {"generated_video_success"}}, webhooks.ErrMissingSignature},
		{"an empty list of signatures", valid, http.Header{webhooks.SignatureHeader: {}}, webhooks.ErrMissingSignature},
		{"an empty signature", valid, http.Header{webhooks.SignatureHeader: {""}}, webhooks.ErrMissingSignature},
		{
			"a wrong signature", valid,
			http.Header{webhooks.SignatureHeader: {strings.Repeat("0", 64)}},
			webhooks.ErrInvalidSignature,
		},
		{"the right signature twice", valid, http.Header{webhooks.SignatureHeader: {right, right}}, webhooks.ErrInvalidSignature},
		{
			"a wrong signature before the right one", valid,
			http.Header{webhooks.SignatureHeader: {"0", right}},
			webhooks.ErrInvalidSignature,
		},
		{
			"a wrong signature after the right one", valid,
			http.Header{webhooks.SignatureHeader: {right, ""}},
			webhooks.ErrInvalidSignature,
		},
		{
			"a body that is no JSON, wrongly signed", nonsense,
			http.Header{webhooks.SignatureHeader: {right}},
			webhooks.ErrInvalidSignature,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev, err := newVerifier(t).Unwrap([]byte(c.body), c.header)
			if !same(ev, webhooks.Event{}) {
				t.Errorf("event is %+v", ev)
			}
			if !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			for _, shown := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%#v", err)} {
				if strings.Contains(shown, right[:8]) || strings.Contains(shown, "SECRET") {
					t.Errorf("error shows %s", shown)
				}
			}
		})
	}
}

// Only the body is signed, so nothing is lost when a proxy drops or changes the event header.
func TestUnwrapDoesNotUseTheEventHeader(t *testing.T) {
	body := []byte(document(webhooks.GeneratedVideoSuccess).body)
	for _, header := range [][]string{nil, {""}, {"generated_video_failed"}, {"Generated_Video_Success"}, {"generated_video_success", marker}} {
		ev, err := newVerifier(t).Unwrap(body, http.Header{webhooks.SignatureHeader: {webhooks.Sign(body, secret)}, webhooks.EventHeader: header})
		if err != nil || ev.Type != webhooks.GeneratedVideoSuccess {
			t.Errorf("with %q: got %+v, %v", header, ev, err)
		}
	}
}

// API gateways pass the headers of a request to a function in lower case.
func TestUnwrapMatchesHeaderNamesCaseInsensitively(t *testing.T) {
	body := []byte(document(webhooks.GeneratedVideoSuccess).body)
	right := webhooks.Sign(body, secret)
	for _, name := range []string{"X-Webhook-Signature", "x-webhook-signature", "X-WEBHOOK-SIGNATURE"} {
		if _, err := newVerifier(t).Unwrap(body, http.Header{name: {right}, "x-webhook-event": {"another"}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := newVerifier(t).Unwrap(body, http.Header{name: {right[1:]}}); !errors.Is(err, webhooks.ErrInvalidSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	two := http.Header{"x-webhook-signature": {right}, "X-WEBHOOK-SIGNATURE": {right}}
	if _, err := newVerifier(t).Unwrap(body, two); !errors.Is(err, webhooks.ErrInvalidSignature) {
		t.Errorf("in two spellings: %v", err)
	}
}

func TestUnwrapReturnsTheErrorOfParse(t *testing.T) {
	body := []byte(`{"event":"create_avatar_success","data":{"avatar_id":"` + marker + `"}`)
	_, err := newVerifier(t).Unwrap(body, http.Header{webhooks.SignatureHeader: {webhooks.Sign(body, secret)}})
	checkPayloadError(t, string(body), err, "", "", "unexpected end of JSON")
	checkQuotesNothing(t, err)
}

func TestVerifyDoesNotModifyTheBody(t *testing.T) {
	body := []byte(document(webhooks.GeneratedVideoSuccess).body)
	before := slices.Clone(body)
	if err := newVerifier(t).Verify(body, webhooks.Sign(body, secret)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body, before) {
		t.Error("the body was changed")
	}
}
