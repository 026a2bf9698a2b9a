package report

import (
	"slices"
	"strconv"
	"time"
)

// Level says that from At on, counted from the beginning of the run, the canary
// got Percent of the live traffic.
type Level struct {
	At      time.Duration
	Percent int
}

const (
	weightTitle  = "Live traffic to the canary"
	successTitle = "Success rate over time"
)

// drawWeight draws the steps of the weight, and returns the height that it
// took. What came before the run is where it begins.
func (r *Run) drawWeight(c *canvas, width float64) float64 {
	p := r.timePanel(c, drawHead(c, width, weightTitle, nil)-keyHeight, width, 120+keyHeight) // as low as its neighbour
	p.y = percentAxis(0, 2)
	p.drawAxes()
	line, end := new(way), max(r.end(), time.Millisecond)
	var at, level float64
	for i, l := range r.Weights {
		x, y := p.at(max(l.At, 0)), p.py(float64(l.Percent))
		if i > 0 {
			line.to(x, level)
			p.under(filled(1), at, x, level)
		}
		line.to(x, y)
		at, level = x, y
	}
	line.to(p.at(end), level)
	p.under(filled(1), at, p.at(end), level)
	c.path("line "+stroked(1), line)
	return p.bottom() + axisHeight
}

// under fills what is below a level.
func (p *panel) under(class string, from, to, level float64) {
	if to > from && level < p.bottom() {
		p.c.rect("area "+class, from, level, to-from, p.bottom()-level)
	}
}

// drawSuccess draws the success rate of all targets, and returns the height
// that it took. The axis begins where the worst second is, and at 99% or below:
// one failure in a thousand is to be seen, and none is to look like none.
func (r *Run) drawSuccess(c *canvas, width float64) float64 {
	failed := func(p *point) float64 { return 100 * float64(p.failures) / float64(max(p.requests, 1)) }
	worst := 100 - r.highest(failed)
	keys := slices.Concat(r.targetKeys(), r.limitedKeys())
	p := r.timePanel(c, drawHead(c, width, successTitle, keys), width, 120)
	p.y = percentAxis(min(worst, 99), 4)
	p.drawAxes()
	for i := len(r.Targets) - 1; i >= 0; i-- { // the first target on top
		p.drawOverTime("line "+stroked(i), r.Targets[i].series().points, func(pt *point) float64 { return p.py(100 - failed(pt)) })
	}
	return p.bottom() + axisHeight
}

// percentAxis holds lo, or less, to 100 in at most about n steps.
func percentAxis(lo float64, n int) axis {
	a := axis{lo: 100, hi: 100}
	for _, off := range linearTicks(0, 100-lo, n) {
		if v := 100 - off; v > -1e-9 {
			a.lo = max(v, 0)
			a.ticks = append(a.ticks, tick{a.lo, strconv.FormatFloat(a.lo, 'g', 4, 64) + "%"})
		}
	}
	return a
}
