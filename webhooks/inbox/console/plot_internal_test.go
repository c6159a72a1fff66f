package console

import (
	"strings"
	"testing"
	"time"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// hour returns sixty minutes, with activity in the first and the last.
func hour() []inbox.Minute {
	minutes := make([]inbox.Minute, 60)
	for i := range minutes {
		minutes[i].Begin = time.Date(2026, 1, 2, 3, i, 0, 0, time.UTC)
	}
	minutes[0].Counts = inbox.Counts{Received: 30, Handled: 15}
	minutes[59].Counts = inbox.Counts{Received: 3, Failed: 2}
	minutes[59].HandlingMedian, minutes[59].HandlingP95 = 100*time.Millisecond, 3*time.Second
	return minutes
}

func TestFlowPlotHasALineForEachCount(t *testing.T) {
	p := flowPlot(hour())
	if p.Top != "40" || p.Middle != "20" || p.From != "03:00" || p.Empty {
		t.Errorf("%+v", p)
	}
	for i, want := range []struct{ name, total, begins, ends string }{
		{"received", "33", "M5.0 31.2L15.0 119.0", "L595.0 110.2"},
		{"handled", "15", "M5.0 75.1L", "L595.0 119.0"},
		{"failed", "2", "M5.0 119.0L", "L595.0 113.2"},
		{"dead", "0", "", ""},
	} {
		s := p.Series[i]
		if s.Name != want.name || s.Total != want.total || !strings.HasPrefix(s.Path, want.begins) || !strings.HasSuffix(s.Path, want.ends) {
			t.Errorf("%+v", s)
		}
	}
	if hint := p.Hints[59].Text; hint != "03:59: 3 received, 0 handled, 2 failed, 0 dead" {
		t.Error(hint)
	}
}

func TestTimesPlotHasBarsForMinutesWithAttempts(t *testing.T) {
	p := timesPlot(hour())
	if p.Top != "4.0 s" || p.Middle != "2.0 s" {
		t.Errorf("%+v", p)
	}
	for _, s := range p.Series {
		if !strings.HasPrefix(s.Path, "M591.0 120.0V") || strings.Count(s.Path, "M") != 1 {
			t.Errorf("%+v", s)
		}
	}
	if p.Hints[0].Text != "03:00: no attempt ended" || p.Hints[59].Text != "03:59: median 100 ms, p95 3.0 s" {
		t.Errorf("%q, %q", p.Hints[0].Text, p.Hints[59].Text)
	}
}

func TestPlotsWithoutActivityAreEmpty(t *testing.T) {
	if none := make([]inbox.Minute, 60); !flowPlot(none).Empty || !timesPlot(none).Empty {
		t.Error("a plot without activity is not empty")
	}
}
