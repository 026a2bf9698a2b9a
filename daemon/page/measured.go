package page

import (
	"slices"
	"strings"

	"github.com/serin-dev/serin/report"
)

// The widths that charts are drawn in, in pixels: one above the other on a
// telephone, in two columns on a desk.
const (
	wideChart   = 580
	narrowChart = 380
)

// sides are what the two targets of a rollout are called.
var sides = []string{"Primary", "Canary"}

// load is what was measured, with names for its targets.
func (c *Canary) load() *report.Run {
	run := c.Load
	run.Targets = slices.Clone(run.Targets)
	for i := range run.Targets {
		if i < len(sides) {
			run.Targets[i].Label = sides[i]
		}
	}
	return &run
}

// requests is the number of those that were measured.
func (c *Canary) requests() (n int64) {
	for _, t := range c.Load.Targets {
		if t.Total != nil {
			n += t.Total.Requests()
		}
	}
	return n
}

// measured sets the figures of both revisions side by side.
func (m *markup) measured(c *Canary) {
	m.heading("measured", "Measured")
	m.since(c)
	if c.requests() == 0 {
		m.add(`<p class="sub">%s</p>`, c.nothing())
		return
	}
	m.limited(c.Load.Targets)
	rows := report.Summary(c.load())
	m.add(`<table class="figures"><caption class="hidden">Both revisions under the same load</caption>` + "\n<thead><tr><td></td>")
	for i, cell := range rows[0][1:] {
		m.add(`<th scope="col">%s%s</th>`, swatch(i, len(c.Load.Targets)), cell)
	}
	m.add("</tr></thead>\n<tbody>\n")
	for _, row := range rows[1:] {
		m.add(`<tr><th scope="row">%s</th>`, row[0])
		for _, cell := range row[1:] {
			m.add("<td>%s</td>", cell)
		}
		m.add("</tr>\n")
	}
	m.add("</tbody></table>\n<p class=\"sub\">Response times count from when each request was due, to both revisions in the same seconds.</p>\n")
}

// nothing says why there are no figures.
func (c *Canary) nothing() string {
	switch {
	case c.Began.IsZero():
		return "Nothing yet: revisions are measured during a rollout."
	case c.resting(), c.Stage == "RollingBack": // by hand, for example
		return "Nothing: no request of this rollout was measured, or the daemon was started anew since."
	}
	return "Nothing yet: the load begins when the revision is ready."
}

// swatch is the colour of a target.
func swatch(i, targets int) trusted {
	if i >= targets || i >= len(sides) {
		return ""
	}
	return part(func(m *markup) {
		m.add(`<svg class="swatch" viewBox="0 0 14 10" aria-hidden="true"><rect class="f%d" width="14" height="10"/></svg>`, i)
	})
}

// limited warns of seconds in which the figures are about the generator.
func (m *markup) limited(targets []report.Target) {
	for i := range targets {
		if t := &targets[i]; t.Limited > 0 && i < len(sides) {
			m.add(`<p class="note">In %d of %d seconds the load generator itself was late for the %s. `+
				"Response times of those seconds say more about the daemon's machine than about the revision.</p>\n",
				t.Limited, max(t.Intervals, t.Limited), strings.ToLower(sides[i]))
		}
	}
}

// charts draws each chart twice, so that its text is as large on a narrow
// screen.
func (m *markup) charts(c *Canary) {
	charts := report.Charts(c.load())
	if c.Began.IsZero() || len(charts) == 0 {
		return
	}
	m.add("<h2 id=\"h-charts\" class=\"hidden\">Over time</h2>\n") // the charts have titles
	m.add("<div class=\"charts\">\n")
	for _, chart := range charts {
		m.add("<figure>%s%s</figure>\n", trusted(chart.Inline("wide", wideChart)), trusted(chart.Inline("narrow", narrowChart)))
	}
	m.add("</div>\n")
	if !c.Load.Started.IsZero() {
		m.add(`<p class="sub">Time counts from %s UTC.</p>`, when(c.Load.Started, c.Now))
	}
}
