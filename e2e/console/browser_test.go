package console_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/jogg-go/jogg/webhooks"
	"github.com/jogg-go/jogg/webhooks/inbox"
	"github.com/jogg-go/jogg/webhooks/inbox/console"
)

// browserEnv is the environment variable that makes a missing browser a failure, if it is "required". By default such tests are skipped.
const browserEnv = "JOGG_BROWSER"

// browserTimeout limits each test in a browser.
const browserTimeout = time.Minute

// browser starts a headless browser.
func browser(t *testing.T, opts ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv(browserEnv) == "required" {
			t.Fatalf("%s is required, and there is no Chromium on the PATH", browserEnv)
		}
		t.Skipf("there is no Chromium on the PATH; %s=required makes this a failure", browserEnv)
	}
	all := append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
	}, opts...)
	ctx, cancel := context.WithTimeout(t.Context(), browserTimeout)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, all...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	return ctx
}

// browse runs steps in the browser.
func browse(ctx context.Context, t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// query runs an action in the browser and returns its result.
func query[T any](ctx context.Context, t *testing.T, action chromedp.Action[T]) T {
	t.Helper()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// follow runs a step that navigates to another page, and waits for the response.
func follow(ctx context.Context, t *testing.T, step chromedp.Action[chromedp.Void]) {
	t.Helper()
	if _, err := chromedp.RunResponse(ctx, step); err != nil {
		t.Fatal(err)
	}
}

// visible waits until an element is visible.
func visible(selector chromedp.Search) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(selector)
}

func click(selector chromedp.CSS) chromedp.Action[chromedp.Void] { return chromedp.Click(selector) }

// The screenshots are kept with go test -artifacts.
func TestPagesFitTheWindow(t *testing.T) {
	ctx := browser(t)
	box := open(t)
	broken := webhooks.Event{Raw: []byte("not JSON at all")}
	if err := box.Receive(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		receive(t, box, fmt.Sprint("dead-", i), fmt.Sprint("fail-", i))
	}
	receive(t, box, "run-1", "run-2", "run-3", "run-"+strings.Repeat("long", 20)+"-1")
	run(t, box)
	eventually(t, func() bool { s, err := box.Stats(t.Context()); return err == nil && s.InProgress == 4 })
	url := serve(t, box, console.WithActions(), console.WithPayloads())
	for _, width := range []int64{1300, 390} {
		for name, page := range map[string]string{
			"overview": "", "waiting": "events?state=waiting", "dead": "events?state=dead", "running": "events?state=running",
			"event": "event?key=" + keyOf(t, "dead-1"), "failed": "event?key=" + keyOf(t, "fail-1"), "undecodable": "event?key=" + broken.Key(),
		} {
			t.Run(fmt.Sprint(name, " at ", width), func(t *testing.T) {
				browse(ctx, t, chromedp.EmulateViewport(width, 900))
				response := query(ctx, t, chromedp.NavigateResponse(url+page))
				if response.Status != http.StatusOK {
					t.Errorf("status %d", response.Status)
				}
				browse(ctx, t, visible("footer"))
				overflow := query(ctx, t, chromedp.Evaluate[int](`Math.max(document.documentElement.scrollWidth - innerWidth,
					...[...document.querySelectorAll("section")].map((s) => s.scrollWidth - s.clientWidth))`))
				picture := query(ctx, t, chromedp.FullScreenshot(100))
				if overflow > 0 {
					t.Errorf("the page or a part of it is %d pixels too wide", overflow)
				}
				if err := os.WriteFile(filepath.Join(t.ArtifactDir(), fmt.Sprintf("%s-%d.png", name, width)), picture, 0o600); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestDeadLettersAreDeletedInABrowser(t *testing.T) {
	for _, c := range []struct {
		name string
		opts []chromedp.ExecAllocatorOption
	}{
		{"with JavaScript", nil},
		{"without JavaScript", []chromedp.ExecAllocatorOption{chromedp.Flag("blink-settings", "scriptEnabled=false")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := browser(t, c.opts...)
			box := open(t)
			receive(t, box, "dead-1", "dead-2", "dead-3")
			run(t, box)
			url := serve(t, box, console.WithActions())
			browse(ctx, t, chromedp.Navigate(url+"events?state=dead"),
				click(`input[value$="dead-1"]`), click(`input[value$="dead-3"]`))
			follow(ctx, t, click(`button[value="delete:selected"]`))
			picture := query(ctx, t, chromedp.FullScreenshot(100))
			if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "confirm.png"), picture, 0o600); err != nil {
				t.Fatal(err)
			}
			heading := query(ctx, t, chromedp.Text(chromedp.CSS(".confirm h1")))
			follow(ctx, t, click("button[name=do]"))
			notes := query(ctx, t, chromedp.Text(chromedp.CSS("#notes .note")))
			if heading != "Delete 2 events?" || !strings.Contains(notes, "2 events permanently deleted") {
				t.Errorf("confirmation %q, result %q", heading, notes)
			}
			if left := keys(t, box, inbox.StateDead); len(left) != 1 || left[0] != keyOf(t, "dead-2") {
				t.Errorf("dead letters left: %q", left)
			}
		})
	}
}

func TestPagesUpdateThemselves(t *testing.T) {
	ctx := browser(t)
	box := open(t)
	url := serve(t, box)
	browse(ctx, t, chromedp.Navigate(url+"events?state=waiting"), visible(".empty"))
	receive(t, box, "new-1")
	browse(ctx, t, visible(chromedp.Search(`//bdi[text()="`+keyOf(t, "new-1")+`"]`)), visible(`//nav//b[text()="1"]`))
}

// The browser logs violations of the Content-Security-Policy and uncaught exceptions of the script.
func TestTheBrowserLogsNoErrors(t *testing.T) {
	ctx := browser(t)
	box := open(t)
	receive(t, box, "dead-1")
	run(t, box)
	logged := listen(ctx, t)
	url := serve(t, box, console.WithActions())
	for _, page := range []string{"", "events?state=dead", "event?key=" + keyOf(t, "dead-1")} {
		browse(ctx, t, chromedp.Navigate(url+page), visible("#live"))
		if border := query(ctx, t, chromedp.Evaluate[string](`getComputedStyle(document.querySelector("header")).borderBottomStyle`)); border != "solid" {
			t.Errorf("the style sheet is not applied to %q", page)
		}
	}
	if all := logged(); len(all) > 0 {
		t.Errorf("%q", all)
	}
}
