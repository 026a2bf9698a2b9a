package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/serin-dev/serin/measure"
)

// Chart is one chart of a Run, for a page that has its own arrangement. The
// page includes Style once.
type Chart struct {
	// Name is a word for identifiers, Title is for people.
	Name, Title string

	draw func(*canvas, float64) float64
}

// Charts are those that tell how a rollout goes: the weight, where the Run has
// levels of it, then success and latency of all targets. A Run that nothing
// came back of has none but the weight. They are meant for an open loop.
func Charts(r *Run) []Chart {
	var out []Chart
	if len(r.Weights) > 0 {
		out = append(out, Chart{"weight", weightTitle, r.drawWeight})
	}
	if r.empty() {
		return out
	}
	spectrum := Chart{"spectrum", "Latency by percentile", r.drawSpectrum}
	if r.timeless() {
		return append(out, spectrum)
	}
	r = r.coarse()
	return append(out,
		Chart{"success", successTitle, r.drawSuccess},
		Chart{"latency", "Response time over time", func(c *canvas, width float64) float64 { return r.drawLatencyIn(c, width, 260) }},
		spectrum,
		Chart{"rate", "Rate over time", r.drawRate},
		Chart{"failures", "Failures over time", func(c *canvas, width float64) float64 { return r.drawFailuresIn(c, width, 120) }})
}

// coarsePoints are as many as can be told apart where charts stand side by side,
// and are sent again whenever something changes.
const coarsePoints = 80

// coarse is the run with at most that many points in each series. A point holds
// whole stretches of requests, so that its p99 is more than its slowest one.
func (r *Run) coarse() *Run {
	out := *r
	out.Targets = slices.Clone(r.Targets)
	for i := range out.Targets {
		points := out.Targets[i].series().points
		out.Targets[i].Series = &Series{points: coarsened(points, (len(points)+coarsePoints-1)/coarsePoints)}
	}
	return &out
}

// coarsened merges each n neighbours, and leaves points as it is.
func coarsened(points []point, n int) []point {
	if n < 2 {
		return points
	}
	var out []point
	for group := range slices.Chunk(points, n) {
		first := group[0]
		first.response = hdrhistogram.NewPacked(int64(measure.MinLatency), int64(measure.MaxLatency), chartDigits)
		first.response.Merge(group[0].response)
		for i := range group[1:] {
			first.merge(&group[1+i])
		}
		out = append(out, first)
	}
	return out
}

// Inline is the chart as an <svg> element of that class, drawn for a width in
// pixels of at least 320. It has no style attribute and no script, so that a
// strict Content-Security-Policy lets it be; what comes from outside is escaped.
func (c Chart) Inline(class string, width int) string {
	on := new(canvas)
	height := c.draw(on, float64(width))
	return fmt.Sprintf(`<svg class="%s" viewBox="0 0 %d %s" role="img" aria-label="%s">%s</svg>`,
		escape(class), width, px(height), escape(c.Title), "\n"+on.b.String())
}

// embedCSS is for what only Charts draw.
const embedCSS = ".area{fill-opacity:.16}\n"

// Style is what Charts need: the colours as variables of the page, light or
// dark as the reader likes, and the classes that use them. A target has the
// class fN for an area of its colour, from f0, and sN for a line of it.
func Style() string {
	return ":root{" + variables(false) + "}\n@media (prefers-color-scheme:dark){:root{" + variables(true) + "}}\n" + chartStyle() + embedCSS
}

// Summary is the figures that matter most as rows of cells, a column for each
// target. The first row says what the columns are. A last column relates the
// second of two targets to the first.
func Summary(r *Run) [][]string {
	out := [][]string{{""}, {"Requests"}, {"Succeeded"}, {"Failed"}, {"p50"}, {"p90"}, {"p99"}, {"Max"}}
	for i := range r.Targets {
		total := r.Targets[i].total()
		h := &total.Response
		for j, cell := range []string{
			r.label(i), count(total.Requests()), success(total), count(total.Failures),
			latencyOf(h, 0.5), latencyOf(h, 0.9), latencyOf(h, 0.99), latencyOf(h, 1),
		} {
			out[j] = append(out[j], cell)
		}
	}
	if len(r.Targets) == 2 {
		for i, cell := range r.differences() {
			out[i] = append(out[i], cell)
		}
	}
	return out
}

// differences are the last column of Summary.
func (r *Run) differences() []string {
	relation := compare(&r.Targets[0], &r.Targets[1])
	points := none
	if diff := relation.successPoints(); diff != nil {
		points = signed(*diff, " points")
	}
	out := []string{"Difference", "", points, ""}
	for _, q := range []float64{0.5, 0.9, 0.99, 1} {
		out = append(out, change(relation.ratio(q)))
	}
	return out
}

// label is what Charts and Summary call the target i.
func (r *Run) label(i int) string {
	if label := strings.TrimSpace(printable(r.Targets[i].Label)); label != "" {
		return shorten(label, 120)
	}
	return letter(i)
}
