package simulator_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
)

func TestFaultsApplyOnceEachInOrder(t *testing.T) {
	b := start(t)
	b.sim.FailNext("getCurrentUser",
		simulator.Fault{},
		simulator.Fault{Code: simulator.CodeRateLimited, RetryAfter: 1500 * time.Millisecond, HTTPStatus: http.StatusTooManyRequests},
		simulator.Fault{Code: simulator.CodeInvalidParameter, Message: "invalid parameter mood"},
		simulator.ProxyPage(http.StatusBadGateway),
		simulator.EmptyResponse(http.StatusOK),
		simulator.Fault{Body: []byte("{}"), ContentType: "application/json", Header: http.Header{"x-extra": {"1"}}},
	)
	b.must(b.get(pathOf("listWebhookEvents")))
	for i, holds := range []func(reply) bool{
		func(r reply) bool {
			return r.status == 200 && r.code == simulator.CodeSystem && r.rid != "" && strings.Contains(r.body, `"data":null`)
		},
		func(r reply) bool {
			return r.status == 429 && r.code == 429 && r.header.Get("Retry-After") == "2" && strings.Contains(r.body, `"retryAfter":2`)
		},
		func(r reply) bool {
			return r.code == simulator.CodeInvalidParameter && r.msg == "invalid parameter mood"
		},
		func(r reply) bool {
			return r.status == 502 && strings.Contains(r.body, "<h1>Bad Gateway</h1>") && strings.HasPrefix(r.header.Get("Content-Type"), "text/html")
		},
		func(r reply) bool { return r.status == 200 && r.body == "" },
		func(r reply) bool { return r.body == "{}" && r.header.Get("X-Extra") == "1" },
		func(r reply) bool { return r.status == 200 && r.code == simulator.CodeSuccess && r.text("email") != "" },
	} {
		if r := b.get(pathOf("getCurrentUser")); !holds(r) {
			t.Errorf("call %d returns %d %v: %s", i+1, r.status, r.header, r.body)
		}
	}
	requests := b.sim.Requests()
	if last := len(requests) - 1; requests[0].Injected || !requests[1].Injected || requests[2].Code != 429 || requests[4].Status != 502 || requests[last].Injected {
		t.Errorf("requests %+v", requests)
	}
}

func TestFaultsCanApplyToAnyOperation(t *testing.T) {
	b := start(t)
	b.sim.FailNext(simulator.AnyOperation, simulator.Fault{Code: simulator.CodeNoPermission}, simulator.Fault{})
	if r := b.get(pathOf("listVoices")); r.code != simulator.CodeNoPermission {
		t.Errorf("response %s", r.body)
	}
	b.sim.ClearFaults()
	b.must(b.get(pathOf("listVoices")))
}

func TestFaultsCanTakeEffect(t *testing.T) {
	b := start(t)
	b.sim.FailNext("createAvatarVideo", simulator.Fault{TakesEffect: true}, simulator.Fault{})
	for range 2 {
		if r := b.post(pathOf("createAvatarVideo"), avatarVideoRequest); r.code != simulator.CodeSystem {
			t.Errorf("response %s", r.body)
		}
	}
	credits, err := b.sim.Credits(key)
	if len(b.sim.Tasks()) != 1 || credits != 999 || err != nil {
		t.Errorf("%d tasks, %v credits, error %v", len(b.sim.Tasks()), credits, err)
	}
}

func TestResponsesCanBeTruncated(t *testing.T) {
	b := start(t)
	whole := b.must(b.get(pathOf("listVoices")))
	b.sim.FailNext("listVoices", simulator.Fault{Truncate: true, TakesEffect: true})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.sim.BaseURL()+pathOf("listVoices"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", key)
	response, err := b.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	part, err := io.ReadAll(response.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || len(part) == 0 || len(part) >= len(whole.body) || !strings.HasPrefix(string(part), `{"code":0`) {
		t.Errorf("%d of %d bytes arrived, error %v", len(part), len(whole.body), err)
	}
}

func TestConnectionsCanBeClosedWithoutAResponse(t *testing.T) {
	b := start(t)
	b.sim.FailNext("createProduct", simulator.Fault{CloseConnection: true, TakesEffect: true})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.sim.BaseURL()+pathOf("createProduct"), strings.NewReader(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", key)
	request.Header.Set("Content-Type", "application/json")
	if response, err := b.client.Do(request); !errors.Is(err, io.EOF) {
		if err == nil {
			_ = response.Body.Close()
		}
		t.Errorf("error %v", err)
	}
	if requests := b.sim.Requests(); len(requests) != 1 || requests[0].Status != 0 || !requests[0].Injected {
		t.Errorf("requests %+v", requests)
	}
}

func TestResponsesCanBeDelayedOnTheSimulatorsClock(t *testing.T) {
	b := start(t)
	b.sim.FailNext("listMusic", simulator.Fault{Delay: time.Minute, TakesEffect: true})
	answered := make(chan reply)
	go func() { answered <- b.get(pathOf("listMusic")) }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := b.clock.BlockUntilContext(ctx, 1); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-answered:
		t.Fatalf("early response: %s", r.body)
	default:
	}
	b.clock.Advance(time.Minute)
	if r := <-answered; r.code != simulator.CodeSystem {
		t.Errorf("response %s", r.body)
	}
}

func TestTheSecondHostCanFailToo(t *testing.T) {
	b := start(t)
	sign, asset := b.upload(`{"filename":"a.png","content_type":"image/png"}`)
	b.sim.FailNext(simulator.AnyOperation, simulator.Fault{}) // does not apply to the second host
	b.sim.FailNext(simulator.PutAsset, simulator.Fault{}, simulator.Fault{HTTPStatus: http.StatusForbidden, Message: "go away"}, simulator.ProxyPage(http.StatusBadGateway))
	for _, want := range []struct {
		status int
		body   string
	}{{503, "<Code>ServiceUnavailable</Code>"}, {403, "go away"}, {502, "<h1>Bad Gateway</h1>"}, {200, ""}} {
		if r := b.fetch(http.MethodPut, sign, asPNG, strings.NewReader("bytes")); r.status != want.status || !strings.Contains(r.body, want.body) {
			t.Errorf("returns %d: %s, want %+v", r.status, r.body, want)
		}
	}
	b.sim.FailNext(simulator.GetMedia, simulator.Fault{HTTPStatus: http.StatusNotFound})
	if r := b.fetch(http.MethodGet, asset, nil, nil); r.status != http.StatusNotFound {
		t.Errorf("download returns %d", r.status)
	}
	if r := b.fetch(http.MethodGet, asset, nil, nil); r.body != "bytes" {
		t.Errorf("download: %q", r.body)
	}
}
