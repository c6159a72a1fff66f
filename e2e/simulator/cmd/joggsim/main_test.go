package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/jogg-go/jogg/gen"
)

// asJoggsim is an environment variable that makes the test binary run joggsim, so that signals can be tested on a separate process.
const asJoggsim = "JOGG_TEST_AS_JOGGSIM"

func TestMain(m *testing.M) {
	if os.Getenv(asJoggsim) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestServesUntilSignaled(t *testing.T) {
	for name, signal := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			command := exec.CommandContext(t.Context(), os.Args[0], "-addr", "127.0.0.1:0", "-api-key", "my-own-key", "-credits", "7.5")
			command.Env = append(os.Environ(), asJoggsim+"=1")
			command.Stderr = &log
			out, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			reader := bufio.NewReader(out)
			greeting := ""
			for !strings.Contains(greeting, "Ctrl-C") {
				text, err := reader.ReadString('\n')
				if err != nil {
					t.Fatalf("%v after %q, log %s", err, greeting, &log)
				}
				greeting += text
			}
			base := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(greeting)
			quota, err := gen.NewGetRemainingQuotaRequest(t.Context(), base)
			if err != nil {
				t.Fatal(err)
			}
			if body := call(t, quota.URL.String(), "my-own-key"); !strings.Contains(body, `"remaining_quota":7.5`) {
				t.Errorf("response %s", body)
			}
			if page := call(t, base+"/_console/", ""); !strings.Contains(page, "<title>JoggAI simulator</title>") {
				t.Errorf("page %s", page)
			}
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(reader)
			if err := command.Wait(); err != nil || !strings.HasSuffix(string(rest), "Stopped.\n") {
				t.Errorf("it ended with %v, saying %q", err, rest)
			}
			if strings.Contains(greeting+string(rest)+log.String(), "my-own-key") {
				t.Errorf("the key is shown: %s%s%s", greeting, rest, &log)
			}
		})
	}
}

func call(t *testing.T, address, key string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestEveryFlagIsAccepted(t *testing.T) {
	t.Setenv("JOGG_API_KEY", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, log bytes.Buffer
	arguments := "-addr 127.0.0.1:0 -media-addr 127.0.0.1:0 -pending 1s -processing 2s -post-limit 0 -seen -guides -error-statuses -pages ignored " +
		"-https-only -seed 7 -v"
	if err := run(ctx, strings.Fields(arguments), &out, &log); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "simulator-key") {
		t.Errorf("the default key is not shown: %s", &out)
	}
}

func TestInvalidArgumentsAreRejected(t *testing.T) {
	for _, arguments := range []string{"-pages sideways", "-seed x", "serve", "-credits -1 extra"} {
		var out, log bytes.Buffer
		if err := run(t.Context(), strings.Fields(arguments), &out, &log); err == nil || log.Len() == 0 || out.Len() != 0 {
			t.Errorf("%s: error %v, log %q, output %q", arguments, err, &log, &out)
		}
	}
	for _, arguments := range []string{"-pending -1s -addr 127.0.0.1:0", "-addr nowhere:-1"} {
		if err := run(t.Context(), strings.Fields(arguments), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "simulator: ") {
			t.Errorf("%s: error %v", arguments, err)
		}
	}
}
