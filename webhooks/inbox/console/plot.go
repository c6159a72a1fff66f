package console

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jogg-go/jogg/webhooks/inbox"
)

// plot is a plot rendered as SVG on the server. The SVG has no text because it is stretched to the width of the page: the labels are HTML.
type plot struct {
	Title  string
	Series []series
	Top    string // label of the upper edge
	Middle string // label of the middle
	From   string // time of the first minute
	Hints  []hint
	Empty  bool
}

type series struct {
	Name, Class string
	Total       string
	Path        string // the d attribute of the SVG path
	Filled      bool
}

// hint is the tooltip of a minute.
type hint struct {
	X, Width float64
	Text     string
}

const (
	plotWidth  = 600.0
	plotHeight = 120.0
)

// flowPlot plots the events that were received, handled, failed and dead-lettered in each minute, as lines.
func flowPlot(minutes []inbox.Minute) plot {
	kinds := []struct {
		name, class string
		of          func(m inbox.Minute) uint64
	}{
		{"received", "received", func(m inbox.Minute) uint64 { return m.Received }},
		{"handled", "handled", func(m inbox.Minute) uint64 { return m.Handled }},
		{"failed", "failed", func(m inbox.Minute) uint64 { return m.Failed }},
		{"dead", "dead", func(m inbox.Minute) uint64 { return m.Dead }},
	}
	most := uint64(0)
	for _, m := range minutes {
		for _, k := range kinds {
			most = max(most, k.of(m))
		}
	}
	top := ceiling(float64(most))
	p := newPlot("Events per minute", minutes, top, func(v float64) string { return short(v) })
	p.Empty = most == 0
	for _, k := range kinds {
		total := uint64(0)
		var path strings.Builder
		for i, m := range minutes {
			total += k.of(m)
			command := "L"
			if i == 0 {
				command = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", command, center(i, len(minutes)), height(float64(k.of(m)), top))
		}
		if total == 0 {
			path.Reset() // a line along the axis would hide the others
		}
		p.Series = append(p.Series, series{Name: k.name, Class: k.class, Total: short(float64(total)), Path: path.String()})
	}
	for i, m := range minutes {
		p.Hints[i].Text = fmt.Sprintf("%s: %d received, %d handled, %d failed, %d dead",
			m.Begin.UTC().Format("15:04"), m.Received, m.Handled, m.Failed, m.Dead)
	}
	return p
}

// timesPlot plots the median and the 95th percentile of the handling time. It uses bars because minutes without attempts have no value.
func timesPlot(minutes []inbox.Minute) plot {
	longest := time.Duration(0)
	for _, m := range minutes {
		longest = max(longest, m.HandlingP95)
	}
	top := ceiling(longest.Seconds())
	p := newPlot("Handling time", minutes, top, func(v float64) string { return span(time.Duration(v * float64(time.Second))) })
	p.Empty = longest == 0
	p.Series = []series{
		{Name: "p95", Class: "p95", Filled: true, Path: bars(minutes, top, func(m inbox.Minute) time.Duration { return m.HandlingP95 })},
		{Name: "median", Class: "median", Filled: true, Path: bars(minutes, top, func(m inbox.Minute) time.Duration { return m.HandlingMedian })},
	}
	for i, m := range minutes {
		p.Hints[i].Text = m.Begin.UTC().Format("15:04") + ": no attempt ended"
		if m.HandlingP95 > 0 {
			p.Hints[i].Text = fmt.Sprintf("%s: median %s, p95 %s",
				m.Begin.UTC().Format("15:04"), span(m.HandlingMedian), span(m.HandlingP95))
		}
	}
	return p
}

func newPlot(title string, minutes []inbox.Minute, top float64, label func(float64) string) plot {
	p := plot{Title: title, Top: label(top), Middle: label(top / 2), Hints: make([]hint, len(minutes))}
	if len(minutes) > 0 {
		p.From = minutes[0].Begin.UTC().Format("15:04")
	}
	width := plotWidth / float64(len(minutes))
	for i := range p.Hints {
		p.Hints[i] = hint{X: float64(i) * width, Width: width}
	}
	return p
}

// bars returns the d attribute of a path with one bar for each minute that has a value.
func bars(minutes []inbox.Minute, top float64, of func(inbox.Minute) time.Duration) string {
	var path strings.Builder
	width := plotWidth / float64(len(minutes))
	for i, m := range minutes {
		if d := of(m); d > 0 {
			y := height(d.Seconds(), top)
			fmt.Fprintf(&path, "M%.1f %.1fV%.1fH%.1fV%.1fZ", float64(i)*width+1, plotHeight, y, float64(i+1)*width-1, plotHeight)
		}
	}
	return path.String()
}

// center returns the x coordinate of the middle of minute i of n.
func center(i, n int) float64 { return (float64(i) + 0.5) * plotWidth / float64(n) }

// height returns the y coordinate of a value. It leaves room for the stroke at both edges.
func height(value, top float64) float64 { return plotHeight - 1 - value/top*(plotHeight-3) }

// ceiling returns the upper end of an axis: a round number of at least most, with a round half.
func ceiling(most float64) float64 {
	if most <= 0 {
		return 2
	}
	unit := math.Pow(10, math.Floor(math.Log10(most)))
	for _, steps := range []float64{1, 2, 4, 6, 8, 10} {
		if steps*unit >= most {
			return max(steps*unit, 0.0001)
		}
	}
	return most
}

// short formats a count with at most four digits and a suffix, such as 12.3k.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.3gk", v/1e3)
	}
	return fmt.Sprintf("%.4g", v)
}
