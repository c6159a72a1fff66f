package simulator_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
)

func TestEachKeyHasItsOwnAccount(t *testing.T) {
	b := start(t, simulator.WithAPIKey("second", 5))
	if r := b.call("wrong", http.MethodGet, pathOf("getCurrentUser"), ""); r.code != simulator.CodeInvalidAPIKey || r.status != http.StatusOK {
		t.Errorf("a wrong key returns %d: %s", r.status, r.body)
	}
	if r := b.call("", http.MethodGet, pathOf("getCurrentUser"), ""); r.code != simulator.CodeInvalidAPIKey {
		t.Errorf("no key returns %s", r.body)
	}
	first, second := b.get(pathOf("getCurrentUser")), b.call("second", http.MethodGet, pathOf("getCurrentUser"), "")
	if first.text("username") == second.text("username") {
		t.Errorf("two keys have the account %q", first.text("username"))
	}
	video := b.createAvatarVideo()
	if r := b.call("second", http.MethodGet, pathOf("getAvatarVideo", video), ""); r.code != simulator.CodeNotFound {
		t.Errorf("another account's video returns %s", r.body)
	}
}

func TestKeysCanBeRevokedDeniedAndAdded(t *testing.T) {
	b := start(t)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	code := func(apiKey string) int {
		return b.call(apiKey, http.MethodGet, pathOf("listWebhookEvents"), "").code
	}
	do(b.sim.SetPermission(key, false))
	if got := code(key); got != simulator.CodeNoPermission {
		t.Errorf("without permission: code %d", got)
	}
	do(b.sim.SetPermission(key, true))
	do(b.sim.RevokeKey(key))
	if got := code(key); got != simulator.CodeInvalidAPIKey {
		t.Errorf("revoked: code %d", got)
	}
	b.sim.AddKey(key, 3)
	b.sim.AddKey("new", 1)
	if code(key) != simulator.CodeSuccess || code("new") != simulator.CodeSuccess {
		t.Errorf("added keys: codes %d and %d", code(key), code("new"))
	}
	for _, err := range []error{b.sim.SetPermission("who", true), b.sim.RevokeKey("who"), b.sim.SetCredits("who", 1)} {
		if !errors.Is(err, simulator.ErrUnknownKey) || strings.Contains(err.Error(), "who") {
			t.Errorf("error %v", err)
		}
	}
}

func TestCreditsRunOut(t *testing.T) {
	b := start(t)
	if err := b.sim.SetCredits(key, 2.5); err != nil {
		t.Fatal(err)
	}
	b.createAvatarVideo()
	b.createAvatarVideo()
	if r := b.post(pathOf("createAvatarVideo"), avatarVideoRequest); r.code != simulator.CodeInsufficientCredit {
		t.Errorf("the third video returns %s", r.body)
	}
	if len(b.sim.Tasks()) != 2 {
		t.Errorf("%d tasks were started", len(b.sim.Tasks()))
	}
	if quota := b.get(pathOf("getRemainingQuota")).data["remaining_quota"]; quota != 0.5 {
		t.Errorf("credits left: %v", quota)
	}
	b.must(b.post(pathOf("createAIScripts"), scriptsRequest))
	if quota, sent := b.get(pathOf("getRemainingQuota")).data["remaining_quota"]; !sent || quota != 0.0 {
		t.Errorf("credits left in the end: %v, sent: %t", quota, sent)
	}
}

func TestPreviewsWithoutCreditsReportAnError(t *testing.T) {
	b := start(t)
	if err := b.sim.SetCredits(key, 0.5); err != nil {
		t.Fatal(err)
	}
	requestBody := `{"visual_styles":["Split Story","Dynamic Showcase"],` + productFields + `}`
	previews := b.must(b.post(pathOf("createProductPreviews"), requestBody)).data["previews"].([]any)
	if first := previews[0].(map[string]any); first["preview_id"] == nil || first["err_msg"] != nil {
		t.Errorf("the first preview is %v", first)
	}
	if second := previews[1].(map[string]any); second["preview_id"] != nil || second["err_msg"] == nil {
		t.Errorf("the second preview is %v", second)
	}
	if r := b.post(pathOf("createProductPreviews"), requestBody); r.code != simulator.CodeInsufficientCredit {
		t.Errorf("without credits: %s", r.body)
	}
}

