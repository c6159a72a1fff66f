package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-github/v74/github"
	line "github.com/line/line-bot-sdk-go/v8/linebot/webhook"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stripe/stripe-go/v84"
	stripehook "github.com/stripe/stripe-go/v84/webhook"
)

// peerLibraries returns contenders that each verify and decode an event of their library, of about 300 bytes.
func peerLibraries() ([]contender, error) {
	openAI, err := openAIUnwrap()
	if err != nil {
		return nil, err
	}
	return []contender{stripeConstructEvent(), goGitHub(), lineParseRequest(), openAI}, nil
}

func stripeConstructEvent() contender {
	payload := fmt.Appendf(nil, `{"id":"evt_1QZ2","object":"event","api_version":%q,"created":1732806631,"livemode":false,"pending_webhooks":1,`+
		`"type":"customer.updated","data":{"object":{"id":"cus_9s6","object":"customer","email":"ada@example.com","name":"Ada","balance":0,`+
		`"created":1732806000,"metadata":{"plan":"pro"}}}}`, stripe.APIVersion)
	signed := stripehook.GenerateTestSignedPayload(&stripehook.UnsignedPayload{Payload: payload, Secret: secret, Timestamp: time.Now()})
	return contender{"stripe-go `ConstructEvent`", func() error {
		// The tolerance is wide because a run can take longer than the default of five minutes.
		_, err := stripehook.ConstructEventWithTolerance(payload, signed.Header, secret, 24*time.Hour)
		return err
	}}
}

func goGitHub() contender {
	payload := []byte(`{"action":"created","starred_at":"2024-11-28T15:10:31Z","repository":{"id":123456789,"name":"jogg","full_name":"ada/jogg",` +
		`"private":false,"html_url":"https://github.com/ada/jogg","default_branch":"main","stargazers_count":42},` +
		`"sender":{"login":"ada","id":1815,"type":"User","site_admin":false}}`)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(payload)
	signature := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	return contender{"go-github `ValidateSignature`, `ParseWebHook`", func() error {
		if err := github.ValidateSignature(signature, payload, []byte(secret)); err != nil {
			return err
		}
		_, err := github.ParseWebHook("star", payload)
		return err
	}}
}

func lineParseRequest() contender {
	payload := []byte(`{"destination":"U0123456789abcdef0123456789abcdef","events":[{"type":"follow","mode":"active","timestamp":1732806631000,` +
		`"source":{"type":"user","userId":"U80696558e1aa831"},"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZR",` +
		`"deliveryContext":{"isRedelivery":false},"replyToken":"85cbe770fa8b4f45bbe077b1d4be4a36","follow":{"isUnblocked":false}}]}`)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(payload)
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return contender{"line-bot-sdk-go, the two steps of `ParseRequest`", func() error {
		if !line.ValidateSignature(secret, signature, payload) {
			return errInvalid
		}
		var request line.CallbackRequest
		return json.Unmarshal(payload, &request)
	}}
}

func openAIUnwrap() (contender, error) {
	payload := []byte(`{"id":"evt_685343a1381c819085d44c354e1b330e","object":"event","created_at":1732806631,"type":"response.completed",` +
		`"data":{"id":"resp_abc123def456abc123def456abc123def456","metadata":"none of the fields that this event has are left out of it here"}}`)
	key := []byte("0123456789abcdef0123456789abcdef")
	client := openai.NewClient(option.WithAPIKey("unused"), option.WithWebhookSecret("whsec_"+base64.StdEncoding.EncodeToString(key)))
	sent := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("wh_1." + sent + "."))
	mac.Write(payload)
	header := http.Header{}
	header.Set("Webhook-Id", "wh_1")
	header.Set("Webhook-Timestamp", sent)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	c := contender{"openai-go `Unwrap`", func() error {
		_, err := client.Webhooks.Unwrap(payload, header)
		return err
	}}
	if err := c.do(); err != nil {
		return c, errors.Join(errors.New("openai-go rejects the signature of this program"), err)
	}
	return c, nil
}
