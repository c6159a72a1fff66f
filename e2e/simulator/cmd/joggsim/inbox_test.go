package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/e2e/simulator"
	"github.com/jogg-go/jogg/webhooks"
)

func TestInboxReceivesDeliveries(t *testing.T) {
	sim, err := simulator.Start(simulator.WithAPIKey("key", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	var log bytes.Buffer
	r, err := receive(t.Context(), sim, "127.0.0.1:0", "key", &log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Trigger(webhooks.GeneratedScriptSuccess); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for r.box.Counts().Received == 0 {
		select {
		case <-ctx.Done():
			t.Fatal("nothing was received")
		case <-tick.C:
		}
	}
	if page := call(t, r.url+"/", ""); !strings.Contains(page, "<title>JoggAI inbox</title>") {
		t.Errorf("page %s", page)
	}
	if err := r.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(r.dir); !os.IsNotExist(err) {
		t.Errorf("its directory is still there: %v", err)
	}
}
