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

// browserEnv insists on a browser if it is "required".
const browserEnv = "JOGG_BROWSER"

// browserTime limits each test in a browser.
const browserTime = time.Minute

// browser starts a browser without a window.
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
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, all...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	return ctx
}

func browse(ctx context.Context, t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// ask returns what a page tells.
func ask[T any](ctx context.Context, t *testing.T, question chromedp.Action[T]) T {
	t.Helper()
	answer, err := chromedp.Run(ctx, question)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// follow does something that leads to another page, and waits for that.
func follow(ctx context.Context, t *testing.T, step chromedp.Action[chromedp.Void]) {
	t.Helper()
	if _, err := chromedp.RunResponse(ctx, step); err != nil {
		t.Fatal(err)
	}
}

// visible waits until there is something on the page.
func visible(selector chromedp.Search) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(selector)
}

func click(selector chromedp.CSS) chromedp.Action[chromedp.Void] { return chromedp.Click(selector) }

// The pages as people see them, kept with go test -artifacts.
func TestPagesFitTheirWindow(t *testing.T) {
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
				response := ask(ctx, t, chromedp.NavigateResponse(url+page))
				if response.Status != http.StatusOK {
					t.Errorf("status %d", response.Status)
				}
				browse(ctx, t, visible("footer"))
				overflow := ask(ctx, t, chromedp.Evaluate[int](`Math.max(document.documentElement.scrollWidth - innerWidth,
					...[...document.querySelectorAll("section")].map((s) => s.scrollWidth - s.clientWidth))`))
				picture := ask(ctx, t, chromedp.FullScreenshot(100))
				if overflow > 0 {
					t.Errorf("the page or a part of it is %d pixels wider than its place", overflow)
				}
				if err := os.WriteFile(filepath.Join(t.ArtifactDir(), fmt.Sprintf("%s-%d.png", name, width)), picture, 0o600); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestAPersonRedrivesInABrowser(t *testing.T) {
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
			picture := ask(ctx, t, chromedp.FullScreenshot(100))
			if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "confirm.png"), picture, 0o600); err != nil {
				t.Fatal(err)
			}
			heading := ask(ctx, t, chromedp.Text(chromedp.CSS(".confirm h1")))
			follow(ctx, t, click("button[name=do]"))
			notes := ask(ctx, t, chromedp.Text(chromedp.CSS("#notes .note")))
			if heading != "Delete 2 events?" || !strings.Contains(notes, "2 events deleted") {
				t.Errorf("%q, then %q", heading, notes)
			}
			if left := keys(t, box, inbox.StateDead); len(left) != 1 || left[0] != keyOf(t, "dead-2") {
				t.Errorf("left are %q", left)
			}
		})
	}
}

func TestAPageIsKeptUpToDate(t *testing.T) {
	ctx := browser(t)
	box := open(t)
	url := serve(t, box)
	browse(ctx, t, chromedp.Navigate(url+"events?state=waiting"), visible(".empty"))
	receive(t, box, "new-1")
	browse(ctx, t, visible(chromedp.Search(`//bdi[text()="`+keyOf(t, "new-1")+`"]`)), visible(`//nav//b[text()="1"]`))
}

// What the Content-Security-Policy or a mistake in the script breaks is told to the console of the browser.
func TestTheBrowserHasNothingToComplainAbout(t *testing.T) {
	ctx := browser(t)
	box := open(t)
	receive(t, box, "dead-1")
	run(t, box)
	complaints := listen(ctx, t)
	url := serve(t, box, console.WithActions())
	for _, page := range []string{"", "events?state=dead", "event?key=" + keyOf(t, "dead-1")} {
		browse(ctx, t, chromedp.Navigate(url+page), visible("#live"))
		if border := ask(ctx, t, chromedp.Evaluate[string](`getComputedStyle(document.querySelector("header")).borderBottomStyle`)); border != "solid" {
			t.Errorf("%q has no style", page)
		}
	}
	if all := complaints(); len(all) > 0 {
		t.Errorf("%q", all)
	}
}
