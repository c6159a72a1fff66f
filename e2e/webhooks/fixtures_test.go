package webhooks

import (
	"encoding/json"
	"os/exec"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/jogg-go/jogg/webhooks"
)

// dataOf returns the JSON of a delivery's data.
func dataOf(body []byte) string {
	GinkgoHelper()
	var envelope struct{ Data json.RawMessage }
	Expect(json.Unmarshal(body, &envelope)).To(Succeed())
	return string(envelope.Data)
}

func must[T any](v T, err error) T {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	return v
}

// A test vector for the signature that JoggAI documents.
const (
	vectorBody      = `{"event":"generated_script_failed","timestamp":1732806631,"data":{"task_id":"task_1"}}`
	vectorSignature = "8e57f61a98915ed711a792ac957b124d80cf50b1125ebd70fe6f0db8568b3b02"
)

var _ = Describe("A signature", func() {
	It("is the documented one", func(ctx SpecContext) {
		Expect(webhooks.Sign([]byte(vectorBody), secret)).To(Equal(vectorSignature))
		s := newSite([]string{secret})
		Expect(s.post(ctx, "generated_script_failed", []byte(vectorBody)).StatusCode).To(Equal(200))
	})

	It("agrees with openssl", func(ctx SpecContext) {
		openssl, err := exec.LookPath("openssl")
		if err != nil {
			Skip("openssl is not on this machine")
		}
		for _, body := range []string{"", vectorBody, "\x00\xff\n", strings.Repeat("long ", 100_000)} {
			for _, key := range []string{secret, "0123456789abcdef", strings.Repeat("k", 200)} {
				command := exec.CommandContext(ctx, openssl, "dgst", "-sha256", "-hmac", key, "-r")
				command.Stdin = strings.NewReader(body)
				output, err := command.Output()
				Expect(err).NotTo(HaveOccurred())
				Expect(webhooks.Sign([]byte(body), key)).To(Equal(strings.Fields(string(output))[0]))
			}
		}
	})
})
