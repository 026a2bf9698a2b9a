package report

import "slices"

// drawRate draws achieved and intended rate over time, and returns the height
// that it took.
func (r *Run) drawRate(c *canvas, width float64) float64 {
	const title = "Rate over time"
	highest := r.highestRate()
	if highest == 0 {
		return drawNothing(c, title, "Nothing was recorded.")
	}
	intended := r.intendedRates()
	keys := r.targetKeys()
	if len(keys) == 0 {
		keys = []key{{label: "requests answered or failed", class: "line " + stroked(0)}}
	}
	if len(intended) > 0 {
		keys = append(keys, key{label: "intended", class: "line intended"})
	}
	p := r.timePanel(c, drawHead(c, width, title, slices.Concat(keys, r.limitedKeys())), width, 120)
	p.y = rateAxis(1.02*max(highest, slices.Max(append(intended, 0))), 4)
	p.drawAxes()
	for i := len(r.Targets) - 1; i >= 0; i-- {
		p.drawRateOf(r.Targets[i].series().points, "line "+stroked(i))
	}
	for _, v := range intended {
		line := new(way)
		line.to(p.left, p.py(v))
		line.to(p.left+p.width, p.py(v))
		c.path("line intended", line)
	}
	return p.bottom() + axisHeight
}

// drawRateOf draws a rate of nothing too: it was measured.
func (p *panel) drawRateOf(points []point, class string) {
	w := new(way)
	for i := range points {
		pt := &points[i]
		y := p.py(pt.perSecond(pt.requests))
		if i == 0 {
			w.to(p.at(pt.start), y)
		}
		w.to(p.at(pt.middle()), y)
		if i == len(points)-1 {
			w.to(p.at(pt.end()), y)
		}
	}
	p.c.path(class, w)
}

// highestRate is the largest of all points.
func (r *Run) highestRate() float64 {
	return r.highest(func(p *point) float64 { return p.perSecond(p.requests) })
}

func (r *Run) highest(of func(*point) float64) float64 {
	out := 0.0
	for i := range r.Targets {
		points := r.Targets[i].series().points
		for j := range points {
			out = max(out, of(&points[j]))
		}
	}
	return out
}

// intendedRates are those of the targets, each once.
func (r *Run) intendedRates() []float64 {
	var out []float64
	for i := range r.Targets {
		if v := finite(r.Targets[i].RateIntended); v > 0 && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// drawFailures draws failures over time as bars, and returns the height that it
// took.
func (r *Run) drawFailures(c *canvas, width float64) float64 { return r.drawFailuresIn(c, width, 80) }

// drawFailuresIn has the axes enclose that height.
func (r *Run) drawFailuresIn(c *canvas, width, height float64) float64 {
	const title = "Failures over time"
	highest := r.highest(func(p *point) float64 { return p.perSecond(p.failures) })
	if highest == 0 {
		return drawNothing(c, title, "None.")
	}
	keys := r.targetKeys()
	if len(keys) == 0 {
		keys = []key{{label: "failed requests", class: filled(0), box: true}}
	}
	p := r.timePanel(c, drawHead(c, width, title, slices.Concat(keys, r.limitedKeys())), width, height)
	p.y = rateAxis(highest, 3)
	p.drawAxes()
	for i := range r.Targets {
		p.drawBars(filled(i), r.Targets[i].series().points, i, len(r.Targets))
	}
	return p.bottom() + axisHeight
}

// drawBars gives target i of n its part of each point's width. What is more
// than nothing is seen.
func (p *panel) drawBars(class string, points []point, i, n int) {
	for j := range points {
		pt := &points[j]
		if pt.failures == 0 {
			continue
		}
		left, width := p.at(pt.start), p.at(pt.end())-p.at(pt.start)
		gap := min(width/5, 2)
		width = max(width-gap, 0.5) / float64(n)
		height := max(p.bottom()-p.py(pt.perSecond(pt.failures)), 2)
		p.c.rect(class, left+gap/2+float64(i)*width, p.bottom()-height, width, height)
	}
}
