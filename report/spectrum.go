package report

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/measure"
)

// curve is one line of the spectrum.
type curve struct {
	histogram *measure.Histogram
	class     string
}

// curves are the response time of each target, and for a single one the service
// time too.
func (r *Run) curves() []curve {
	var out []curve
	for i := range r.Targets {
		out = append(out, curve{&r.Targets[i].total().Response, "line " + stroked(i)})
	}
	if len(out) == 1 && !r.Closed {
		out = append(out, curve{&r.Targets[0].total().Service, "line thin dash " + stroked(0)})
	}
	return out
}

// drawSpectrum draws latency over the quantile, and returns the height that it
// took. Each step of the horizontal axis is a nine more, so that the slowest
// requests have as much room as they mean to the one who meets them.
func (r *Run) drawSpectrum(c *canvas, width float64) float64 {
	const title = "Latency by percentile"
	curves := r.curves()
	n, lo, hi := extent(curves)
	if n == 0 {
		return drawNothing(c, title, "Nothing was recorded.")
	}
	p := panel{c: c, left: marginLeft, width: width - marginLeft - marginRight, height: 260}
	p.top = drawHead(c, width, title, r.spectrumKeys())
	p.x = percentileAxis(n, p.width)
	p.y = latencyAxis(lo, hi)
	p.drawAxes()
	for _, curve := range slices.Backward(curves) { // the first target on top
		p.drawCurve(curve)
	}
	return p.bottom() + axisHeight
}

func (r *Run) spectrumKeys() []key {
	if len(r.Targets) > 1 {
		return r.targetKeys()
	}
	response := key{label: "response time", class: "line " + stroked(0)}
	if r.Closed {
		response.label = "response time, which is service time in a closed loop"
		return []key{response}
	}
	return []key{response, {label: "service time", class: "line thin dash " + stroked(0)}}
}

// extent is the largest count of the curves, and the range of their latencies
// in seconds.
func extent(curves []curve) (n int64, lo, hi float64) {
	lo = math.Inf(1)
	for _, curve := range curves {
		if h := curve.histogram; h.Count() > 0 {
			n = max(n, h.Count())
			lo, hi = min(lo, h.Min().Seconds()), max(hi, h.Max().Seconds())
		}
	}
	return n, lo, hi
}

// drawCurve ends where the histogram does: n values say nothing about quantiles
// over 1-1/n.
func (p *panel) drawCurve(curve curve) {
	h := curve.histogram
	if h.Count() == 0 {
		return
	}
	const steps = 200
	end := math.Log10(float64(h.Count()))
	w, dot := new(way), new(way)
	for i := range steps {
		x := end * float64(i) / steps
		w.to(p.px(x), p.lat(h.Quantile(1-math.Pow(10, -x))))
	}
	w.to(p.px(end), p.lat(h.Max()))
	dot.dot(p.px(end), p.lat(h.Max()))
	p.c.path(curve.class, w)
	p.c.path(curve.class+" last", dot)
}
