package report

import (
	"math"
	"slices"
	"time"
)

// stroked and filled are the classes that give a target its colour.
func stroked(i int) string { return "s" + string(rune('0'+i%len(seriesColours))) }
func filled(i int) string  { return "f" + string(rune('0'+i%len(seriesColours))) }

// targetKeys say which colour is which target, where there are several.
func (r *Run) targetKeys() []key {
	if len(r.Targets) < 2 {
		return nil
	}
	var out []key
	for i := range r.Targets {
		out = append(out, key{label: r.label(i), class: filled(i), box: true})
	}
	return out
}

// limitedKeys say what the shade is, where there is one.
func (r *Run) limitedKeys() []key {
	for i := range r.Targets {
		for _, p := range r.Targets[i].series().points {
			if p.limited {
				return []key{{label: "generator too late", class: "limited", box: true}}
			}
		}
	}
	return nil
}

// end is where the charts over time end.
func (r *Run) end() time.Duration {
	end := r.Elapsed
	for i := range r.Targets {
		end = max(end, r.Targets[i].series().end())
	}
	return end
}

// timePanel is a panel whose horizontal axis is the time of the run, with the
// shade of the intervals in which the generator was too late.
func (r *Run) timePanel(c *canvas, top, width, height float64) panel {
	p := panel{c: c, left: marginLeft, top: top, width: width - marginLeft - marginRight, height: height}
	p.x = timeAxis(r.end(), int(p.width/70))
	for i := range r.Targets {
		p.shade(r.Targets[i].series().points)
	}
	return p
}

// shade draws stretches of limited points, each at once: no seams.
func (p *panel) shade(points []point) {
	for i := 0; i < len(points); i++ {
		from := i
		for i < len(points) && points[i].limited {
			i++
		}
		if i > from {
			left := p.at(points[from].start)
			p.c.rect("limited", left, p.top, p.at(points[i-1].end())-left, p.height)
		}
	}
}

// drawLatency draws latency over time, and returns the height that it took.
func (r *Run) drawLatency(c *canvas, width float64) float64 { return r.drawLatencyIn(c, width, 240) }

// drawLatencyIn has the axes enclose that height.
func (r *Run) drawLatencyIn(c *canvas, width, height float64) float64 {
	const title = "Response time over time"
	lo, hi := r.latencyExtent()
	if hi == 0 {
		return drawNothing(c, title, "Nothing was recorded.")
	}
	keys := slices.Concat(r.targetKeys(), []key{
		{label: "max", class: r.neutral("line dots"), dots: true},
		{label: "p99", class: r.neutral("line")},
		{label: "p50", class: r.neutral("line thin")},
	}, r.limitedKeys())
	p := r.timePanel(c, drawHead(c, width, title, keys), width, height)
	p.y = latencyAxis(lo, hi)
	p.drawAxes()
	for i := len(r.Targets) - 1; i >= 0; i-- { // the first target on top
		points := r.Targets[i].series().points
		p.drawOverTime("line thin "+stroked(i), points, func(pt *point) float64 { return p.lat(pt.quantile(0.5)) })
		p.drawOverTime("line "+stroked(i), points, func(pt *point) float64 { return p.lat(pt.quantile(0.99)) })
		p.drawMax("line dots "+stroked(i), points)
	}
	return p.bottom() + axisHeight
}

// neutral gives a key the colour of the only target, or none of any.
func (r *Run) neutral(class string) string {
	if len(r.Targets) == 1 {
		return class + " " + stroked(0)
	}
	return class + " any"
}

// latencyExtent is the range of what drawLatency shows, in seconds; 0 where
// there is nothing.
func (r *Run) latencyExtent() (lo, hi float64) {
	lo = math.Inf(1)
	for i := range r.Targets {
		for _, p := range r.Targets[i].series().points {
			if p.requests > 0 {
				lo, hi = min(lo, p.quantile(0.5).Seconds()), max(hi, p.quantile(1).Seconds())
			}
		}
	}
	return lo, hi
}

// drawOverTime draws a line through the middles of the points, with a gap where
// there was no request. The ends are drawn out, so that a single point is seen.
func (p *panel) drawOverTime(class string, points []point, y func(*point) float64) {
	w := new(way)
	for i := range points {
		pt := &points[i]
		if pt.requests == 0 {
			w.lift()
			continue
		}
		if !w.pen {
			w.to(p.at(pt.start), y(pt))
		}
		w.to(p.at(pt.middle()), y(pt))
		if i == len(points)-1 || points[i+1].requests == 0 {
			w.to(p.at(pt.end()), y(pt))
		}
	}
	p.c.path(class, w)
}

func (p *panel) drawMax(class string, points []point) {
	w := new(way)
	for i := range points {
		if pt := &points[i]; pt.requests > 0 {
			w.dot(p.at(pt.middle()), p.lat(pt.quantile(1)))
		}
	}
	p.c.path(class, w)
}