func TestPOSTRequestsAreLimitedWithinASlidingWindow(t *testing.T) {
	b := start(t, simulator.WithAPIKey("second", 100))
	for i := range 20 {
		r := b.must(b.post(pathOf("createProduct"), `{"name":"x"}`))
		if left := r.header.Get("X-RateLimit-Remaining"); left != strconv.Itoa(19-i) {
			t.Fatalf("after %d POST requests %q are left", i+1, left)
		}
		if i == 0 {
			b.clock.Advance(20 * time.Second)
		}
	}
	refused := b.post(pathOf("createProduct"), `{"name":"x"}`)
	if refused.status != http.StatusOK || refused.code != simulator.CodeRateLimited {
		t.Fatalf("the 21st POST returns %d: %s", refused.status, refused.body)
	}
	if refused.header.Get("Retry-After") != "40" || !strings.Contains(refused.body, `"retryAfter":40`) || refused.header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("headers %v, body %s", refused.header, refused.body)
	}
	b.must(b.get(pathOf("listWebhookEvents")))
	b.must(b.call("second", http.MethodPost, pathOf("createProduct"), `{"name":"x"}`))
	b.clock.Advance(39 * time.Second)
	if r := b.post(pathOf("createProduct"), `{"name":"x"}`); r.code != simulator.CodeRateLimited {
		t.Errorf("a second too early: %s", r.body)
	}
	b.clock.Advance(time.Second)
	b.must(b.post(pathOf("createProduct"), `{"name":"x"}`))
	if r := b.post(pathOf("createProduct"), `{"name":"x"}`); r.code != simulator.CodeRateLimited {
		t.Errorf("only the first of the 20 is a minute old, yet two more pass: %s", r.body)
	}
}

func TestRetryAfterIsSentWhereTheOptionSays(t *testing.T) {
	at := time.Unix(1_760_000_000, 0).Add(60 * time.Second).UTC().Format(http.TimeFormat)
	for name, c := range map[string]struct {
		places         simulator.RetryAfterPlace
		header, inBody string
	}{
		"header":         {simulator.RetryAfterInHeader, "60", `"data":null`},
		"header as date": {simulator.RetryAfterInHeaderDate, at, `"data":null`},
		"body":           {simulator.RetryAfterInBody, "", `"retryAfter":60`},
		"data":           {simulator.RetryAfterInData, "", `"data":{"retryAfter":60}`},
		"nowhere":        {0, "", `"data":null`},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, simulator.WithRetryAfterIn(c.places), simulator.WithPostLimit(1, time.Minute))
			b.must(b.post(pathOf("createProduct"), `{"name":"x"}`))
			r := b.post(pathOf("createProduct"), `{"name":"x"}`)
			if r.code != simulator.CodeRateLimited || r.header.Get("Retry-After") != c.header || !strings.Contains(r.body, c.inBody) {
				t.Errorf("Retry-After %q, body %s", r.header.Get("Retry-After"), r.body)
			}
			if c.places&(simulator.RetryAfterInBody|simulator.RetryAfterInData) == 0 && strings.Contains(r.body, "retryAfter") {
				t.Errorf("the body states the wait: %s", r.body)
			}
		})
	}
}

func TestErrorStatusesMatchTheCodes(t *testing.T) {
	b := start(t, simulator.WithErrorStatuses(), simulator.WithPostLimit(2, time.Minute))
	if r := b.call("wrong", http.MethodGet, pathOf("listWebhookEvents"), ""); r.status != http.StatusUnauthorized || r.code != simulator.CodeInvalidAPIKey {
		t.Errorf("a wrong key returns %d: %s", r.status, r.body)
	}
	if r := b.get(pathOf("getAvatarVideo", "nobody")); r.status != http.StatusNotFound || r.code != simulator.CodeNotFound {
		t.Errorf("an unknown id returns %d: %s", r.status, r.body)
	}
	if r := b.post(pathOf("createProduct"), `{}`); r.status != http.StatusBadRequest || r.code != simulator.CodeInvalidParameter {
		t.Errorf("a bad request returns %d: %s", r.status, r.body)
	}
	if err := b.sim.SetCredits(key, 0); err != nil {
		t.Fatal(err)
	}
	if r := b.post(pathOf("createAvatarVideo"), avatarVideoRequest); r.status != http.StatusPaymentRequired {
		t.Errorf("without credits: %d: %s", r.status, r.body)
	}
	if r := b.post(pathOf("createProduct"), `{}`); r.status != http.StatusTooManyRequests || r.code != simulator.CodeRateLimited {
		t.Errorf("beyond the limit: %d: %s", r.status, r.body)
	}
	if err := b.sim.SetPermission(key, false); err != nil {
		t.Fatal(err)
	}
	if r := b.get(pathOf("listWebhookEvents")); r.status != http.StatusForbidden {
		t.Errorf("without permission: %d: %s", r.status, r.body)
	}
}

func TestRequestLogIsBounded(t *testing.T) {
	b := start(t, simulator.WithLogSize(8))
	for i := range 40 {
		b.get(fmt.Sprintf(pathOf("listVoices")+"?page=%d", i+1))
	}
	requests := b.sim.Requests()
	if len(requests) < 8 || len(requests) > 10 {
		t.Fatalf("%d requests are kept", len(requests))
	}
	if last := requests[len(requests)-1]; last.Operation != "listVoices" || last.Path != pathOf("listVoices")+"?page=40" || last.Status != 200 || last.RequestID == "" {
		t.Errorf("the last request is %+v", last)
	}
}
